"""The access log: repeats, counted by reader and by what was shown; written many at a time."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from app.store.database import Database
from app.store.statements import Statement
from app.store.writes import Batch


class AccessRow(NamedTuple):
    """One reader, one interaction, what was shown, and how often."""

    id: str
    at: int
    organization: str
    client: str
    user: str | None
    interaction: str
    times: int
    resource: str | None
    """The only resource that was shown."""
    page: str | None
    """Id of the page that was shown."""


class AccessPage(NamedTuple):
    """Resources that were shown together: kept once, however often they are shown so."""

    id: str
    organization: str
    at: int
    resources: str
    """Their ids, with spaces between."""


_ROWS: Final = Statement(
    name="access_log",
    columns=(
        ("id", "text"),
        ("at", "big"),
        ("organization", "text"),
        ("client", "text"),
        ("user_id", "text"),
        ("interaction", "text"),
        ("count", "int"),
        ("resource", "text"),
        ("page", "text"),
    ),
    # An empty text travels as NULL (see statements); the hub itself has no organisation.
    template=(
        "insert into access_log (id, at, organization, client, user_id, interaction, count, resource, page) "
        "select id, at, coalesce(organization, ''), client, user_id, interaction, count, resource, page from {rows}"
    ),
    sqlite=(
        "insert into access_log (id, at, organization, client, user_id, interaction, count, resource, page) "
        "values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
    ),
)
_PAGES: Final = Statement(
    name="access_page",
    columns=(("id", "text"), ("organization", "text"), ("at", "big"), ("resources", "text")),
    template=(
        "insert into access_page (id, organization, at, resources) "
        "select id, coalesce(organization, ''), at, coalesce(resources, '') from {rows} on conflict do nothing"
    ),
    sqlite=("insert into access_page (id, organization, at, resources) values (?1, ?2, ?3, ?4) on conflict do nothing"),
)


async def write(database: Database, rows: Sequence[AccessRow], pages: Sequence[AccessPage]) -> None:
    """Keep accesses and the pages that they name, in one transaction.

    Raises VersionMiss where an earlier attempt of unknown outcome wrote the same rows, Gone, Doubt.
    """
    writes = [(statement, found) for statement, found in ((_PAGES, pages), (_ROWS, rows)) if found]
    await database.write(Batch([(statement, list(found)) for statement, found in writes], [], []), 0)
