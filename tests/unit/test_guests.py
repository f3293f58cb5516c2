"""When a clinic doses a guest first, and by when it must have been asked."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.rules import guests
from app.rules.hours import Calendar
from app.rules.policies.base import said
from schemas.hours import OpenHours

NEW_YORK = ZoneInfo("America/New_York")
DAYS: list[str] = ["mon", "tue", "wed", "thu", "fri"]
WEEKDAYS = Calendar.of([OpenHours.model_validate({"days": DAYS, "opens": "06:00", "closes": "10:00"})], NEW_YORK)
NOW = datetime(2026, 6, 5, 22, 0, tzinfo=UTC)


def local(day: int, hour: int, month: int = 6) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=NEW_YORK)


@pytest.mark.parametrize(
    ("first_day", "hours", "at"),
    [
        (date(2026, 6, 9), WEEKDAYS, local(9, 6)),
        (date(2026, 6, 6), WEEKDAYS, local(8, 6)),
        (date(2026, 6, 6), None, local(6, 0)),
        (date(2026, 11, 2), WEEKDAYS, local(2, 6, month=11)),
    ],
)
def test_the_first_dose_is_in_the_first_open_hour_from_the_first_day_on(
    first_day: date, hours: Calendar | None, at: datetime
) -> None:
    assert guests.first_dose(first_day, hours, NEW_YORK) == at


@pytest.mark.parametrize("hours", [0, 24, 48, 720])
def test_the_clinic_must_be_asked_its_notice_before_that(hours: int) -> None:
    facet = said("yes", notice_hours=hours)
    assert local(9, 6) - guests.asked_by(local(9, 6), facet) == timedelta(hours=hours)
    assert guests.asked_by(local(9, 6), None) == guests.asked_by(local(9, 6), said("yes")) == local(9, 6)


@pytest.mark.parametrize(
    ("notice", "first_day", "ready", "late"),
    [
        (24, date(2026, 6, 9), local(9, 0), False),
        (96, date(2026, 6, 9), NOW + timedelta(hours=96), True),
        (0, None, NOW, False),
        (48, None, NOW + timedelta(hours=48), False),
        (24, date(2026, 6, 6), NOW + timedelta(hours=24), True),
    ],
)
def test_a_clinic_is_ready_after_its_notice_and_not_before_the_first_day(
    notice: int, first_day: date | None, ready: datetime, *, late: bool
) -> None:
    found = guests.ready(NOW, first_day, WEEKDAYS, said("yes", notice_hours=notice))
    assert found == ready
    assert guests.too_late(WEEKDAYS.next_open(found), first_day, WEEKDAYS) is late


def test_one_that_never_opens_is_too_late() -> None:
    assert guests.too_late(None, date(2026, 6, 9), WEEKDAYS)
