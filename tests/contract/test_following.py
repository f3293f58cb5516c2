"""A referral is followed until somebody takes it, on both databases, with a clock that the test moves."""

import pytest

from app.core.errors import BadRequest
from tests.contract.fhir_callers import caller
from tests.contract.passing_time import ALL, ALL_DAYS, METHADONE, Course, course, on, partner

__all__ = ["course"]

HARBOR, DAWN, LATE = "HTEST Harbor OTP", "HTEST Dawn Clinic", "HTEST Late Clinic"
ROUTE = {"routes": {"moud-continuation": HARBOR}}
NO = {"statusReason": {"text": "No place is free."}}
SAID = {"attested_by": "intake desk", "attested_at": "2026-01-01T09:00:00Z", "expires": "2099-01-01"}
NO_STIMULANTS = {"stimulants": {"value": "no", **SAID}}


async def test_the_friday_evening_discharge_finds_the_clinic_that_doses_on_saturday(course: Course) -> None:
    """The hospital's usual partner is closed until Monday and the cover ends on Saturday: it is not asked first."""
    await course.register(partner(HARBOR), partner(DAWN, days=ALL_DAYS), **ROUTE)
    await course.discharged()
    assert await course.asked() == {DAWN: "requested"}
    await course.until(on("06", "06:20"))
    assert (await course.answers(DAWN, "accepted")).status_code == 200
    await course.until(on("06", "09:00"))
    assert await course.asked() == {DAWN: "accepted"}
    assert (await course.source())["status"] == "accepted"
    assert await course.told() == []


async def test_several_are_asked_at_once_where_one_after_another_would_be_too_late(course: Course) -> None:
    slow = {"days": ALL_DAYS, "response_minutes": 360}
    await course.register(partner(HARBOR, **slow), partner(DAWN, days=ALL_DAYS), **ROUTE)
    await course.discharged()
    assert await course.asked() == {HARBOR: "requested", DAWN: "requested"}
    for name in (HARBOR, DAWN):
        (told,) = [one for one in (await course.task_of(name))["extension"] if one["url"].endswith("/answer")]
        assert {"url": "severalAsked", "valueBoolean": True} in told["extension"]
    await course.until(on("06", "06:20"))
    assert (await course.answers(DAWN, "accepted")).status_code == 200
    assert await course.asked() == {HARBOR: "cancelled", DAWN: "accepted"}
    lost = await course.task_of(HARBOR)
    assert lost["statusReason"]["coding"][0]["code"] == "not-selected"
    assert (await course.answers(HARBOR, "accepted")).status_code == 422


async def test_a_silent_partner_is_reminded_then_passed_over(course: Course) -> None:
    supply = [{"kind": "dispensed", "days": 3}]
    await course.register(partner(HARBOR, days=ALL_DAYS), partner(DAWN, days=ALL_DAYS), **ROUTE)
    await course.discharged(medications=[{**METHADONE, "bridges": supply}])
    assert await course.asked() == {HARBOR: "requested"}
    before = await course.task_of(HARBOR)
    await course.until(on("06", "06:29"))
    assert (await course.task_of(HARBOR))["meta"]["versionId"] == before["meta"]["versionId"]
    await course.until(on("06", "06:31"))
    (told,) = [one for one in (await course.task_of(HARBOR))["extension"] if one["url"].endswith("/answer")]
    assert [one["url"] for one in told["extension"]] == ["answerBy", "remindedAt"]
    assert await course.asked() == {HARBOR: "requested"}
    await course.until(on("06", "07:01"))
    assert await course.asked() == {HARBOR: "cancelled", DAWN: "requested"}
    assert (await course.task_of(HARBOR))["statusReason"]["coding"][0]["code"] == "no-answer"
    assert await course.told() == []
    await course.until(on("06", "08:02"))
    assert await course.asked() == {HARBOR: "cancelled", DAWN: "requested"}, "the last one may still say yes"
    assert await course.told() == ["no-answer", "no-route", "all-asked"]
    assert (await course.source())["businessStatus"]["coding"][0]["code"] == "needs-a-person"
    assert (await course.answers(DAWN, "accepted")).status_code == 200
    await course.settled()
    assert await course.told() == []
    assert (await course.source())["status"] == "accepted"


