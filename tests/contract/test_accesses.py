"""Who looked at what: each look names its reader and what was shown, without a durable write per request."""

from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from app.core.actor import Actor
from app.services.disclosures import Disclosures
from app.store import accesses
from app.store.accounting import Access, Accounting
from app.store.database import Doubt
from tests.contract.shelf import Shelf, points, request, shelf_of, task
from tests.hub_fixtures import World

SYSTEM = Actor.system("HTEST")


@pytest_asyncio.fixture
async def shelf(world: World, web: httpx.AsyncClient) -> Shelf:
    made = await shelf_of(world, web)
    await made.put(request("r1"), task("t1", focus=points("ServiceRequest/r1")), task("t2"))
    return made


async def looks(shelf: Shelf, app: FastAPI) -> list[Access]:
    await app.state.disclosures.flush()
    return await Accounting(SYSTEM, shelf.store.database).accesses(since=0, organization=shelf.caller.organization)


async def test_a_repeated_read_names_the_resource(shelf: Shelf, app: FastAPI) -> None:
    for _ in range(3):
        await shelf.caller.read("Task/t1")
    assert [(one.interaction, one.resources, one.times) for one in await looks(shelf, app)] == [("read", ("t1",), 2)]


async def test_a_page_is_named_with_all_that_it_brought_and_kept_once(shelf: Shelf, app: FastAPI) -> None:
    for _ in range(2):
        await shelf.caller.read("Task?_include=Task:focus&_sort=_id")
        found = await looks(shelf, app)
    assert {one.resources for one in found} == {("t1", "t2", "r1")}
    assert sum(one.times for one in found) == 2
    pages = await shelf.store.database.fetch("select organization, resources from access_page")
    assert [tuple(row) for row in pages] == [(shelf.caller.organization, "t1 t2 r1")]


async def test_a_304_names_what_the_client_was_told_that_it_still_has(shelf: Shelf, app: FastAPI) -> None:
    tag = (await shelf.caller.get("Task")).headers["etag"]
    assert (await shelf.caller.get("Task", if_none_match=tag)).status_code == 304
    assert {one.resources for one in await looks(shelf, app)} == {("t1", "t2")}


async def test_what_found_nothing_was_shown_nothing(shelf: Shelf, app: FastAPI) -> None:
    await shelf.caller.read("Task?_id=nobody")
    await shelf.caller.read("Task?_summary=count")
    assert [one.resources for one in await looks(shelf, app)] == [(), ()]


async def test_the_user_of_a_client_is_named(shelf: Shelf, app: FastAPI) -> None:
    held: Disclosures = app.state.disclosures
    organization = shelf.caller.organization
    held.access(Actor(organization, "portal", user="HTEST-nurse"), "read", ["t1"])
    held.access(Actor(organization, "portal", user="HTEST-clerk"), "read", ["t1"])
    assert {(one.user, one.times) for one in await looks(shelf, app)} == {("HTEST-nurse", 1), ("HTEST-clerk", 1)}


async def test_many_looks_are_one_transaction(shelf: Shelf, app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    for query in ("Task", "Task?_id=t1", "Task?status=requested", "ServiceRequest"):
        await shelf.caller.read(query)
    written: list[Any] = []
    database: Any = shelf.store.database
    carried_out = database.write

    async def counted(*args: Any) -> Any:
        written.append(args)
        return await carried_out(*args)

    monkeypatch.setattr(database, "write", counted)
    assert len(await looks(shelf, app)) == 4
    assert len(written) == 1


async def test_looks_whose_writing_came_to_nothing_certain_are_counted_once(
    shelf: Shelf, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = accesses.write

    async def lost_on_the_way_back(*args: Any) -> None:
        await write(*args)
        raise Doubt

    await shelf.caller.read("Task")
    monkeypatch.setattr(accesses, "write", lost_on_the_way_back)
    await app.state.disclosures.flush()
    monkeypatch.undo()
    await shelf.caller.read("Task")
    await app.state.disclosures.flush()
    assert [one.times for one in await looks(shelf, app)] == [1, 1]
