"""A partner subscribes at a hub that serves, and is told of a discharge while it is taken in."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.contract.subscribers import body
from tests.journeys.running_hub import Caller, Resource, RunningHub, running
from tests.journeys.stay import HARBOR, MERCY, Stay
from tests.receivers import Received, Receiver, receiving


@pytest.fixture
def hub(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningHub]:
    with running(monkeypatch, tmp_path, database_url, senders=[MERCY], partners=[HARBOR]) as made:
        yield made


@pytest.fixture
def partner(hub: RunningHub) -> Caller:
    return hub.caller("HTEST Harbor OTP", "system/*.cruds")


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


def subscribed(partner: Caller, receiver: Receiver, **wanted: Any) -> Resource:
    headers = partner.headers | {"content-type": "application/fhir+json"}
    answer = partner.web.post(
        "/fhir/R4/Subscription", content=json.dumps(body(receiver.url, **wanted)), headers=headers
    )
    assert answer.status_code == 201, answer.text
    made: Resource = answer.json()
    return made


def focus(received: Received) -> list[str]:
    return [event["focus"]["reference"].rpartition("/fhir/R4/")[2] for event in received.events]


async def taken_in(hub: RunningHub, number: int) -> None:
    hospital = await asyncio.to_thread(hub.caller, "mercy")
    for message in Stay(number).whole():
        await asyncio.to_thread(hub.post_hl7, hospital, message)


async def test_a_partner_is_told_of_its_referral_and_reads_it(
    hub: RunningHub, partner: Caller, receiver: Receiver
) -> None:
    made = await asyncio.to_thread(subscribed, partner, receiver, filters=["status=requested"])
    await receiver.of_type("handshake")
    await taken_in(hub, 1)
    (told,) = await receiver.of_type("event-notification")
    (reference,) = focus(told)
    task = await asyncio.to_thread(partner.fhir, reference)
    assert (task["resourceType"], task["status"]) == ("Task", "requested")
    kept = await asyncio.to_thread(partner.fhir, f"Subscription/{made['id']}")
    assert kept["status"] == "active"
    events = await asyncio.to_thread(partner.fhir, f"Subscription/{made['id']}/$events")
    assert events["entry"][0]["resource"]["parameter"][-1] == told.bundle["entry"][0]["resource"]["parameter"][-1]


async def test_a_partner_gets_the_task_itself_and_what_it_changes_of_it(
    hub: RunningHub, partner: Caller, receiver: Receiver
) -> None:
    await asyncio.to_thread(subscribed, partner, receiver, content="full-resource")
    await taken_in(hub, 1)
    (told,) = await receiver.of_type("event-notification")
    task = told.bundle["entry"][1]["resource"]
    assert task == await asyncio.to_thread(partner.fhir, f"Task/{task['id']}")
    await asyncio.to_thread(partner.moved, task, "accepted")
    _, changed = await receiver.of_type("event-notification", 2)
    assert changed.bundle["entry"][1]["resource"]["status"] == "accepted"
    assert changed.numbers == [told.numbers[-1] + 1]


async def test_a_partner_whose_server_was_away_is_told_when_it_is_back(
    hub: RunningHub, partner: Caller, receiver: Receiver
) -> None:
    made = await asyncio.to_thread(subscribed, partner, receiver)
    await receiver.of_type("handshake")
    await receiver.stop()
    await taken_in(hub, 1)
    status = await asyncio.to_thread(partner.fhir, f"Subscription/{made['id']}")
    assert status["status"] == "active"
    await receiver.start()
    (told,) = await receiver.of_type("event-notification")
    assert told.numbers[0] == 1
