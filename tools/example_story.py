"""The story of the examples: a token, a discharge, the partner's answer, and what goes wrong on the way.

Each step is a request of one operation of the OpenAPI document; its answer is kept as it came.
"""

import json
from base64 import b64encode
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from unittest.mock import patch

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from app.services.clients import accounts
from app.services.clients.accounts import Proof
from app.services.clients.assertions import TYPE as ASSERTION_TYPE
from app.store.sqlite import SqliteDatabase
from schemas.resources import ALL
from tools.example_bundles import PROVENANCE, notification, written
from tools.example_calls import tell_calls
from tools.example_messages import (
    ADMITTED,
    BATCH,
    DISCHARGE,
    DISCHARGED,
    DISPENSE,
    NOBODY,
    STRANGER,
    smaller,
)
from tools.example_recorder import Recorder
from tools.example_still_here import tell_still_here
from tools.example_validation import tell_validation
from tools.example_world import HOSPITAL, PARTNER, READER
from tools.example_writes import author_of, tell_bundles, tell_writes

Json = dict[str, Any]
_PATCH: Final = "application/json-patch+json"
_FHIR: Final = "application/fhir+json"
_FORM: Final = "application/x-www-form-urlencoded"
_HL7: Final = "application/hl7-v2"
_UNKNOWN: Final = "019e9903-7080-7000-8000-0000000fffff"
_OUTPUT: Final = {
    "type": {
        "coding": [
            {
                "system": "http://hl7.org/fhir/us/sdoh-clinicalcare/CodeSystem/SDOHCC-CodeSystemTemporaryCodes",
                "code": "resulting-activity",
            }
        ]
    },
    "valueCodeableConcept": {"text": "First dose given; daily dosing goes on here."},
}
_EMERGENCY: Final[Json] = {
    "resourceType": "Parameters",
    "parameter": [
        {"name": "recipient", "valueString": "R. Htest RN, HTEST Harbor OTP"},
        {"name": "discloser", "valueString": "S. Htest, HTEST Mercy"},
        {"name": "at", "valueDateTime": "2026-06-05T14:20:00-04:00"},
        {"name": "nature", "valueString": "HTEST: unconscious, last dose not known"},
    ],
}


async def tell(recorder: Recorder) -> None:
    """All of it, in order."""
    await _access(recorder)
    await _messages(recorder)
    referral = await _events(recorder)
    await _match(recorder, referral)
    task = await _poll(recorder, referral)
    await _refused_searches(recorder)
    await _refused_changes(recorder, task)
    await _decided(recorder, task)
    await _accept_and_complete(recorder, task)
    await _decline(recorder)
    await _aftermath(recorder, task)
    await tell_writes(recorder, task)
    for name in sorted(ALL):
        if "search-type" in ALL[name].interactions and not ALL[name].rendered:
            await _type(recorder, name, task)
    await tell_validation(recorder, task)
    await _notification(recorder)
    await _transaction(recorder)
    await tell_bundles(recorder, task)
    await tell_calls(recorder)
    await tell_still_here(recorder)
    await _operations(recorder)
    await _type(recorder, "AuditEvent", task)
    await _outage(recorder, task)


async def _access(recorder: Recorder) -> None:
    world = recorder.world
    basic = {who: _basic(world.clients[who].client_id, world.clients[who].client_secret) for who in (HOSPITAL, PARTNER)}
    grant = {"grant_type": "client_credentials"}
    for who, scope in ((HOSPITAL, "ingest"), (PARTNER, "system/Task.rus system/*.rs")):
        await recorder.say(
            "token",
            f"A token for the {who}",
            name=who,
            headers={"Authorization": basic[who]},
            media=_FORM,
            body={**grant, "scope": scope},
        )
    await recorder.say(
        "token",
        "A scope that the client is not registered for",
        name="scope",
        headers={"Authorization": basic[PARTNER]},
        media=_FORM,
        body={**grant, "scope": "ingest"},
        status=400,
    )
    await recorder.say(
        "token",
        "A wrong secret",
        name="secret",
        headers={"Authorization": _basic(world.clients[PARTNER].client_id, "wrong")},
        media=_FORM,
        body=grant,
        status=401,
    )
    await _access_by_key(recorder)
    await recorder.say("smartConfiguration", "What a client discovers", name="discovery")
    await recorder.say("smartConfigurationOfFhir", "What a client discovers", name="discovery")
    await recorder.say("capabilities", "What this server does", name="statement")
    await recorder.say("capabilities", "XML is not written", name="xml", headers={"Accept": "text/xml"}, status=406)