async def test_a_refusal_leads_to_the_next_within_a_moment(course: Course) -> None:
    supply = [{"kind": "dispensed", "days": 3}]
    await course.register(partner(HARBOR, days=ALL_DAYS), partner(DAWN, days=ALL_DAYS), **ROUTE)
    await course.discharged(medications=[{**METHADONE, "bridges": supply}])
    assert (await course.answers(HARBOR, "rejected", **NO)).status_code == 200
    await course.settled()
    assert await course.asked() == {HARBOR: "rejected", DAWN: "requested"}
    assert "businessStatus" not in await course.source()
    assert (await course.answers(DAWN, "rejected", **NO)).status_code == 200
    await course.settled()
    assert await course.told() == ["nobody-left", "no-route", "all-asked"]
    assert (await course.source())["status"] == "requested"


async def test_where_each_is_confirmed_a_person_is_told_who_is_next(course: Course) -> None:
    both = (partner(HARBOR, days=ALL_DAYS), partner(DAWN, days=ALL_DAYS))
    await course.register(*both, **ROUTE, offers="confirmed")
    await course.discharged(medications=[{**METHADONE, "bridges": [{"kind": "dispensed", "days": 3}]}])
    assert (await course.answers(HARBOR, "rejected", **NO)).status_code == 200
    await course.settled()
    assert await course.asked() == {HARBOR: "rejected"}
    assert await course.told() == ["confirm-next"]


async def test_no_hour_before_the_gap_is_told_at_once_with_what_the_hospital_has(course: Course) -> None:
    bridge = {"kind": "return-for-dosing", "name": "HTEST Mercy ED", "phone": "555-0144"}
    await course.register(partner(HARBOR), **ROUTE, fallbacks=[bridge])
    await course.discharged()
    assert await course.asked() == {HARBOR: "requested"}
    assert await course.told() == ["no-slot-before-gap", "fallback"]
    await course.until(on("06", "12:00"))
    assert "lapsed" in str((await course.source())["extension"])


async def test_a_day_on_which_no_intake_is_left_is_none_for_who_has_no_place_yet(course: Course) -> None:
    evening = [{"days": ["fri"], "opens": "06:00", "closes": "23:00"}]
    full = {"left": "0", "as_of": "2026-06-05T17:00:00-04:00", "source": "intake desk"}
    await course.register({**partner(HARBOR), "intake_hours": evening, "capacity": full})
    await course.discharged()
    assert (await course.asked(), await course.told()) == ({HARBOR: "requested"}, ["no-slot-before-gap"])
    assert (await course.answers(HARBOR, "accepted")).status_code == 200
    await course.settled()
    assert await course.told() == []


async def test_a_place_that_was_accepted_is_watched_until_the_person_is_seen(course: Course) -> None:
    await course.register(partner(HARBOR, days=ALL_DAYS), **ROUTE)
    await course.discharged()
    assert (await course.answers(HARBOR, "accepted")).status_code == 200
    await course.until(on("06", "09:14"))
    assert await course.told() == []
    await course.until(on("06", "09:16"))
    assert await course.told() == ["not-seen-before-gap"]
    assert (await course.answers(HARBOR, "in-progress")).status_code == 200
    await course.settled()
    assert await course.told() == []


async def test_a_look_that_finds_nothing_leaves_nothing(course: Course) -> None:
    await course.register(partner(HARBOR, days=ALL_DAYS), **ROUTE)
    await course.discharged(medications=[{**METHADONE, "bridges": [{"kind": "dispensed", "days": 3}]}])
    before = [(task["id"], task["meta"]["versionId"]) for task in await course.tasks()]
    await course.until(on("06", "05:00"))
    assert [(task["id"], task["meta"]["versionId"]) for task in await course.tasks()] == before


