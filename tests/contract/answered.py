"""A hospital that is answered by HL7 v2, its partner, and the hub that tells it, in one test."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx

from app.services.answers import answer_lanes
from app.services.answers.answers import Listed, listed
from app.services.hub import Hub
from app.services.partners import registration
from app.store.answers import State
from tests.contract.fhir_callers import Caller, caller
from tests.hub_fixtures import PARTNER, World
from tests.journeys.stay import MERCY, Stay
from tests.mllp_receivers import MllpReceiver

Resource = dict[str, Any]
OUTCOME = "https://throughline.org/fhir/CodeSystem/outcome"


def reported(code: str) -> Resource:
    """A JSON Patch operation: the outcome that a partner reports, as ``docs/answers.md`` says."""
    value = {"coding": [{"system": OUTCOME, "code": code}]}
    kind = {"coding": [{"system": OUTCOME, "code": "outcome"}]}
    return {"op": "add", "path": "/output", "value": [{"type": kind, "valueCodeableConcept": value}]}


def because(text: str) -> Resource:
    return {"op": "add", "path": "/statusReason", "value": {"text": text}}


@dataclass
class Answered:
    """Who takes part."""

    hub: Hub
    web: httpx.AsyncClient
    hospital: Caller
    partner: Caller
    receiver: MllpReceiver

    async def take_in(self, number: int, **changes: Any) -> None:
        """A whole stay: a partner is asked."""
        for message in Stay(number, **changes).whole():
            await self.send(message)

    async def send(self, message: bytes) -> None:
        headers = self.hospital.headers | {"content-type": "application/hl7-v2"}
        answer = await self.web.post("/ingest/hl7v2", content=message, headers=headers)
        assert b"MSA|AA" in answer.content, answer.text

    async def child(self, number: int) -> Resource:
        """The Task of the partner for one stay."""
        for task in await self.partner.search("Task?_count=200"):
            patient = await self.partner.read(task["for"]["reference"])
            if any(one["value"] == Stay(number).mrn for one in patient.get("identifier", ())):
                return task
        raise AssertionError("the partner was not asked")

    async def move(self, task: Resource, status: str, *more: Resource) -> None:
        answer = await self.partner.set_status(task, status, *more)
        assert answer.status_code == 200, answer.text

    async def told(self, count: int) -> list[str]:
        """The progress that the first answers say, in the order in which they came."""
        return [progress(one.text) for one in await self.receiver.several(count)]

    async def listed(self, state: State | None = None) -> list[Listed]:
        return await listed(self.hub, state)

    async def until_listed(self, state: State, count: int = 1) -> list[Listed]:
        for _ in range(500):
            found = await self.listed(state)
            if len(found) >= count:
                return found
            await asyncio.sleep(0.02)
        raise AssertionError(f"not {count} answers are {state}")

    async def until_tried(self) -> Listed:
        """The first answer of which an attempt has failed."""
        for _ in range(500):
            tried = [one for one in await self.listed() if one.attempts]
            if tried:
                return tried[0]
            await asyncio.sleep(0.02)
        raise AssertionError("nothing was tried")

    async def settled(self) -> None:
        """As soon as nothing waits any more."""
        for _ in range(500):
            if not await self.listed():
                return
            await asyncio.sleep(0.02)
        raise AssertionError("something still waits")

    async def rows(self, text: str, *args: Any) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await self.hub.store.database.fetch(text, *args)]

    def source_of(self, child: Resource) -> str:
        reference: str = child["partOf"][0]["reference"]
        return reference.rpartition("/")[2]


def progress(text: str) -> str:
    """The line of status of an answer, without its time."""
    (line,) = [part for part in text.split("\r") if "|Status: " in part]
    return line.partition("|Status: ")[2].partition(" (")[0]


async def answered(
    world: World, web: httpx.AsyncClient, receiver: MllpReceiver, *, sender: Resource | None = None, **settings: Any
) -> Answered:
    """The hospital is registered with a receiver of answers."""
    here = replace(world.hub, settings=world.hub.settings.model_copy(update={"base_url": "http://127.0.0.1:8000"}))
    answers = {"to": receiver.to, **settings}
    await registration.add_sender(here, {**MERCY, "id": "mercy-adt", "answers": answers, **(sender or {})})
    hospital = await caller(world, web, world.mercy, "ingest system/*.cruds")
    return Answered(here, web, hospital, await caller(world, web, world.harbor, "system/*.cruds"), receiver)


async def a_part2_program(scene: Answered) -> None:
    """From now on the partner is one, so that what it reports needs a consent."""
    await registration.import_partners(scene.hub, json.dumps([PARTNER | {"part2_program": True}]).encode())


@asynccontextmanager
async def telling(hub: Hub) -> AsyncIterator[None]:
    """Answers leave, as long as this lasts."""
    stop = asyncio.Event()
    running = asyncio.create_task(answer_lanes.run(hub, stop))
    try:
        yield
    finally:
        stop.set()
        await running
