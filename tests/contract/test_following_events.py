"""What happens to a referral that is under way: the person goes back to their program, declines, a partner closes."""

from typing import Any

import pytest

from app.services.partners import partners
from tests.contract.passing_time import ALL_DAYS, FRIDAY, METHADONE, Course, course, on, partner

__all__ = ["course"]

HARBOR, DAWN, HOME = "HTEST Harbor OTP", "HTEST Dawn Clinic", "HTEST Home OTP"
SUPPLY = [{**METHADONE, "bridges": [{"kind": "dispensed", "days": 3}]}]
CODE = "https://throughline.org/fhir/CodeSystem/status-reason"
BACK: dict[str, Any] = {"continuation": "return-to-current-otp", "current_otp": {"name": HOME}}


def because(code: str) -> dict[str, Any]:
    return {"statusReason": {"coding": [{"system": CODE, "code": code}], "text": "As said."}}


async def open_every_day(course: Course, *names: str, **sender: Any) -> None:
    await course.register(*(partner(name, days=ALL_DAYS) for name in names), **sender)


async def test_who_goes_back_to_their_program_is_matched_with_nobody_else(course: Course) -> None:
    await open_every_day(course, HARBOR, HOME, routes={"moud-continuation": HARBOR})
    await course.discharged(medications=SUPPLY, **BACK)
    assert await course.asked() == {HOME: "requested"}
    await course.until(on("06", "07:01"))
    assert await course.asked() == {HOME: "cancelled", HARBOR: "requested"}, "silent: then others"


async def test_a_program_that_is_not_known_here_is_a_persons_to_call(course: Course) -> None:
    await open_every_day(course, HARBOR, DAWN)
    await course.discharged(medications=SUPPLY, **BACK)
    assert await course.asked() == {}
    assert await course.told() == ["current-otp-unknown"]


async def test_a_program_that_is_registered_later_is_asked_then(course: Course) -> None:
    await course.register(partner(DAWN, days=ALL_DAYS))
    await course.discharged(**BACK)
    assert (await course.asked(), await course.told()) == ({}, ["current-otp-unknown"])
    await course.register(partner(HOME, days=ALL_DAYS))
    await course.until(on("05", "18:01"))
    assert (await course.asked(), await course.told()) == ({HOME: "requested"}, [])


async def test_who_was_chosen_and_is_registered_later_is_known_then(course: Course) -> None:
    await course.register(partner(DAWN, days=ALL_DAYS))
    await course.discharged(needs=[{"kind": "moud-continuation", "patient_choice": [HARBOR]}])
    assert await course.told() == ["choice-unknown"]
    await course.register(partner(HARBOR, days=ALL_DAYS))
    await course.until(on("05", "18:01"))
    assert await course.told() == []


async def test_a_word_of_a_partner_reaches_who_waited_for_it(course: Course) -> None:
    said = {"attested_by": "intake desk", "attested_at": "2026-01-01T09:00:00Z", "expires": "2099-01-01"}
    await course.register(partner(DAWN, days=ALL_DAYS, facets={"stimulants": {"value": "no", **said}}))
    await course.discharged(clinical={"stimulants": True})
    assert (await course.asked(), await course.told()) == ({}, ["no-route", "all-excluded"])
    await partners.attest(course.hub, DAWN, "stimulants", {"value": "yes", "attested_by": "intake desk"})
    await course.until(on("05", "18:01"))
    assert (await course.asked(), await course.told()) == ({DAWN: "requested"}, [])


async def test_who_is_excluded_by_a_no_is_asked_when_it_lapses(course: Course) -> None:
    said = {"attested_by": "intake desk", "attested_at": "2026-01-01T09:00:00Z", "expires": "2026-06-07"}
    await course.register(partner(DAWN, days=ALL_DAYS, facets={"stimulants": {"value": "no", **said}}))
    await course.discharged(medications=SUPPLY, clinical={"stimulants": True})
    await course.until(on("06", "23:59"))
    assert (await course.asked(), await course.told()) == ({}, ["no-route", "all-excluded"])
    await course.until(on("07", "00:01"))
    assert (await course.asked(), await course.told()) == ({DAWN: "requested"}, [])


async def test_a_place_that_is_free_again_is_one_before_the_gap(course: Course) -> None:
    evening = [{"days": ["fri"], "opens": "06:00", "closes": "23:00"}]
    await course.register({**partner(DAWN), "intake_hours": evening})
    await partners.set_capacity(course.hub, DAWN, "0", source="intake desk")
    await course.discharged()
    assert await course.told() == ["no-slot-before-gap"]
    await partners.set_capacity(course.hub, DAWN, "1", source="intake desk")
    await course.until(on("05", "18:01"))
    assert await course.told() == []


