"""Each change that a Subscription asks for has its number from the commit that makes it."""

import asyncio

import pytest

from app.services.hub import Hub
from app.services.subscriptions import subscriptions
from app.store.changes import Changes, Grant, Level, ResourceChange, Revocation
from tests.contract.subscribers import REQUEST, body, events, partner, shown_to, subscribe, task, update

A, B = partner("a"), partner("b")


def request(resource_id: str, version: int) -> ResourceChange:
    return ResourceChange(resource_id, "ServiceRequest", version, b'},"status":"active"}', columns={"status": "active"})


async def numbers(hub: Hub, subscription: str) -> list[tuple[int, str, int]]:
    return [(event.number, event.id, event.version) for event in await events(hub, A, subscription)]


async def test_events_are_numbered_from_one_in_the_order_of_commits(hub: Hub) -> None:
    one = await subscribe(hub, A, body())
    await hub.store.commit(shown_to("a", task("t1"), task("t2")))
    await hub.store.commit(Changes(resources=(task("t2", 2),)))
    assert await numbers(hub, one) == [(1, "t1", 1), (2, "t2", 1), (3, "t2", 2)]


async def test_an_event_carries_the_instant_of_its_change(hub: Hub) -> None:
    one = await subscribe(hub, A, body())
    committed = await hub.store.commit(shown_to("a", task("t1")))
    (event,) = await events(hub, A, one)
    assert (event.at, event.type, bool(event.deleted), event.level) == (committed.stamps["t1"], "Task", False, "full")


async def test_drafts_other_intents_and_other_types_are_no_events(hub: Hub) -> None:
    one = await subscribe(hub, A, body())
    await hub.store.commit(
        shown_to("a", task("t1", status="draft"), task("t2", intent="plan"), request("r1", 1), task("t3"))
    )
    assert await numbers(hub, one) == [(1, "t3", 1)]


async def test_of_a_request_changes_are_events_and_its_creation_is_none(hub: Hub) -> None:
    one = await subscribe(hub, A, body(topic=REQUEST, filters=["_id=r1,r2"]))
    await hub.store.commit(shown_to("a", request("r1", 1), request("r3", 1)))
    await hub.store.commit(Changes(resources=(request("r1", 2), request("r3", 2))))
    assert await numbers(hub, one) == [(1, "r1", 2)]


async def test_what_the_organisation_does_not_see_is_no_event_of_it(hub: Hub) -> None:
    one = await subscribe(hub, A, body())
    await hub.store.commit(shown_to("b", task("t1")))
    await hub.store.commit(Changes(resources=(task("t2"),), grants=(Grant("a", "t2", until=1),)))
    await hub.store.commit(Changes(resources=(task("t1", 2),), grants=(Grant("a", "t1"),)))
    assert await numbers(hub, one) == [(1, "t1", 2)]


async def test_events_of_one_organisation_are_not_there_for_another(hub: Hub) -> None:
    one = await subscribe(hub, A, body())
    await hub.store.commit(shown_to("a", task("t1")))
    assert await events(hub, B, one) == []
    assert await hub.store.subscriptions(B).standing() == []


async def test_an_event_whose_resource_is_not_shown_any_more_keeps_its_number(hub: Hub) -> None:
    one = await subscribe(hub, A, body())
    await hub.store.commit(shown_to("a", task("t1")))
    await hub.store.commit(Changes(revocations=(Revocation("a", "t1"),)))
    assert [(event.number, event.level) for event in await events(hub, A, one)] == [(1, None)]


FILTERED = [
    ("status=requested", {"t1"}),
    ("status=requested,accepted", {"t1", "t2"}),
    ("status:not=requested", {"t2", "t3"}),
    ("Task.owner=Organization/b", {"t2"}),
    ("Task?owner=b&status=accepted", {"t2"}),
    ("owner=http://hub.test/fhir/R4/Organization/b", {"t2"}),
    ("requester=Organization/h", {"t3"}),
    ("code=http://hl7.org/fhir/CodeSystem/task-code|fulfill", {"t1"}),
    ("code=fulfill", {"t1"}),
    ("code=approve", {"t3"}),
    ("_lastUpdated=gt2020-01-01", {"t1", "t2", "t3"}),
    ("_lastUpdated=lt2020-01-01", set()),
]


