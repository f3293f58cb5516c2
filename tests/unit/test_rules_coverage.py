import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.rules.coverage import LEVELS, CoverageInput, compute
from schemas.codes.local import CODES, FLAG
from schemas.discharge import Bridge, Disposition, Priority

VISITS = Path(__file__).parents[2].parent / "shared" / "visits"
NEW_YORK = ZoneInfo("America/New_York")
CHICAGO = ZoneInfo("America/Chicago")
PHOENIX = ZoneInfo("America/Phoenix")
NOW = datetime(2026, 6, 8, 18, 20, tzinfo=UTC)


def local(text: str, zone: ZoneInfo = NEW_YORK) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def dispensed(days: int | None = None, doses: int | None = None) -> Bridge:
    return Bridge(kind="dispensed", days=days, doses=doses)


def prescribed(days: int, filled: str = "unknown") -> Bridge:
    return Bridge.model_validate({"kind": "prescribed", "days": days, "filled": filled})


def bup(last: datetime | date | None, *bridges: Bridge, zone: ZoneInfo = NEW_YORK) -> CoverageInput:
    return CoverageInput(zone, "bup-daily", last, bridges=bridges)


def to_go(hours: float, **changes: Any) -> Priority:
    """Priority of a daily medication whose cover ends so many hours after now."""
    inputs = bup(local("2026-06-08 09:15"), dispensed(30))
    covered = compute(inputs, NOW).covered_until
    assert covered is not None
    return compute(replace(inputs, **changes), covered - timedelta(hours=hours)).priority


@pytest.mark.parametrize(
    ("last", "covered"),
    [("2026-10-30 09:15", "2026-11-03 14:15"), ("2026-03-06 09:15", "2026-03-10 13:15")],
    ids=["falling back", "springing forward"],
)
def test_three_days_of_supply_end_at_the_same_wall_clock_time_when_the_clocks_change(last: str, covered: str) -> None:
    assert compute(bup(local(last), dispensed(3)), local(last)).covered_until == utc(covered)


def test_a_due_time_that_the_clocks_skip_moves_on_by_the_skipped_hour() -> None:
    assert compute(bup(local("2026-03-07 02:30")), local("2026-03-07 12:00")).next_due == utc("2026-03-08 07:30")


def test_a_due_time_that_the_clocks_repeat_is_the_earlier_one() -> None:
    assert compute(bup(local("2026-10-31 01:30")), local("2026-10-31 12:00")).next_due == utc("2026-11-01 05:30")


def test_a_dose_in_the_second_repeated_hour_is_due_at_the_same_wall_clock_time_next_day() -> None:
    assert compute(bup(utc("2026-11-01 06:30")), utc("2026-11-01 15:00")).next_due == utc("2026-11-02 06:30")


def test_a_dose_told_without_offset_is_in_the_zone_of_the_facility_and_the_earlier_hour() -> None:
    told = datetime(2026, 11, 1, 1, 30, fold=1)  # noqa: DTZ001 - the subject of this test is a time without offset
    shown = compute(replace(bup(told), interval=timedelta(hours=12)), utc("2026-11-01 05:40"))
    assert shown.next_due == utc("2026-11-01 17:30")


def test_a_day_without_time_counts_from_its_first_moment() -> None:
    shown = compute(bup(date(2026, 6, 1)), utc("2026-06-01 12:00"))
    assert (shown.next_due, shown.confidence) == (local("2026-06-02 00:00").astimezone(UTC), "assumed")
    assert "date-only" in shown.codes


def test_a_split_dose_is_due_after_true_elapsed_hours() -> None:
    inputs = replace(bup(local("2026-06-08 08:00")), interval=timedelta(hours=12))
    assert compute(inputs, NOW).next_due == local("2026-06-08 20:00").astimezone(UTC)
    over_the_change = replace(bup(local("2026-10-31 20:00")), interval=timedelta(hours=12))
    assert compute(over_the_change, utc("2026-11-01 01:00")).next_due == utc("2026-11-01 12:00")


