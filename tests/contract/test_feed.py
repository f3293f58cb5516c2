import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from app.core.actor import Actor
from app.core.clock import Clock
from app.services import feed as feed_module
from app.services.feed import Feed
from app.services.partners import registration
from app.store.audiences import CHANNEL
from app.store.changes import Changes, Grant, ResourceChange, Revocation
from app.store.postgres import PostgresDatabase
from app.store.store import Store, connect
from tests.hub_fixtures import World

WAIT = 10.0


@pytest_asyncio.fixture
async def feed(store: Store) -> AsyncIterator[Feed]:
    made = Feed(store)
    await made.start()
    yield made
    await made.stop()


on_postgresql = pytest.mark.parametrize(
    "database_url", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)
"""Only PostgreSQL can tell; SQLite has its own test."""


async def until(feed: Feed, organization: str, number: int | None) -> None:
    async with asyncio.timeout(WAIT):
        while feed.changed(organization) != number:  # noqa: ASYNC110 - what is heard has no event to wait for
            await asyncio.sleep(0.02)


async def last_change(world: World, organization: str) -> int:
    actor = Actor(organization, "test", frozenset({"system/*.rs"}))
    return await world.hub.store.reader(actor).last_change()


async def change_something(world: World) -> None:
    fields = {"id": "new-adt", "organization": f"HTEST New {id(object())}", "dialect": "adt_generic"}
    await registration.add_sender(world.hub, fields | {"timezone": "America/New_York"})


async def test_before_it_listens_nothing_is_known_and_on_sqlite_never(store: Store, world: World) -> None:
    feed = Feed(store)
    assert feed.changed(world.mercy) is None
    if not isinstance(store.database, PostgresDatabase):
        await feed.start()
        await asyncio.sleep(0.05)
        assert feed.changed(world.mercy) is None
    await feed.stop()


@on_postgresql
async def test_what_was_changed_before_is_known_and_what_changes_then_is_heard(feed: Feed, world: World) -> None:
    before = await last_change(world, world.harbor)
    assert before > 0
    await until(feed, world.harbor, before)
    await change_something(world)
    after = await last_change(world, world.harbor)
    assert after > before
    await until(feed, world.harbor, after)


@on_postgresql
async def test_a_lost_connection_is_not_believed_and_made_again(feed: Feed, world: World) -> None:
    await until(feed, world.harbor, await last_change(world, world.harbor))
    database = world.hub.store.database
    assert isinstance(database, PostgresDatabase)
    database._listeners[CHANNEL].terminate()
    await until(feed, world.harbor, None)
    await change_something(world)
    await until(feed, world.harbor, await last_change(world, world.harbor))


@on_postgresql
async def test_a_connection_that_died_without_a_word_is_not_believed(
    feed: Feed, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unheard(*_: object) -> None:
        """A beat that never comes back."""

    await until(feed, world.harbor, await last_change(world, world.harbor))
    monkeypatch.setattr(feed_module, "tell", unheard)
    await until(feed, world.harbor, None)


@on_postgresql
async def test_beats_of_other_processes_are_not_taken_for_organisations(
    feed: Feed, world: World, database_url: str
) -> None:
    elsewhere = connect(database_url, Clock())
    other = Feed(elsewhere)
    await other.start()
    await until(other, world.harbor, await last_change(world, world.harbor))
    await until(feed, world.harbor, await last_change(world, world.harbor))
    await asyncio.sleep(0.5)
    assert not any(name.startswith("~") for name in (*feed._numbers, *other._numbers))
    await other.stop()
    await elsewhere.close()


@on_postgresql
async def test_a_view_that_changed_without_any_resource_is_heard_of(feed: Feed, store: Store) -> None:
    await until(feed, "a", 0)
    await store.commit(Changes(grants=(Grant("a", "t1"),)))
    await until(feed, "a", 1)
    await store.commit(Changes(revocations=(Revocation("a", "t1"),)))
    await until(feed, "a", 2)


@on_postgresql
async def test_who_was_let_in_while_a_change_waited_for_its_turn_is_told_of_it(store: Store, database_url: str) -> None:
    task = ResourceChange("t1", "Task", 1, b"}}")
    await store.commit(Changes(resources=(task,)))
    other = await asyncpg.connect(database_url)
    async with other.transaction():
        await other.execute("update head set seq = seq where id = 1")
        changing = asyncio.create_task(store.commit(Changes(resources=(task._replace(version=2),))))
        async with asyncio.timeout(WAIT):
            while not await other.fetchval("select count(*) from pg_locks where not granted"):  # noqa: ASYNC110 - same
                await asyncio.sleep(0.02)
        await other.execute("insert into visibility (organization, id, level, disclosed) values ('x', 't1', 'full', 0)")
    await changing
    await other.close()
    assert await store.reader(Actor("x", "test", frozenset())).last_change() == 1
