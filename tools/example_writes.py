"""The part of the story that writes: each type that a client may create is created, changed, found and deleted."""

from dataclasses import dataclass
from typing import Any, Final

from schemas.codes import local
from schemas.resources import ALL
from schemas.resources.subscription import PROFILE, TOPICS
from tools.example_recorder import Recorder
from tools.example_world import HOSPITAL, PARTNER

Json = dict[str, Any]
_FHIR: Final = "application/fhir+json"
_PATCH: Final = "application/json-patch+json"
_AT: Final = "2026-06-08T09:00:00-04:00"
_SYSTEM: Final = "urn:oid:2.16.840.1.113883.3.9999.7"
_HOOK: Final = "https://partner.example.org/hook"
_TEXT: Final = {"text": "First dose"}
_CONSENT: Final = "http://terminology.hl7.org/CodeSystem"


@dataclass(frozen=True, slots=True)
class Written:
    """How one type is written: by whom, what at first, and what is changed in it."""

    who: str
    body: Json
    change: Json
    """Elements of the body that are others afterwards."""
    by_id: bool = False
    """Found by its id: it has no identifier to be found by."""


def _works(person: str) -> dict[str, Written]:
    subject = {"reference": person}
    works = {**_reports(subject), **_agreements(subject)}
    return {name: works[name] for name in sorted(works) if "create" in ALL[name].interactions}


def _reports(subject: Json) -> dict[str, Written]:
    """What a partner did and saw."""
    return {
        "Communication": Written(
            PARTNER,
            {"status": "in-progress", "subject": subject, "payload": [{"contentString": "HTEST See you on Monday."}]},
            {"status": "completed"},
        ),
        "DocumentReference": Written(
            PARTNER,
            {
                "status": "current",
                "subject": subject,
                "content": [{"attachment": {"contentType": "text/plain", "data": "SFRFU1QgbGV0dGVy"}}],
            },
            {"docStatus": "final"},
        ),
        "HealthcareService": Written(
            PARTNER,
            {"active": True, "name": "HTEST Walk-in hours", "type": [{"text": "Opioid treatment program"}]},
            {"active": False},
        ),
        "Observation": Written(
            PARTNER,
            {"status": "preliminary", "code": {"text": "Attendance"}, "subject": subject, "valueBoolean": True},
            {"status": "final"},
        ),
        "Procedure": Written(
            PARTNER,
            {"status": "in-progress", "code": _TEXT, "subject": subject, "performedDateTime": _AT},
            {"status": "completed"},
        ),
        "QuestionnaireResponse": Written(
            PARTNER,
            {
                "status": "in-progress",
                "subject": subject,
                "item": [{"linkId": "1", "answer": [{"valueBoolean": True}]}],
            },
            {"status": "completed"},
        ),
    }


def _agreements(subject: Json) -> dict[str, Written]:
    """What is to happen, and what may."""
    return {
        "Appointment": Written(
            PARTNER,
            {
                "status": "booked",
                "start": _AT,
                "end": "2026-06-08T09:30:00-04:00",
                "participant": [{"actor": subject, "status": "accepted"}],
            },
            {"status": "fulfilled"},
        ),
        "Consent": Written(
            PARTNER,
            {
                "status": "proposed",
                "scope": {"coding": [{"system": f"{_CONSENT}/consentscope", "code": "patient-privacy"}]},
                "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
                "patient": subject,
                "policy": [{"uri": "https://www.ecfr.gov/current/title-42/part-2"}],
            },
            {"status": "active"},
        ),
        "ServiceRequest": Written(
            HOSPITAL,
            {
                "status": "active",
                "intent": "order",
                "code": {"coding": [{"system": local.NEED, "code": "naloxone"}]},
                "subject": subject,
                "authoredOn": "2026-06-05T14:00:00-04:00",
            },
            {"note": [{"text": "HTEST Prefers the morning."}]},
        ),
        "Subscription": Written(
            PARTNER,
            {
                "meta": {"profile": [PROFILE]},
                "status": "requested",
                "reason": "New referrals",
                "criteria": next(iter(TOPICS)),
                "channel": {
                    "type": "rest-hook",
                    "endpoint": _HOOK,
                    "payload": _FHIR,
                },
            },
            {"status": "off"},
            by_id=True,
        ),
    }