@pytest.mark.parametrize("bridge", [dispensed(3), dispensed(doses=6), dispensed(days=3, doses=6)])
def test_a_bridge_of_a_split_schedule_is_counted_in_doses(bridge: Bridge) -> None:
    inputs = replace(bup(local("2026-06-08 08:00"), bridge), interval=timedelta(hours=12))
    assert compute(inputs, NOW).covered_until == utc("2026-06-08 12:00") + timedelta(hours=84)


def test_a_daily_bridge_with_days_and_doses_is_counted_in_days() -> None:
    assert compute(bup(local("2026-06-08 09:15"), dispensed(3, 6)), NOW).covered_until == utc("2026-06-12 13:15")


def test_every_other_day_is_two_calendar_days() -> None:
    inputs = replace(bup(local("2026-10-30 09:00"), dispensed(2)), interval=timedelta(days=2))
    shown = compute(inputs, utc("2026-10-30 14:00"))
    assert (shown.next_due, shown.covered_until) == (utc("2026-11-01 14:00"), utc("2026-11-03 14:00"))


@pytest.mark.parametrize("hours", [0, 0.5, 73, 168, 672])
def test_an_interval_that_no_daily_medication_has_is_once_a_day(hours: float) -> None:
    for inputs in (bup(local("2026-06-08 09:15")), methadone()):
        shown = compute(replace(inputs, interval=timedelta(hours=hours)), NOW)
        assert (shown.next_due, shown.covered_until) == (utc("2026-06-09 13:15"), utc("2026-06-09 13:15"))
        assert (shown.priority, "schedule-implausible" in shown.codes) == ("stat", True)


def test_thrice_a_week_is_a_schedule() -> None:
    shown = compute(replace(bup(local("2026-06-08 09:15")), interval=timedelta(days=3)), NOW)
    assert (shown.next_due, "schedule-implausible" in shown.codes) == (utc("2026-06-11 13:15"), False)


@pytest.mark.parametrize(
    ("product", "last", "earliest", "due", "latest"),
    [
        ("bup-lai-monthly-sublocade", "2026-02-20 14:00", "2026-03-18 14:00", "2026-03-20 14:00", "2026-04-03 14:00"),
        ("bup-lai-weekly-brixadi", "2026-06-01 14:00", "2026-06-06 14:00", "2026-06-08 14:00", "2026-06-10 14:00"),
        ("bup-lai-monthly-brixadi", "2026-06-01 14:00", "2026-06-22 14:00", "2026-06-29 14:00", "2026-07-06 14:00"),
        ("xr-ntx", "2026-06-01 14:00", None, "2026-06-29 14:00", "2026-06-29 14:00"),
    ],
)
def test_a_long_acting_product_has_the_window_of_its_label(
    product: str, last: str, earliest: str | None, due: str, latest: str
) -> None:
    shown = compute(CoverageInput(NEW_YORK, product, local(last), bridges=(dispensed(9),)), NOW)
    assert shown.earliest == (earliest and local(earliest))
    assert (shown.next_due, shown.latest, shown.covered_until) == (local(due), local(latest), local(latest))


def test_arizona_keeps_its_wall_clock_while_new_york_changes() -> None:
    shown = compute(bup(local("2026-10-31 09:00", PHOENIX), dispensed(2), zone=PHOENIX), utc("2026-10-31 17:00"))
    assert shown.covered_until == utc("2026-11-03 16:00")


def test_a_half_hour_zone_is_no_special_case() -> None:
    zone = ZoneInfo("America/St_Johns")
    shown = compute(bup(local("2026-10-31 09:00", zone), zone=zone), utc("2026-10-31 12:00"))
    assert shown.covered_until == utc("2026-11-01 12:30")


@pytest.mark.parametrize(
    ("hours", "priority"),
    [
        (24, "stat"),
        (24.1, "asap"),
        (72, "asap"),
        (72.1, "urgent"),
        (73, "urgent"),
        (168, "urgent"),
        (168.1, "routine"),
        (169, "routine"),
        (0, "stat"),
        (-1, "stat"),
        (-500, "stat"),
    ],
)
def test_priority_follows_the_hours_to_go(hours: float, priority: str) -> None:
    assert to_go(hours) == priority