@pytest.mark.parametrize("wrong", [{"days": ["someday"]}, {"response_minutes": 0}])
async def test_hours_that_are_none_are_refused_by_name(course: Course, wrong: dict[str, object]) -> None:
    with pytest.raises(BadRequest, match=r"intake_hours|response_minutes"):
        await course.register(partner(HARBOR, **wrong))


def parameters(**values: object) -> dict[str, object]:
    elements = {"partner": "valueReference", "by": "valueString", "fallback": "valueCode"}
    listed = [{"name": name, elements[name]: value} for name, value in values.items()]
    return {"resourceType": "Parameters", "parameter": listed}


async def test_whom_a_person_chooses_is_asked_beside_who_waits(course: Course) -> None:
    await course.register(partner(HARBOR, days=ALL_DAYS), partner(DAWN, days=ALL_DAYS), partner(LATE), **ROUTE)
    await course.discharged(medications=[{**METHADONE, "bridges": [{"kind": "dispensed", "days": 3}]}])
    hospital = await caller(course.world, course.web, course.world.mercy, ALL)
    source = f"Task/{(await course.source())['id']}"
    late = {"reference": f"Organization/{course.partners[LATE]}"}
    answer = await hospital.post(f"{source}/$ask", parameters(partner=late, by="HTEST Case Manager"))
    assert (answer.status_code, answer.json()["status"]) == (200, "requested")
    assert await course.asked() == {HARBOR: "requested", LATE: "requested"}
    again = await hospital.post(f"{source}/$ask", parameters(partner=late, by="HTEST Case Manager"))
    assert again.status_code == 200
    assert len([task for task in await course.tasks() if "partOf" in task]) == 2
    assert (await course.answers(LATE, "accepted")).status_code == 200
    assert await course.asked() == {HARBOR: "cancelled", LATE: "accepted"}


@pytest.mark.parametrize(
    ("choice", "dawn", "code"),
    [
        ("HTEST Nowhere", {"active": False}, "choice-unknown"),
        (DAWN, {"active": False}, "choice-unknown"),
        (DAWN, {"facets": NO_STIMULANTS}, "choice-excluded"),
    ],
)
async def test_a_choice_that_can_not_be_asked_holds_nothing_up_and_is_told(
    course: Course, choice: str, dawn: dict[str, object], code: str
) -> None:
    await course.register(partner(HARBOR, days=ALL_DAYS), partner(DAWN, days=ALL_DAYS, **dawn))
    needs = [{"kind": "moud-continuation", "patient_choice": [choice]}]
    await course.discharged(needs=needs, clinical={"stimulants": True})
    assert await course.asked() == {HARBOR: "requested"}
    assert await course.told() == [code]
    assert (await course.answers(HARBOR, "accepted")).status_code == 200
    await course.settled()
    assert await course.told() == []


async def test_a_fallback_is_recorded_with_who_chose_it(course: Course) -> None:
    await course.register(partner(HARBOR), **ROUTE)
    await course.discharged()
    assert await course.told() == ["no-slot-before-gap"]
    hospital = await caller(course.world, course.web, course.world.mercy, ALL)
    source = f"Task/{(await course.source())['id']}"
    chosen = parameters(fallback="return-for-dosing", by="HTEST Case Manager")
    task = (await hospital.post(f"{source}/$choose-fallback", chosen)).json()
    assert task["businessStatus"]["coding"][0]["code"] == "fallback-chosen"
    again = (await hospital.post(f"{source}/$choose-fallback", chosen)).json()
    for told in (task, again):
        assert [note["authorString"] for note in told["note"]] == ["HTEST Case Manager"]
    assert again["meta"] == task["meta"], "what is told again is not done again"
    assert await course.told() == []
    assert await course.asked() == {HARBOR: "requested"}
    assert (await course.answers(HARBOR, "accepted")).status_code == 200
    assert (await course.source())["businessStatus"]["coding"][0]["code"] == "fallback-chosen"
    assert (await course.answers(HARBOR, "in-progress")).status_code == 200
    seen = await course.source()
    assert ("businessStatus" in seen, len(seen["note"])) == (False, 1), (
        "the person is there, and what was chosen is kept"
    )


