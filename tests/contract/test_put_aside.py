"""A message that a fault of ours stops each time: it is kept for an operator and holds up nothing behind it."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from app.core.actor import Actor
from app.core.errors import Unavailable
from app.services.intake import intake as taking
from app.services.intake import reviews
from app.services.intake.intake import Intake
from fhir_mappings import gate
from tests.contract.http_messages import adt, event
from tests.contract.test_http_ingest import HL7, LINES, codes, states
from tests.hub_fixtures import World

READER = Actor.system("test")


@pytest.fixture(params=["read_hl7", "decide"])
def faulty(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """A fault of ours in each message that names it, until it is mended by a call."""
    real = getattr(taking, request.param)

    def stage(first: Any, *rest: Any) -> Any:
        if b"HTEST-FAULT" in (first.data if request.param == "read_hl7" else first.inbound.data):
            raise ZeroDivisionError
        return real(first, *rest)

    with monkeypatch.context() as planted:
        planted.setattr(taking, request.param, stage)
        yield planted.undo


def opening(control_id: str, number: int) -> bytes:
    """A message with the diagnosis that a visit waits with."""
    return adt(number, control_id=control_id) + b"DG1|1||F11.20^Opioid dependence, uncomplicated^I10|||A\r"


async def test_a_fault_of_ours_in_one_message_costs_the_others_nothing_and_is_kept_for_an_operator(
    web: httpx.AsyncClient, world: World, faulty: Callable[[], None]
) -> None:
    headers = await world.bearer(world.mercy) | HL7
    names = [f"HTEST-{n}" for n in range(5)]
    names[2] = "HTEST-FAULT"
    bodies = [opening(name, number) for number, name in enumerate(names)]
    answers = await asyncio.gather(*(web.post("/ingest/hl7v2", content=body, headers=headers) for body in bodies))
    assert [answer.status_code for answer in answers] == [200] * 5
    told = [code for answer in answers for code, _ in codes(answer.content)]
    assert told == ["AA", "AA", "AE", "AA", "AA"]
    behind = await web.post("/ingest/hl7v2", content=opening("HTEST-5", 2), headers=headers)
    assert codes(behind.content) == [("AA", "HTEST-5")]
    (kept,) = await world.hub.store.intake(READER).entries(sender=None, state="rejected", since=None, limit=9)
    assert "hub-fault" in str(kept.reasons)
    with pytest.raises(Unavailable):
        await Intake(world.hub).replay(kept.id)
    faulty()
    again = await Intake(world.hub).replay(kept.id)
    assert again.decision.state == "waiting"


@pytest.mark.parametrize("stage", ["decide", "gated"])
async def test_an_event_that_a_fault_of_ours_stops_is_refused_and_kept(
    web: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    def broken(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(taking, stage, broken)
    headers = await world.bearer(world.mercy)
    answer = await web.post("/ingest/events", json=event(), headers=headers)
    assert answer.status_code == 422
    assert "kept for an operator" in answer.text
    lines = await web.post("/ingest/events", content=json.dumps(event(9)).encode(), headers=headers | LINES)
    (entry,) = map(json.loads, lines.text.splitlines())
    assert (entry["state"], entry["reasons"][0]["code"]) == ("rejected", "hub-fault")
    assert await states(world) == {("mercy-adt", "rejected"): 2}


async def test_what_does_not_conform_stands_in_the_review_queue_until_it_does(
    web: httpx.AsyncClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = await world.bearer(world.mercy)
    body = event()
    body["patient"]["identifiers"][0]["system"] = " "
    answer = await web.post("/ingest/events", json=body, headers=headers)
    entry = answer.json()
    assert (entry["state"], entry["reasons"][0]["code"]) == ("review", "not-conforming")
    (row,) = await reviews.queue(world.hub)
    assert (row["visit"], row["sender"], row["reasons"]) == (entry["id"], "mercy-adt", entry["reasons"])
    await Intake(world.hub).replay(entry["id"])
    assert len(await reviews.queue(world.hub)) == 1
    monkeypatch.setattr(gate, "check", lambda *_: [])
    again = await Intake(world.hub).replay(entry["id"])
    assert (again.decision.state, again.decision.referral is None) == ("referral", False)
    assert entry["id"] not in [one["visit"] for one in await reviews.queue(world.hub)]
