"""Hours of a week: time zones, changes of the clocks, holidays, and time that counts only while somebody is there."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.rules.hours import Calendar
from schemas.hours import WEEKDAYS, OpenHours, Weekday
from schemas.partner import PartnerProfile

NEW_YORK = ZoneInfo("America/New_York")
WEEK: list[Weekday] = ["mon", "tue", "wed", "thu", "fri"]


def hours(opens: str, closes: str, days: list[Weekday] | None = None) -> OpenHours:
    return OpenHours(days=days or WEEK, opens=opens, closes=closes)


def local(text: str, zone: ZoneInfo = NEW_YORK) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


OFFICE = Calendar.of([hours("06:00", "10:00"), hours("06:00", "09:00", ["sat"])], NEW_YORK, [date(2026, 11, 26)])


@pytest.mark.parametrize(
    ("at", "opens"),
    [
        ("2026-11-23T05:00", "2026-11-23T06:00"),
        ("2026-11-23T06:00", "2026-11-23T06:00"),
        ("2026-11-23T09:59", "2026-11-23T09:59"),
        ("2026-11-23T10:00", "2026-11-24T06:00"),
        ("2026-11-25T18:00", "2026-11-27T06:00"),  # Thanksgiving in between
        ("2026-11-27T18:00", "2026-11-28T06:00"),  # Friday evening: open on Saturday
        ("2026-11-28T09:00", "2026-11-30T06:00"),
    ],
)
def test_next_open(at: str, opens: str) -> None:
    assert OFFICE.next_open(local(at)) == local(opens)
    assert OFFICE.open_at(local(at)) is (at == opens)


def test_response_time_counts_while_somebody_is_there() -> None:
    friday = local("2026-11-20T09:00")
    assert OFFICE.after(friday, timedelta(minutes=60)) == local("2026-11-20T10:00")
    assert OFFICE.after(friday, timedelta(minutes=61)) == local("2026-11-21T06:01")
    assert OFFICE.after(local("2026-11-25T09:30"), timedelta(hours=2)) == local("2026-11-27T07:30")


def test_open_between_is_half_open() -> None:
    assert not OFFICE.open_between(local("2026-11-23T10:00"), local("2026-11-24T06:00"))
    assert OFFICE.open_between(local("2026-11-23T10:00"), local("2026-11-24T06:01"))
    assert OFFICE.open_between(local("2026-11-23T09:59"), local("2026-11-23T10:00"))


def test_clocks_that_change() -> None:
    nights = Calendar.of([hours("00:30", "03:30", ["sun"])], NEW_YORK)
    spring, autumn = local("2026-03-08T00:00"), local("2026-11-01T00:00")
    assert next(nights.spans(spring)) == (local("2026-03-08T00:30"), local("2026-03-08T03:30"))
    assert nights.after(spring, timedelta(hours=2)) == local("2026-03-08T03:30")
    assert nights.after(autumn, timedelta(hours=4)) == local("2026-11-01T03:30")


def test_zones_without_summer_time_and_with_half_hours() -> None:
    early = [hours("06:00", "10:00", list(WEEKDAYS))]
    phoenix, kolkata = (Calendar.of(early, ZoneInfo(zone)) for zone in ("America/Phoenix", "Asia/Kolkata"))
    assert phoenix.next_open(datetime(2026, 7, 1, 11, tzinfo=UTC)) == datetime(2026, 7, 1, 13, tzinfo=UTC)
    assert kolkata.next_open(datetime(2026, 7, 1, tzinfo=UTC)) == datetime(2026, 7, 1, 0, 30, tzinfo=UTC)


def test_never_open() -> None:
    nobody = Calendar.of([], NEW_YORK)
    assert nobody.next_open(local("2026-01-01T00:00")) is None
    assert nobody.after(local("2026-01-01T00:00"), timedelta(hours=1)) is None


def test_overlapping_entries_count_once() -> None:
    twice = Calendar.of([hours("08:00", "12:00"), hours("10:00", "13:00"), hours("13:00", "24:00")], NEW_YORK)
    assert next(twice.spans(local("2026-11-23T00:00"))) == (local("2026-11-23T08:00"), local("2026-11-24T00:00"))


days = st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=7, unique=True)
moments = st.integers(0, 730 * 1440).map(lambda n: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=n))


@given(days, moments, st.timedeltas(timedelta(minutes=1), timedelta(days=3)))
def test_time_passes_only_while_open(some: list[Weekday], start: datetime, duration: timedelta) -> None:
    calendar = Calendar.of([hours("06:00", "11:00", some), hours("22:00", "24:00", some)], NEW_YORK)
    end = calendar.after(start, duration)
    assert end is not None
    spent = timedelta()
    for opens, closes in calendar.spans(start):
        if opens >= end:
            break
        spent += min(closes, end) - opens
    assert spent == duration


@pytest.mark.parametrize(
    ("opens", "closes"), [("10:00", "10:00"), ("22:00", "06:00"), ("7:00", "8:00"), ("07:00", "24:30")]
)
def test_hours_that_are_none(opens: str, closes: str) -> None:
    with pytest.raises(ValidationError):
        hours(opens, closes)


def test_a_zone_that_nobody_knows() -> None:
    with pytest.raises(ValidationError, match="IANA"):
        PartnerProfile(name="Harbor OTP", time_zone="Mars/Base")


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-04:00"])
def test_where_the_calendar_ends_nobody_is_open(at: str) -> None:
    always = hours("00:00", "24:00")
    assert Calendar.of([always], ZoneInfo("America/New_York")).next_open(datetime.fromisoformat(at)) is None


def test_a_calendar_that_is_never_open_is_looked_through_to_the_end_of_time() -> None:
    shut = Calendar.of([], ZoneInfo("America/New_York"))
    assert shut.next_open(datetime(9998, 6, 1, tzinfo=UTC)) is None
    assert shut.next_open(datetime(9998, 12, 31, 23, tzinfo=UTC)) is None