async def test_a_fallback_is_for_the_medication_alone(course: Course) -> None:
    await course.register(partner(HARBOR, needs=["peer-support"]))
    await course.discharged(needs=[{"kind": "peer-support"}])
    hospital = await caller(course.world, course.web, course.world.mercy, ALL)
    before = await course.source()
    chosen = parameters(fallback="return-for-dosing", by="HTEST Case Manager")
    assert (await hospital.post(f"Task/{before['id']}/$choose-fallback", chosen)).status_code == 422
    assert (await course.source())["meta"] == before["meta"]


async def test_a_fallback_is_not_covered_by_the_silence_for_which_it_was_chosen(course: Course) -> None:
    await course.register(partner(HARBOR, days=ALL_DAYS), **ROUTE)
    await course.discharged(medications=[{**METHADONE, "bridges": [{"kind": "dispensed", "days": 3}]}])
    await course.until(on("06", "07:01"))
    assert (await course.told())[0] == "no-answer"
    hospital = await caller(course.world, course.web, course.world.mercy, ALL)
    chosen = parameters(fallback="return-for-dosing", by="HTEST Case Manager")
    source = await course.source()
    task = (await hospital.post(f"Task/{source['id']}/$choose-fallback", chosen)).json()
    assert source["businessStatus"]["coding"][0]["code"] == "needs-a-person"
    assert task["businessStatus"]["coding"][0]["code"] == "fallback-chosen"
    assert (await course.told())[0] == "no-answer", "why a person had to decide is still so"


async def test_what_is_no_choice_is_refused_and_says_why(course: Course) -> None:
    await course.register(partner(HARBOR), partner(LATE), **ROUTE)
    form = {"form": "urn:htest:form", "signed_at": "2026-06-05", "signed_by": "patient"}
    await course.discharged(consents=[{"recipients": [HARBOR], "not_recipients": [LATE], **form}])
    hospital = await caller(course.world, course.web, course.world.mercy, ALL)
    there = await caller(course.world, course.web, course.partners[HARBOR], ALL)
    source, child = f"Task/{(await course.source())['id']}", f"Task/{(await course.task_of(HARBOR))['id']}"
    who = {"by": "HTEST Case Manager"}
    nobody = {"reference": "Organization/01a00000-0000-7000-8000-000000000000"}
    late = {"reference": f"Organization/{course.partners[LATE]}"}
    for caller_, path, body, status in (
        (hospital, f"{source}/$ask", parameters(**who), 400),
        (hospital, f"{source}/$ask", parameters(partner=nobody, **who), 422),
        (hospital, f"{source}/$choose-fallback", parameters(fallback="hope", **who), 400),
        (hospital, f"{child}/$ask", parameters(partner=late, **who), 404),
        (there, f"{source}/$ask", parameters(partner=late, **who), 404),
        (there, f"{child}/$choose-fallback", parameters(fallback="guest-dosing", **who), 404),
    ):
        answer = await caller_.post(path, body)
        assert (answer.status_code, answer.json()["resourceType"]) == (status, "OperationOutcome"), path
    refused = await hospital.post(f"{source}/$ask", parameters(partner=late, **who))
    assert refused.status_code == 422
    assert any("excludes" in one["diagnostics"] for one in refused.json()["issue"]), refused.text
    assert await course.asked() == {HARBOR: "requested"}
