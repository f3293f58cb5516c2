"""A database of an earlier release becomes one of this release, with all that was in it."""

from pathlib import Path

import pytest

from app.core.actor import Actor
from app.core.clock import Clock
from app.store import migrate
from app.store.queries import IndexIn, Query
from app.store.store import connect
from tests.postgres import PostgresServer

ROWS = (
    "insert into resource (id, type, version, last_updated, deleted) values ('p1', 'Patient', 1, 7, false)",
    "insert into body (id, version, rendition, content) values ('p1', 1, 'full', '}}')",
    "insert into visibility (organization, id, level, disclosed) values ('a', 'p1', 'full', 1)",
    "insert into search_index (id, name, value, type) values ('p1', 'family', 'htest', 'Patient')",
)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'hub.db'}"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.create()


async def test_what_the_first_schema_held_is_found_and_shown_under_the_newest(empty_url: str) -> None:
    await migrate.upgrade(empty_url, "0001")
    store = connect(empty_url, Clock())
    for statement in ROWS:
        await store.database.execute(statement)
    await store.close()
    assert not await migrate.is_current(empty_url)
    await migrate.upgrade(empty_url)
    assert await migrate.is_current(empty_url)
    assert await migrate.differences(empty_url) == []
    store = connect(empty_url, Clock())
    query = Query("Patient", (IndexIn("family", ("htest",)),))
    assert [row.id for row in await store.reader(Actor("a", "c", frozenset())).search(query)] == ["p1"]
    assert await store.reader(Actor("b", "c", frozenset())).search(query) == []
    await store.close()


async def test_a_client_of_the_first_schema_keeps_its_secret(empty_url: str) -> None:
    await migrate.upgrade(empty_url, "0001")
    store = connect(empty_url, Clock())
    await store.database.execute(
        "insert into client (id, organization, scope, secret_hash, require_if_match, active, created_at) "
        "values ('c1', 'o', 'ingest', 'HTEST-hash', false, true, 7), ('c2', 'o', 'ingest', null, false, true, 8)"
    )
    await store.close()
    await migrate.upgrade(empty_url)
    store = connect(empty_url, Clock())
    known = {one.id: [(c.kind, c.value, c.until) for c in one.credentials] for one in await store.accounts.clients()}
    assert known == {"c1": [("secret", "HTEST-hash", None)], "c2": []}
    await store.close()
