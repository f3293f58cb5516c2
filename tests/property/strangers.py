"""Another hospital and its partner, who do whatever they can, also with what they should not know of."""

import json
from random import Random
from typing import Final

from tests.contract.fhir_callers import FHIR, OUTPUT, Caller, Resource
from tests.contract.http_messages import adt, unrelated
from tests.contract.subscribers import body as subscription
from tests.fhir_bundles import message, transaction
from tests.property.observers import Observers, changing_event, patch_of, procedure

DEEDS_OF_A_PARTNER: Final = ("answered", "answered", "reported", "subscribed", "looked", "tried", "bundled")
DEEDS: Final = (
    "event_in",
    "lines",
    "hl7",
    "fhir_message",
    "fhir_transaction",
    "junk",
    *DEEDS_OF_A_PARTNER,
)


class Strangers:
    """Their person, numbers and events are those of the others: all that tells them apart is who they are."""

    def __init__(self, hospital: Caller, partner: Caller, sender: str, need: str) -> None:
        self._hospital = hospital
        self._partner = partner
        self._sender = sender
        self._need = need

    async def do(self, name: str, random: Random, others: Observers) -> None:
        """One deed; whether it succeeds does not matter."""
        await getattr(self, f"_{name}")(random, others)
        bundle = (await self._partner.get("Task?_count=1")).json()
        others.tips["cursor"] += [
            link["url"].partition("?")[2] for link in bundle["link"] if link["relation"] == "next"
        ]
        for kind in others.strange:
            others.tips[kind] = [one["id"] for one in await self._partner.search(kind)]

    async def _post(self, path: str, content: bytes | str, kind: str = "application/json") -> None:
        headers = self._hospital.headers | {"content-type": kind}
        await self._hospital.web.post(path, content=content, headers=headers)

    def _event(self, random: Random) -> Resource:
        return changing_event(random) | {"needs": [{"kind": self._need}]}

    async def _task(self, random: Random) -> Resource | None:
        found = await self._partner.search("Task?_count=100")
        return random.choice(found) if found else None

    # ---- the hospital

    async def _event_in(self, random: Random, _: Observers) -> None:
        await self._post(f"/ingest/events?sender={self._sender}", json.dumps(self._event(random)))

    async def _lines(self, random: Random, _: Observers) -> None:
        lines = [json.dumps(one) for one in (self._event(random), unrelated(), {"x": 1}, self._event(random))]
        await self._post(f"/ingest/events?sender={self._sender}", "\n".join(lines), "application/x-ndjson")

    async def _hl7(self, random: Random, _: Observers) -> None:
        await self._post("/ingest/hl7v2", adt(random.randint(1, 4)), "application/hl7-v2")
        await self._post("/ingest/hl7v2", adt(1, application="CERN", facility="NORTH"), "application/hl7-v2")
        await self._post("/ingest/hl7v2", b"MSH|^~\\&|junk", "application/hl7-v2")

    async def _fhir_message(self, random: Random, _: Observers) -> None:
        await self._post(f"{FHIR}/$process-message", json.dumps(message(random.randint(1, 4))), "application/fhir+json")

    async def _fhir_transaction(self, random: Random, _: Observers) -> None:
        await self._post(FHIR, json.dumps(transaction(random.randint(1, 4))), "application/fhir+json")

    async def _junk(self, random: Random, _: Observers) -> None:
        for path in ("/ingest/events", f"{FHIR}/Task", f"{FHIR}/$process-message", FHIR):
            await self._post(path, bytes(random.randrange(256) for _ in range(40)))

    # ---- the partner

    async def _answered(self, random: Random, _: Observers) -> None:
        task = await self._task(random)
        if task is not None:
            reason: Resource = {"op": "add", "path": "/statusReason", "value": {"text": "HTEST"}}
            output: Resource = {"op": "add", "path": "/output", "value": OUTPUT}
            for status in random.choice(
                [["accepted", "in-progress", "completed"], ["rejected"], ["accepted", "failed"]]
            ):
                more = {"completed": [output], "rejected": [reason], "failed": [reason]}.get(status, [])
                await self._partner.set_status(task, status, *more)

    async def _reported(self, random: Random, _: Observers) -> None:
        task = await self._task(random)
        if task is None:
            return
        made = procedure(task["for"]["reference"], random)
        answer = await self._partner.post("Procedure", made, if_none_exist=f"identifier=HTEST-P{random.randint(1, 3)}")
        if answer.status_code == 201 and random.random() < 0.5:
            await self._partner.delete(f"Procedure/{answer.json()['id']}")

    async def _subscribed(self, random: Random, others: Observers) -> None:
        filters = [[], [f"owner=Organization/{others.partner.organization}"]]
        answer = await self._partner.post("Subscription", subscription(filters=random.choice(filters)))
        if answer.status_code == 201 and random.random() < 0.3:
            await self._partner.delete(f"Subscription/{answer.json()['id']}")

    async def _looked(self, random: Random, others: Observers) -> None:
        for path in ("Task?_total=accurate", "Patient?identifier=HTEST0001", f"Task?{others.cursor}", "Task?x=1"):
            await random.choice([self._partner, self._hospital]).get(path)

    async def _tried(self, random: Random, others: Observers) -> None:
        """What they should not know of, in every way."""
        for path in random.choices(others.ids, k=3) if others.ids else ():
            kind, _, name = path.partition("/")
            for tail in ("", "/_history", "/_history/1", "/$packet", "/$events", "/$status"):
                await self._partner.get(f"{path}{tail}")
            status = {"op": "replace", "path": "/status", "value": "accepted"}
            await self._partner.patch(path, status)
            await self._partner.put({"resourceType": kind, "id": name, "status": "completed"})
            await self._partner.delete(path)
            await self._hospital.patch(path, {"op": "replace", "path": "/status", "value": "cancelled"})

    async def _bundled(self, random: Random, others: Observers) -> None:
        names = others.ids or ["Task/none"]
        entries = [{"request": {"method": "GET", "url": one}} for one in random.choices(names, k=2)]
        patch = patch_of({"op": "replace", "path": "/status", "value": "accepted"})
        entries.append({"resource": patch, "request": {"method": "PATCH", "url": random.choice(names)}})
        entries.append(
            {
                "resource": procedure("Patient?identifier=HTEST0001", random),
                "request": {"method": "POST", "url": "Procedure", "ifNoneExist": "identifier=HTEST-P1"},
            }
        )
        for kind in ("batch", "transaction"):
            await self._partner.post("", {"resourceType": "Bundle", "type": kind, "entry": entries})