@pytest.mark.parametrize("escalator", ["pregnant", "overdose_this_visit", "no_phone"])
def test_an_escalator_raises_by_one_level(escalator: str) -> None:
    assert [to_go(hours, **{escalator: True}) for hours in (200, 100, 50, 5)] == ["urgent", "asap", "stat", "stat"]


def test_all_escalators_together_raise_by_one_level_only() -> None:
    assert to_go(200, pregnant=True, overdose_this_visit=True, no_phone=True) == "urgent"


def test_leaving_against_advice_is_stat() -> None:
    assert to_go(200, disposition="aadvice") == "stat"


def test_homelessness_is_shown_and_raises_nothing() -> None:
    assert to_go(200, homeless=True) == "routine"
    assert "homeless" in compute(replace(bup(NOW), homeless=True), NOW).flags


def test_priority_is_not_lowered_below_what_it_was() -> None:
    inputs = bup(local("2026-06-08 09:15"), dispensed(30))
    assert compute(inputs, NOW, floor="asap").priority == "asap"
    assert compute(inputs, NOW, floor="routine").priority == "routine"


def test_a_closed_partner_raises_by_one_level_and_says_that_no_slot_is_left() -> None:
    inputs = bup(local("2026-06-08 09:15"), dispensed(3))
    asked: list[tuple[datetime, datetime]] = []

    def closed(start: datetime, end: datetime) -> bool:
        asked.append((start, end))
        return False

    shown = compute(inputs, NOW, open_between=closed)
    assert (shown.priority, shown.flags) == ("asap", ("no-slot-before-gap",))
    assert "escalated" in shown.codes
    assert asked[0] == (NOW, utc("2026-06-12 13:15"))


def test_hours_of_the_partner_matter_only_within_seven_days_and_before_the_gap() -> None:
    far, past = bup(local("2026-06-08 09:15"), dispensed(30)), bup(local("2026-06-01 09:15"))
    for inputs in (far, past):
        assert "no-slot-before-gap" not in compute(inputs, NOW, open_between=lambda *_: False).flags


def test_an_open_partner_raises_nothing_until_its_last_hour_before_the_gap_is_over() -> None:
    last_hour = utc("2026-06-10 20:00")
    shown = compute(bup(local("2026-06-08 09:15"), dispensed(3)), NOW, open_between=lambda start, _: start < last_hour)
    assert (shown.priority, shown.flags) == ("urgent", ())
    # The cover ends on 2026-06-12 at 13:15: 72 hours before it comes first.
    assert shown.recompute_at == utc("2026-06-09 13:15")
    then = compute(
        bup(local("2026-06-08 09:15"), dispensed(3)),
        utc("2026-06-09 14:00"),
        open_between=lambda start, _: start < last_hour,
    )
    assert then.recompute_at == last_hour


def test_without_hours_of_the_partner_no_weekend_is_assumed() -> None:
    friday_evening = local("2026-06-05 18:00").astimezone(UTC)
    shown = compute(bup(local("2026-06-05 09:00"), dispensed(3)), friday_evening)
    assert (shown.priority, shown.flags) == ("urgent", ())


def test_an_unfilled_prescription_counts_nothing_but_shows_what_it_would_cover() -> None:
    shown = compute(bup(local("2026-06-08 09:15"), prescribed(7)), NOW)
    assert shown.covered_until == utc("2026-06-09 13:15")
    assert shown.covered_until_if_unverified == utc("2026-06-16 13:15")
    assert (shown.priority, "unfilled-prescription" in shown.codes) == ("stat", True)


@pytest.mark.parametrize(("filled", "days"), [("yes", 7), ("no", 0)])
def test_a_prescription_that_was_filled_counts_and_one_that_was_not_never_does(filled: str, days: int) -> None:
    shown = compute(bup(local("2026-06-08 09:15"), prescribed(7, filled)), NOW)
    assert shown.covered_until == shown.covered_until_if_unverified == utc("2026-06-09 13:15") + timedelta(days=days)


