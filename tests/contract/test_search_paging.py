"""Sorts and cursors: a client that follows ``next`` to the end misses nothing, whatever changes meanwhile."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
import pytest_asyncio

from schemas.resources import ALL
from tests.contract.fhir_callers import Caller, Resource
from tests.contract.shelf import Shelf, ids_of, next_of, patient, points, request, shelf_of, task
from tests.hub_fixtures import World

SORTS = [
    "_lastUpdated",
    "-_lastUpdated",
    "_id",
    "-_id",
    "status",
    "-status,owner",
    "priority,-authored-on",
    "-priority,authored-on,code",
    "authored-on",
    "owner,-_lastUpdated",
]


@pytest_asyncio.fixture
async def shelf(world: World, web: httpx.AsyncClient) -> Shelf:
    made = await shelf_of(world, web)
    statuses = ["requested", "accepted", "in-progress"]
    priorities = ["routine", "urgent", "stat", None]
    for n in range(9):
        more: Resource = {"status": statuses[n % 3], "owner": points(f"Organization/o{n % 2}")}
        if (priority := priorities[n % 4]) is not None:
            more["priority"] = priority
        if n % 3:
            more["authoredOn"] = f"2026-06-0{n % 5 + 1}T10:00:00Z"
        if n % 2:
            more["code"] = {"coding": [{"system": "http://x", "code": f"c{n % 4}"}]}
        await made.put(task(f"t{n}", **more))
    return made


def expected(tasks: dict[str, Resource], sort: str) -> list[str]:
    """The order that the pages must have: by text, what is missing last either way, and by id where all is the same."""
    names = sorted(tasks)
    for rule in reversed(sort.split(",")):
        values = {name: VALUE[rule.removeprefix("-")](one) for name, one in tasks.items()}
        given = [name for name in names if values[name]]
        there = sorted(given, key=values.__getitem__, reverse=rule.startswith("-"))
        names = [*there, *(name for name in names if not values[name])]
    return names


VALUE: dict[str, Callable[[Resource], Any]] = {
    "_id": lambda one: one["id"],
    "_lastUpdated": lambda one: one["meta"]["lastUpdated"],
    "status": lambda one: one["status"],
    "owner": lambda one: one["owner"]["reference"],
    "priority": lambda one: one.get("priority"),
    "authored-on": lambda one: one.get("authoredOn"),
    "code": lambda one: one["code"]["coding"][0]["code"] if "code" in one else None,
}


@pytest.mark.parametrize("sort", SORTS)
async def test_pages_in_any_order_give_each_match_once_and_in_its_place(sort: str, shelf: Shelf) -> None:
    everything = {one["id"]: one for one in await shelf.caller.search("Task?_sort=_id")}
    assert await shelf.ids(f"Task?_sort={sort}") == expected(everything, sort)
    for count in (1, 2, 4, 9):
        pages = await shelf.pages(f"Task?_sort={sort}&_count={count}")
        assert [name for page in pages for name in ids_of(page)] == expected(everything, sort)
        assert all(len(ids_of(page)) <= count for page in pages)


@pytest.mark.parametrize("sort", SORTS)
async def test_what_changes_while_a_client_pages_is_met_with_its_change(sort: str, shelf: Shelf) -> None:
    """Each change moves a Task to another place: before the cursor, behind it, out of the matches."""
    first = await shelf.caller.read(f"Task?_sort={sort}&_count=3&status:not=cancelled")
    seen = {entry["resource"]["id"]: entry["resource"] for entry in first["entry"]}
    changes = [("t0", "completed"), ("t4", "accepted"), ("t8", "draft"), ("t2", "cancelled")]
    page, url = first, next_of(first)
    while url is not None:
        if changes:
            name, status = changes.pop()
            await shelf.put(task(name, status=status, owner=points("Organization/o9"), priority="asap"))
        page = await shelf.follow(url)
        seen |= {entry["resource"]["id"]: entry["resource"] for entry in page.get("entry", [])}
        url = next_of(page)
    assert len(changes) < 3, "something changed on the way"
    now = {one["id"]: one for one in await shelf.caller.search("Task?status:not=cancelled")}
    assert {name: seen[name] for name in now} == now


async def test_pages_of_a_search_that_no_index_helps_miss_nothing_either(shelf: Shelf) -> None:
    first = await shelf.caller.read("Task?_sort=-status&_count=2&business-status:missing=true")
    await shelf.put(task("t0", status="requested", owner=points("Organization/o0")))
    await shelf.put(task("t1", status="draft", owner=points("Organization/o0")))
    seen = {entry["resource"]["id"]: entry["resource"] for entry in first["entry"]}
    url = next_of(first)
    while url is not None:
        page = await shelf.follow(url)
        seen |= {entry["resource"]["id"]: entry["resource"] for entry in page.get("entry", [])}
        url = next_of(page)
    assert seen == {one["id"]: one for one in await shelf.caller.search("Task")}


async def test_a_search_that_fits_one_page_has_no_next_and_says_its_total(shelf: Shelf) -> None:
    for sort in SORTS:
        bundle = await shelf.caller.read(f"Task?_sort={sort}")
        assert (next_of(bundle), bundle["total"]) == (None, 9)


async def test_later_pages_link_to_themselves_and_never_to_another_organisation(shelf: Shelf) -> None:
    first, second, *_ = await shelf.pages("Task?_count=4&_sort=status&_total=accurate")
    own = next(link["url"] for link in second["link"] if link["relation"] == "self")
    assert own == next_of(first)
    assert ids_of(await shelf.follow(own)) == ids_of(second)
    assert (first["total"], second["total"]) == (9, 9)


async def test_every_sort_that_a_type_declares_is_taken_and_no_other(shelf: Shelf) -> None:
    await shelf.put(request("r1", priority="urgent"), patient("p1"))
    for name, spec in ALL.items():
        if not spec.search:
            continue
        for sort in spec.sorts:
            assert (await shelf.caller.get(f"{name}?_sort=-{sort}")).status_code == 200, (name, sort)
        for param in spec.params.keys() - spec.sorts.keys():
            refused = await shelf.caller.get(f"{name}?_sort={param}")
            assert refused.status_code == 400, (name, param)
            assert "_lastUpdated" in refused.json()["issue"][0]["diagnostics"]
    assert {"status", "priority", "owner", "code", "intent", "authored-on", "_id"} <= ALL["Task"].sorts.keys()


async def test_a_lenient_client_gets_the_usual_order_for_one_that_is_not_known(harbor: Caller) -> None:
    bundle = await harbor.get("Task?_sort=colour", prefer="handling=lenient")
    assert bundle.status_code == 200
    assert "colour" not in bundle.json()["link"][0]["url"]
