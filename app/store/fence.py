"""The second fence: on PostgreSQL an actor reads as a role that row-level security holds to its own organisation.

The first fence is the join with ``visibility`` in every query. This one stands in the database (migration 0008 builds
it): should a query forget the join, the policies still give no row of another organisation. They compare with a
setting that a statement makes itself, for its own transaction only. So it costs no round trip, and nothing stays on
the connection for who comes next: without the setting nothing is seen.

The setting must be made before a policy asks for it. That does not hang on the planner: what may be seen is asked in a
LATERAL subquery that takes the organisation from the row that makes the setting, so it can't run before that row is
there, and ``offset 0`` keeps it a subquery. Were it ever otherwise, too little would be seen and never too much.

SQLite has no roles; there the join stands alone.
"""

from collections.abc import Sequence
from typing import Any, Final

from app.core.actor import Actor
from app.store.database import Database, Record

ROLE: Final = "throughline_reader"
"""Whom an actor reads as: a role of the cluster that can't log in, write, or pass by a policy."""
SETTING: Final = "throughline.organization"
"""What the policies compare with."""

_GAPS: Final = """
select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_roles r on r.rolname = $1
where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname !~ '^(pg_|information_schema$)'
and has_any_column_privilege(r.oid, c.oid, 'select, insert, update, references')
and not (c.relrowsecurity and not r.rolsuper and not r.rolbypassrls and exists (
    select from pg_policy p where p.polrelid = c.oid and p.polcmd = 'r' and r.oid = any(p.polroles)))
order by 1
"""


def setting(organization: str) -> str:
    """A relation of one row, ``organization``, that also makes the setting; ``organization`` is SQL."""
    return f"(select set_config('{SETTING}', {organization}, true) as organization offset 0)"


def fenced(sql: str, parameter: int) -> str:
    """The query ``sql`` for the one organisation that ``$parameter`` names."""
    return (
        f"select q.* from {setting(f'${parameter}')} f cross join lateral "
        f"(select i.* from ({sql}) i where f.organization is not null offset 0) q"
    )


async def read(database: Database, actor: Actor, sql: str, *args: Any) -> Sequence[Record]:
    """Rows of a query as ``actor`` may see them; the hub itself stands inside the fence."""
    if actor.organization is None:
        return await database.fetch(sql, *args)
    if database.name != "postgresql":
        return await database.fetch_fenced(sql, *args)
    return await database.fetch_fenced(fenced(sql, len(args) + 1), *args, actor.organization)


async def gaps(database: Database) -> list[str]:
    """Tables and views that the role may use, of which no policy of its own gives it its part; none is right."""
    if database.name != "postgresql":
        return []
    return [row[0] for row in await database.fetch(_GAPS, ROLE)]


async def stands(database: Database) -> None:
    """Make sure that actors can read. Raises Unfenced where the role is not there or this login may not become it."""
    await database.fetch_fenced("select id from visibility limit 0")