def author_of(name: str) -> str:
    """Who looks at the resources of a type in the story: the client that can see one."""
    return PARTNER if name in {*_works(""), "Task"} - {"ServiceRequest"} else HOSPITAL


async def tell_writes(recorder: Recorder, task: Json) -> None:
    """All types, then what a hospital asks for by name."""
    person = task["for"]["reference"]
    for name, work in _works(person).items():
        made = await _Writing(recorder, name, work).tell()
        if name == "Subscription":
            await _look_after(recorder, made)
    await _ask_by_name(recorder)


async def tell_bundles(recorder: Recorder, task: Json) -> None:
    """What a partner did, in one transaction, and several questions in one batch."""
    about: Json = {"who": PARTNER, "media": _FHIR}
    subject = task["for"]
    first = "urn:uuid:6b0fb1c1-3f0c-4d52-8a7e-0d9b3a5c0001"
    dose = {"resourceType": "Procedure", "status": "completed", "code": _TEXT, "subject": subject}
    seen = {"resourceType": "Observation", "status": "final", "code": {"text": "Attendance"}, "valueBoolean": True}
    entries = [
        {"fullUrl": first, "resource": dose, "request": {"method": "POST", "url": "Procedure"}},
        {
            "resource": {**seen, "subject": subject, "partOf": [{"reference": first}]},
            "request": {"method": "POST", "url": "Observation"},
        },
    ]
    body = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    await recorder.say("transaction", "What was done, all of it or nothing", name="done", body=body, **about)
    entries = [*entries, {"request": {"method": "DELETE", "url": f"Task/{task['id']}"}}]
    body = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    await recorder.say("transaction", "A type that is never deleted", name="never", body=body, status=405, **about)
    urls = (f"Task/{task['id']}", "Task?status=requested&_summary=count", "Patient/HTEST-none")
    body = {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [{"request": {"method": "GET", "url": u}} for u in urls],
    }
    await recorder.say("transaction", "Each answered for itself", name="batch", body=body, **about)


async def _look_after(recorder: Recorder, subscription: str) -> None:
    """How a Subscription stands, and what it would have told."""
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "status", "valueCode": "off"}]}
    path = {"id": subscription}
    say, about = recorder.say, "How a Subscription stands"
    await say("subscriptionStatuses", about, name="off", who=PARTNER, query={"status": "off"})
    by_post: Json = {"who": PARTNER, "media": _FHIR}
    await say("subscriptionStatusesByPost", about, name="off", body=parameters, **by_post)
    none = {"resourceType": "Parameters", "parameter": []}
    await say("subscriptionStatus", about, name="one", who=PARTNER, path=path)
    await say("subscriptionStatusByPost", about, name="one", path=path, body=none, **by_post)
    since = {"resourceType": "Parameters", "parameter": [{"name": "eventsSinceNumber", "valueString": "1"}]}
    about = "What it told, from the first on"
    await say("subscriptionEvents", about, name="first", who=PARTNER, path=path, query={"eventsSinceNumber": "1"})
    await say("subscriptionEventsByPost", about, name="first", path=path, body=since, **by_post)


