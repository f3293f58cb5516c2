"""A person of one hospital whose referral a decision shows to a partner: what an account of disclosures is of."""

from dataclasses import dataclass
from typing import Any

import httpx

from app.services.writing import change_of
from app.store.changes import OWN, Changes, Decision, Grant
from tests.contract.fhir_callers import Caller, Resource, caller
from tests.hub_fixtures import World

SCOPE = "system/*.rs system/Task.rus"


@dataclass(frozen=True, slots=True)
class Person:
    """One person's records, named after ``key``."""

    world: World
    key: str
    mercy: Caller
    harbor: Caller

    def id(self, kind: str) -> str:
        return f"{kind}-{self.key}"

    def resources(self, **patient: Any) -> list[Resource]:
        """Patient, request, Task and Consent as they are first written."""
        subject = {"reference": f"Patient/{self.id('patient')}"}
        consent = {
            "resourceType": "Consent",
            "id": self.id("consent"),
            "status": "active",
            "dateTime": "2026-06-01",
            "patient": subject,
            "provision": {
                "type": "permit",
                "period": {"end": "2027-06-01"},
                "actor": [{"reference": {"display": "HTEST Harbor OTP"}}],
                "purpose": [{"code": "TREAT"}],
            },
        }
        request = {
            "resourceType": "ServiceRequest",
            "id": self.id("request"),
            "status": "active",
            "intent": "order",
            "subject": subject,
            "requester": {"reference": f"Organization/{self.mercy.organization}"},
        }
        task = {
            "resourceType": "Task",
            "id": self.id("task"),
            "status": "requested",
            "intent": "order",
            "for": subject,
            "focus": {"reference": f"ServiceRequest/{self.id('request')}"},
        }
        return [self.patient(**patient), request, task, consent]

    def patient(self, **elements: Any) -> Resource:
        return {
            "resourceType": "Patient",
            "id": self.id("patient"),
            "identifier": [{"system": "urn:oid:1.2.3", "value": f"HTEST-{self.key}"}],
            "name": [{"family": "Htest", "given": [f"Sam-{self.key}"]}],
            "birthDate": "1991-04-02",
            **elements,
        }

    def decision(self, **changes: Any) -> Decision:
        """The decision that shows it to the partner."""
        made = Decision(
            id=self.id("decision"),
            at=self.world.hub.clock.now_us(),
            referral=self.id("request"),
            task=self.id("task"),
            patient=self.id("patient"),
            discloser=self.mercy.organization,
            recipient=self.harbor.organization,
            direction="to-recipient",
            purpose="TREAT",
            level="packet",
            basis="consent",
            consent=self.id("consent"),
            consent_version=1,
            redisclosure=None,
            notice="part2-2-32",
            until=None,
            reasons="[]",
            cure="[]",
        )
        return made._replace(**changes)

    async def write(self, decision: Decision | None = None, **patient: Any) -> None:
        """The records, seen whole by their hospital and, under ``decision``, by the partner."""
        decision = decision or self.decision()
        ids = [one["id"] for one in self.resources()]
        shown = [Grant(self.harbor.organization, i, decision=decision.id, notice=decision.notice) for i in ids]
        own = [Grant(self.mercy.organization, i, disclosed=OWN) for i in ids]
        changes = tuple(change_of(one, 1) for one in self.resources(**patient))
        await self.world.hub.store.commit(Changes(resources=changes, grants=(*shown, *own), decisions=(decision,)))


async def person(world: World, web: httpx.AsyncClient, key: str = "one") -> Person:
    """A person whose records are not written yet."""
    mercy, harbor = await caller(world, web, world.mercy, SCOPE), await caller(world, web, world.harbor, SCOPE)
    return Person(world, key, mercy, harbor)
