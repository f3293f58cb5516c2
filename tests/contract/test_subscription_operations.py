"""``$status`` and ``$events``: what a subscriber asks, by GET and by POST, and what nobody else may know."""

import json
from typing import Any

import httpx
import pytest
import pytest_asyncio

from app.core.actor import Actor
from app.services.hub import Hub
from app.store.changes import Changes, Revocation
from fhir_mappings import gate
from tests.contract.fhir_callers import FHIR, Caller, Resource, caller
from tests.contract.subscribers import body, shown_to, subscribe, task
from tests.hub_fixtures import World

STATUS = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription-status-r4"


@pytest_asyncio.fixture
async def harbor(world: World, web: httpx.AsyncClient) -> Caller:
    return await caller(world, web, world.harbor, "system/Subscription.cruds system/Task.rs")


@pytest_asyncio.fixture
async def one(world: World, hub: Hub) -> str:
    """A Subscription with three events, the second of them about what its owner sees no more."""
    actor = Actor(world.harbor, "c", frozenset({"system/*.rs"}))
    made = await subscribe(hub, actor, body(content="full-resource"))
    await hub.store.commit(shown_to(world.harbor, task("t1"), task("t2"), task("t3")))
    await hub.store.commit(Changes(revocations=(Revocation(world.harbor, "t2"),)))
    return made


def parameters(resource: Resource) -> dict[str, Any]:
    return {
        one["name"]: next(value for key, value in one.items() if key.startswith("value"))
        for one in resource["parameter"]
        if one["name"] != "notification-event"
    }


def numbers(bundle: Resource) -> list[str]:
    told = [p for p in bundle["entry"][0]["resource"]["parameter"] if p["name"] == "notification-event"]
    return [p["part"][0]["valueString"] for p in told]


async def post(harbor: Caller, path: str, *given: dict[str, Any]) -> httpx.Response:
    content = json.dumps({"resourceType": "Parameters", "parameter": list(given)})
    headers = harbor.headers | {"content-type": "application/fhir+json"}
    return await harbor.web.post(f"{FHIR}/{path}", content=content, headers=headers)


async def test_the_status_of_one_is_a_searchset_with_its_standing(harbor: Caller, one: str) -> None:
    bundle = await harbor.read(f"Subscription/{one}/$status")
    assert (bundle["type"], bundle["total"]) == ("searchset", 1)
    resource = bundle["entry"][0]["resource"]
    assert resource["meta"]["profile"] == [STATUS]
    said = parameters(resource)
    assert said["subscription"]["reference"].endswith(f"/Subscription/{one}")
    assert said["topic"].endswith("/SubscriptionTopic/Task")
    assert (said["status"], said["type"], said["events-since-subscription-start"]) == ("requested", "query-status", "3")
    assert gate.check(bundle) == []


async def test_the_status_of_several_is_asked_by_id_and_by_status(harbor: Caller, one: str) -> None:
    for query in ("", f"?id={one}", f"?id=x,{one}", "?status=requested,active", f"?id={one}&status=requested"):
        assert (await harbor.read(f"Subscription/$status{query}"))["total"] == 1, query
    for query in ("?id=x", "?status=off", f"?id={one}&status=error"):
        assert (await harbor.read(f"Subscription/$status{query}"))["total"] == 0, query
    asked = await post(harbor, "Subscription/$status", {"name": "id", "valueId": one})
    assert asked.json()["total"] == 1
    asked = await post(harbor, "Subscription/$status", {"name": "status", "valueCode": "off"})
    assert asked.json()["total"] == 0


async def test_events_are_asked_by_number_both_bounds_included(harbor: Caller, one: str) -> None:
    for query, expected in (
        ("", ["1", "2", "3"]),
        ("?eventsSinceNumber=2", ["2", "3"]),
        ("?eventsSinceNumber=2&eventsUntilNumber=2", ["2"]),
        ("?eventsUntilNumber=1", ["1"]),
        ("?eventsSinceNumber=4", []),
    ):
        assert numbers(await harbor.read(f"Subscription/{one}/$events{query}")) == expected, query
    asked = await post(harbor, f"Subscription/{one}/$events", {"name": "eventsSinceNumber", "valueString": "3"})
    assert numbers(asked.json()) == ["3"]


async def test_events_come_as_a_notification_with_what_may_be_seen_now(harbor: Caller, one: str) -> None:
    bundle = await harbor.read(f"Subscription/{one}/$events")
    assert bundle["type"] == "history"
    assert parameters(bundle["entry"][0]["resource"])["type"] == "query-event"
    assert [entry["resource"]["id"] for entry in bundle["entry"][1:]] == ["t1", "t3"]
    assert "t2" not in json.dumps(bundle)
    assert gate.check(bundle) == []


async def test_less_may_be_asked_for_than_the_subscription_has(harbor: Caller, one: str) -> None:
    for content in ("id-only", "empty"):
        bundle = await harbor.read(f"Subscription/{one}/$events?content={content}")
        assert len(bundle["entry"]) == 1
        assert ("Task/t1" in json.dumps(bundle)) is (content == "id-only")


async def test_of_another_organisation_there_is_nothing(world: World, web: httpx.AsyncClient, one: str) -> None:
    other = await caller(world, web, world.mercy, "system/*.cruds")
    assert (await other.read("Subscription/$status"))["total"] == 0
    for path in (f"Subscription/{one}/$status", f"Subscription/{one}/$events", f"Subscription/{one}"):
        known, unknown = await other.get(path), await other.get(path.replace(one, "0"))
        assert known.status_code == unknown.status_code == 404
        assert known.content == unknown.content


@pytest.mark.parametrize(
    "query",
    [
        *(
            "$status?status=open",
            "$status?since=1",
            "ID/$events?eventsSinceNumber=x",
            "ID/$events?eventsSinceNumber=-1",
        ),
        *("ID/$events?content=all", "ID/$events?eventsSinceNumber=1,2", "ID/$events?_count=5"),
    ],
)
async def test_what_can_not_be_read_is_refused(harbor: Caller, one: str, query: str) -> None:
    answer = await harbor.get(f"Subscription/{query.replace('ID', one)}")
    assert answer.status_code == 400
    assert answer.json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(
    "sent",
    [
        *(b"{", b"[]", b'{"resourceType":"Task"}', b'{"resourceType":"Parameters","parameter":{}}'),
        b'{"resourceType":"Parameters","parameter":[{"name":"id"}]}',
        b'{"resourceType":"Parameters","parameter":[1]}',
    ],
)
async def test_a_body_that_is_no_parameters_is_refused(harbor: Caller, sent: bytes) -> None:
    headers = harbor.headers | {"content-type": "application/fhir+json"}
    answer = await harbor.web.post(f"{FHIR}/Subscription/$status", content=sent, headers=headers)
    assert answer.status_code == 400


async def test_without_the_scope_nothing_is_told(world: World, web: httpx.AsyncClient, one: str) -> None:
    reader = await caller(world, web, world.harbor, "system/Task.rs")
    assert (await reader.get(f"Subscription/{one}/$status")).status_code == 403
    subscriber = await caller(world, web, world.harbor, "system/Subscription.rs")
    assert (await subscriber.get(f"Subscription/{one}/$events")).status_code == 403
    assert (await subscriber.get(f"Subscription/{one}/$events?content=empty")).status_code == 200
