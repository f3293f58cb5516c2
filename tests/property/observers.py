"""Two organisations that do what a seed says, and write down all that they are answered."""

import base64
import json
from collections.abc import Sequence
from random import Random
from typing import Any, Final

import httpx

from tests.contract.fhir_callers import FHIR, OUTPUT, Caller, Resource
from tests.contract.http_messages import event
from tests.contract.subscribers import body as subscription
from tests.property.transcripts import Transcript

NUMBERS: Final = "urn:oid:2.16.840.1.113883.3.9999.7"
SEARCHES: Final = (
    "Task",
    "Task?_total=accurate&_count=1",
    "Task?_summary=count",
    "Task?_sort=-_lastUpdated&_include=Task:focus&_include=Task:patient",
    "Task?status=requested&_revinclude=Provenance:target",
    "Task?_sort=status&_count=2",
    "Patient?identifier=HTEST0001",
    "Patient?identifier=HTEST0003",
    "Procedure",
    "Procedure?identifier=HTEST-P1",
    "ServiceRequest?_total=estimate",
    "Encounter?_summary=count",
    "Provenance",
    "Provenance?_summary=count",
    "Observation",
    "Organization?_summary=count",
    "Subscription",
    "Task?_has:Task:patient:status=x",
    "Task?_cursor=x",
)
STEPS: Final = (
    "send",
    "send",
    "search",
    "search",
    "search",
    "search",
    "poll",
    "poll",
    "follow",
    "read",
    "history",
    "packet",
    "answer",
    "answer",
    "report",
    "conditional",
    "transaction",
    "batch",
    "erase",
    "subscribe",
    "events",
    "events",
    "hospital",
    "wrong",
    "tip",
)
TIPPED: Final = ("Task", "ServiceRequest", "Patient", "Procedure", "Subscription", "cursor")
NOBODY: Final = "0197a2c4-0000-7000-8000-000000000000"


