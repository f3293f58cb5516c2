"""What was deleted is gone and has a past; a history is paged, bounded in time, and the caller's own view."""

from datetime import datetime, timedelta

import httpx
import pytest_asyncio

from app.core.clock import iso, micros
from tests.contract.fhir_callers import Resource
from tests.contract.shelf import Shelf, next_of, shelf_of, task
from tests.hub_fixtures import World


@pytest_asyncio.fixture
async def shelf(world: World, web: httpx.AsyncClient) -> Shelf:
    """A Task t1 in four versions, and t2 in one."""
    made = await shelf_of(world, web)
    for status in ("requested", "accepted", "in-progress", "completed"):
        await made.put(task("t1", status=status))
    await made.put(task("t2"))
    return made


def versions(bundle: Resource) -> list[str]:
    return [entry["response"]["etag"][3:-1] for entry in bundle.get("entry", [])]


def moved(stamp: str, microseconds: int) -> str:
    return iso(micros(datetime.fromisoformat(stamp) + timedelta(microseconds=microseconds)))


async def test_a_deleted_resource_is_gone_and_its_past_is_not(shelf: Shelf) -> None:
    await shelf.delete("Task", "t1")
    for path in ("Task/t1", "Task/t1/_history/5", "Task/t1/$packet", "Task/t1?_summary=true"):
        answer = await shelf.caller.get(path)
        assert (answer.status_code, answer.json()["issue"][0]["code"]) == (410, "deleted"), path
        assert "etag" not in answer.headers
    assert (await shelf.caller.read("Task/t1/_history/4"))["status"] == "completed"
    assert (await shelf.caller.get("Task/t1/_history/6")).status_code == 404
    assert (await shelf.caller.get("Task/t1", if_none_match='W/"5"')).status_code == 410


async def test_a_deletion_stands_in_the_history_without_a_resource(shelf: Shelf) -> None:
    await shelf.delete("Task", "t1")
    bundle = await shelf.caller.read("Task/t1/_history")
    gone, *before = bundle["entry"]
    assert bundle["total"] == 5
    assert gone["request"] == {"method": "DELETE", "url": "Task/t1"}
    assert (gone["response"]["status"], gone["response"]["etag"]) == ("204", 'W/"5"')
    assert "resource" not in gone
    assert gone["fullUrl"] == before[0]["fullUrl"]
    assert [one["request"]["method"] for one in before] == ["PUT", "PUT", "PUT", "POST"]


async def test_a_deleted_resource_is_never_found(shelf: Shelf) -> None:
    await shelf.delete("Task", "t1")
    for query in ("Task", "Task?_id=t1", "Task?_sort=status", "Task?status:not=draft", "Task?_summary=true"):
        assert "t1" not in await shelf.ids(query), query
    assert (await shelf.caller.read("Task?_summary=count"))["total"] == 1


async def test_who_could_never_see_it_is_told_nothing_of_a_deletion(shelf: Shelf) -> None:
    await shelf.hide("t1")
    await shelf.delete("Task", "t1")
    absent = await shelf.caller.get("Task/t9")
    for path in ("Task/t1", "Task/t1/_history", "Task/t1/_history/5", "Task/t1/$packet"):
        answer = await shelf.caller.get(path)
        assert (answer.status_code, answer.content) == (404, absent.content)


async def test_a_poller_is_told_that_its_view_has_changed_when_something_is_deleted(shelf: Shelf) -> None:
    before = await shelf.caller.get("Task")
    await shelf.delete("Task", "t1")
    after = await shelf.caller.get("Task", if_none_match=before.headers["etag"])
    assert (after.status_code, len(after.json()["entry"])) == (200, 1)


async def test_a_history_comes_in_pages_that_stay_right_while_it_grows(shelf: Shelf) -> None:
    first = await shelf.caller.read("Task/t1/_history?_count=2")
    assert (versions(first), first["total"]) == (["4", "3"], 4)
    await shelf.put(task("t1", status="failed"))
    url = next_of(first)
    assert url is not None
    second = await shelf.follow(url)
    assert (versions(second), next_of(second)) == (["2", "1"], None)
    counted = await shelf.caller.read("Task/t1/_history?_count=0")
    assert (counted["total"], "entry" in counted, next_of(counted)) == (5, False, None)


async def test_a_cursor_of_a_history_is_good_for_that_history_only(shelf: Shelf) -> None:
    url = next_of(await shelf.caller.read("Task/t1/_history?_count=2"))
    assert url is not None
    cursor = url.partition("?")[2]
    for path in (f"Task/t2/_history?{cursor}", f"Task?{cursor}", f"Task/t1/_history?{cursor}&_count=1"):
        answer = await shelf.caller.get(path)
        assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (400, ["http._cursor"]), path


async def test_a_history_since_an_instant_or_at_a_time(shelf: Shelf) -> None:
    stamps = [entry["response"]["lastModified"] for entry in (await shelf.caller.read("Task/t1/_history"))["entry"]]
    third = stamps[1]

    async def shown(query: str) -> list[str]:
        bundle = await shelf.caller.read(f"Task/t1/_history?{query}")
        assert bundle["total"] == len(bundle.get("entry", []))
        return versions(bundle)

    assert await shown(f"_since={third}") == ["4", "3"]
    assert await shown(f"_since={moved(third, 1)}") == ["4"]
    assert await shown("_since=2999-01-01T00:00:00Z") == []
    assert await shown(f"_at={third}") == ["3"]
    assert await shown(f"_at={moved(third, -1)}") == ["2"]
    assert await shown("_at=2999") == ["4"]
    assert await shown("_at=1999") == []
    assert await shown(f"_at={third[:10]}") == ["4", "3", "2", "1"]


async def test_what_a_history_does_not_take_is_refused(shelf: Shelf) -> None:
    for query in ("_since=yesterday", "_since=2026-06-05", "_at=x", "_count=-1", "_count=x", "_sort=x", "colour=blue"):
        answer = await shelf.caller.get(f"Task/t1/_history?{query}")
        (issue,) = answer.json()["issue"]
        assert (answer.status_code, issue["expression"]) == (400, [f"http.{query.partition('=')[0]}"])
    assert (await shelf.caller.get("Task/t1/_history?_format=json&_pretty=true")).status_code == 200


async def test_every_version_that_a_history_shows_is_recorded_as_disclosed(shelf: Shelf) -> None:
    await shelf.caller.read("Task/t1/_history?_count=3")
    ((entries,),) = await shelf.store.database.fetch("select entries from disclosure")
    assert entries == '[["t1", 4, "full", null], ["t1", 3, "full", null], ["t1", 2, "full", null]]'
