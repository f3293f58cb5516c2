"""The second fence (PostgreSQL): a role that an actor's queries run as, and what its policies let it see.

A table without a grant to the role can't be read by it at all. The owner of the tables, who is the hub itself, is held
by no policy. Roles belong to the cluster and not to the database: the role may be there already, made by an
administrator or for another database, and it stays when this database goes.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from app.store.database import NeedsAdministrator

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_ROLE = "throughline_reader"
# coalesce keeps the planner from what it would make of a plain equation: it would guess from the setting at planning
# time, which says nothing, that hardly any row fits, and walk through all rows of an organisation instead of probing.
_OWN = "coalesce(organization = current_setting('throughline.organization', true), false)"
# A policy's subquery runs as the role too: of ``visibility`` it finds the rows of the organisation only. ``offset 0``
# keeps it a probe for each row; else it may become a hash of everything that is seen, made once for a statement in
# which several organisations ask.
_SEEN = "exists (select from visibility v where v.id = {table}.id offset 0)"
_OWN_SUBSCRIPTION = "exists (select from subscription s where s.id = {table}.subscription offset 0)"
_POLICIES = {
    "visibility": _OWN,
    "audience": _OWN,
    "author": _OWN,
    "disclosure": _OWN,
    "subscription": _OWN,
    "resource": _SEEN,
    "change": _SEEN,
    "search_index": _SEEN,
    "claim": "exists (select from author a where a.id = {table}.id offset 0)",
    "body": "exists (select from visibility v where v.id = {table}.id and v.level = {table}.rendition offset 0)",
    "subscription_count": _OWN_SUBSCRIPTION,
    "subscription_event": _OWN_SUBSCRIPTION,
    "head": "true",  # one row: the number and the instant of the newest change of all
}
# Two migrations at once, of two databases of the cluster, may both find that something is not there yet.
_UNLESS_THERE = "do $$ begin {statement}; exception when duplicate_object or unique_violation then null; end $$"


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    _make_role()
    for table, condition in _POLICIES.items():
        op.execute(f"alter table {table} enable row level security")
        op.execute(f"create policy reader on {table} for select to {_ROLE} using ({condition.format(table=table)})")
        op.execute(f"grant select on {table} to {_ROLE}")


def downgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in _POLICIES:
        op.execute(f"revoke select on {table} from {_ROLE}")
        op.execute(f"drop policy reader on {table}")
        op.execute(f"alter table {table} disable row level security")


def _make_role() -> None:
    """Make the role and the membership of who migrates, where they lack. Raises NeedsAdministrator."""
    login, may_make = _asked("quote_ident(rolname), rolsuper or rolcreaterole", "rolname = current_user") or ("", False)
    found = _asked(
        "rolsuper or rolbypassrls or rolcanlogin, pg_has_role(current_user, oid, 'member')", f"rolname = '{_ROLE}'"
    )
    lacking = [] if found else [f"create role {_ROLE} nologin"]
    if not found or not found[1]:
        lacking.append(f"grant {_ROLE} to {login}")
    if found and found[0]:
        raise NeedsAdministrator(f"alter role {_ROLE} nologin nosuperuser nobypassrls", *lacking)
    if lacking and not may_make:
        raise NeedsAdministrator(*lacking)
    for statement in lacking:
        op.execute(_UNLESS_THERE.format(statement=statement))


def _asked(columns: str, where: str) -> tuple[Any, Any] | None:
    row = op.get_bind().execute(sa.text(f"select {columns} from pg_roles where {where}")).first()
    return None if row is None else (row[0], row[1])