@dataclass(frozen=True, slots=True)
class _Writing:
    """The steps with one type."""

    recorder: Recorder
    name: str
    work: Written

    async def _say(self, operation: str, summary: str, name: str, **more: Any) -> Any:
        return await self.recorder.say(f"{operation}{self.name}", summary, name=name, who=self.work.who, **more)

    async def _send(self, operation: str, summary: str, name: str, body: Any, **more: Any) -> Any:
        media = _PATCH if isinstance(body, list) else _FHIR
        return await self._say(operation, summary, name, media=media, body=body, **more)

    async def tell(self) -> str:
        """The id of what was created, found again instead of created twice, changed in each way, looked at, deleted."""
        made = await self._send("create", f"A new {self.name}", "new", self._body("1"), status=201)
        await self._twice()
        await self._change(made)
        path = {"id": made["id"]}
        await self._say("history", "What became of it", "history", path=path)
        await self._say("version", "As it was at first", "first", path={**path, "version": "1"})
        if "delete" in ALL[self.name].interactions:
            await self._delete()
        name: str = made["id"]
        return name

    async def _twice(self) -> None:
        (found,) = ({"url": _HOOK} if self.work.by_id else self._query("1")).items()
        header = {"If-None-Exist": "=".join(found)}
        await self._send("create", "The same again, which is there already", "found", self._body("1"), headers=header)

    async def _change(self, made: Json) -> None:
        changed = {**made, **self.work.change}
        path = {"id": made["id"]}
        now = await self._send(
            "update", "Changed as a whole", "whole", changed, path=path, headers={"If-Match": 'W/"1"'}
        )
        patch = [{"op": "add", "path": "/language", "value": "en-US"}]
        now = await self._send("patch", "One element of it", "element", patch, path=path)
        query = {"_id": made["id"]} if self.work.by_id else self._query("1")
        now = {key: value for key, value in now.items() if key != "meta"}
        await self._send(
            "conditionalUpdate", "The one that a search finds", "found", {**now, "language": "en"}, query=query
        )
        other = {"url": "https://partner.example.org/other"} if self.work.by_id else self._query("3")
        await self._send(
            "conditionalUpdate", "Nothing is found: a new one", "new", self._body("3"), query=other, status=201
        )
        patch = [{"op": "remove", "path": "/language"}]
        await self._send("conditionalPatch", "The one that a search finds", "found", patch, query=query)

    async def _delete(self) -> None:
        other = await self._send("create", "Another one", "other", self._body("2"), status=201)
        path = {"id": other["id"]}
        await self._say("delete", "Taken back", "taken-back", path=path, status=204)
        await self._say("read", "What was deleted", "gone", path=path, status=410)

    def _body(self, number: str) -> Json:
        named = {} if self.work.by_id else {"identifier": self._identifier(number)}
        return {"resourceType": self.name, **named, **self.work.body}

    def _query(self, number: str) -> Json:
        return {"identifier": f"{_SYSTEM}|{self._number(number)}"}

    def _identifier(self, number: str) -> Any:
        one = {"system": _SYSTEM, "value": self._number(number)}
        return one if self.name == "QuestionnaireResponse" else [one]

    def _number(self, number: str) -> str:
        return f"HTEST-{self.name}-{number}"


async def _ask_by_name(recorder: Recorder) -> None:
    """A hospital's Task for a ServiceRequest that it created."""
    asked: Json = {"who": HOSPITAL, "media": _FHIR}
    found = await recorder.say(
        "searchServiceRequest", "To ask by", name="to-ask-by", who=HOSPITAL, query={"_count": "1"}
    )
    order = {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "code": {"coding": [{"system": local.NEED, "code": "naloxone"}]},
        "subject": found["entry"][0]["resource"]["subject"],
        "authoredOn": "2026-06-05T14:00:00-04:00",
    }
    made = await recorder.say("createServiceRequest", "A need", name="to-ask-for", body=order, status=201, **asked)
    task = {
        "resourceType": "Task",
        "status": "requested",
        "intent": "order",
        "code": {"coding": [{"system": "http://hl7.org/fhir/CodeSystem/task-code", "code": "fulfill"}]},
        "focus": {"reference": f"ServiceRequest/{made['id']}"},
        "for": order["subject"],
        "requester": {"reference": f"Organization/{recorder.world.organizations[HOSPITAL]}"},
        "authoredOn": order["authoredOn"],
        "identifier": [{"system": _SYSTEM, "value": "HTEST-Task-1"}],
    }
    source = await recorder.say("createTask", "Somebody is asked for it", name="ask", body=task, status=201, **asked)
    header = {"If-None-Exist": f"identifier={_SYSTEM}|HTEST-Task-1"}
    await recorder.say("createTask", "Which is done already", name="found", body=task, headers=header, **asked)
    query = {"_id": source["id"]}
    note = [{"op": "add", "path": "/note", "value": [{"text": "HTEST Ask for the nurse."}]}]
    about: Json = {"who": HOSPITAL, "query": query}
    source = await recorder.say(
        "conditionalPatchTask", "The one that a search finds", name="found", media=_PATCH, body=note, **about
    )
    again = [*source["note"], {"text": "HTEST Before noon."}]
    await recorder.say(
        "conditionalUpdateTask",
        "The one that a search finds",
        name="found",
        media=_FHIR,
        body={**source, "note": again},
        **about,
    )
