"""Somebody is registered anew as something else: what was decided before is decided anew, without any message."""

import json
from typing import Any

import pytest

from app.services.partners import registration
from tests.contract.fhir_callers import caller
from tests.contract.passing_time import ALL, ALL_DAYS, METHADONE, Course, course, on, partner

__all__ = ["course"]

HARBOR = "HTEST Harbor OTP"
SENDER = {"id": "mercy-adt", "organization": "HTEST Mercy", "dialect": "adt_generic", "timezone": "America/New_York"}


async def seen(course: Course) -> int:
    """How many persons the partner reads by name."""
    there = await caller(course.world, course.web, course.partners[HARBOR], ALL)
    return len([one for one in await there.search("Patient") if "Htest" in json.dumps(one)])


async def told_of(course: Course, status: str) -> None:
    """Two people were sent to the partner for treatment, without a consent."""
    await course.register(partner(HARBOR, days=ALL_DAYS), routes={"moud-continuation": HARBOR})
    for number in (7, 8):
        await course.discharged(number, medications=[{**METHADONE, "bridges": [{"kind": "dispensed", "days": 3}]}])
    await course.settled()
    if status == "accepted":
        assert (await course.answers(HARBOR, "accepted")).status_code == 200
        await course.settled()
    assert await seen(course) == 2


async def registered(course: Course, **changes: Any) -> None:
    await registration.import_partners(course.hub, json.dumps([partner(HARBOR, days=ALL_DAYS, **changes)]).encode())


@pytest.mark.parametrize("status", ["requested", "accepted"])
async def test_a_partner_that_is_no_covered_entity_any_more_loses_sight_at_once(course: Course, status: str) -> None:
    await told_of(course, status)
    await registered(course, covered_entity=False)
    await course.until(on("05", "18:01"))
    assert await seen(course) == 0
    assert {"no-consent", "not-covered-entity"} <= {*await course.told()}
    await registered(course)
    await course.until(on("05", "18:02"))
    assert await seen(course) == 2


@pytest.mark.parametrize("status", ["requested", "accepted"])
@pytest.mark.parametrize("unit", [{"part2": "all"}, {"part2": "listed", "part2_units": ["4W"]}, {}])
async def test_a_unit_that_is_classified_anew_takes_its_records_along(
    course: Course, unit: dict[str, Any], status: str
) -> None:
    await told_of(course, status)
    await registration.add_sender(course.hub, SENDER | {"routes": {"moud-continuation": HARBOR}} | unit)
    await course.until(on("05", "18:01"))
    assert await seen(course) == 0
    assert "no-consent" in await course.told()


async def test_what_no_decision_rests_upon_has_nothing_decided_anew(course: Course) -> None:
    await told_of(course, "requested")
    before = await course.hub.store.database.fetch("select count(*) from job where kind = 'follow-referral'")
    await registered(course, phone="555-0100")
    after = await course.hub.store.database.fetch("select count(*) from job where kind = 'follow-referral'")
    assert [tuple(row) for row in after] == [tuple(row) for row in before]
