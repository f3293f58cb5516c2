"""Who has been told already is told again without a write: a poll costs the database reading and nothing else."""

from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.contract.shelf import Shelf, ids_of, points, request, shelf_of, task
from tests.hub_fixtures import World

PAGES = (
    "Task?_count=50",
    "Task?_count=50&_include=Task:focus",
    "Task?_count=50&_include=Task:focus&_include:iterate=ServiceRequest:based-on",
    "Task?_count=50&_summary=true&_sort=-status",
    "Task?_count=50&business-status:missing=true",
)


@pytest_asyncio.fixture
async def shelf(world: World, web: httpx.AsyncClient) -> Shelf:
    made = await shelf_of(world, web)
    await made.put(*(request(f"r{n:02d}") for n in range(60)))
    await made.put(*(task(f"t{n:02d}", focus=points(f"ServiceRequest/r{n:02d}")) for n in range(60)))
    return made


@pytest.fixture
def writes(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One name for each transaction that writes; they are carried out as always."""
    seen: list[str] = []
    database: Any = shelf.store.database
    for name in ("write", "execute"):
        carried_out = getattr(database, name)

        async def counted(*args: Any, name: str = name, carried_out: Any = carried_out) -> Any:
            seen.append(name)
            return await carried_out(*args)

        monkeypatch.setattr(database, name, counted)
    return seen


async def test_a_page_of_fifty_that_was_disclosed_before_costs_no_durable_write(
    shelf: Shelf, writes: list[str]
) -> None:
    first = await shelf.caller.read("Task?_count=50&_include=Task:focus")
    assert (len(ids_of(first)), len(ids_of(first, "include"))) == (50, 50)
    assert writes == ["write"], "the first disclosure of all of it is one commit"
    for page in PAGES:
        assert len(ids_of(await shelf.caller.read(page))) == 50
        await shelf.caller.read(f"Task/{ids_of(first)[0]}")
    assert writes == ["write"]
    await shelf.put(task("t07", status="accepted", focus=points("ServiceRequest/r07")))
    writes.clear()
    for _ in range(2):
        await shelf.caller.read("Task?_count=60")
    assert writes == ["write"], "the new version, and what the page did not show before"
