"""A hospital's case manager on the phone with a partner that was asked, for the contract tests of what they say."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest_asyncio

from app.core.actor import Actor
from app.core.ids import uuid7
from app.services.partners import registration
from app.services.writing import change_of, decoded, without_server_meta
from app.store.changes import Changes, Decision, Grant
from tests.contract.fhir_callers import Caller, Resource, caller, discharge
from tests.hub_fixtures import PARTNER, World

SCOPE = "system/*.cruds"
NUMBER = "+1 555 0142"
DIAZ, NG = "HTEST Rosa Diaz", "HTEST Amy Ng"
OFFICE = Actor.system("test")
SPOKEN = "https://throughline.org/fhir/CodeSystem/spoken"


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def parameters(**given: Any) -> Resource:
    """Names with ``_`` for ``-``; a text is a code, string or dateTime by its name; None leaves a parameter out."""
    parts = [part(name.replace("_", "-"), value) for name, value in given.items() if value is not None]
    return {"resourceType": "Parameters", **({"parameter": parts} if parts else {})}


def part(name: str, value: Any) -> Resource:
    if name == "partner":
        return {"name": name, "valueReference": {"reference": f"Organization/{value}"}}
    kind = {"answer": "valueCode", "how": "valueCode", "outcome": "valueCode", "at": "valueDateTime"}
    return {"name": name, kind.get(name, "valueString"): value}


def spoken(answer: str, **changes: Any) -> Resource:
    told = {"answer": answer, "said_by": DIAZ, "number": NUMBER, "at": now(), "recorded_by": NG, **changes}
    return parameters(**told)


def called(partner: str, outcome: str = "no-answer", **changes: Any) -> Resource:
    told = {"partner": partner, "number": NUMBER, "at": now(), "outcome": outcome, "recorded_by": NG, **changes}
    return parameters(**told)


def mark(task: Resource) -> str | None:
    tags = [tag["code"] for tag in task["meta"].get("tag", ()) if tag["system"] == SPOKEN]
    return tags[0] if tags else None


@dataclass(frozen=True, slots=True)
class Talkers:
    """One hospital and the partner that it asked."""

    world: World
    web: httpx.AsyncClient
    mercy: Caller
    harbor: Caller

    async def source(self) -> Resource:
        (task,) = await self.mercy.search("Task")
        return task

    async def child(self, who: Caller | None = None) -> Resource:
        (task,) = await (who or self.harbor).search("Task")
        return task

    async def record(self, body: Resource, who: Caller | None = None, task: str | None = None) -> httpx.Response:
        named = task or (await self.source())["id"]
        return await (who or self.mercy).post(f"Task/{named}/$record-answer", body)

    async def call(self, body: Resource, who: Caller | None = None, task: str | None = None) -> httpx.Response:
        named = task or (await self.source())["id"]
        return await (who or self.mercy).post(f"Task/{named}/$record-call", body)

    async def asked_too(self, name: str) -> Caller:
        """Another partner that was asked with the same referral at the same time."""
        other = await self.partner(name)
        await self.ask_too(await self.child(), other.organization)
        return other

    async def partner(self, name: str, **changes: Any) -> Caller:
        """Another partner, which nobody has asked."""
        profile = {**PARTNER, "name": name, "needs": ["peer-support"], **changes}
        (made,) = await registration.import_partners(self.world.hub, json.dumps([profile]).encode())
        return await caller(self.world, self.web, made.organization, SCOPE)

    async def ask_too(self, first: Resource, organization: str) -> str:
        """Ask another partner with the referral of the Task ``first``; id of its Task."""
        reader = self.world.hub.store.reader(OFFICE)
        (row,) = await reader.by_ids([first["id"]])
        (focus,) = await reader.by_ids([first["focus"]["reference"].rpartition("/")[2]])
        owner = {"reference": f"Organization/{organization}"}
        request = {**decoded(focus), "id": uuid7(), "performer": [owner]}
        child = {**decoded(row), "id": uuid7(), "owner": owner}
        child["focus"] = {"reference": f"ServiceRequest/{request['id']}"}
        decision = self._decision(organization, child, request)
        shown = tuple(Grant(organization, one["id"], decision=decision.id) for one in (child, request))
        resources = tuple(change_of(without_server_meta(one), 1) for one in (child, request))
        await self.world.hub.store.commit(Changes(resources=resources, grants=shown, decisions=(decision,)))
        return str(child["id"])

    def _decision(self, recipient: str, child: Resource, request: Resource) -> Decision:
        return Decision(
            id=uuid7(),
            at=self.world.hub.clock.now_us(),
            referral=request["basedOn"][0]["reference"].rpartition("/")[2],
            task=child["id"],
            patient=child["for"]["reference"].rpartition("/")[2],
            discloser=self.mercy.organization,
            recipient=recipient,
            direction="to-recipient",
            purpose="TREAT",
            level="packet",
            basis="hipaa-treatment",
            consent=None,
            consent_version=None,
            redisclosure=None,
            notice=None,
            until=None,
            reasons="[]",
            cure="[]",
        )


@pytest_asyncio.fixture
async def talkers(world: World, web: httpx.AsyncClient) -> Talkers:
    await discharge(world, web, 1)
    mercy, harbor = await caller(world, web, world.mercy, SCOPE), await caller(world, web, world.harbor, SCOPE)
    return Talkers(world, web, mercy, harbor)
