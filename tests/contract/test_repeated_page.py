"""A poll that tells nothing new is a read: it writes nothing, however large the page."""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing

import asyncpg
import httpx
import pytest_asyncio

from tests.contract.shelf import Shelf, ids_of, points, request, shelf_of, task
from tests.hub_fixtures import World

SIZE = 50
FIRST = f"Task?_count={SIZE}&_include=Task:focus"
Number = Callable[[], Awaitable[int]]


@pytest_asyncio.fixture
async def writes(database_url: str) -> AsyncIterator[Number]:
    """A number that changes with each transaction that wrote something, as somebody else sees the database."""
    if database_url.startswith("sqlite:///"):
        with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as beside:

            async def version() -> int:
                return int(beside.execute("pragma data_version").fetchone()[0])

            yield version
        return
    watching = await asyncpg.connect(database_url)

    async def next_transaction() -> int:
        return int(await watching.fetchval("select pg_snapshot_xmax(pg_current_snapshot())::text::bigint"))

    yield next_transaction
    await watching.close()


@pytest_asyncio.fixture
async def shelf(world: World, web: httpx.AsyncClient) -> Shelf:
    made = await shelf_of(world, web)
    await made.put(*(request(f"r{n:02d}") for n in range(SIZE)))
    await made.put(*(task(f"t{n:02d}", focus=points(f"ServiceRequest/r{n:02d}")) for n in range(SIZE)))
    return made


async def test_a_page_of_which_everything_was_shown_before_writes_nothing(shelf: Shelf, writes: Number) -> None:
    before = await writes()
    page = await shelf.caller.read(FIRST)
    shown = await writes()
    assert shown != before, "the first disclosure is written before the bytes leave"
    assert len(ids_of(page)) == len(ids_of(page, "include")) == SIZE
    again = await shelf.caller.read(f"{FIRST}&_lastUpdated=gt2020-01-01T00:00:00Z")
    assert len(ids_of(again)) == len(ids_of(again, "include")) == SIZE
    assert await writes() == shown


async def test_a_new_version_on_the_page_is_written_once(shelf: Shelf, writes: Number) -> None:
    await shelf.caller.read(FIRST)
    await shelf.put(task("t07", status="accepted", focus=points("ServiceRequest/r07")))
    changed = await writes()
    await shelf.caller.read(FIRST)
    shown = await writes()
    assert shown != changed
    await shelf.caller.read(FIRST)
    assert await writes() == shown
