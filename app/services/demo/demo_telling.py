"""The demo's hospitals speak, by way of intake, and its partners answer, by way of the Task rules."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from app.core.actor import Actor
from app.rules import lifecycle
from app.services.clients import accounts
from app.services.demo import demo_world
from app.services.demo.demo_messages import DRUGS, Chart, event
from app.services.demo.demo_world import SITES, STORIES, Act, Story, World
from app.services.disclosures import Disclosures
from app.services.feed import Feed
from app.services.hub import Hub
from app.services.intake.intake import Intake, Outcome
from app.services.intake.intake_reading import read_event
from app.services.interactions import Wanted
from app.services.writes.resource_requests import patching
from app.services.writes.resource_writes import ResourceWrites
from app.services.writing import Resource, decoded
from app.store.queries import ColumnIn, Query
from schemas.codes.local import STATUS_REASON, concept
from schemas.sender import Sender

_SYSTEM: Final = Actor.system("demo")
_AT_ONCE: Final = 16
"""Stories that are told at the same time; the messages of one come in order."""


class Narrator:
    """Sends what the hospitals say, and answers as the partners."""

    def __init__(self, hub: Hub, world: World) -> None:
        self._hub = hub
        self._world = world
        self._now = world.now
        self._intake = Intake(hub)
        self._disclosures = Disclosures(hub.store)
        self._writes = ResourceWrites(hub, self._intake, self._disclosures, Feed(hub.store))
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._senders: dict[str, Sender] = {}

    async def tell_all(self) -> None:
        """Everything, some of it at the same time."""
        self._senders = dict((await self._hub.registry.current()).senders)
        async with asyncio.TaskGroup() as group:
            for number, story in enumerate(STORIES, 1):
                group.create_task(self._tell(number, story))
            for number in range(demo_world.CROWD):
                group.create_task(self._pass_by(101 + number))
            group.create_task(self._odd_ones())
            group.create_task(self._events())
        await self._disclosures.flush()

    # ---- one story

    async def _tell(self, number: int, story: Story) -> None:
        async with self._turns:
            chart, left = self._chart(number, story)
            referral = None
            for message in self._course(chart, story, left):
                outcome = await self._send(message)
                referral = outcome.decision.referral or referral
            for act in story.partner:
                await self._act(referral, act)
            for message in self._later(chart, story, left):
                await self._send(message)

    def _chart(self, number: int, story: Story) -> tuple[Chart, datetime]:
        left = self._now - timedelta(hours=story.left or 0)
        who = demo_world.person(number, phone=story.phone, homeless=story.homeless, woman=story.pregnant)
        admitted = left - timedelta(days=2 + number % 5, hours=number % 7)
        patient_class = "E" if story.unit == "ED" else "I"
        if story.unit == "ED":
            admitted = left - timedelta(hours=9)
        return Chart(SITES[story.site], who, story.unit, admitted, patient_class, story.pregnant), left

    def _course(self, chart: Chart, story: Story, left: datetime) -> Iterable[bytes]:
        drug = DRUGS[story.drug]
        yield chart.admit(story.diagnosis)
        yield chart.order(drug, chart.admitted + timedelta(hours=1))
        if story.dosed is not None:
            dosed = left - timedelta(hours=story.dosed)
            yield chart.dose(drug, max(dosed, chart.admitted + timedelta(hours=2)), story.outcome)
        if story.bridge and not story.late:
            yield chart.supply(drug, left - timedelta(minutes=30), story.bridge)
        if story.left is not None:
            yield chart.discharge(left, story.disposition, story.diagnosis, consent=story.consent)
        if story.late:
            yield chart.supply(drug, left + timedelta(minutes=40), story.bridge)

    def _later(self, chart: Chart, story: Story, left: datetime) -> Iterable[bytes]:
        at = left + timedelta(minutes=50)
        for turn in story.then:
            if turn == "again":
                chart.sent -= 1
                yield chart.discharge(left, story.disposition, story.diagnosis)
            elif turn == "taken-back":
                yield chart.cancel_discharge(at)
            else:
                yield chart.cancel_visit(at)

    async def _act(self, referral: str | None, act: Act) -> None:
        child = await self._child(referral)
        partner = child["owner"]["reference"].rpartition("/")[2]
        account = next(one for one in self._world.partners.values() if one.organization == partner)
        actor = await accounts.authenticate(self._hub, account.token)
        if actor is None:
            raise RuntimeError("a token that was just issued is not known")
        operations = [{"op": "add", "path": f"/{name}", "value": value} for name, value in answer(act).items()]
        await self._writes.update(actor, Wanted("Task", child["id"], patching(operations), None), "patch")

    async def _child(self, referral: str | None) -> Resource:
        """The Task of the partner that is asked, or of the one that has accepted, whose acceptance ended the others."""
        reader = self._hub.store.reader(_SYSTEM)
        source = await reader.search(Query("Task", (ColumnIn("focus", (f"ServiceRequest/{referral}",)),)))
        children = await reader.search(Query("Task", (ColumnIn("part_of", (f"Task/{source[0].id}",)),)))
        return next(task for task in map(decoded, children) if task["status"] not in lifecycle.TERMINAL)

    # ---- everybody else

    async def _pass_by(self, number: int) -> None:
        """Admitted, moved about, gone: nothing to do with opioids."""
        async with self._turns:
            left = self._now - timedelta(hours=number % 60)
            site = SITES["north" if number % 3 else "mercy"]
            chart = Chart(site, demo_world.person(number), "4W", left - timedelta(days=1 + number % 6))
            diagnosis = demo_world.OTHERS[number % len(demo_world.OTHERS)]
            await self._send(chart.admit(diagnosis))
            await self._send(chart.change(left - timedelta(hours=3)))
            if number % 4:
                await self._send(chart.discharge(left, "01", diagnosis))

    async def _odd_ones(self) -> None:
        """An unknown interface, a message that names nobody, a dose without a visit, a diagnosis alone."""
        unknown = SITES["mercy"]._replace(facility="ELSEWHERE")
        at = self._now - timedelta(hours=2)
        stranger, nobody, orphan, early = (
            Chart(site, demo_world.person(201 + n), "4W", at) for n, site in enumerate((unknown, *[SITES["mercy"]] * 3))
        )
        await self._send(stranger.admit("F11.20"))
        await self._send(b"".join(line + b"\r" for line in nobody.admit().split(b"\r") if line[:3] in {b"MSH", b"EVN"}))
        without = orphan.dose(DRUGS["methadone"], at).split(b"\r")
        await self._send(b"\r".join(line for line in without if line[:3] != b"PV1"))
        await self._send(early.admit("F11.20"))

    async def _events(self) -> None:
        """JSON events: consents that name who may receive, and needs beside medication."""
        day = (self._now - timedelta(days=1)).date().isoformat()
        moud, peers = {"kind": "moud-continuation"}, {"kind": "peer-support"}
        both = [demo_world.consent(name, day) for name in (demo_world.HARBOR, demo_world.PEERS)]
        told: tuple[tuple[str, str, Mapping[str, Any]], ...] = (
            ("mercy", "methadone", {"consents": both[:1], "unit": "ACS"}),
            ("north", "methadone", {"needs": [moud, peers], "consents": both}),
            ("mercy", "film", {"needs": [moud, {"kind": "recovery-housing"}]}),
            ("north", "film", {"needs": [moud, {"kind": "identification"}]}),
        )
        for number, (sender, drug, more) in enumerate(told):
            who, at = demo_world.person(301 + number), self._now - timedelta(hours=3 + number)
            body = event(SITES[sender], who, DRUGS[drug], at, **{k: v for k, v in more.items() if k != "unit"})
            body["visit"]["unit"] = more.get("unit", "4W")
            inbound = self._intake.inbound(json.dumps(body).encode(), [self._senders[sender]])
            await self._intake.receive(read_event(inbound, self._hub.keys))

    async def _send(self, message: bytes) -> Outcome:
        return await self._intake.receive_hl7(message, tuple(self._senders.values()))


def answer(act: Act) -> dict[str, Any]:
    """The elements that a partner writes into its Task."""
    if act == "completed":
        return {
            "output": [{"type": {"text": "Outcome"}, "valueString": "First dose given and observed."}],
            "status": act,
        }
    reasons = {"rejected": "no-capacity", "on-hold": "insurance", "failed": "patient-unreachable"}
    if act in reasons:
        return {"statusReason": concept(STATUS_REASON, reasons[act]), "status": act}
    return {"status": act}