@pytest.mark.parametrize(("text", "expected"), FILTERED, ids=[text for text, _ in FILTERED])
async def test_a_filter_narrows_the_events(hub: Hub, text: str, expected: set[str]) -> None:
    one = await subscribe(hub, A, body(filters=[text]))
    first = task("t1", code="fulfill|http://hl7.org/fhir/CodeSystem/task-code")
    second = task("t2", owner="Organization/b", status="accepted")
    third = task("t3", owner="Organization/c", requester="Organization/h", status="rejected", code="full|x")
    third = third._replace(found_by=(("code", "approve|http://hl7.org/fhir/CodeSystem/task-code"),))
    await hub.store.commit(shown_to("a", first, second, third))
    assert {event.id for event in await events(hub, A, one)} == expected


async def test_all_filters_must_hold(hub: Hub) -> None:
    one = await subscribe(
        hub, A, body(filters=["status=requested,accepted", "status=accepted", "owner=Organization/a"])
    )
    await hub.store.commit(shown_to("a", task("t1"), task("t2", status="accepted")))
    assert await numbers(hub, one) == [(1, "t2", 1)]


async def test_sixteen_writers_at_once_leave_no_gap_and_the_order_of_commits(hub: Hub) -> None:
    first, second = await subscribe(hub, A, body()), await subscribe(hub, A, body(filters=["status=accepted"]))

    async def write(writer: int) -> None:
        for n in range(10):
            status = "accepted" if n % 2 else "requested"
            await hub.store.commit(shown_to("a", task(f"t{writer:02}-{n}", status=status)))

    await asyncio.gather(*(write(n) for n in range(16)))
    for subscription, count in ((first, 160), (second, 80)):
        found = await events(hub, A, subscription)
        assert [event.number for event in found] == list(range(1, count + 1))
        assert [event.at for event in found] == sorted(event.at for event in found)


async def test_in_error_events_are_counted_and_when_off_they_are_not(hub: Hub) -> None:
    one = await subscribe(hub, A, body())
    await hub.store.database.execute("update subscription set status = 'error'")
    await hub.store.commit(shown_to("a", task("t1")))
    await update(hub, A, one, status="off")
    await hub.store.commit(shown_to("a", task("t2")))
    await update(hub, A, one, status="active")
    await hub.store.commit(shown_to("a", task("t3")))
    assert await numbers(hub, one) == [(1, "t1", 1), (2, "t3", 1)]
    (standing,) = await hub.store.subscriptions(A).standing()
    assert (standing.status, standing.events) == ("requested", 2)


async def test_a_deleted_subscription_has_no_events(hub: Hub) -> None:
    one = await subscribe(hub, A, body())
    await hub.store.commit(shown_to("a", task("t1")))
    await hub.store.commit(subscriptions.prepare_delete({"id": one}))
    await hub.store.commit(shown_to("a", task("t2")))
    assert await events(hub, A, one) == []


async def test_a_deleted_task_is_an_event(hub: Hub) -> None:
    one = await subscribe(hub, A, body())
    await hub.store.commit(shown_to("a", task("t1")))
    await hub.store.commit(Changes(resources=(task("t1", 2)._replace(deleted=True),)))
    assert [bool(event.deleted) for event in await events(hub, A, one)] == [False, True]


@pytest.mark.parametrize("level", ["full", "offer"])
@pytest.mark.parametrize("filters", [["requester=Organization/h"], ["code=further|x"]], ids=["requester", "code"])
async def test_a_filter_asks_nothing_that_an_offer_does_not_show(hub: Hub, filters: list[str], level: Level) -> None:
    one = await subscribe(hub, A, body(filters=filters))
    other = await subscribe(hub, A, body(filters=["owner=Organization/c"]))
    known = task("t1", owner="Organization/c", requester="Organization/h")._replace(
        found_by=(("code", "x|further"),), offer=b"}}"
    )
    await hub.store.commit(Changes(resources=(known,), grants=(Grant("a", "t1", level),)))
    assert await numbers(hub, one) == ([(1, "t1", 1)] if level == "full" else [])
    assert await numbers(hub, other) == [(1, "t1", 1)]