async def _access_by_key(recorder: Recorder) -> None:
    hub = recorder.world.hub
    key = ec.generate_private_key(ec.SECP384R1())
    public = {**json.loads(ECAlgorithm.to_jwk(key.public_key())), "kid": "2026"}
    proof = Proof(json.dumps({"keys": [public]}).encode())
    organization = recorder.world.organizations[PARTNER]
    client = (await accounts.add_client(hub, organization, "system/Task.rus", proof=proof)).client_id
    claims = {"iss": client, "sub": client, "aud": accounts.token_endpoint(hub.settings), "jti": "HTEST-1"}
    assertion = jwt.encode(
        claims | {"exp": hub.clock.now_us() // 1_000_000 + 240}, key, "ES384", headers={"kid": public["kid"]}
    )
    form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
    say = partial(recorder.say, "token", media=_FORM, body=form)
    await say("A token for a client that signs: private_key_jwt", name="key")
    await say("The same assertion again", name="replayed", status=401)


def _basic(client_id: str, secret: str) -> str:
    return f"Basic {b64encode(f'{client_id}:{secret}'.encode()).decode()}"


async def _messages(recorder: Recorder) -> None:
    async def send(name: str, summary: str, body: str, media: str = _HL7, **more: Any) -> None:
        said: Json = {"name": name, "who": HOSPITAL, "media": media, "body": body, **more}
        await recorder.say("ingestHl7v2", summary, **said)

    await send("dispense", "RDS^O13: take-home film opens a draft", DISPENSE, "x-application/hl7-v2+er7")
    await send("discharge", "ADT^A03: the discharge confirms it, and the partner is asked", DISCHARGED)
    await send("unrelated", "ADT^A01: accounted for, and not ours", ADMITTED, "text/plain")
    await send("batch", "A batch is answered by a batch", BATCH)
    await send("unfileable", "AE: nobody and no visit to file it under", NOBODY)
    await send("stranger", "AR: not a registered sender", STRANGER)
    await send("junk", "Not HL7 at all", "HTEST is not a message", status=400)
    await send("nobody", "Without a token", ADMITTED, who=None, status=401)
    await send("scope", "A token without the scope", ADMITTED, who=PARTNER, status=403)
    await send("type", "Another media type", ADMITTED, "application/xml", status=415)
    await send("large", "Past the limit", ADMITTED, headers={"Content-Length": "99999999"}, status=413)


async def _events(recorder: Recorder) -> str:
    """Id of the referral that the first of them opens."""

    async def send(name: str, summary: str, body: Any, **more: Any) -> Any:
        said: Json = {"name": name, "who": HOSPITAL, "media": "application/json", "body": body, **more}
        return await recorder.say("ingestEvents", summary, **said)

    entry = await send("discharge", "A discharge on methadone opens a referral", DISCHARGE, status=201)
    await send("replay", "The same again: nothing happens twice", DISCHARGE)
    await send(
        "conflict",
        "The same event_id with other content",
        {**DISCHARGE, "kind": "update"},
        status=422,
    )
    await send("to-decline", "Another referral", smaller(41), status=201)
    await send(
        "not-ours",
        "A discharge without any sign of opioid use disorder",
        smaller(42, diagnoses=[], medications=[], needs=[]),
        headers={"Idempotency-Key": "mercy-42"},
        query={"sender": "mercy-adt"},
        status=202,
    )
    wrong = smaller(43, kind="gone", favourite_colour="blue")
    await send("invalid", "Each fault with its path", wrong, status=400)
    lines = "".join(f"{json.dumps(smaller(number, medications=[], needs=[]))}\n" for number in (44, 45))
    await send("lines", "NDJSON: one entry per line", lines, media="application/x-ndjson")
    await send("nobody", "Without a token", DISCHARGE, who=None, status=401)
    referral: str = entry["referral"]
    return referral


def _found(bundle: Json, kind: str) -> list[Json]:
    return [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind]


async def _match(recorder: Recorder, referral: str) -> None:
    path = {"id": referral}
    said: Json = {"who": HOSPITAL, "path": path}
    await recorder.say("matchServiceRequest", "Who suits it, and what to call about", name="ranked", **said)
    one: Json = {"query": {"count": "0"}, "status": 400}
    await recorder.say("matchServiceRequest", "A count that is none", name="none", **said, **one)
    none: Json = {"who": PARTNER, "path": path, "status": 404}
    await recorder.say("matchServiceRequest", "For anybody else it is not there", name="not-theirs", **none)
    body = {"resourceType": "Parameters", "parameter": [{"name": "count", "valueInteger": 1}]}
    await recorder.say("matchByPostServiceRequest", "The first alone", name="first", body=body, media=_FHIR, **said)


async def _poll(recorder: Recorder, referral: str) -> Json:
    owner = f"Organization/{recorder.world.organizations[PARTNER]}"
    query = {"owner": owner, "status": "requested", "_lastUpdated": "gt2026-06-05T00:00:00.000000Z", "_count": "50"}
    every = await recorder.say(
        "searchTask",
        "Poll for what is new, each with its ServiceRequest",
        name="poll",
        who=PARTNER,
        query={**query, "_include": "Task:focus"},
    )
    tasks = _found(every, "Task")
    seen = tasks[-1]["meta"]["lastUpdated"]
    await recorder.say(
        "searchTask",
        "The next poll names the greatest meta.lastUpdated that was seen",
        name="nothing-new",
        who=PARTNER,
        query={**query, "_lastUpdated": f"gt{seen}"},
    )
    tag = recorder.exchanges[-1]["response"]["headers"]["ETag"]
    await recorder.say(
        "searchTask",
        "The same poll while nothing has changed",
        name="unchanged",
        who=PARTNER,
        query={**query, "_lastUpdated": f"gt{seen}"},
        headers={"If-None-Match": tag},
        status=304,
    )
    profile = "http://hl7.org/fhir/us/sdoh-clinicalcare/StructureDefinition/SDOHCC-TaskForReferralManagement"
    await recorder.say(
        "searchTask",
        "By profile, newest first, a page of one",
        name="page",
        who=PARTNER,
        query={"_profile": profile, "owner": owner, "_sort": "-_lastUpdated", "_count": "1"},
    )
    return _task_of(every, referral)


def _task_of(bundle: Json, referral: str) -> Json:
    """The partner's Task of a referral, by way of the ServiceRequest that its own is based on."""
    own = next(
        request["id"]
        for request in _found(bundle, "ServiceRequest")
        if request["basedOn"][0]["reference"] == f"ServiceRequest/{referral}"
    )
    return next(task for task in _found(bundle, "Task") if task["focus"]["reference"] == f"ServiceRequest/{own}")


async def _refused_searches(recorder: Recorder) -> None:
    async def search(name: str, summary: str, status: int, **more: Any) -> None:
        said: Json = {"name": name, "who": PARTNER, "status": status, **more}
        await recorder.say("searchTask", summary, **said)

    await search("unknown", "A parameter that this server does not know", 400, query={"colour": "blue"})
    await search(
        "lenient",
        "The same, left out and said so",
        200,
        query={"colour": "blue", "status": "completed"},
        headers={"Prefer": "handling=lenient"},
    )
    await search("nobody", "Without a token", 401, who=None)
    await search("xml", "XML is not written", 406, headers={"Accept": "application/fhir+xml"})
    await recorder.say(
        "readTask", "Not known, or not yours", name="unknown", who=PARTNER, path={"id": _UNKNOWN}, status=404
    )


def _status(status: str, *more: Json) -> list[Json]:
    return [{"op": "replace", "path": "/status", "value": status}, *more]


async def _refused_changes(recorder: Recorder, task: Json) -> None:
    async def change(name: str, summary: str, body: Any, status: int, **more: Any) -> None:
        about: Json = {"name": name, "who": PARTNER, "path": {"id": task["id"]}, "media": _PATCH, "body": body}
        said: Json = {**about, "status": status, **more}
        await recorder.say("patchTask", summary, **said)

    await change("too-early", "A transition that is not allowed", _status("completed"), 422)
    priority = [{"op": "replace", "path": "/priority", "value": "routine"}]
    await change("not-yours", "An element that the owner may not change", priority, 422)
    await change("no-reason", "A reason is missing", _status("rejected"), 400)
    await change("stale", "The Task has changed since", _status("accepted"), 412, headers={"If-Match": 'W/"7"'})
    await change("read-only", "A token that may only read", _status("accepted"), 403, who=READER)
    await change("xml", "Another media type", _status("accepted"), 415, media="application/xml")


async def _decided(recorder: Recorder, task: Json) -> None:
    """What a person of the hospital decides while the partner has not answered yet."""
    source = {"id": task["partOf"][0]["reference"].rpartition("/")[2]}
    said: Json = {"who": HOSPITAL, "path": source, "media": _FHIR}

    def about(name: str, element: str, value: Any) -> Json:
        by = {"name": "by", "valueString": "Case manager 4W"}
        return {"resourceType": "Parameters", "parameter": [{"name": name, element: value}, by]}

    partner = about("partner", "valueReference", {"reference": task["owner"]["reference"]})
    await recorder.say("askTask", "The partner that the person chose", name="chosen", body=partner, **said)
    nobody = about("partner", "valueReference", {"reference": f"Organization/{_UNKNOWN}"})
    await recorder.say("askTask", "No such partner", name="unknown", body=nobody, status=422, **said)
    fallback = about("fallback", "valueCode", "return-for-dosing")
    await recorder.say("chooseFallbackTask", "A dose at the hospital", name="return", body=fallback, **said)
    hope = about("fallback", "valueCode", "hope")
    await recorder.say("chooseFallbackTask", "None that is known", name="none", body=hope, status=400, **said)


async def _accept_and_complete(recorder: Recorder, task: Json) -> None:
    path = {"id": task["id"]}
    read: Json = {"who": PARTNER, "path": path}
    await recorder.say("readTask", "The Task that the poll found", name="found", **read)
    tag = recorder.exchanges[-1]["response"]["headers"]["ETag"]
    unchanged: Json = {**read, "headers": {"If-None-Match": tag}, "status": 304}
    await recorder.say("readTask", "While nothing has changed", name="unchanged", **unchanged)
    await recorder.say("packetOfTask", "All of the referral, before it is answered", name="packet", **read)
    broken: Json = {**read, "media": _FHIR}
    await recorder.say("breakGlassTask", "In an emergency, once", name="emergency", body=_EMERGENCY, **broken)
    lacking = {**_EMERGENCY, "parameter": _EMERGENCY["parameter"][:2]}
    await recorder.say("breakGlassTask", "Two of the four fields", name="lacking", body=lacking, status=400, **broken)
    accept: Json = {**read, "media": _PATCH, "body": _status("accepted")}
    await recorder.say("patchTask", "Accept", name="accept", headers={"If-Match": tag}, **accept)
    await recorder.say(
        "patchTask",
        "The same again, after a lost answer",
        name="again",
        **accept,
        headers={"If-Match": tag, "Prefer": "return=minimal"},
    )
    accepted = await recorder.say("readTask", "Accepted", name="accepted", **read)
    begun = await recorder.say(
        "updateTask",
        "The first visit",
        name="begin",
        media=_FHIR,
        body={**accepted, "status": "in-progress"},
        headers={"If-Match": 'W/"2"'},
        **read,
    )
    done = {**begun, "status": "completed", "output": [_OUTPUT]}
    await recorder.say(
        "updateTask",
        "Completed; meta.versionId of the body is the precondition",
        name="complete",
        media=_FHIR,
        body=done,
        headers={"Prefer": "return=representation"},
        **read,
    )
    stale = {**begun, "status": "on-hold", "statusReason": {"text": "No answer by phone."}}
    await recorder.say(
        "updateTask", "A body that is older than the Task", name="stale", media=_FHIR, body=stale, status=412, **read
    )


async def _decline(recorder: Recorder) -> None:
    left = await recorder.say(
        "searchTask", "What is still to be answered", name="left", who=PARTNER, query={"status": "requested"}
    )
    task = _found(left, "Task")[-1]
    reason = {"op": "add", "path": "/statusReason", "value": {"text": "No free place this week."}}
    await recorder.say(
        "patchTask",
        "Decline, with the reason that this needs",
        name="decline",
        who=PARTNER,
        path={"id": task["id"]},
        media=_PATCH,
        body=_status("rejected", reason),
        headers={"Prefer": "return=OperationOutcome"},
    )


async def _aftermath(recorder: Recorder, task: Json) -> None:
    path = {"id": task["id"]}
    await recorder.say("historyTask", "What became of it", name="history", who=PARTNER, path=path)
    await recorder.say("versionTask", "As it was accepted", name="accepted", who=PARTNER, path={**path, "version": "2"})
    source = {"id": task["partOf"][0]["reference"].rpartition("/")[2]}
    await recorder.say("readTask", "The hospital reads the outcome", name="outcome", who=HOSPITAL, path=source)


async def _type(recorder: Recorder, name: str, task: Json) -> None:
    """One search, the same in a body, and one read of each type."""
    person = task["for"]["reference"]
    queries = {
        "Patient": {"_id": person.rpartition("/")[2]},
        "Task": {"patient": person, "_summary": "count"},
        "HealthcareService": {"active": "false"},
        "Organization": {"name": "HTEST"},
        "Location": {"name": "4W"},
        "Practitioner": {"identifier": "http://hl7.org/fhir/sid/us-npi|1999990017"},
        "PractitionerRole": {"_sort": "-_lastUpdated"},
        "Subscription": {"status": "off"},
        "AuditEvent": {"subtype": "disclose"},
    }
    query = {**queries.get(name, {"patient": person}), "_count": "1"}
    found = await recorder.say(f"search{name}", f"One {name}", name="one", who=author_of(name), query=query)
    await recorder.say(
        f"searchByPost{name}",
        f"How many {name}s, without a word in the address",
        name="count",
        who=HOSPITAL,
        media=_FORM,
        body={**query, "_summary": "count"},
    )
    if name != "Task":
        one = _found(found, name)[0]["id"]
        await recorder.say(f"read{name}", f"One {name}", name="one", who=author_of(name), path={"id": one})


async def _notification(recorder: Recorder) -> None:
    async def send(name: str, summary: str, body: Any, **more: Any) -> None:
        said: Json = {"name": name, "who": HOSPITAL, "media": _FHIR, "body": body, **more}
        await recorder.say("processMessage", summary, **said)

    await send("discharge", "A discharge notification opens a referral", notification(51))
    await send("again", "The same again has the same answer", notification(51))
    await send("event", "An event that is not known here", notification(51, "notification-else"), status=422)
    await send("transaction", "A transaction does not go here", written(52), status=400)


async def _transaction(recorder: Recorder) -> None:
    async def send(name: str, summary: str, body: Any, **more: Any) -> None:
        said: Json = {"name": name, "who": HOSPITAL, "media": _FHIR, "body": body, **more}
        await recorder.say("transaction", summary, **said)

    await send("referral", "A stay, and a referral that is asked for by name", written(52))
    await send("not-taken", "A resource type that intake does not take", written(53, more=PROVENANCE), status=422)


async def _operations(recorder: Recorder) -> None:
    await recorder.say("live", "It answers", name="alive")
    await recorder.say("ready", "It can take messages in", name="ready")
    recorder.world.app.state.checks = {"mllp-not-listening": lambda: False}
    await recorder.say("ready", "One of its doors is closed", name="not-ready", status=503)
    await recorder.say("metrics", "What is counted", name="figures")
    await recorder.say("schema", "A partner's profile", name="partner", path={"name": "partner"})
    await recorder.say("schema", "No such schema", name="unknown", path={"name": "unknown"}, status=404)


async def _outage(recorder: Recorder, task: Json) -> None:
    store = recorder.world.hub.store
    with TemporaryDirectory() as folder:
        gone = SqliteDatabase(Path(folder) / "gone.db")
    with patch.object(store, "database", gone):
        await recorder.say(
            "readTask", "The database is away", name="away", who=PARTNER, path={"id": task["id"]}, status=503
        )