def test_own_supply_counts_only_as_a_number() -> None:
    numbered, vague = Bridge(kind="own-supply", days=2), Bridge(kind="own-supply")
    assert compute(bup(local("2026-06-08 09:15"), numbered), NOW).covered_until == utc("2026-06-11 13:15")
    shown = compute(bup(local("2026-06-08 09:15"), vague), NOW)
    assert shown.covered_until == utc("2026-06-09 13:15")
    assert "bridge-size-unknown" in shown.codes


def methadone(*bridges: Bridge, interval: timedelta | None = None) -> CoverageInput:
    return CoverageInput(NEW_YORK, "methadone-daily", local("2026-06-08 09:15"), bridges=bridges, interval=interval)


@pytest.mark.parametrize("bridges", [(dispensed(7),), (dispensed(3), dispensed(3))])
def test_dispensed_methadone_counts_three_days_at_most_and_more_is_flagged(bridges: tuple[Bridge, ...]) -> None:
    shown = compute(methadone(*bridges), NOW)
    assert shown.covered_until == utc("2026-06-12 13:15")
    assert shown.flags == ("methadone-over-three-days",)


def test_two_strengths_of_methadone_for_the_same_three_days_are_three_days() -> None:
    one, other = (Bridge(kind="dispensed", days=3, start=date(2026, 6, 8)) for _ in range(2))
    shown = compute(replace(methadone(one), beside=((other,),)), NOW)
    assert (shown.covered_until, shown.flags) == (utc("2026-06-12 13:15"), ())
    later = replace(methadone(one), beside=((Bridge(kind="dispensed", days=3, start=date(2026, 6, 11)),),))
    assert compute(later, NOW).flags == ("methadone-over-three-days",)


def test_three_days_of_split_methadone_are_six_doses() -> None:
    shown = compute(methadone(dispensed(doses=9), interval=timedelta(hours=12)), NOW)
    assert shown.covered_until == utc("2026-06-08 13:15") + timedelta(hours=84)
    assert compute(methadone(dispensed(doses=6), interval=timedelta(hours=12)), NOW).flags == ()


@pytest.mark.parametrize("filled", ["yes", "no", "unknown"])
def test_prescribed_methadone_counts_nothing_and_is_an_alarm(filled: str) -> None:
    shown = compute(methadone(prescribed(7, filled)), NOW)
    assert shown.covered_until == shown.covered_until_if_unverified == utc("2026-06-09 13:15")
    assert shown.flags == ("methadone-rx-at-discharge",)


def test_take_homes_of_an_otp_count_as_reported_and_own_supply_of_methadone_does_not() -> None:
    take_home = Bridge(kind="take-home", days=13)
    own = Bridge(kind="own-supply", days=5)
    assert compute(methadone(take_home, own), NOW).covered_until == utc("2026-06-22 13:15")


@pytest.mark.parametrize(
    ("product", "disposition", "priority"),
    [
        ("bup-daily", "home", "asap"),
        ("methadone-daily", "home", "stat"),
        ("bup-daily", "aadvice", "stat"),
        ("xr-ntx", None, "asap"),
    ],
)
def test_no_last_dose_is_never_less_than_asap(product: str, disposition: Disposition | None, priority: str) -> None:
    shown = compute(CoverageInput(NEW_YORK, product, None, disposition=disposition, bridges=(dispensed(3),)), NOW)
    assert (shown.priority, shown.confidence, shown.covered_until) == (priority, "unknown", None)
    assert "implausible-last-dose" not in shown.flags


def test_an_escalator_lifts_an_unknown_last_dose_to_stat() -> None:
    assert compute(replace(bup(None), pregnant=True), NOW).priority == "stat"


def test_a_last_dose_in_the_future_is_not_used() -> None:
    assert compute(bup(NOW + timedelta(minutes=15)), NOW).covered_until is not None
    shown = compute(bup(NOW + timedelta(minutes=16)), NOW)
    assert (shown.covered_until, shown.flags, shown.priority) == (None, ("implausible-last-dose",), "asap")


