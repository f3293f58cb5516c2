"""FHIR that comes in: messages to $process-message, transactions to the base address, a referral asked for by name."""

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import httpx
import pytest
import pytest_asyncio

from app.core.actor import Actor
from app.core.clock import Clock
from app.core.ids import uuid7
from app.main import attach, create_app
from app.services.hub import Hub, Registry
from app.services.intake import ledger_views
from fhir_mappings import gate
from tests import fhir_bundles as bundles
from tests.chaos.taps import tapped
from tests.contract.fhir_callers import FHIR, Caller, Resource, caller
from tests.contract.http_messages import adt
from tests.contract.test_bad_input import BAD_JSON, MARK, refused, said_in_ledger
from tests.hub_fixtures import World

TYPE = {"content-type": "application/fhir+json"}
PROCESS = f"{FHIR}/$process-message"


@pytest.fixture(autouse=True)
def nothing_is_repeated(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No log line holds what was sent, and none says that the program failed."""
    with caplog.at_level("DEBUG"):
        yield
    lines = [record.getMessage() + str(record.exc_text or "") for record in caplog.records]
    assert [line for line in lines if MARK in line or "HTEST-V" in line] == []
    assert [line for line in lines if "http.failed" in line or "decision-failed" in line] == []


@pytest_asyncio.fixture
async def hospital(world: World, web: httpx.AsyncClient) -> Caller:
    return await caller(world, web, world.mercy, "system/*.rs ingest")


@pytest_asyncio.fixture
async def partner(world: World, web: httpx.AsyncClient) -> Caller:
    return await caller(world, web, world.harbor)


async def post(who: Caller, path: str, body: Resource | bytes, **query: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await who.web.post(path, content=content, headers=who.headers | TYPE, params=query)


async def told(who: Caller, message: Resource) -> Resource:
    """The response message."""
    answer = await post(who, PROCESS, message)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/fhir+json")
    body: Resource = answer.json()
    assert gate.check(body) == []
    return body


async def written(who: Caller, transaction: Resource) -> Resource:
    """The transaction-response."""
    answer = await post(who, FHIR, transaction)
    assert answer.status_code == 200, answer.text
    body: Resource = answer.json()
    assert gate.check(body) == []
    return body


def state_of(answer: Resource) -> str:
    """The ledger state that an answer tells."""
    entry = answer["entry"][0 if answer["type"] == "transaction-response" else 1]
    outcome = entry["response"]["outcome"] if "response" in entry else entry["resource"]
    state: str = outcome["issue"][0]["details"]["text"]
    return state


async def ledger(world: World) -> list[Resource]:
    return [line async for line in ledger_views.lines(world.hub)]


# ---- messages


async def test_a_discharge_notification_opens_a_referral_and_is_answered_by_a_message(
    world: World, hospital: Caller, partner: Caller
) -> None:
    answer = await told(hospital, bundles.message())
    header, outcome = (entry["resource"] for entry in answer["entry"])
    assert header["response"]["identifier"] == bundles.HEADER_ID.format(1)
    assert header["response"]["code"] == "ok"
    assert header["response"]["details"]["reference"] == answer["entry"][1]["fullUrl"]
    assert header["eventCoding"]["code"] == "notification-discharge"
    assert header["destination"] == [{"endpoint": "https://ehr.example.org/fhir"}]
    assert outcome["issue"][0]["severity"] == "information"
    assert state_of(answer) == "referral"
    (link,) = answer["link"]
    referral = link["url"].rpartition("/")[2]
    assert (await hospital.read(f"ServiceRequest/{referral}"))["status"] == "active"
    (task,) = await partner.search("Task")
    assert task["status"] == "requested"
    (entry,) = await ledger(world)
    assert (entry["message_type"], entry["state"]) == ("fhir:notification-discharge", "referral")
    assert entry["control_id"] == bundles.HEADER_ID.format(1)


async def test_an_admission_opens_a_draft_and_the_discharge_confirms_it(hospital: Caller, partner: Caller) -> None:
    here = bundles.encounter(status="in-progress", period={"start": "2026-06-01T09:00:00-04:00"})
    del here["hospitalization"]
    header = bundles.header(2, "notification-admit")
    admitted = bundles.message(at="2026-06-01T09:05:00-04:00", head=header, e=here, s=None, d=None)
    assert state_of(await told(hospital, admitted)) == "referral"
    assert await partner.search("Task") == []
    assert state_of(await told(hospital, bundles.message(1))) == "updated"
    assert len(await partner.search("Task")) == 1


async def test_what_is_none_of_ours_is_answered_all_the_same(world: World, hospital: Caller) -> None:
    stay = bundles.encounter()
    del stay["diagnosis"]
    nothing = bundles.message(e=stay, c=None, o=None, d=None, s=None)
    answer = await told(hospital, nothing)
    assert state_of(answer) == "not-ours"
    assert "link" not in answer
    assert [entry["state"] for entry in await ledger(world)] == ["not-ours"]


async def test_a_message_that_comes_again_has_the_same_answer_and_no_second_effect(
    world: World, hospital: Caller
) -> None:
    first = await told(hospital, bundles.message())
    resent = {**bundles.message(at="2026-06-05T14:20:00-04:00"), "id": "another-envelope"}
    again = await told(hospital, resent)
    assert {**again, "timestamp": ""} == {**first, "timestamp": ""}
    assert [entry["state"] for entry in await ledger(world)] == ["referral", "duplicate"]
    (task,) = await hospital.search("Task")
    assert task["meta"]["versionId"] == "1"


async def test_the_identifier_of_the_bundle_is_the_identity_where_there_is_one(world: World, hospital: Caller) -> None:
    named = {**bundles.message(), "identifier": {"system": "urn:oid:1.2.3", "value": "HTEST-M1"}}
    first = await told(hospital, named)
    again = await told(hospital, {**named, "timestamp": "2026-06-05T15:00:00-04:00"})
    assert again["id"] == first["id"]
    assert {entry["control_id"] for entry in await ledger(world)} == {"urn:oid:1.2.3|HTEST-M1"}


async def test_one_identity_with_other_content_is_refused_and_the_first_stands(world: World, hospital: Caller) -> None:
    await told(hospital, bundles.message())
    other = bundles.message(p=bundles.patient(gender="female"))
    (issue,) = refused(await post(hospital, PROCESS, other), 422)
    assert (issue["code"], issue["expression"]) == ("duplicate", ["Bundle.identifier"])
    assert [entry["state"] for entry in await ledger(world)] == ["referral", "rejected"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("path", [PROCESS, FHIR])
async def test_what_is_not_durable_is_503_and_is_taken_when_it_comes_again(
    path: str, world: World, database_url: str, hospital: Caller
) -> None:
    armed = [True]

    def broken(step: str) -> None:
        if step == "before commit" and armed:
            armed.clear()
            raise sqlite3.OperationalError("disk I/O error")

    store = tapped(database_url, broken)
    hub = Hub(world.hub.settings, store, world.hub.keys, Clock(), Registry(store))
    app = create_app(hub.settings)
    attach(app, hub)
    body = bundles.message() if path == PROCESS else bundles.transaction()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://hub.test") as web:
        there = Caller(web, hospital.organization, hospital.headers)
        answer = await post(there, path, body)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.json()["resourceType"] == "OperationOutcome"
        assert await ledger(world) == []
        assert (await post(there, path, body)).status_code == 200
    assert [entry["state"] for entry in await ledger(world)] == ["referral"]
    await store.close()


@pytest.mark.parametrize("path", [PROCESS, FHIR])
async def test_the_same_many_times_at_once_has_one_effect(path: str, world: World, hospital: Caller) -> None:
    body = bundles.message() if path == PROCESS else bundles.transaction()
    answers = await asyncio.gather(*(post(hospital, path, body) for _ in range(6)))
    assert {answer.status_code for answer in answers} == {200}
    assert sorted(entry["state"] for entry in await ledger(world)) == ["duplicate"] * 5 + ["referral"]
    assert len(await hospital.search("ServiceRequest?intent=order")) == 1


async def test_a_kept_message_is_decided_again_by_replay(world: World, hospital: Caller, app: Any) -> None:
    await told(hospital, bundles.message())
    await written(hospital, bundles.transaction(2))
    kept = await ledger(world)
    for entry in kept:
        outcome = await app.state.intake.replay(entry["id"])
        assert outcome.decision.state == "referral"
    assert await ledger(world) == kept


async def test_a_refused_message_is_kept_and_can_be_replayed(world: World, hospital: Caller, app: Any) -> None:
    refused(await post(hospital, PROCESS, bundles.message(e=None)), 400, 422)
    (entry,) = await ledger(world)
    assert (entry["state"], entry["sender"]) == ("rejected", "mercy-adt")
    assert (await app.state.intake.replay(entry["id"])).decision.state == "rejected"


async def test_a_test_message_changes_nothing_for_real(hospital: Caller) -> None:
    label = {"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}]}
    answer = await told(hospital, bundles.message(p=bundles.patient(meta=label)))
    assert state_of(answer) == "not-ours"
    assert await hospital.search("Task") == []


async def test_several_interfaces_are_told_apart_by_name(world: World, web: httpx.AsyncClient) -> None:
    north = await caller(world, web, world.north, "system/*.rs ingest")
    (issue,) = refused(await post(north, PROCESS, bundles.message()), 400)
    assert issue["expression"] == ["sender"]
    assert (await post(north, PROCESS, bundles.message(), sender="north-json")).status_code == 200
    refused(await post(north, PROCESS, bundles.message(), sender="mercy-adt"), 403)


@pytest.mark.parametrize("path", [PROCESS, FHIR])
async def test_who_may_not_send_may_not_send_fhir(path: str, partner: Caller, web: httpx.AsyncClient) -> None:
    sent = bundles.message() if path == PROCESS else bundles.transaction()
    refused(await post(partner, path, sent), 403)
    refused(await web.post(path, content=b"{}", headers=TYPE), 401)


async def test_an_answer_to_another_address_is_not_given(hospital: Caller) -> None:
    for query in ({"async": "true"}, {"response-url": "https://ehr.example.org"}):
        (issue,) = refused(await post(hospital, PROCESS, bundles.message(), **query), 400)
        assert issue["code"] == "not-supported"
    assert (await post(hospital, PROCESS, bundles.message(), **{"async": "false"})).status_code == 200


# ---- transactions


async def test_a_transaction_is_answered_entry_by_entry_with_what_can_be_read(hospital: Caller) -> None:
    sent = bundles.transaction()
    answer = await written(hospital, sent)
    assert (answer["type"], state_of(answer)) == ("transaction-response", "referral")
    assert len(answer["entry"]) == len(sent["entry"])
    for entry, one in zip(answer["entry"], sent["entry"], strict=True):
        response = entry["response"]
        assert response["status"] == "201 Created"
        name = response["location"].partition("/_history/")[0]
        assert name.partition("/")[0] == one["resource"]["resourceType"]
        assert (await hospital.get(response["location"])).status_code == 200
        assert response["etag"] == 'W/"1"'


async def test_a_transaction_that_comes_again_has_the_same_answer(world: World, hospital: Caller) -> None:
    first = await written(hospital, bundles.transaction())
    again = await written(hospital, bundles.transaction())
    assert [entry["response"]["location"] for entry in again["entry"]] == [
        entry["response"]["location"] for entry in first["entry"]
    ]
    assert [entry["state"] for entry in await ledger(world)] == ["referral", "duplicate"]


async def test_a_later_transaction_updates_the_referral(hospital: Caller) -> None:
    await written(hospital, bundles.transaction())
    later = bundles.transaction(
        at="2026-06-05T16:00:00-04:00", p=bundles.patient(telecom=[{"system": "phone", "value": "555-0199"}])
    )
    answer = await written(hospital, later)
    assert state_of(answer) == "updated"
    response = answer["entry"][0]["response"]
    assert (response["status"], response["etag"]) == ("200 OK", 'W/"2"')
    assert len(await hospital.search("ServiceRequest?intent=order")) == 1


async def test_what_a_put_names_is_kept_as_identifier_and_has_a_new_id(hospital: Caller) -> None:
    sent = bundles.transaction()
    for entry, name in zip(sent["entry"], ("pat-1", "enc-1"), strict=False):
        kind = entry["resource"]["resourceType"]
        entry["resource"]["id"] = name
        entry["request"] = {"method": "PUT", "url": f"{kind}/{name}"}
    answer = await written(hospital, sent)
    place = answer["entry"][0]["response"]["location"].partition("/_history/")[0]
    person = await hospital.read(place)
    assert person["id"] != "pat-1"
    assert "pat-1" in {one["value"] for one in person["identifier"]}
    stay = await hospital.read(answer["entry"][1]["response"]["location"].partition("/_history/")[0])
    assert "enc-1" in {one["value"] for one in stay["identifier"]}
    assert (await hospital.get("Patient/pat-1")).status_code == 404


async def test_a_planned_stay_with_the_medication_is_intake_too(hospital: Caller) -> None:
    planned = bundles.encounter(status="planned", period={"start": "2026-06-08T09:00:00-04:00"})
    del planned["hospitalization"]
    assert state_of(await written(hospital, bundles.transaction(e=planned, d=None, s=None))) == "referral"


async def test_what_no_referral_needs_is_said_to_be_kept_nowhere(hospital: Caller) -> None:
    organization = {"resourceType": "Organization", "name": "HTEST Somewhere"}
    answer = await written(hospital, bundles.transaction(x=organization))
    response = answer["entry"][-1]["response"]
    assert response["status"] == "202 Accepted"
    assert "location" not in response


async def test_an_entry_that_is_not_taken_is_refused_by_name_and_place_and_nothing_is_written(
    world: World, hospital: Caller
) -> None:
    appointment = {"resourceType": "Appointment", "status": "booked", "participant": [{"status": "accepted"}]}
    sent = bundles.transaction(x=appointment)
    (issue,) = refused(await post(hospital, FHIR, sent), 422)
    assert issue["expression"] == [f"Bundle.entry[{len(sent['entry']) - 1}].resource"]
    assert "Appointment" in issue["diagnostics"]
    assert issue["code"] == "not-supported"
    assert await hospital.search("Task") == []
    assert [entry["state"] for entry in await ledger(world)] == ["rejected"]


async def test_the_base_address_may_end_with_a_slash(hospital: Caller) -> None:
    assert (await post(hospital, f"{FHIR}/", bundles.transaction())).status_code == 200


async def test_each_door_takes_its_own_kind_and_names_the_other(hospital: Caller) -> None:
    (issue,) = refused(await post(hospital, FHIR, bundles.message()), 400)
    assert "$process-message" in issue["diagnostics"]
    refused(await post(hospital, PROCESS, bundles.transaction()), 400)


# ---- a referral that is asked for by name


async def test_service_request_and_task_open_a_referral(hospital: Caller, partner: Caller) -> None:
    sent = bundles.transaction(**bundles.request_and_task())
    answer = await written(hospital, sent)
    assert state_of(answer) == "referral"
    request, task = (entry["response"]["location"].partition("/")[0] for entry in answer["entry"][-2:])
    assert (request, task) == ("ServiceRequest", "Task")
    (child,) = await partner.search("Task")
    assert child["status"] == "requested"
    assert child["priority"] in {"urgent", "asap", "stat"}


async def test_a_referral_by_name_joins_the_visit_that_hl7_opened(hospital: Caller, partner: Caller) -> None:
    number = "HTEST-V0001^^^&2.16.840.1.113883.3.9999.2&ISO^VN"
    opened = (
        adt(1)
        .decode()
        .replace("VN|HTEST-V0001^^^MERCY^VN", f"|{number}")
        .replace("MERCY^MR", "&2.16.840.1.113883.3.9999.1&ISO^MR")
    )
    dispensed = _dispense(number)
    for body in (opened, dispensed):
        sent = hospital.headers | {"content-type": "application/hl7-v2"}
        assert "MSA|AA|" in (await hospital.web.post("/ingest/hl7v2", content=body.encode(), headers=sent)).text
    before = await hospital.search("ServiceRequest?intent=order")
    assert len(before) == 1
    answer = await written(hospital, bundles.transaction(**bundles.request_and_task(), o=None, d=None, s=None))
    assert state_of(answer) == "updated"
    (request,) = await hospital.search("ServiceRequest?intent=order")
    assert request["id"] == before[0]["id"]
    assert len(await partner.search("Task")) == 1


async def test_hl7_after_the_referral_by_name_opens_nothing_twice(hospital: Caller, partner: Caller) -> None:
    await written(hospital, bundles.transaction(**bundles.request_and_task()))
    sent = hospital.headers | {"content-type": "application/hl7-v2"}
    body = _dispense("HTEST-V0001^^^&2.16.840.1.113883.3.9999.2&ISO^VN")
    assert "MSA|AA|" in (await hospital.web.post("/ingest/hl7v2", content=body.encode(), headers=sent)).text
    assert len(await hospital.search("ServiceRequest?intent=order")) == 1
    assert len(await partner.search("Task")) == 1


async def test_person_and_visit_may_be_named_by_identifier_alone(hospital: Caller) -> None:
    await written(hospital, bundles.transaction())
    named = deepcopy(bundles.request_and_task(authoredOn="2026-06-05T15:00:00-04:00"))
    for one in named.values():
        one["for" if one["resourceType"] == "Task" else "subject"] = _by(bundles.MR, "HTEST0001")
        one["encounter"] = _by(bundles.VN, "HTEST-V0001")
    answer = await written(hospital, bundles.transaction(at="2026-06-05T15:00:00-04:00", **bundles.NOTHING, **named))
    assert state_of(answer) == "updated"
    assert len(await hospital.search("ServiceRequest?intent=order")) == 1


async def test_a_referral_that_is_taken_back_is_cancelled_or_for_a_human(hospital: Caller) -> None:
    await written(hospital, bundles.transaction(**bundles.request_and_task()))
    again = bundles.request_and_task(status="cancelled")
    answer = await written(hospital, bundles.transaction(at="2026-06-05T15:00:00-04:00", **again))
    assert state_of(answer) in {"updated", "review"}


def _by(system: str, value: str) -> Resource:
    return {"identifier": {"system": system, "value": value}}


def _dispense(number: str) -> str:
    product = "991147^methadone hydrochloride 10 MG/ML Oral Concentrate^RXNORM"
    segments = (
        r"MSH|^~\&|EPIC|MERCY|HUB|HUB|20260605133000-0400||RDS^O13^RDS_O13|HTEST-D1|P|2.5.1",
        "PID|1||HTEST0001^^^&2.16.840.1.113883.3.9999.1&ISO^MR||HTEST^Sam||19910402|M",
        f"PV1|1|I|4W^^^MERCY{'|' * 16}{number}",
        "ORC|RE|HTEST-P1^^2.16.840.1.113883.3.9999.5^ISO||||||||20260605130000-0400",
        f"RXE||{product}|80||mg",
        "TQ1|1||QDAY|||2^d",
        f"RXD|1|{product}|20260605130000-0400|2|DOSE||HTEST-RX1",
    )
    return "\r".join(segments) + "\r"


# ---- what is wrong


@pytest.mark.parametrize("path", [PROCESS, FHIR])
@pytest.mark.parametrize("what", BAD_JSON)
async def test_a_bundle_that_is_no_strict_json_is_400(path: str, what: str, hospital: Caller, world: World) -> None:
    issues = refused(await post(hospital, path, BAD_JSON[what]), 400)
    assert issues[0].get("expression"), "the place is named"
    assert MARK not in await said_in_ledger(world)


@pytest.mark.parametrize("path", [PROCESS, FHIR])
async def test_another_kind_of_body_or_answer_is_refused(path: str, hospital: Caller) -> None:
    xml = hospital.headers | {"content-type": "application/fhir+xml"}
    refused(await hospital.web.post(path, content=f"<{MARK}/>".encode(), headers=xml), 415)
    accept = hospital.headers | TYPE | {"accept": "application/fhir+xml"}
    refused(await hospital.web.post(path, content=b"{}", headers=accept), 406)
    body = b'{"resourceType": "Bundle", "type": "message", "id": "' + MARK.encode() * 6000 + b'"}'
    refused(await post(hospital, path, body), 413)
    refused(await hospital.web.get(path, headers=hospital.headers), 404, 405)


@pytest.mark.parametrize(
    "change",
    [
        {"resourceType": "Parameters"},
        {"type": "document"},
        {"type": MARK},
        {"type": None},
        {"entry": None},
        {"entry": MARK},
        {"entry": [MARK]},
        {"entry": [{"resource": {"resourceType": MARK}}]},
        {"entry": []},
        {"timestamp": MARK},
        {"identifier": MARK},
        {"surprise": MARK},
        {"implicitRules": f"http://example.org/{MARK}"},
    ],
)
@pytest.mark.parametrize("path", [PROCESS, FHIR])
async def test_a_bundle_that_is_none_is_refused_without_its_value(
    path: str, change: Resource, hospital: Caller, world: World
) -> None:
    whole = bundles.message() if path == PROCESS else bundles.transaction()
    for issue in refused(await post(hospital, path, whole | change), 400, 422):
        assert issue.get("expression")
    assert MARK not in await said_in_ledger(world)


async def test_a_broken_copy_of_a_bundle_is_answered_and_repeated_nowhere(hospital: Caller, world: World) -> None:
    """Each element in turn replaced by what is none."""
    whole = bundles.message(5)
    places = [(1, "p", name) for name in bundles.patient()] + [(2, "e", name) for name in bundles.encounter()]
    for index, _, name in places:
        for value in (MARK, [MARK], {"x": MARK}, None, 5):
            broken = deepcopy(whole)
            broken["entry"][index]["resource"][name] = value
            answer = await post(hospital, PROCESS, broken)
            if answer.status_code != 200:
                refused(answer, 400, 422)
            assert MARK not in answer.text
    assert MARK not in await said_in_ledger(world)


async def test_ids_in_an_answer_are_the_ledgers(hospital: Caller, world: World) -> None:
    answer = await told(hospital, bundles.message())
    (entry,) = await ledger(world)
    assert answer["id"] == entry["id"]
    assert answer["entry"][0]["fullUrl"] == f"urn:uuid:{entry['id']}"
    assert len(uuid7()) == len(answer["id"])
    assert await world.hub.store.intake(Actor.system("test")).entry(answer["id"]) is not None