async def test_a_program_that_doses_on_days_without_intake_is_not_closed_for_who_is_enrolled(course: Course) -> None:
    """Intake on weekdays, doses every day: who comes back is dosed on Saturday, so nobody else is asked."""
    doses = [{"days": ALL_DAYS, "opens": "06:00", "closes": "10:00"}]
    await course.register(partner(HOME, dosing_hours=doses), partner(DAWN, days=ALL_DAYS))
    await course.discharged(**BACK)
    assert await course.asked() == {HOME: "requested"}
    assert await course.told() == []


async def test_a_notice_goes_to_the_program_and_to_nobody_else(course: Course) -> None:
    await open_every_day(course, HARBOR, HOME)
    await course.discharged(medications=SUPPLY, **{**BACK, "continuation": "notice-only"})
    assert await course.asked() == {HOME: "requested"}
    await course.until(on("06", "12:00"))
    assert await course.asked() == {HOME: "requested"}
    assert await course.told() == ["no-answer", "notice-only"]


@pytest.mark.parametrize("reason", ["patient-declined", "already-enrolled-elsewhere"])
async def test_what_concerns_the_person_and_not_the_place_is_a_persons_to_settle(course: Course, reason: str) -> None:
    await open_every_day(course, HARBOR, DAWN, routes={"moud-continuation": HARBOR})
    await course.discharged(medications=SUPPLY)
    assert (await course.answers(HARBOR, "rejected", **because(reason))).status_code == 200
    await course.settled()
    assert await course.asked() == {HARBOR: "rejected"}
    assert await course.told() == [reason]
    assert (await course.source())["businessStatus"]["coding"][0]["code"] == "needs-a-person"


async def test_a_partner_that_closes_is_passed_over_at_once(course: Course) -> None:
    await open_every_day(course, HARBOR, DAWN, routes={"moud-continuation": HARBOR})
    await course.discharged(medications=SUPPLY)
    assert await course.asked() == {HARBOR: "requested"}
    await course.register(partner(HARBOR, days=ALL_DAYS, active=False), partner(DAWN, days=ALL_DAYS))
    await course.until(on("05", "18:05"))
    assert await course.asked() == {HARBOR: "cancelled", DAWN: "requested"}


async def test_that_a_partner_closes_which_has_accepted_is_told(course: Course) -> None:
    await open_every_day(course, HARBOR, DAWN, routes={"moud-continuation": HARBOR})
    await course.discharged(medications=SUPPLY)
    assert (await course.answers(HARBOR, "accepted")).status_code == 200
    await course.register(partner(HARBOR, days=ALL_DAYS, active=False), partner(DAWN, days=ALL_DAYS))
    await course.until(on("05", "18:05"))
    assert await course.asked() == {HARBOR: "accepted"}
    assert await course.told() == ["partner-closed"]


@pytest.mark.parametrize(("to", "reason"), [("custody", "custody"), ("psy", "transferred")])
@pytest.mark.parametrize("answer", ["", "accepted"])
async def test_where_the_person_goes_instead_is_told_and_nobody_else_is_asked(
    course: Course, to: str, reason: str, answer: str
) -> None:
    """Custody and another facility never stop the clock: who gives the next dose must be named by a person."""
    await open_every_day(course, HARBOR, DAWN, routes={"moud-continuation": HARBOR})
    await course.discharged(medications=SUPPLY)
    if answer:
        assert (await course.answers(HARBOR, answer)).status_code == 200
    gone = {"admitted_at": "2026-06-01T09:00:00-04:00", "discharged_at": "2026-06-05T14:00:00-04:00"}
    visit = {"class": "IMP", "unit": "4W", **gone, "disposition": to}
    number = [{"system": "urn:oid:2.16.840.1.113883.3.9999.2", "value": "HTEST-V0007"}]
    later: dict[str, Any] = {"event_id": "HTEST-2026-000007-b", "kind": "update", "occurred_at": FRIDAY.isoformat()}
    await course.discharged(medications=SUPPLY, visit={**visit, "identifiers": number}, **later)
    await course.until(on("06", "12:00"))
    assert await course.asked() == {HARBOR: answer or "requested"}
    assert reason in await course.told()
    source = await course.source()
    assert source["extension"], "the clock runs on"
