"""A partner that has the person sends them on: it is the requester then, and a Part 2 program's word needs consent."""

from datetime import datetime
from typing import Any

import httpx
import pytest
import pytest_asyncio

from app.services.partners import registration
from tests.contract.fhir_callers import OUTPUT, Caller, Resource, caller
from tests.contract.passing_time import ALL, Course, course, on, partner
from tests.contract.test_fhir_by_name import consent, only, request, wanted

__all__ = ["course"]

HARBOR, MAPLE, LIVER, MERCY = "HTEST Harbor OTP", "HTEST Maple Primary Care", "HTEST Liver Clinic", "HTEST Mercy"
BUPRENORPHINE: Resource = {
    "product": {"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "351267", "display": "buprenorphine"},
    "schedule": {"interval": "PT24H"},
    "doses": [{"at": "2026-06-05T09:15:00-04:00", "amount": 16, "unit": "mg", "route": "sublingual", "observed": True}],
    "bridges": [{"kind": "take-home", "days": 3}],
}
FORM: Resource = {"form": "urn:htest:form", "signed_at": "2026-06-05", "signed_by": "patient"}


@pytest_asyncio.fixture
async def otp(course: Course) -> Caller:
    """A Part 2 program that is a partner and sends here too, by an interface that is said to be no such program."""
    both = {"needs": ["moud-continuation"], "products": ["methadone", "buprenorphine"]}
    await course.register(
        partner(HARBOR, part2_program=True, **both),
        partner(MAPLE, needs=["moud-continuation", "primary-care"], products=["buprenorphine"]),
        partner(LIVER, needs=["hcv-hiv"], products=[]),
        partner(MERCY, needs=["mental-health"], products=[], part2_program=False),
    )
    await registration.add_sender(
        course.hub,
        {"id": "harbor", "organization": HARBOR, "dialect": "event_json", "timezone": "America/New_York"}
        | {"part2": "none", "routes": {"moud-continuation": MAPLE}},
    )
    return await caller(course.world, course.web, course.partners[HARBOR], f"ingest {ALL}")


async def steps_down(course: Course, otp: Caller, number: int = 7, **changes: Any) -> Resource:
    """The ledger entry of a step-down that the program tells."""
    told = {
        "schema_version": "1",
        "event_id": f"HTEST-OTP-{number}",
        "kind": "discharge",
        "occurred_at": "2026-06-05T17:00:00-04:00",
        "patient": {
            "identifiers": [{"system": "urn:oid:2.16.840.1.113883.3.9999.5", "value": f"HTEST{number:04d}"}],
            "name": {"family": "Htest", "given": ["Sam"]},
            "birth_date": "1991-04-02",
            "phones": ["+1-555-0107"],
        },
        "visit": {"identifiers": [{"system": "urn:oid:2.16.840.1.113883.3.9999.6", "value": f"HTEST-{number}"}]}
        | {"class": "AMB", "discharged_at": "2026-06-05T17:00:00-04:00", "disposition": "home"},
        "medications": [BUPRENORPHINE],
        **changes,
    }
    answer = await course.web.post("/ingest/events", json=told, headers=otp.headers)
    assert answer.status_code in {201, 202}, answer.text
    entry: Resource = answer.json()
    return entry


async def test_a_program_steps_a_person_down_and_is_told_what_became_of_it(course: Course, otp: Caller) -> None:
    entry = await steps_down(course, otp, consents=[{"recipients": [MAPLE], **FORM}])
    assert entry["state"] == "referral", entry
    assert await course.asked() == {MAPLE: "requested"}
    source = await course.source()
    assert source["requester"]["reference"] == f"Organization/{course.partners[HARBOR]}"
    told = {part["url"]: part for one in source["extension"] for part in one["extension"]}
    until = datetime.fromisoformat(told["coveredUntil"]["valueDateTime"])
    assert until == on("09", "09:15"), "three take-home doses after the one of today"
    child = await course.task_of(MAPLE)
    assert "42CFRPart2" in str(child["meta"]["security"])
    assert (await course.answers(MAPLE, "accepted")).status_code == 200
    assert (await otp.read(f"Task/{source['id']}"))["status"] == "accepted"
    assert (await course.answers(MAPLE, "in-progress")).status_code == 200
    assert (await course.answers(MAPLE, "completed", output=OUTPUT)).status_code == 200
    seen = await otp.read(f"Task/{source['id']}")
    assert (seen["status"], seen["output"]) == ("completed", OUTPUT)


@pytest.mark.parametrize("consents", [[], [{"recipients": [LIVER], **FORM}]])
async def test_without_a_consent_that_names_it_the_recipient_sees_nothing(
    course: Course, otp: Caller, consents: list[Resource]
) -> None:
    entry = await steps_down(course, otp, consents=consents)
    assert entry["state"] == "review"
    assert "part2-unit" in [one["code"] for one in entry["reasons"]]
    assert await course.asked() == {}
    assert (await course.source())["status"] == "draft"
    there = await caller(course.world, course.web, course.partners[MAPLE], ALL)
    assert await there.search("Task") == []


async def test_the_program_itself_is_never_asked(course: Course, otp: Caller) -> None:
    await course.register(partner(MAPLE, active=False, needs=["moud-continuation"], products=["buprenorphine"]))
    await steps_down(course, otp, consents=[{"recipients": [MAPLE, HARBOR], **FORM}])
    assert await course.asked() == {}


async def test_a_hospital_can_be_asked_and_polls_its_own_task(course: Course, otp: Caller) -> None:
    needs = [{"kind": "mental-health"}]
    await steps_down(course, otp, needs=needs, consents=[{"recipients": [MERCY], "both_directions": True, **FORM}])
    hospital = await caller(course.world, course.web, course.world.mercy, ALL)
    (child,) = await hospital.search(f"Task?owner=Organization/{course.world.mercy}&status=requested")
    assert child["requester"]["reference"] == f"Organization/{course.partners[HARBOR]}"
    assert (await hospital.set_status(child, "accepted")).status_code == 200
    assert (await course.source())["status"] == "accepted"


async def test_a_program_asks_by_name_for_a_person_who_was_sent_to_it(course: Course, otp: Caller) -> None:
    """The hospital's consent names the program alone: what the program sends on waits for one that names the clinic."""
    await course.discharged(consents=[{"recipients": [HARBOR], **FORM}])
    assert (await course.answers(HARBOR, "accepted")).status_code == 200
    person = await only(otp, "Patient")
    asked = await by_name(otp, person, "hcv-hiv")
    assert (asked.status_code, asked.json().get("status")) == (201, "draft"), asked.text
    assert await course.asked() == {HARBOR: "accepted"}
    stated = consent(f"Patient/{person['id']}", course.partners[LIVER]) | {"organization": [{"display": HARBOR}]}
    made = await otp.post("Consent", stated)
    assert made.status_code == 201, made.text
    await course.settled()
    assert await course.asked() == {HARBOR: "accepted", LIVER: "requested"}
    there = await caller(course.world, course.web, course.partners[LIVER], ALL)
    told = await only(there, "Patient")
    assert (told["name"], told["birthDate"]) == (person["name"], person["birthDate"])
    assert await there.search("Condition") == [], "no diagnosis goes with this need"
    hospital = await caller(course.world, course.web, course.world.mercy, ALL)
    assert asked.json()["id"] not in [one["id"] for one in await hospital.search("Task")]
    assert (await course.answers(LIVER, "accepted")).status_code == 200
    assert (await otp.read(f"Task/{asked.json()['id']}"))["status"] == "accepted"


async def test_a_part2_record_never_goes_on_as_one_of_no_program(course: Course, otp: Caller) -> None:
    """The hospital's units are said to be no such program; what it was sent came from one."""
    await steps_down(course, otp, needs=[{"kind": "mental-health"}], consents=[{"recipients": [MERCY], **FORM}])
    hospital = await caller(course.world, course.web, course.world.mercy, ALL)
    person = await only(hospital, "Patient")
    stays = await hospital.search(f"Encounter?patient=Patient/{person['id']}")
    assert [one["class"]["code"] for one in stays] == ["AMB"]
    answer = await by_name(hospital, person, "hcv-hiv")
    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (422, ["Task.for"])
    assert LIVER not in await course.asked()


async def by_name(otp: Caller, person: Resource, need: str) -> httpx.Response:
    order = await otp.post("ServiceRequest", request(f"Patient/{person['id']}", need))
    assert order.status_code == 201, order.text
    return await otp.post("Task", wanted(order.json(), otp.organization))