@pytest.mark.parametrize("year", [1, 9999])
def test_a_last_dose_at_the_edge_of_the_calendar_is_not_used(year: int) -> None:
    shown = compute(bup(datetime(year, 1, 1, tzinfo=ZoneInfo("Asia/Tokyo"))), NOW)
    assert (shown.covered_until, shown.flags) == (None, ("implausible-last-dose",))


def test_a_daily_dose_of_more_than_45_days_ago_is_implausible_and_a_monthly_one_is_not() -> None:
    last = NOW - timedelta(days=46)
    assert "implausible-last-dose" in compute(bup(last), NOW).flags
    assert "implausible-last-dose" not in compute(bup(NOW - timedelta(days=45)), NOW).flags
    assert "implausible-last-dose" not in compute(CoverageInput(NEW_YORK, "xr-ntx", last), NOW).flags


def test_a_supply_beyond_all_measure_ends_after_a_year() -> None:
    shown = compute(bup(local("2026-06-08 09:15"), *[dispensed(366)] * 100), NOW)
    assert shown.covered_until == utc("2027-06-10 13:15")


def test_lapsed_is_said_after_the_cover_and_reassessment_after_72_hours_more() -> None:
    inputs, covered = bup(local("2026-06-08 09:15")), utc("2026-06-09 13:15")
    assert compute(inputs, covered).flags == ()
    assert compute(inputs, covered + timedelta(hours=72)).flags == ("lapsed",)
    late = compute(inputs, covered + timedelta(hours=73))
    assert (late.flags, late.without_medication) == (("lapsed", "reassess-tolerance"), timedelta(hours=73))


def test_recompute_at_names_every_moment_at_which_priority_or_flags_change() -> None:
    inputs = bup(local("2026-06-08 09:15"), dispensed(10))
    at: datetime | None = NOW
    seen = []
    while at is not None:
        shown = compute(inputs, at)
        seen.append((shown.priority, shown.flags))
        if shown.recompute_at is not None:
            before = compute(inputs, shown.recompute_at - timedelta(microseconds=1))
            assert (before.priority, before.flags) == seen[-1]
        at = shown.recompute_at
    assert seen == [
        ("routine", ()),
        ("urgent", ()),
        ("asap", ()),
        ("stat", ()),
        ("stat", ("lapsed",)),
        ("stat", ("lapsed", "reassess-tolerance")),
        ("stat", ("lapsed", "reassess-tolerance", "implausible-last-dose")),
    ]


def test_confidence_says_where_the_last_dose_is_from() -> None:
    assert compute(bup(NOW), NOW).confidence == "verified"
    told = compute(replace(bup(NOW), verified=False), NOW)
    assert (told.confidence, "unverified-dose" in told.codes) == ("reported", True)


def test_the_same_inputs_give_the_same_outputs() -> None:
    assert compute(methadone(dispensed(3)), NOW) == compute(methadone(dispensed(3)), NOW)


def test_every_flag_has_a_meaning_and_priorities_rise() -> None:
    worst = replace(
        methadone(dispensed(9), prescribed(3)),
        pregnant=True,
        overdose_this_visit=True,
        no_phone=True,
        homeless=True,
        disposition="aadvice",
    )
    shown = compute(worst, NOW + timedelta(days=90))
    endings = [compute(replace(bup(NOW), disposition=d), NOW).flags for d in ("snf", "custody", "exp")]
    assert len(shown.flags) == 10
    assert {*shown.flags, *(flag for flags in endings for flag in flags)} <= set(CODES[FLAG])
    assert endings == [("snf",), ("custody",), ("died",)]
    assert LEVELS == ("routine", "urgent", "asap", "stat")


def chicago(last: str, *bridges: Bridge, product: str = "bup-daily", **more: Any) -> CoverageInput:
    return CoverageInput(CHICAGO, product, local(last, CHICAGO), bridges=bridges, **more)