class Observers:
    """A hospital and a partner that it asks, whose every answer is written down.

    Args:
        hospital: who sends.
        partner: who is asked.
        sender: the interface of the hospital.
        needs: what the hospital asks for. Of several the partner takes one; the hospital then sees what others do with
            the rest, and its answers are not written down.
    """

    def __init__(self, hospital: Caller, partner: Caller, sender: str, needs: Sequence[str]) -> None:
        self.hospital = hospital
        self.partner = partner
        self.transcript = Transcript()
        self.ids: list[str] = []
        """Paths of what they know, for others to try."""
        self.cursor = "_cursor=x"
        self.tips: dict[str, list[str]] = {kind: [] for kind in TIPPED}
        """What the others told them of what is theirs: ids by type, and queries with cursors."""
        self._sender = sender
        self._needs = [{"kind": need} for need in needs]
        self._tags: dict[str, str] = {}
        self._own: dict[str, list[str]] = {"Procedure": [], "Subscription": []}

    @property
    def strange(self) -> Sequence[str]:
        """Types of which they see nothing that the others see; of one person with two needs both see the person."""
        return [kind for kind in TIPPED[:-1] if kind != "Patient" or len(self._needs) == 1]

    async def step(self, name: str, random: Random) -> None:
        """One deed."""
        await getattr(self, f"_{name}")(random)

    def _note(self, what: str, answer: httpx.Response) -> httpx.Response:
        self.transcript.note(what, answer)
        return answer

    def _tell(self, what: str, answer: httpx.Response) -> None:
        if len(self._needs) == 1:
            self._note(what, answer)

    async def _get(self, path: str, **headers: str) -> httpx.Response:
        return self._note(path.partition("?")[0].partition("/")[0], await self.partner.get(path, **headers))

    async def _tasks(self) -> list[Resource]:
        bundle = self._note("tasks", await self.partner.get("Task?_count=100")).json()
        found = [one["resource"] for one in bundle.get("entry", ())]
        self.ids += [f"Task/{one['id']}" for one in found]
        self.ids += [one["for"]["reference"] for one in found]
        return found

    async def _task(self, random: Random) -> Resource | None:
        found = await self._tasks()
        return random.choice(found) if found else None

    async def _person(self, random: Random) -> str | None:
        found = [task["for"]["reference"] for task in await self._tasks() if task["status"] != "rejected"]
        return random.choice(found) if found else None

    # ---- what is done

    async def _send(self, random: Random) -> None:
        told = changing_event(random) | {"needs": self._needs}
        headers = self.hospital.headers | {"content-type": "application/json"}
        url = f"/ingest/events?sender={self._sender}"
        self._tell("send", await self.hospital.web.post(url, content=json.dumps(told), headers=headers))

    async def _search(self, random: Random) -> None:
        await self._get(random.choice(SEARCHES))

    async def _poll(self, random: Random) -> None:
        """Once as it is, and once with the tag that was given."""
        path = random.choice(SEARCHES[:6])
        known = self._tags.get(path)
        answer = await self._get(path, **({"if_none_match": known} if known else {}))
        if "etag" in answer.headers:
            self._tags[path] = answer.headers["etag"]

    async def _follow(self, random: Random) -> None:
        query = random.choice(["Task?_count=1", "Task?_count=1&_sort=status", "Task?_count=1&_sort=-_lastUpdated"])
        answer = await self._get(query)
        for _ in range(6):
            links = {link["relation"]: link["url"] for link in answer.json().get("link", ())}
            if "next" not in links:
                return
            self.cursor = links["next"].partition("?")[2]
            answer = await self._get(f"Task?{self.cursor}")

    async def _read(self, random: Random) -> None:
        task = await self._task(random)
        if task is not None:
            for path in (f"Task/{task['id']}", task["for"]["reference"], task["focus"]["reference"]):
                await self._get(path)

    async def _history(self, random: Random) -> None:
        task = await self._task(random)
        if task is not None:
            await self._get(f"Task/{task['id']}/_history")
            await self._get(f"{task['for']['reference']}/_history")
            await self._get(f"Task/{task['id']}/_history/1")

    async def _packet(self, random: Random) -> None:
        task = await self._task(random)
        if task is not None:
            await self._get(f"Task/{task['id']}/$packet")

    async def _answer(self, random: Random) -> None:
        task = await self._task(random)
        if task is None:
            return
        status = random.choice(["accepted", "accepted", "in-progress", "completed", "rejected", "on-hold"])
        output: Resource = {"op": "add", "path": "/output", "value": OUTPUT}
        more = [output] if status == "completed" else []
        if status in {"rejected", "on-hold"}:
            more = [{"op": "add", "path": "/statusReason", "value": {"text": "HTEST reason"}}]
        self._note("answer", await self.partner.set_status(task, status, *more))

    async def _report(self, random: Random) -> None:
        person = await self._person(random)
        if person is not None:
            self._made("report", await self.partner.post("Procedure", procedure(person, random)), "Procedure")

    async def _conditional(self, random: Random) -> None:
        person = await self._person(random)
        if person is not None:
            made = procedure(person, random)
            criteria = f"identifier={made['identifier'][0]['value']}"
            self._note("conditional", await self.partner.post("Procedure", made, if_none_exist=criteria))

    async def _transaction(self, random: Random) -> None:
        person = await self._person(random)
        if person is not None:
            criteria = f"identifier=HTEST-P{random.randint(1, 3)}"
            entry: Resource = {
                "resource": procedure(person, random),
                "request": {"method": "POST", "url": "Procedure", "ifNoneExist": criteria},
            }
            found: Resource = {
                "resource": procedure("Patient?identifier=HTEST0001", random),
                "request": {"method": "POST", "url": "Procedure"},
            }
            bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry, found]}
            self._note("transaction", await self.partner.post("", bundle))

    async def _batch(self, random: Random) -> None:
        urls = random.choices([*SEARCHES, *self.ids[:4]], k=3)
        entries = [{"request": {"method": "GET", "url": url}} for url in urls if "summary" in url or "/" in url]
        self._note("batch", await self.partner.post("", {"resourceType": "Bundle", "type": "batch", "entry": entries}))

    async def _erase(self, random: Random) -> None:
        if self._own["Procedure"]:
            name = random.choice(self._own["Procedure"])
            self._note("erase", await self.partner.delete(f"Procedure/{name}"))
            await self._get(f"Procedure/{name}")

    async def _subscribe(self, random: Random) -> None:
        content = random.choice([None, "empty", "full-resource"])
        filters = random.choice([(), ("status=requested",)])
        made = await self.partner.post("Subscription", subscription(content=content, filters=filters))
        self._made("subscribe", made, "Subscription")

    async def _events(self, random: Random) -> None:
        self._note("status", await self.partner.get("Subscription/$status"))
        if self._own["Subscription"]:
            name = random.choice(self._own["Subscription"])
            self._note("events", await self.partner.get(f"Subscription/{name}/$events"))

    async def _hospital(self, random: Random) -> None:
        query = random.choice(
            ["Task?_total=accurate", "Task?_include=Task:output", "Procedure", "Patient?_summary=count"]
        )
        self._tell("hospital", await self.hospital.get(query))

    async def _tip(self, random: Random) -> None:
        """What others told them is of no more use than what is made up."""
        kind = random.choice(TIPPED[:-1])
        name = random.choice(self.tips[kind] or [NOBODY])
        for tail in ("", "/_history", "/_history/1", "/$packet", "/$validate", "/$events"):
            self._note(f"tip {tail}", await self.partner.get(f"{kind}/{name}{tail}"))
        status = {"op": "replace", "path": "/status", "value": "entered-in-error"}
        self._note("tip patch", await self.partner.patch(f"{kind}/{name}", status, if_match='W/"1"'))
        self._note("tip delete", await self.partner.delete(f"{kind}/{name}"))
        made = procedure(f"Patient/{random.choice(self.tips['Patient'] or [NOBODY])}", random)
        self._note("tip create", await self.partner.post("Procedure", made))
        cursor = random.choice(self.tips["cursor"] or ["_cursor=x"])
        self._note("tip cursor", await self.partner.get(f"Task?{cursor}"))

    async def _wrong(self, random: Random) -> None:
        """What is refused, and must be refused alike."""
        paths = ("Task/none", "Patient/none/_history", "Nothing", "Task?x=1", "Subscription/none/$events")
        await self._get(random.choice(paths))
        patch = {"op": "replace", "path": "/status", "value": "accepted"}
        self._note("wrong", await self.partner.patch("Task/none", patch))
        web, headers = self.partner.web, self.partner.headers
        self._note("wrong", await web.put(f"{FHIR}/Task/none", content=b'{"a":1,"a":2}', headers=headers))

    def _made(self, what: str, answer: httpx.Response, kind: str) -> None:
        self._note(what, answer)
        if answer.status_code == 201:
            self._own[kind].append(answer.json()["id"])
            self.ids.append(f"{kind}/{answer.json()['id']}")


def changing_event(random: Random) -> Resource:
    """One of the few people that both hospitals know, discharged, changed or taken back; now and then once more."""
    told = event(random.randint(1, 3), kind=random.choice(["discharge", "discharge", "update", "cancel-discharge"]))
    told["medications"][0]["bridges"][0]["days"] = random.randint(1, 3)
    return told | {"event_id": f"HTEST-{random.randint(1, 200)}"}


def procedure(person: str, random: Random) -> Resource:
    return {
        "resourceType": "Procedure",
        "status": "completed",
        "identifier": [{"system": NUMBERS, "value": f"HTEST-P{random.randint(1, 3)}"}],
        "code": {"text": "HTEST service"},
        "subject": {"reference": person},
    }


def patch_of(*operations: Any) -> Resource:
    data = base64.b64encode(json.dumps(operations).encode()).decode()
    return {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": data}
