"""Somebody is dosed for a time as a guest: the clinic's notice, the home program's order, and who doses afterwards."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.contract.fhir_callers import OUTPUT, Resource, caller
from tests.contract.passing_time import ALL, ALL_DAYS, METHADONE, Course, course, on, partner

__all__ = ["course"]

HOME, DAWN, LATE = "HTEST Home OTP", "HTEST Dawn Clinic", "HTEST Late Clinic"
DOSES = [{"days": ALL_DAYS, "opens": "06:00", "closes": "10:00"}]
FORM: Resource = {"form": "urn:htest:form", "signed_at": "2026-06-05", "signed_by": "patient"}
STAY = {"first_day": "2026-06-09", "last_day": "2026-06-12"}


def clinic(name: str, notice: int, **more: Any) -> Resource:
    """A clinic that doses guests every day and asks for so many hours of notice."""
    said = {
        "value": "yes",
        "notice_hours": notice,
        "attested_by": "HTEST Intake",
        "attested_at": "2026-01-01T00:00:00Z",
    }
    facets = {"guest-dosing": {**said, "expires": "2027-01-01"}}
    return partner(name, days=ALL_DAYS, dosing_hours=DOSES, facets=facets, phone="555-0155", **more)


async def begun(course: Course, notice: int = 24, minutes: int = 60, *, both: bool = True, **changes: Any) -> None:
    """On Friday evening somebody with three doses in hand leaves and is a guest from Tuesday on."""
    await course.register(
        clinic(DAWN, notice, response_minutes=minutes),
        partner(HOME, days=ALL_DAYS, dosing_hours=DOSES, part2_program=True, phone="555-0199"),
        routes={"moud-continuation": DAWN},
    )
    await course.discharged(
        medications=[{**METHADONE, "bridges": [{"kind": "dispensed", "days": 3}]}],
        continuation="guest-dosing",
        consents=[{"recipients": [HOME, DAWN], "both_directions": both, **FORM}],
        **{"guest_dosing": STAY, "current_otp": {"name": HOME}, **changes},
    )


async def read_by(course: Course, name: str) -> tuple[Resource, Resource]:
    """The newest Task of a partner and what it asks for."""
    there = await caller(course.world, course.web, course.partners[name], ALL)
    task = await course.task_of(name, there)
    return task, await there.read(task["focus"]["reference"])


def items(task: Resource) -> dict[str, str]:
    """Item of the intake checklist to its state."""
    told = [one for one in task.get("input", ()) if "coding" in one["type"] and "valueCodeableConcept" in one]
    pairs = [(one["type"]["coding"][0], one["valueCodeableConcept"]["coding"][0]["code"]) for one in told]
    return {coding["code"]: state for coding, state in pairs if coding["system"].endswith("/intake-item")}


def ends(task: Resource) -> datetime:
    return datetime.fromisoformat(task["restriction"]["period"]["end"])


async def test_the_clinic_is_asked_for_the_days_and_the_home_program_for_its_order(course: Course) -> None:
    await begun(course)
    assert await course.asked() == {DAWN: "requested", HOME: "requested"}
    task, request = await read_by(course, DAWN)
    assert request["occurrencePeriod"] == {"start": "2026-06-09", "end": "2026-06-12"}
    assert items(task) == {"home-order": "missing"}
    (clock,) = [one["extension"] for one in task["extension"] if one["url"].endswith("/coverage")]
    told = {part["url"]: part for part in clock}
    assert told["returnsOn"]["valueDate"] == "2026-06-13"
    assert told["returnsTo"]["valueString"] == HOME
    order, wanted = await read_by(course, HOME)
    assert wanted["code"]["coding"][0]["code"] == "guest-order"
    assert wanted["occurrencePeriod"] == request["occurrencePeriod"]
    assert wanted["locationCode"] == [{"text": f"{DAWN}, 555-0155"}]
    assert ends(order) == on("08", "06:00"), "a day of notice before the first dose on Tuesday at six"


async def test_the_event_of_the_guide_is_one(course: Course) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "needs.md").read_text(encoding="utf-8")
    told = json.loads(guide.partition("## Guest dosing")[2].partition("```json")[2].partition("```")[0])
    await begun(course, **{name: value for name, value in told.items() if name != "continuation"})
    assert await course.asked() == {DAWN: "requested", HOME: "requested"}


async def test_the_order_that_was_sent_settles_the_item_of_the_clinic(course: Course) -> None:
    await begun(course)
    assert (await course.answers(HOME, "accepted")).status_code == 200
    await course.settled()
    assert items((await read_by(course, DAWN))[0]) == {"home-order": "missing"}
    assert (await course.answers(HOME, "in-progress")).status_code == 200
    assert (await course.answers(HOME, "completed", output=OUTPUT)).status_code == 200
    await course.settled()
    assert items((await read_by(course, DAWN))[0]) == {"home-order": "done"}
    assert (await course.answers(DAWN, "accepted")).status_code == 200
    await course.until(on("08", "07:00"))
    assert await course.told() == []


async def test_an_order_that_is_not_there_in_time_is_told_at_once(course: Course) -> None:
    await begun(course)
    assert (await course.answers(DAWN, "accepted")).status_code == 200
    assert (await course.answers(HOME, "accepted")).status_code == 200
    await course.until(on("08", "05:59"))
    assert await course.told() == []
    await course.until(on("08", "06:01"))
    assert await course.told() == ["guest-order-missing"]


async def test_what_the_home_program_reports_without_a_way_back_settles_nothing(course: Course) -> None:
    await begun(course, both=False)
    assert (await course.answers(DAWN, "accepted")).status_code == 200
    for status in ("accepted", "in-progress"):
        assert (await course.answers(HOME, status)).status_code == 200
    assert (await course.answers(HOME, "completed", output=OUTPUT)).status_code == 200
    await course.settled()
    assert items((await read_by(course, DAWN))[0]) == {"home-order": "missing"}


async def test_a_clinic_whose_notice_is_longer_than_there_is_time_comes_after_one_that_can(course: Course) -> None:
    """The hospital's usual clinic asks for 96 hours and Tuesday is 84 away: the other is asked, and nobody is told."""
    await course.register(clinic(LATE, 24))
    await begun(course, notice=96)
    assert await course.asked() == {LATE: "requested", HOME: "requested"}
    assert await course.told() == []