def phoenix(last: str, *bridges: Bridge, product: str = "bup-daily", **more: Any) -> CoverageInput:
    return CoverageInput(PHOENIX, product, local(last, PHOENIX), bridges=bridges, **more)


def eastern(last: str, *bridges: Bridge, product: str = "bup-daily", **more: Any) -> CoverageInput:
    return CoverageInput(NEW_YORK, product, local(last), bridges=bridges, **more)


SNF: dict[str, Any] = {"product": "methadone-daily", "disposition": "snf"}
SPLIT: dict[str, Any] = {"product": "methadone-daily", "interval": timedelta(hours=12), "pregnant": True}

EXAMPLES: dict[str, tuple[CoverageInput, datetime]] = {
    "001": (eastern("2026-06-08 09:15", dispensed(3)), local("2026-06-08 14:20")),
    "004": (eastern("2026-06-08 08:30", dispensed(3), product="methadone-daily"), local("2026-06-08 13:15")),
    "007": (eastern("2026-06-09 14:00", product="bup-lai-monthly-sublocade"), local("2026-06-09 16:30")),
    "008": (eastern("2026-06-08 10:00", product="bup-lai-weekly-brixadi"), local("2026-06-10 12:10")),
    "018": (eastern("2026-08-10 09:00", dispensed(3)), local("2026-08-10 13:35")),
    "019": (eastern("2026-06-08 09:00", disposition="aadvice"), local("2026-06-10 08:05")),
    "024": (bup(utc("2026-11-01 06:30")), utc("2026-11-01 15:05")),
    "028": (eastern("2026-06-09 08:15", product="methadone-daily"), local("2026-06-09 12:05")),
    "031": (eastern("2026-06-09 09:00"), local("2026-06-09 17:35")),
    "034": (eastern("2026-06-09 08:00", dispensed(doses=6), **SPLIT), local("2026-06-09 11:10")),
    "002": (chicago("2026-07-14 09:00", prescribed(7)), local("2026-07-14 14:05", CHICAGO)),
    "003": (chicago("2026-07-14 08:05", **SNF), local("2026-07-14 15:10", CHICAGO)),
    "005": (chicago("2026-07-14 08:00", prescribed(7), product="methadone-daily"), local("2026-07-14 12:10", CHICAGO)),
    "010": (chicago("2026-07-14 10:00", product="xr-ntx"), local("2026-07-14 11:40", CHICAGO)),
    "009": (phoenix("2026-07-13 10:00", product="bup-lai-monthly-brixadi"), local("2026-07-13 14:05", PHOENIX)),
    "012": (phoenix("2026-07-14 08:00", product="ntx-oral-daily"), local("2026-07-14 11:05", PHOENIX)),
    "021": (phoenix("2026-07-14 09:00", disposition="custody"), local("2026-07-14 12:00", PHOENIX)),
    "022": (
        phoenix("2026-07-13 19:10", dispensed(3), homeless=True, no_phone=True),
        local("2026-07-13 20:45", PHOENIX),
    ),
    "030": (phoenix("2026-07-14 08:30", disposition="aadvice"), local("2026-07-14 10:50", PHOENIX)),
}
"""Inputs as a person reads them off the messages of each example visit, and its greatest MSH-7."""


@pytest.mark.skipif(not VISITS.is_dir(), reason="the example visits are not in this checkout")
@pytest.mark.parametrize("number", EXAMPLES)
def test_an_example_visit_is_covered_as_it_says(number: str) -> None:
    inputs, now = EXAMPLES[number]
    folder = next(VISITS.glob(f"{number}-*"))
    expected = json.loads((folder / "expected.json").read_text())["referral"]
    shown = compute(inputs, now)
    assert inputs.product_class == expected["drug_class"]
    assert inputs.last_dose == utc(expected["last_dose_at"].removesuffix("Z"))
    assert shown.covered_until == utc(expected["covered_until"].removesuffix("Z"))
    assert shown.priority == expected["priority"]
    assert set(shown.flags) == set(expected["flags"])
