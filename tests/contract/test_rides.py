"""A ride follows the appointment that it is for, and who drives learns neither why nor at whose door."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.contract.fhir_callers import Resource, caller
from tests.contract.passing_time import ALL, ALL_DAYS, METHADONE, Course, course, on, partner
from tests.contract.test_fhir_by_name import only

__all__ = ["course"]

HARBOR, WHEELS, PEERS = "HTEST Harbor OTP", "HTEST Wheels", "HTEST Peers"
BOTH = [{"kind": "moud-continuation"}, {"kind": "transport"}]
FORM: Resource = {"form": "urn:htest:form", "signed_at": "2026-06-05", "signed_by": "patient"}
SUPPLY = [{**METHADONE, "bridges": [{"kind": "dispensed", "days": 3}]}]
ADDRESS = {"lines": ["12 HTEST Street"], "city": "Springfield", "state": "MA"}


def consents() -> list[Resource]:
    """One form for the program, in both directions, and one of its own for who drives."""
    driving = {**FORM, "form": "urn:htest:form:ride", "recipients": [WHEELS]}
    return [{"recipients": [HARBOR], "both_directions": True, "identifier": "HTEST-1", **FORM}, driving]


def told(kind: str = "valueDateTime", value: object = "2026-06-08T07:00:00-04:00") -> Resource:
    code = {"system": "https://throughline.org/fhir/CodeSystem/report", "code": "appointment"}
    return {"type": {"coding": [code]}, kind: value}


async def begun(course: Course, **changes: Any) -> None:
    """Somebody leaves on Friday with three doses and needs a program and a ride; the program accepts."""
    await course.register(
        partner(HARBOR, days=ALL_DAYS, part2_program=True, address=ADDRESS),
        {"name": WHEELS, "needs": ["transport"], "time_zone": "America/New_York"},
    )
    await course.discharged(medications=SUPPLY, **{"needs": BOTH, "consents": consents(), **changes})
    assert (await course.answers(HARBOR, "accepted")).status_code == 200
    await course.settled()


async def says(course: Course, output: Resource) -> None:
    there = await caller(course.world, course.web, course.partners[HARBOR], ALL)
    task = await course.task_of(HARBOR, there)
    path, value = ("/output/-", output) if task.get("output") else ("/output", [output])
    answer = await there.patch(f"Task/{task['id']}", {"op": "add", "path": path, "value": value})
    assert answer.status_code == 200, answer.text
    await course.settled()


async def ride(course: Course) -> tuple[Resource, Resource]:
    """The Task and the request by which the company was asked last, as it reads them."""
    there = await caller(course.world, course.web, course.partners[WHEELS], ALL)
    task = await course.task_of(WHEELS, there)
    return task, await there.read(task["focus"]["reference"])


async def sources(course: Course) -> dict[str, Resource]:
    """The newest source Task of each need."""
    hospital = await caller(course.world, course.web, course.world.mercy, ALL)
    found = await hospital.search("Task?_include=Task:focus&_sort=_lastUpdated")
    needs = {
        f"ServiceRequest/{one['id']}": one["category"][0]["coding"][0]["code"]
        for one in found
        if one["resourceType"] == "ServiceRequest"
    }
    tasks = [one for one in found if one["resourceType"] == "Task" and "partOf" not in one]
    return {needs[one["focus"]["reference"]]: one for one in sorted(tasks, key=lambda one: str(one["authoredOn"]))}


def found_by(task: Resource) -> datetime:
    return datetime.fromisoformat(task["restriction"]["period"]["end"])


async def test_a_ride_is_asked_for_when_the_program_says_when(course: Course) -> None:
    await begun(course)
    assert await course.asked() == {HARBOR: "accepted"}
    waits = (await sources(course))["transport"]
    assert waits["businessStatus"]["coding"][0]["code"] == "appointment-awaited"
    assert await course.told() == []
    await says(course, told())
    assert await course.asked() == {HARBOR: "accepted", WHEELS: "requested"}
    task, request = await ride(course)
    assert request["occurrenceDateTime"] == "2026-06-08T07:00:00-04:00"
    assert request["locationCode"] == [{"text": "12 HTEST Street, Springfield, MA"}]
    assert found_by(task) == on("08", "03:00"), "four hours before"
    for one in (task, request, (await sources(course))["transport"]):
        assert "42CFRPart2" in [label["code"] for label in one["meta"]["security"]], "where to is a Part 2 program"
    there = await caller(course.world, course.web, course.partners[WHEELS], ALL)
    page = (await there.get(f"Task/{task['id']}/$packet", accept="text/html")).text
    assert all(one in page for one in ("To be there", "07:00", "12 HTEST Street, Springfield, MA"))
    assert "Harbor" not in page
    both = await sources(course)
    assert both["transport"]["restriction"] == task["restriction"]
    assert both["moud-continuation"]["restriction"]["period"]["end"].startswith("2026-06-09T09:15:00-04:00"), (
        "its own clock"
    )
    assert len({one["groupIdentifier"]["value"] for one in both.values()}) == 1


async def test_who_drives_learns_neither_the_name_of_the_program_nor_a_dose(course: Course) -> None:
    await begun(course, next_appointment={"at": "2026-06-08T08:00:00-04:00", "where": f"{HARBOR}, back door"})
    await says(course, told())
    there = await caller(course.world, course.web, course.partners[WHEELS], ALL)
    task = await course.task_of(WHEELS, there)
    packet = (await there.read(f"Task/{task['id']}/$packet"))["entry"]
    seen = [entry["resource"] for entry in packet]
    for kind in ("Observation", "Appointment", "Condition", "Encounter", "MedicationAdministration"):
        seen += await there.search(kind)
    text = json.dumps([{name: value for name, value in one.items() if name != "meta"} for one in seen])
    assert "Htest" in text
    assert [word for word in ("Harbor", "back door", "ethadone", "F11", "OTP", "F112") if word in text] == []


async def test_the_output_of_the_guide_is_one(course: Course) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "needs.md").read_text(encoding="utf-8")
    await begun(course)
    await says(course, json.loads(guide.partition("```json")[2].partition("```")[0]))
    assert (await ride(course))[1]["occurrenceDateTime"] == "2026-06-08T07:00:00-04:00"


async def test_a_change_of_the_appointment_is_told_to_who_drives(course: Course) -> None:
    await begun(course)
    await says(course, told())
    assert (await course.answers(WHEELS, "accepted")).status_code == 200
    before, _ = await ride(course)
    await says(course, told(value="2026-06-08T09:30:00-04:00"))
    task, request = await ride(course)
    assert request["occurrenceDateTime"] == "2026-06-08T09:30:00-04:00"
    assert found_by(task) == on("08", "05:30")
    assert task["status"] == "accepted"
    assert int(task["meta"]["versionId"]) > int(before["meta"]["versionId"])


def marks(task: Resource) -> list[str]:
    return [one["code"] for one in task["meta"].get("tag", ())]


async def taken_and_moved(course: Course) -> None:
    """A ride for seven is accepted, and the appointment is at half past nine then."""
    await begun(course)
    await says(course, told())
    assert (await course.answers(WHEELS, "accepted")).status_code == 200
    await course.settled()
    assert (marks((await ride(course))[0]), await course.told()) == ([], [])
    await says(course, told(value="2026-06-08T09:30:00-04:00"))


async def test_silence_about_another_time_is_no_yes(course: Course) -> None:
    await taken_and_moved(course)
    assert marks((await ride(course))[0]) == ["time-changed"]
    assert await course.told() == ["ride-unconfirmed"]
    await course.until(on("07", "18:00"))
    assert await course.told() == ["ride-unconfirmed"]
    await says(course, told(value="2026-06-08T10:00:00-04:00"))
    assert await course.told() == ["ride-unconfirmed"]


@pytest.mark.parametrize("status", ["accepted", "in-progress"])
async def test_who_drives_says_that_the_other_time_is_good_by_accepting_again(course: Course, status: str) -> None:
    await taken_and_moved(course)
    again = await course.answers(WHEELS, status)
    assert (again.status_code, again.json()["status"], marks(again.json())) == (200, status, [])
    await course.settled()
    assert await course.told() == []
    unchanged = await course.answers(WHEELS, status)
    assert unchanged.headers["etag"] == again.headers["etag"]
    await says(course, told(value="2026-06-08T07:00:00-04:00"))
    assert (marks((await ride(course))[0]), await course.told()) == (["time-changed"], ["ride-unconfirmed"])


async def test_who_can_not_drive_at_the_other_time_says_so_and_the_ride_is_sought_again(course: Course) -> None:
    await taken_and_moved(course)
    why = {"statusReason": {"text": "HTEST no car at half past nine"}}
    assert (await course.answers(WHEELS, "failed", **why)).status_code == 200
    await course.settled()
    assert (await sources(course))["transport"]["status"] == "on-hold"
    assert "ride-unconfirmed" not in await course.told()
    assert "nobody-left" in await course.told()


async def booked(course: Course) -> tuple[str, Resource]:
    """The program books an Appointment and names it on its Task."""
    there = await caller(course.world, course.web, course.partners[HARBOR], ALL)
    person = await only(there, "Patient")
    stated = {
        "resourceType": "Appointment",
        "status": "booked",
        "start": "2026-06-08T07:00:00-04:00",
        "end": "2026-06-08T07:30:00-04:00",
        "participant": [{"actor": {"reference": f"Patient/{person['id']}"}, "status": "accepted"}],
    }
    made = await there.post("Appointment", stated)
    assert made.status_code == 201, made.text
    await says(course, told("valueReference", {"reference": f"Appointment/{made.json()['id']}"}))
    return f"Appointment/{made.json()['id']}", made.json()


@pytest.mark.parametrize("status", ["requested", "accepted"])
async def test_an_appointment_that_is_cancelled_ends_its_ride_and_a_new_one_asks_again(
    course: Course, status: str
) -> None:
    await begun(course)
    name, _ = await booked(course)
    assert (await course.asked())[WHEELS] == "requested"
    if status == "accepted":
        assert (await course.answers(WHEELS, "accepted")).status_code == 200
    there = await caller(course.world, course.web, course.partners[HARBOR], ALL)
    off = await there.patch(name, {"op": "replace", "path": "/status", "value": "cancelled"})
    assert off.status_code == 200, off.text
    await course.settled()
    task, _ = await ride(course)
    assert (task["status"], task["statusReason"]["coding"][0]["code"]) == ("cancelled", "appointment-cancelled")
    await course.until(on("05", "20:00"))
    assert (await course.asked())[WHEELS] == "cancelled"
    on_again = {"op": "replace", "path": "/status", "value": "booked"}
    later = {"op": "replace", "path": "/start", "value": "2026-06-08T08:00:00-04:00"}
    ends = {"op": "replace", "path": "/end", "value": "2026-06-08T08:30:00-04:00"}
    assert (await there.patch(name, on_again, later, ends)).status_code == 200
    await course.settled()
    assert (await course.asked())[WHEELS] == "requested"
    assert (await ride(course))[1]["occurrenceDateTime"] == "2026-06-08T08:00:00-04:00"


async def test_a_ride_that_nobody_takes_in_time_is_told(course: Course) -> None:
    await begun(course)
    await says(course, told())
    await course.until(on("08", "02:59"))
    assert "ride-not-found" not in await course.told()
    await course.until(on("08", "03:01"))
    assert "ride-not-found" in await course.told()
    assert (await course.answers(WHEELS, "accepted")).status_code == 200
    await course.settled()
    assert "ride-not-found" not in await course.told()


async def test_a_ride_that_nobody_can_give_an_appointment_for_is_told_at_once(course: Course) -> None:
    await begun(course, needs=[{"kind": "transport"}, {"kind": "moud-continuation"}])
    assert await course.told() == []
    outcome = [{"type": {"text": "service"}, "valueString": "HTEST first dose given"}]
    assert (await course.answers(HARBOR, "in-progress")).status_code == 200
    assert (await course.answers(HARBOR, "completed", output=outcome)).status_code == 200
    await course.settled()
    assert await course.told() == ["ride-without-appointment"]


async def test_that_somebody_is_driven_to_a_program_needs_a_consent_that_names_who_drives(course: Course) -> None:
    """The hospital's own units are no Part 2 program and the company is a covered entity: the place is what counts."""
    await course.register(
        partner(HARBOR, days=ALL_DAYS, part2_program=True, address=ADDRESS),
        {"name": WHEELS, "needs": ["transport"], "covered_entity": True, "time_zone": "America/New_York"},
    )
    await course.discharged(medications=SUPPLY, needs=BOTH, consents=consents()[:1])
    assert (await course.answers(HARBOR, "accepted")).status_code == 200
    await says(course, told())
    assert await course.asked() == {HARBOR: "accepted"}
    assert "part2-unit" in await course.told()


