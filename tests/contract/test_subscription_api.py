"""A Subscription is created, changed, started again and deleted by its owner, over HTTP."""

import json
from typing import Any

import httpx
import pytest
import pytest_asyncio

from app.services.hub import Hub
from tests.contract.fhir_callers import FHIR, Caller, Resource, caller
from tests.contract.subscribers import body, shown_to, task
from tests.hub_fixtures import World


@pytest_asyncio.fixture
async def harbor(world: World, web: httpx.AsyncClient) -> Caller:
    return await caller(world, web, world.harbor, "system/Subscription.cruds system/Task.rs")


async def sent(by: Caller, method: str, path: str, resource: Resource | None = None) -> httpx.Response:
    headers = by.headers | {"content-type": "application/fhir+json"}
    content = None if resource is None else json.dumps(resource)
    return await by.web.request(method, f"{FHIR}/{path}", content=content, headers=headers)


async def created(by: Caller, **wanted: Any) -> Resource:
    answer = await sent(by, "POST", "Subscription", body(**wanted))
    assert answer.status_code == 201, answer.text
    made: Resource = answer.json()
    return made


async def events(by: Caller, subscription: str) -> int:
    bundle = await by.read(f"Subscription/{subscription}/$status")
    parameters = bundle["entry"][0]["resource"]["parameter"]
    return int(next(p["valueString"] for p in parameters if p["name"] == "events-since-subscription-start"))


async def test_a_new_subscription_is_requested_and_its_owner_reads_what_it_sent(harbor: Caller) -> None:
    made = await created(harbor, header=["Authorization: Bearer HTEST"], filters=["status=requested"])
    assert made["status"] == "requested"
    kept = await harbor.read(f"Subscription/{made['id']}")
    assert kept["channel"]["header"] == ["Authorization: Bearer HTEST"]
    assert kept["_criteria"] == made["_criteria"]
    assert [one["id"] for one in await harbor.search("Subscription?status=requested")] == [made["id"]]


async def test_what_is_sent_as_active_is_requested_all_the_same(harbor: Caller) -> None:
    answer = await sent(harbor, "POST", "Subscription", {**body(), "status": "active"})
    assert answer.json()["status"] == "requested"


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({"criteria": "Task?status=requested"}, "Subscription.criteria"),
        ({"status": "error"}, "Subscription.status"),
        ({"channel": body("http://partner.example.org/x")["channel"]}, "Subscription.channel.endpoint"),
        ({"channel": {**body()["channel"], "payload": "application/fhir+xml"}}, "Subscription.channel.payload"),
        ({"channel": {**body()["channel"], "type": "message"}}, "Subscription.channel.type"),
        (body(filters=["priority=stat"]), "Subscription.criteria.extension[0].value"),
    ],
)
async def test_what_is_not_offered_is_refused_by_name(harbor: Caller, changed: Resource, path: str) -> None:
    answer = await sent(harbor, "POST", "Subscription", {**body(), **changed})
    assert answer.status_code == 422
    assert [issue["expression"] for issue in answer.json()["issue"]] == [[path]]
    assert await harbor.search("Subscription") == []


async def test_who_may_not_read_tasks_can_not_be_told_of_them(world: World, web: httpx.AsyncClient) -> None:
    other = await caller(world, web, world.harbor, "system/Subscription.cruds")
    assert (await sent(other, "POST", "Subscription", body())).status_code == 403


async def test_another_organisation_neither_reads_nor_changes_it(
    world: World, web: httpx.AsyncClient, harbor: Caller
) -> None:
    made = await created(harbor)
    other = await caller(world, web, world.mercy, "system/*.cruds")
    path = f"Subscription/{made['id']}"
    for method, resource in (("GET", None), ("PUT", made), ("DELETE", None)):
        assert (await sent(other, method, path, resource)).status_code == 404
    assert await other.search("Subscription") == []


async def test_off_it_counts_nothing_and_requested_again_it_goes_on(harbor: Caller, world: World, hub: Hub) -> None:
    made = await created(harbor)
    path = f"Subscription/{made['id']}"
    await hub.store.commit(shown_to(world.harbor, task("t1")))
    off = await sent(harbor, "PUT", path, {**made, "status": "off"})
    assert (off.status_code, off.json()["status"]) == (200, "off")
    await hub.store.commit(shown_to(world.harbor, task("t2")))
    again = await harbor.patch(path, {"op": "replace", "path": "/status", "value": "active"})
    assert (again.status_code, again.json()["status"]) == (200, "requested")
    await hub.store.commit(shown_to(world.harbor, task("t3")))
    assert await events(harbor, made["id"]) == 2


async def test_the_topic_stays(harbor: Caller) -> None:
    made = await created(harbor)
    other = {**made, "criteria": "http://hl7.org/fhir/us/sdoh-clinicalcare/SubscriptionTopic/Servicerequest"}
    answer = await sent(harbor, "PUT", f"Subscription/{made['id']}", other)
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["expression"] == ["Subscription.criteria"]


async def test_what_was_deleted_has_no_standing(harbor: Caller, world: World, hub: Hub) -> None:
    made = await created(harbor)
    assert (await sent(harbor, "DELETE", f"Subscription/{made['id']}")).status_code == 204
    await hub.store.commit(shown_to(world.harbor, task("t1")))
    assert (await harbor.get(f"Subscription/{made['id']}/$status")).status_code == 404
    assert (await harbor.read("Subscription/$status"))["total"] == 0
    assert await hub.store.database.fetch("select number from subscription_event") == []
