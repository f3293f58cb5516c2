"""Which appointment a ride is for, and how urgent it is to find one."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from app.rules import rides
from app.rules.rides import Stated

NOON = datetime(2026, 6, 8, 12, 0, tzinfo=UTC)
CODE = {"coding": [{"system": "https://throughline.org/fhir/CodeSystem/report", "code": "appointment"}]}


def output(**value: Any) -> dict[str, Any]:
    return {"type": CODE, **value}


@pytest.mark.parametrize(
    ("stated", "need"),
    [
        ([], None),
        ([Stated(NOON, "primary-care"), Stated(NOON + timedelta(days=1), "moud-continuation")], "moud-continuation"),
        ([Stated(NOON, "primary-care"), Stated(NOON - timedelta(hours=1), "mental-health")], "mental-health"),
        ([Stated(NOON, "hcv-hiv"), Stated(NOON - timedelta(days=1))], "hcv-hiv"),
        ([Stated(NOON, "hcv-hiv"), Stated(date(2026, 6, 8), "primary-care")], "primary-care"),
    ],
)
def test_the_medication_comes_first_then_the_earliest_then_what_the_hospital_told(
    stated: list[Stated], need: str | None
) -> None:
    found = rides.chosen(stated)
    assert (found.need if found else None) == need
    assert rides.chosen(stated[::-1]) == found


@pytest.mark.parametrize(
    ("outputs", "status", "at"),
    [
        ([], "booked", None),
        ([output(valueDateTime=NOON.isoformat())], "booked", NOON),
        ([output(valueDateTime="2026-06-08T12:00:00")], "booked", None),
        ([output(valueDateTime="2026-06-08")], "booked", None),
        ([output(valueReference={"reference": "Appointment/a"})], "booked", NOON),
        ([output(valueReference={"reference": "Appointment/a"})], "cancelled", None),
        ([output(valueReference={"reference": "Appointment/a"})], "noshow", None),
        ([output(valueReference={"reference": "Appointment/b"})], "booked", None),
        ([output(valueReference={"reference": "Procedure/a"})], "booked", None),
        ([output(valueReference={"reference": "Appointment/a"}), {"type": {"text": "service"}}], "booked", NOON),
        (
            [
                output(valueReference={"reference": "Appointment/a"}),
                output(valueDateTime=(NOON + timedelta(hours=2)).isoformat()),
            ],
            "cancelled",
            NOON + timedelta(hours=2),
        ),
    ],
)
def test_what_a_partner_said_last_counts_where_it_holds(outputs: list[Any], status: str, at: datetime | None) -> None:
    known = {"a": {"resourceType": "Appointment", "status": status, "start": NOON.isoformat()}}
    assert rides.last_said(outputs, known) == at


@pytest.mark.parametrize(
    ("hours", "priority"), [(-1, "asap"), (24, "asap"), (24.1, "urgent"), (72, "urgent"), (72.1, "routine")]
)
def test_the_nearer_the_more_urgent_and_never_stat(hours: float, priority: str) -> None:
    assert rides.priority(NOON + timedelta(hours=hours), NOON) == priority