async def test_an_appointment_that_the_hospital_may_not_be_told_of_moves_no_ride(course: Course) -> None:
    one_way = [{"recipients": [HARBOR, WHEELS], **FORM}]
    await begun(course, consents=one_way)
    await says(course, told())
    assert await course.asked() == {HARBOR: "accepted"}


async def test_an_appointment_output_without_a_time_is_refused_by_place(course: Course) -> None:
    await begun(course)
    there = await caller(course.world, course.web, course.partners[HARBOR], ALL)
    task = await course.task_of(HARBOR, there)
    wrong = {"op": "add", "path": "/output", "value": [told("valueString", "on Monday")]}
    answer = await there.patch(f"Task/{task['id']}", wrong)
    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (400, ["Task.output[0].value"])


async def test_a_need_with_a_time_of_its_own_is_told_when_nobody_took_it(course: Course) -> None:
    await course.register(
        partner(HARBOR, days=ALL_DAYS),
        {"name": PEERS, "needs": ["peer-support"], "covered_entity": True, "time_zone": "America/New_York"},
        need_days={"peer-support": 2},
    )
    needs = [{"kind": "moud-continuation"}, {"kind": "peer-support", "priority": "urgent"}, {"kind": "naloxone"}]
    await course.discharged(medications=SUPPLY, needs=needs)
    by = await sources(course)
    assert found_by(by["peer-support"]) == on("07", "14:00")
    assert "restriction" not in by["naloxone"], "nobody has set a time for it"
    assert [by[need].get("priority") for need in ("peer-support", "naloxone")] == ["urgent", None]
    there = await caller(course.world, course.web, course.partners[PEERS], ALL)
    task = await course.task_of(PEERS, there)
    assert task["restriction"] == by["peer-support"]["restriction"]
    assert "extension" not in task or "coverage" not in str(task["extension"])
    packet = (await there.read(f"Task/{task['id']}/$packet"))["entry"]
    kinds = {entry["resource"]["resourceType"] for entry in packet}
    assert kinds.isdisjoint({"MedicationAdministration", "MedicationDispense", "MedicationRequest", "Condition"})
    await course.until(on("07", "13:59"))
    assert "need-overdue" not in await course.told()
    await course.until(on("07", "14:01"))
    assert "need-overdue" in await course.told()
