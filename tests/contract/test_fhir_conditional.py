"""Validators: a client that asks again without need gets 304, and never one that hides a change."""

import asyncio
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime

import httpx
import pytest

from tests.contract.fhir_callers import Caller, Resource, caller, discharge
from tests.hub_fixtures import World


async def test_a_read_carries_a_weak_tag_of_its_version(harbor: Caller, task: Resource) -> None:
    answer = await harbor.get(f"Task/{task['id']}")
    assert answer.headers["etag"] == f'W/"{task["meta"]["versionId"]}"'
    assert answer.headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize("form", ['W/"{0}"', '"{0}"', '"other", W/"{0}"', "*"])
async def test_a_read_of_what_the_client_has_is_304(form: str, harbor: Caller, task: Resource) -> None:
    tag = form.format(task["meta"]["versionId"])
    answer = await harbor.get(f"Task/{task['id']}", if_none_match=tag)
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == f'W/"{task["meta"]["versionId"]}"'


async def test_a_changed_resource_is_sent_again(harbor: Caller, task: Resource) -> None:
    await harbor.set_status(task, "accepted")
    answer = await harbor.get(f"Task/{task['id']}", if_none_match=f'W/"{task["meta"]["versionId"]}"')
    assert answer.status_code == 200
    assert answer.json()["status"] == "accepted"


async def test_an_old_date_brings_the_resource_and_a_new_one_304(harbor: Caller, task: Resource) -> None:
    await asyncio.sleep(1.1)
    answer = await harbor.get(f"Task/{task['id']}")
    stamp = parsedate_to_datetime(answer.headers["last-modified"])
    same = await harbor.get(f"Task/{task['id']}", if_modified_since=answer.headers["last-modified"])
    assert (same.status_code, same.content) == (304, b"")
    earlier = format_datetime(stamp - timedelta(seconds=2), usegmt=True)
    assert (await harbor.get(f"Task/{task['id']}", if_modified_since=earlier)).status_code == 200
    assert (await harbor.get(f"Task/{task['id']}", if_modified_since="not a date")).status_code == 200
    await harbor.set_status(task, "accepted")
    changed = await harbor.get(f"Task/{task['id']}", if_modified_since=answer.headers["last-modified"])
    assert changed.status_code == 200, "a change in the same second must not hide behind a date"


async def test_the_tag_goes_before_the_date(harbor: Caller, task: Resource) -> None:
    future = "Fri, 01 Jan 2100 00:00:00 GMT"
    answer = await harbor.get(f"Task/{task['id']}", if_none_match='W/"999"', if_modified_since=future)
    assert answer.status_code == 200


@pytest.mark.parametrize("query", ["Task", "Task?status=requested&_include=Task:focus", "Patient"])
async def test_a_poll_without_news_is_304(query: str, harbor: Caller) -> None:
    first = await harbor.get(query)
    again = await harbor.get(query, if_none_match=first.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    assert first.headers["cache-control"] == again.headers["cache-control"] == "private, no-cache"


async def test_a_poll_after_a_new_referral_is_no_304(harbor: Caller, world: World, web: httpx.AsyncClient) -> None:
    first = await harbor.get("Task?status=requested")
    await discharge(world, web, 2)
    again = await harbor.get("Task?status=requested", if_none_match=first.headers["etag"])
    assert again.status_code == 200
    assert again.json()["total"] == 2


async def test_a_poll_after_something_was_taken_away_is_no_304(harbor: Caller, task: Resource) -> None:
    first = await harbor.get("Patient")
    assert first.json()["total"] == 1
    reason = {"op": "add", "path": "/statusReason", "value": {"text": "HTEST no place"}}
    assert (await harbor.set_status(task, "rejected", reason)).status_code == 200
    again = await harbor.get("Patient", if_none_match=first.headers["etag"])
    assert again.status_code == 200
    assert again.json()["total"] == 0


async def test_a_tag_of_one_query_client_or_organization_is_none_of_another(
    harbor: Caller, world: World, web: httpx.AsyncClient
) -> None:
    tag = (await harbor.get("Task")).headers["etag"]
    assert (await harbor.get("Task?status=requested", if_none_match=tag)).status_code == 200
    assert (await harbor.get("Patient", if_none_match=tag)).status_code == 200
    other = await caller(world, web, world.harbor)
    assert (await other.get("Task", if_none_match=tag)).status_code == 200
    mercy = await caller(world, web, world.mercy)
    assert (await mercy.get("Task", if_none_match=tag)).status_code == 200


@pytest.mark.parametrize("name", ["if_none_match", "if_modified_since"])
async def test_what_is_not_visible_is_404_whatever_the_client_says_it_has(
    name: str, harbor: Caller, world: World, web: httpx.AsyncClient
) -> None:
    mercy = await caller(world, web, world.mercy)
    (source,) = await mercy.search("Task")
    value = "*" if name == "if_none_match" else "Fri, 01 Jan 2100 00:00:00 GMT"
    assert (await harbor.get(f"Task/{source['id']}", **{name: value})).status_code == 404


async def test_an_invalid_token_gets_no_304(harbor: Caller) -> None:
    tag = (await harbor.get("Task")).headers["etag"]
    stranger = Caller(harbor.web, harbor.organization, {"authorization": "Bearer nobody"})
    assert (await stranger.get("Task", if_none_match=tag)).status_code == 401