async def test_a_clinic_that_had_to_be_asked_too_late_is_told_to_a_person(course: Course) -> None:
    await begun(course, notice=96)
    assert (await course.asked())[DAWN] == "requested"
    told = await course.told()
    assert {"guest-notice-too-short", "guest-order-missing"} <= set(told), told


async def test_no_answer_is_waited_for_longer_than_the_notice_allows(course: Course) -> None:
    """The clinic promises an answer within 40 of its hours; after Monday at six it would be no help."""
    await begun(course, minutes=2400)
    task, _ = await read_by(course, DAWN)
    (answer,) = [one["extension"] for one in task["extension"] if one["url"].endswith("/answer")]
    assert datetime.fromisoformat(answer[0]["valueDateTime"]) == on("08", "06:00")


async def test_an_order_that_has_come_is_asked_for_no_more(course: Course) -> None:
    await begun(course, guest_dosing={**STAY, "order_received": True})
    assert await course.asked() == {DAWN: "requested"}
    assert items((await read_by(course, DAWN))[0]) == {"home-order": "done"}


@pytest.mark.parametrize("later", [{"guest_dosing": {**STAY, "order_received": True}}, {"continuation": "new-intake"}])
async def test_what_makes_the_order_needless_takes_it_back(course: Course, later: Resource) -> None:
    await begun(course)
    told = {"event_id": "HTEST-LATER", "kind": "update", "occurred_at": "2026-06-05T18:30:00-04:00", **later}
    await course.discharged(**told)
    assert await course.asked() == {DAWN: "requested", HOME: "cancelled"}
    assert len([one for one in await course.tasks() if "partOf" not in one]) == 2


async def test_an_order_that_is_asked_for_by_name_is_asked_for_once(course: Course) -> None:
    needs = [{"kind": "moud-continuation"}, {"kind": "guest-order"}]
    await begun(course, guest_dosing=None, needs=needs)
    for number in (1, 2):
        at = f"2026-06-05T18:3{number}:00-04:00"
        await course.discharged(kind="update", event_id=f"HTEST-LATER-{number}", occurred_at=at, needs=needs)
    assert await course.asked() == {DAWN: "requested", HOME: "requested"}
    assert len([one for one in await course.tasks() if "partOf" not in one]) == 2


async def test_an_order_that_the_clinic_waives_is_missed_by_nobody(course: Course) -> None:
    await begun(course)
    system = "https://throughline.org/fhir/CodeSystem/"
    waived = {
        "type": {"coding": [{"system": f"{system}report", "code": "waived-item"}]},
        "valueCodeableConcept": {"coding": [{"system": f"{system}intake-item", "code": "home-order"}]},
    }
    assert (await course.answers(DAWN, "accepted", output=[waived])).status_code == 200
    assert items((await read_by(course, DAWN))[0]) == {"home-order": "waived"}
    assert (await course.answers(HOME, "accepted")).status_code == 200
    await course.until(on("08", "07:00"))
    assert await course.told() == []


async def test_a_home_program_that_takes_no_part_is_for_a_person_to_call(course: Course) -> None:
    await begun(course, current_otp={"name": "HTEST Far OTP"})
    assert await course.asked() == {DAWN: "requested"}
    assert "current-otp-unknown" in await course.told()


async def test_a_guest_whose_days_nobody_has_told_is_told_of(course: Course) -> None:
    await begun(course, guest_dosing=None)
    assert await course.asked() == {DAWN: "requested"}
    assert "guest-dates-missing" in await course.told()
    at = "2026-06-05T18:30:00-04:00"
    await course.discharged(kind="update", event_id="HTEST-LATER", occurred_at=at, guest_dosing=STAY)
    assert "guest-dates-missing" not in await course.told()


@pytest.mark.parametrize("dates", [{"first_day": "2026-06-09"}, {**STAY, "last_day": "2026-06-08"}])
async def test_dates_that_are_none_are_refused_by_path(course: Course, dates: Resource) -> None:
    headers = await course.world.bearer(course.world.mercy, "ingest")
    told = {"schema_version": "1", "event_id": "HTEST-1", "kind": "discharge", "occurred_at": "2026-06-05T14:10:00Z"}
    body = {**told, "patient": {}, "visit": {}, "guest_dosing": dates}
    answer = await course.web.post("/ingest/events?sender=mercy-adt", json=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["expression"][0].startswith("guest_dosing"), answer.text
