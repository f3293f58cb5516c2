"""Notifications arrive: over real sockets, from both databases."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from statistics import median

import pytest
import pytest_asyncio

from app.core.clock import Clock, monotonic
from app.rules.notifying import PATIENCE, SECOND
from app.services.hub import Hub
from app.services.subscriptions import subscription_reads
from app.store.changes import Changes, Revocation
from app.store.postgres import PostgresDatabase
from app.store.store import connect
from app.store.subscriptions import CHANNEL
from fhir_mappings import gate
from tests.contract.notified import failed_once, notifying, number_of, status, subscriber, until_status
from tests.contract.subscribers import body, shown_to, subscribe, task, update
from tests.hub_fixtures import World
from tests.receivers import Received, receiving


@pytest.fixture
def here(hub: Hub, world: World) -> Hub:
    """A hub that says that it is on this machine, so that it may notify this machine."""
    assert world.hub is hub
    return replace(hub, settings=hub.settings.model_copy(update={"base_url": "http://127.0.0.1:8000"}))


def conforms(received: Received) -> None:
    problems = gate.check(received.bundle)
    assert not problems, [(p.path, p.rule) for p in problems]


async def test_a_subscription_is_greeted_and_then_told_of_each_change(here: Hub, world: World) -> None:
    actor = await subscriber(world)
    async with receiving() as receiver, notifying(here):
        one = await subscribe(here, actor, body(receiver.url, header=["Authorization: Bearer HTEST"]))
        (greeting,) = await receiver.of_type("handshake")
        assert greeting.headers["authorization"] == "Bearer HTEST"
        assert greeting.headers["content-type"] == "application/fhir+json"
        assert greeting.status["status"] == "requested"
        assert greeting.status["events-since-subscription-start"] == "0"
        await until_status(here, actor, "active")
        await here.store.commit(shown_to(world.harbor, task("t1")))
        (told,) = await receiver.of_type("event-notification")
    base = here.settings.fhir_base
    assert told.status["subscription"] == {"reference": f"{base}/Subscription/{one}"}
    assert (told.status["status"], told.status["events-since-subscription-start"]) == ("active", "1")
    assert [event["focus"] for event in told.events] == [{"reference": f"{base}/Task/t1"}]
    assert len(told.bundle["entry"]) == 1
    assert told.bundle["entry"][0]["request"] == {"method": "GET", "url": f"{base}/Subscription/{one}/$status"}
    for received in (greeting, told):
        conforms(received)


async def test_a_handshake_that_is_not_taken_is_an_error_until_its_owner_asks_again(here: Hub, world: World) -> None:
    actor = await subscriber(world)
    async with receiving(status=500) as receiver, notifying(here):
        one = await subscribe(here, actor, body(receiver.url))
        await until_status(here, actor, "error")
        await here.store.commit(shown_to(world.harbor, task("t1")))
        row = await here.store.reader(actor).read("Subscription", one)
        assert row is not None
        assert row.version == 2
        assert b"status-500" in row.content
        receiver.status = 200
        await asyncio.sleep(1.2)
        assert len(receiver.came) == 1
        await update(here, actor, one, status="active", channel=body(receiver.url)["channel"])
        assert await receiver.numbers(1) == [1]
        await until_status(here, actor, "active")
    assert [one.type for one in receiver.came] == ["handshake", "handshake", "event-notification"]


async def test_a_receiver_that_was_away_gets_everything_in_order(here: Hub, world: World) -> None:
    actor = await subscriber(world)
    async with receiving() as receiver, notifying(here):
        await subscribe(
            here, actor, body(receiver.url, extension=[number_of("backport-max-count", 4, "valuePositiveInt")])
        )
        await until_status(here, actor, "active")
        await receiver.stop()
        for n in range(10):
            await here.store.commit(shown_to(world.harbor, task(f"t{n}")))
        assert await status(here, actor) == "active"
        await receiver.start()
        numbers = await receiver.numbers(10)
        assert numbers == list(range(1, 11))
        assert max(len(one.numbers) for one in receiver.came) == 4
        assert await status(here, actor) == "active"


async def test_one_dead_and_one_silent_receiver_delay_nobody(here: Hub, world: World) -> None:
    actor = await subscriber(world)
    slow = [number_of("backport-timeout", 30)]
    async with receiving() as well, receiving() as silent, receiving() as dead, notifying(here):
        for receiver in (well, silent, dead):
            await subscribe(here, actor, body(receiver.url, extension=slow))
            await receiver.of_type("handshake")
        await asyncio.sleep(0.3)
        await dead.stop()
        silent.hangs = True
        delays = []
        for n in range(20):
            began = monotonic()
            await here.store.commit(shown_to(world.harbor, task(f"t{n}")))
            await well.until(lambda came, n=n: sum(len(one.numbers) for one in came) > n)  # type: ignore[misc]
            delays.append(well.came[-1].at - began)
    assert median(delays) < 0.1, delays
    assert max(delays) < 0.5, delays


async def test_nothing_for_a_while_is_told_by_a_heartbeat_that_is_not_counted(here: Hub, world: World) -> None:
    actor = await subscriber(world)
    async with receiving() as receiver, notifying(here):
        await subscribe(here, actor, body(receiver.url, extension=[number_of("backport-heartbeat-period", 5)]))
        (beat,) = await receiver.of_type("heartbeat")
        await here.store.commit(shown_to(world.harbor, task("t1")))
        assert await receiver.numbers(1) == [1]
    assert beat.status["events-since-subscription-start"] == "0"
    assert beat.at - receiver.came[0].at > 4.5
    conforms(beat)


async def test_full_resources_are_sent_whole_and_are_on_record(here: Hub, world: World) -> None:
    actor = await subscriber(world)
    async with receiving() as receiver, notifying(here):
        await subscribe(here, actor, body(receiver.url, content="full-resource"))
        await until_status(here, actor, "active")
        await here.store.commit(shown_to(world.harbor, task("t1")))
        (told,) = await receiver.of_type("event-notification")
    entry = told.bundle["entry"][1]
    assert entry["resource"]["id"] == "t1"
    assert entry["fullUrl"] == f"{here.settings.fhir_base}/Task/t1"
    assert entry["request"] == {"method": "POST", "url": "Task"}
    assert told.status["topic"].endswith("/SubscriptionTopic/Task")
    rows = await here.store.database.fetch("select organization, entries from disclosure")
    assert [tuple(row) for row in rows] == [(world.harbor, '[["t1", 1, "full", null]]')]


async def test_an_id_alone_is_on_record_too(here: Hub, world: World) -> None:
    actor = await subscriber(world)
    async with receiving() as receiver, notifying(here):
        await subscribe(here, actor, body(receiver.url, content="id-only"))
        await here.store.commit(shown_to(world.harbor, task("t1")))
        await receiver.of_type("event-notification")
    rows = await here.store.database.fetch("select organization, entries from disclosure")
    assert [tuple(row) for row in rows] == [(world.harbor, '[["t1", 0, "full", null]]')]


async def test_an_empty_notification_holds_a_number_and_nothing_of_the_resource(here: Hub, world: World) -> None:
    actor = await subscriber(world)
    async with receiving() as receiver, notifying(here):
        await subscribe(here, actor, body(receiver.url, content="empty"))
        await here.store.commit(shown_to(world.harbor, task("t1")))
        (told,) = await receiver.of_type("event-notification")
    assert [event.keys() for event in told.events] == [{"event-number", "timestamp"}]
    assert "topic" not in told.status
    assert "t1" not in str(told.bundle)
    assert await here.store.database.fetch("select id from disclosure") == []


@pytest.mark.parametrize("content", ["id-only", "full-resource"])
async def test_what_is_not_shown_any_more_is_a_number_alone(here: Hub, world: World, content: str) -> None:
    actor = await subscriber(world)
    async with receiving() as receiver:
        await subscribe(here, actor, body(receiver.url, content=content))
        await here.store.commit(shown_to(world.harbor, task("t1"), task("t2")))
        await here.store.commit(Changes(revocations=(Revocation(world.harbor, "t1"),)))
        async with notifying(here):
            (told,) = await receiver.of_type("event-notification")
    assert [sorted(event) for event in told.events] == [["event-number"], ["event-number", "focus", "timestamp"]]
    assert "t1" not in str(told.bundle)


async def test_a_client_that_is_switched_off_is_told_nothing_more(here: Hub, world: World) -> None:
    actor = await subscriber(world)
    async with receiving() as receiver, notifying(here):
        await subscribe(here, actor, body(receiver.url))
        await until_status(here, actor, "active")
        await here.store.database.execute("update client set active = false")
        await here.store.commit(shown_to(world.harbor, task("t1")))
        await until_status(here, actor, "error")
    assert [one.type for one in receiver.came] == ["handshake"]


async def test_after_three_days_of_failures_it_is_in_error_and_events_are_still_numbered(
    here: Hub, world: World
) -> None:
    actor = await subscriber(world)
    async with receiving() as receiver:
        async with notifying(here):
            one = await subscribe(here, actor, body(receiver.url))
            await until_status(here, actor, "active")
            await receiver.stop()
            await here.store.commit(shown_to(world.harbor, task("t1")))
            await failed_once(here)
        almost, later = (replace(here, clock=Clock(PATIENCE + shift * SECOND)) for shift in (-3600, 60))
        async with notifying(almost):
            await failed_once(almost, 2)
        assert await status(here, actor) == "active"
        async with notifying(later):
            await until_status(later, actor, "error")
        await here.store.commit(shown_to(world.harbor, task("t2")))
        answer = await subscription_reads.status_of(here, actor, one)
    assert b'"valueCode":"error"' in answer
    assert b'"name":"events-since-subscription-start","valueString":"2"' in answer
    assert b"72 hours" in answer


@pytest_asyncio.fixture
async def beside(here: Hub, database_url: str) -> AsyncIterator[Hub]:
    """Another process over the same database."""
    store = connect(database_url, here.clock)
    yield replace(here, store=store)
    await store.close()


async def test_two_workers_send_each_event_once(here: Hub, beside: Hub, world: World) -> None:
    actor = await subscriber(world)
    async with receiving() as receiver, notifying(here), notifying(beside):
        await subscribe(here, actor, body(receiver.url))
        await until_status(here, actor, "active")
        for n in range(30):
            await here.store.commit(shown_to(world.harbor, task(f"t{n}")))
        assert await receiver.numbers(30) == list(range(1, 31))


async def test_a_new_endpoint_is_told_nothing_before_it_was_greeted(here: Hub, world: World) -> None:
    actor = await subscriber(world)
    async with receiving() as old, receiving(status=500) as new, notifying(here):
        one = await subscribe(here, actor, body(old.url))
        await until_status(here, actor, "active")
        await update(here, actor, one, channel=body(new.url)["channel"])
        for n in range(5):
            await here.store.commit(shown_to(world.harbor, task(f"t{n}")))
        await until_status(here, actor, "error")
    assert [one.type for one in new.came] == ["handshake"]
    assert [one.type for one in old.came] == ["handshake"]


async def test_a_subscription_that_was_deleted_is_told_nothing_more(here: Hub, world: World) -> None:
    actor = await subscriber(world)
    async with receiving() as receiver, notifying(here):
        one = await subscribe(here, actor, body(receiver.url))
        await until_status(here, actor, "active")
        await here.store.database.execute("delete from subscription where id = $1", one)
        await here.store.commit(shown_to(world.harbor, task("t1")))
        await asyncio.sleep(1.5)
    assert [one.type for one in receiver.came] == ["handshake"]


async def test_what_another_process_writes_is_told_too(here: Hub, beside: Hub, world: World) -> None:
    actor = await subscriber(world)
    async with receiving() as receiver, notifying(here):
        await subscribe(beside, actor, body(receiver.url))
        await until_status(here, actor, "active")
        await beside.store.commit(shown_to(world.harbor, task("t1")))
        assert await receiver.numbers(1) == [1]


@pytest.mark.alone
@pytest.mark.parametrize("database_url", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True)
async def test_a_notifier_that_lost_its_ear_finds_what_there_is_and_hears_again(here: Hub, world: World) -> None:
    actor = await subscriber(world)
    database = here.store.database
    assert isinstance(database, PostgresDatabase)
    async with receiving() as receiver, notifying(here):
        await subscribe(here, actor, body(receiver.url))
        await until_status(here, actor, "active")
        deaf = database._listeners[CHANNEL]
        deaf.terminate()
        await here.store.commit(shown_to(world.harbor, task("t1")))
        assert await receiver.numbers(1) == [1]
        await asyncio.sleep(1.2)
        assert not database._listeners[CHANNEL].is_closed()
        began = monotonic()
        await here.store.commit(shown_to(world.harbor, task("t2")))
        assert await receiver.numbers(2) == [1, 2]
        assert receiver.came[-1].at - began < 0.9
