"""A gap that is only possible, one that is certain; windows of injections; who doses meanwhile."""

import re
from dataclasses import replace
from datetime import UTC, date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.rules.coverage import LEVELS, Coverage, CoverageInput, compute
from app.rules.coverage_gap import worklist_key
from app.rules.coverage_reasons import CODES as REASONS
from app.rules.hours import Calendar
from schemas.codes.local import CLOCK, CODES
from schemas.discharge import Bridge
from schemas.dose_times import LONG_ACTING
from schemas.hours import OpenHours
from tests.unit.test_rules_coverage import NEW_YORK, bup, dispensed, local, methadone, prescribed, utc

NOW = utc("2026-06-08 18:20")
DOSE = local("2026-06-08 09:15")
HOUR = timedelta(hours=1)
SUBLOCADE = "bup-lai-monthly-sublocade"


def injected(number: int | None = None, **changes: Any) -> CoverageInput:
    return replace(CoverageInput(NEW_YORK, SUBLOCADE, local("2026-02-20 14:00"), dose_number=number), **changes)


# ---- possible and confirmed


def test_a_prescription_of_unknown_fill_makes_a_possible_gap_and_names_both_instants() -> None:
    shown = compute(bup(DOSE, prescribed(7)), NOW)
    assert (shown.gap, shown.asks, shown.priority) == ("possible", ("confirm-pick-up",), "stat")
    assert (shown.possible_gap_at, shown.confirmed_gap_at) == (utc("2026-06-09 13:15"), utc("2026-06-16 13:15"))


@pytest.mark.parametrize(("filled", "gap"), [("yes", "none"), ("no", "confirmed")])
def test_one_answer_settles_it(filled: str, gap: str) -> None:
    shown = compute(bup(DOSE, prescribed(7, filled)), NOW)
    assert (shown.gap, shown.asks, shown.possible_gap_at, shown.hold_partner_until) == (gap, (), None, None)


def test_a_possible_gap_becomes_certain_when_even_a_filled_prescription_is_used_up() -> None:
    inputs = bup(DOSE, prescribed(7))
    certain = utc("2026-06-16 13:15")
    assert compute(inputs, certain - 25 * HOUR).gap == "possible"
    assert compute(inputs, certain - 24 * HOUR).gap == "confirmed"


def test_the_partner_is_not_pressed_until_four_hours_before_the_first_dose_that_hangs_on_the_pick_up() -> None:
    inputs = bup(DOSE, prescribed(7))
    until = utc("2026-06-09 09:15")
    assert compute(inputs, NOW).hold_partner_until == until
    assert compute(inputs, until - HOUR).recompute_at == until
    assert compute(inputs, until).hold_partner_until is None


@pytest.mark.parametrize(
    "changes",
    [
        {"pregnant": True},
        {"no_phone": True},
        {"overdose_this_visit": True},
        {"disposition": "aadvice"},
        {"doubts": ("conflicting-last-dose",)},
        {"elsewhere": True},
    ],
)
def test_the_partner_is_pressed_where_anything_else_is_open(changes: dict[str, Any]) -> None:
    assert compute(replace(bup(DOSE, prescribed(7)), **changes), NOW).hold_partner_until is None


def test_of_methadone_no_pick_up_is_asked_for() -> None:
    shown = compute(methadone(prescribed(7)), NOW)
    assert (shown.gap, shown.asks, shown.hold_partner_until) == ("confirmed", (), None)


def test_without_a_last_dose_a_gap_is_possible_and_the_hospital_is_asked_for_it() -> None:
    shown = compute(bup(None, prescribed(7)), NOW)
    assert (shown.gap, shown.asks, shown.hold_partner_until) == ("possible", ("confirm-last-dose",), None)


def test_a_worklist_begins_with_confirmed_gaps_then_who_runs_out_first() -> None:
    people = {
        "possible, stat": compute(bup(DOSE, prescribed(7)), NOW),
        "confirmed, ends later": compute(bup(local("2026-06-08 13:00")), NOW),
        "confirmed": compute(bup(DOSE), NOW),
        "lapsed": compute(bup(local("2026-06-06 09:15")), NOW),
        "covered, asap": compute(bup(DOSE, dispensed(2)), NOW),
        "covered": compute(bup(DOSE, dispensed(9)), NOW),
        "nothing known": compute(bup(None), NOW),
    }

    def key(name: str) -> tuple[int, int, float]:
        one = people[name]
        return worklist_key(one.priority, one.gap, one.covered_until)

    assert sorted(people, key=key) == [
        "lapsed",
        "confirmed",
        "confirmed, ends later",
        "possible, stat",
        "nothing known",
        "covered, asap",
        "covered",
    ]


# ---- supplies


def test_a_supply_that_begins_after_a_day_without_any_counts_as_none() -> None:
    late = Bridge(kind="dispensed", days=3, start=date(2026, 6, 11))
    shown = compute(bup(DOSE, late), NOW)
    assert shown.covered_until == utc("2026-06-09 13:15")
    assert "supply-starts-late" in shown.codes
    next_day = Bridge(kind="dispensed", days=3, start=date(2026, 6, 9))
    after_it = Bridge(kind="take-home", days=2, start=date(2026, 6, 12))
    assert compute(bup(DOSE, after_it, next_day), NOW).covered_until == utc("2026-06-14 13:15")


def test_two_strengths_of_a_class_are_taken_side_by_side() -> None:
    shown = compute(replace(bup(DOSE, dispensed(3)), beside=((dispensed(3),), (prescribed(5),))), NOW)
    assert shown.covered_until == utc("2026-06-12 13:15")
    assert shown.covered_until_if_unverified == utc("2026-06-14 13:15")


def test_a_supply_that_was_handed_over_and_is_not_in_hand_counts_as_none_and_may_be_there() -> None:
    lost = Bridge(kind="dispensed", days=3, filled="no")
    shown = compute(replace(bup(DOSE, lost), doubts=("supply-contradicted",)), NOW)
    assert (shown.covered_until, shown.gap) == (utc("2026-06-09 13:15"), "possible")
    assert shown.covered_until_if_unverified == utc("2026-06-12 13:15")
    assert (shown.flags, shown.asks) == (("supply-contradicted",), ("confirm-last-dose",))


def test_an_eight_hour_schedule_counts_doses() -> None:
    inputs = replace(bup(local("2026-06-08 08:00"), dispensed(doses=4)), interval=timedelta(hours=8))
    shown = compute(inputs, NOW)
    assert (shown.next_due, shown.covered_until) == (utc("2026-06-08 20:00"), utc("2026-06-10 04:00"))


# ---- zones


def test_a_dose_in_arizona_is_due_by_arizona_and_its_clinic_in_nevada_has_hours_of_its_own() -> None:
    phoenix, los_angeles = ZoneInfo("America/Phoenix"), ZoneInfo("America/Los_Angeles")
    # Saturday; on Sunday the clocks of Nevada go back and those of Arizona stand still.
    inputs = bup(local("2026-10-31 09:00", phoenix), dispensed(1), zone=phoenix)
    covered = utc("2026-11-02 16:00")
    weekdays = OpenHours.model_validate(
        {"days": ["mon", "tue", "wed", "thu", "fri"], "opens": "08:30", "closes": "12:00"}
    )
    early = OpenHours.model_validate({"days": ["mon"], "opens": "05:30", "closes": "09:00"})
    now = utc("2026-10-31 17:00")
    shut = compute(inputs, now, open_between=Calendar.of([weekdays], los_angeles).open_between)
    assert (shut.covered_until, shut.flags) == (covered, ("no-slot-before-gap",))
    # 08:00 in Nevada is 16:00 UTC on that Monday: it was 15:00 UTC the week before.
    shown = compute(inputs, now, open_between=Calendar.of([early], los_angeles).open_between)
    assert (shown.covered_until, shown.flags) == (covered, ())


@pytest.mark.parametrize(
    ("zone", "last", "due"),
    [
        ("Asia/Kolkata", "2026-06-08 09:15", "2026-06-09 03:45"),
        ("Australia/Adelaide", "2026-10-03 09:00", "2026-10-03 22:30"),
        ("Australia/Lord_Howe", "2026-10-03 02:15", "2026-10-03 15:45"),
    ],
    ids=["half an hour", "half an hour, springing forward", "a change of half an hour, in the skipped half hour"],
)
def test_half_hours_are_no_special_case(zone: str, last: str, due: str) -> None:
    inputs = bup(local(last, ZoneInfo(zone)), zone=ZoneInfo(zone))
    assert compute(inputs, local(last, ZoneInfo(zone)).astimezone(UTC)).next_due == utc(due)


# ---- injections


def test_after_a_first_injection_no_tolerance_is_added() -> None:
    shown = compute(injected(1), NOW)
    assert shown.covered_until == shown.latest == shown.next_due == local("2026-03-20 14:00")
    assert "first-dose" in shown.codes


def test_a_tolerance_is_relied_on_from_the_second_injection_on() -> None:
    shown = compute(injected(2), utc("2026-03-21 00:00"))
    assert (shown.covered_until, shown.gap) == (local("2026-04-03 14:00"), "none")
    assert shown.possible_gap_at is None


def test_where_the_number_is_not_known_a_gap_is_possible_from_the_due_date_on() -> None:
    due = local("2026-03-20 14:00").astimezone(UTC)
    shown = compute(injected(), due - 25 * HOUR)
    assert (shown.covered_until, shown.possible_gap_at) == (local("2026-04-03 14:00"), due)
    assert (shown.gap, "tolerance-not-relied-on" in shown.codes) == ("none", True)
    assert shown.recompute_at == due - 24 * HOUR
    assert compute(injected(), due - 24 * HOUR).gap == "possible"
    assert compute(injected(), local("2026-04-02 14:00").astimezone(UTC)).gap == "confirmed"


@pytest.mark.parametrize("number", [None, 1, 5])
@pytest.mark.parametrize("ordered", ["2026-03-10 14:00", "2026-04-20 09:00"], ids=["sooner", "later"])
def test_the_date_that_a_prescriber_ordered_outranks_the_label(number: int | None, ordered: str) -> None:
    shown = compute(injected(number, next_due_ordered=local(ordered)), NOW)
    assert shown.covered_until == shown.next_due == shown.latest == local(ordered)
    assert (shown.earliest, shown.label) == (None, None)
    assert "ordered-date" in shown.codes


def test_an_ordered_day_counts_from_its_first_moment() -> None:
    shown = compute(injected(3, next_due_ordered=date(2026, 3, 18)), NOW)
    assert shown.next_due == local("2026-03-18 00:00")


@pytest.mark.parametrize(
    "ordered",
    [
        date(2026, 2, 20),
        local("2026-02-20 16:00"),
        date(2026, 1, 23),
        date(1, 1, 1),
        date(2062, 3, 20),
        date(9999, 1, 1),
    ],
)
def test_an_ordered_date_of_the_injection_that_was_given_is_spent_and_one_years_away_is_none(ordered: date) -> None:
    assert compute(injected(3, next_due_ordered=ordered), NOW).covered_until == local("2026-04-03 14:00")


def test_an_ordered_date_moves_no_daily_medication() -> None:
    inputs = replace(bup(DOSE), next_due_ordered=local("2026-06-30 09:00"))
    assert compute(inputs, NOW).covered_until == utc("2026-06-09 13:15")


@pytest.mark.parametrize("window", LONG_ACTING.values())
def test_a_window_names_its_label_and_that_ones_date(window: Any) -> None:
    assert re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", window.label)
    assert "label" in window.source
    assert 0 <= window.tolerance < window.due


def test_the_date_of_the_label_is_told() -> None:
    assert compute(injected(2), NOW).label == "2023-12"
    assert compute(bup(DOSE), NOW).label is None


# ---- who doses meanwhile


def test_elsewhere_somebody_must_be_named_and_nothing_else_changes() -> None:
    plain, there = bup(DOSE, dispensed(3)), replace(bup(DOSE, dispensed(3)), elsewhere=True)
    here, shown = compute(plain, NOW), compute(there, NOW)
    assert (here.dosing_owner_unknown, shown.dosing_owner_unknown) == (False, True)
    assert (shown.covered_until, shown.priority, shown.flags) == (here.covered_until, here.priority, here.flags)
    assert "dosing-owner-unknown" in shown.codes
    assert not compute(replace(there, dosed_by="HTEST Clinic"), NOW).dosing_owner_unknown


def test_of_an_injection_it_matters_from_72_hours_before_it_is_due() -> None:
    due = local("2026-03-20 14:00").astimezone(UTC)
    there = injected(1, elsewhere=True)
    assert not compute(there, due - 73 * HOUR).dosing_owner_unknown
    assert compute(there, due - 72 * HOUR).dosing_owner_unknown


# ---- implausible doses


def test_a_dose_that_can_not_have_been_given_yet_leaves_the_one_before_it() -> None:
    inputs = replace(bup(NOW + 2 * HOUR), earlier_doses=(DOSE,))
    shown = compute(inputs, NOW)
    assert (shown.covered_until, shown.flags) == (utc("2026-06-09 13:15"), ("implausible-last-dose",))
    assert shown.recompute_at == NOW + 2 * HOUR - timedelta(minutes=15)
    assert compute(inputs, shown.recompute_at).flags == ()


def test_a_dose_in_the_future_is_looked_at_again_when_it_may_have_been_given() -> None:
    shown = compute(bup(NOW + HOUR), NOW)
    assert (shown.covered_until, shown.recompute_at) == (None, NOW + timedelta(minutes=45))


# ---- contradictory readings


def read_both_ways(one: CoverageInput, other: CoverageInput) -> Coverage:
    return compute(replace(one, others=(other,), doubts=("conflicting-last-dose",)), NOW)


def test_contradictory_facts_end_the_cover_by_the_reading_that_ends_first() -> None:
    later, earlier = bup(local("2026-06-08 11:00"), dispensed(3)), bup(local("2026-06-08 08:00"), dispensed(3))
    shown = read_both_ways(later, earlier)
    assert (shown.covered_until, shown.covered_until_if_unverified) == (
        utc("2026-06-12 12:00"),
        utc("2026-06-12 15:00"),
    )
    assert (shown.flags, shown.asks) == (("conflicting-last-dose",), ("confirm-last-dose",))
    turned = read_both_ways(earlier, later)
    assert (turned.covered_until, turned.possible_gap_at) == (shown.covered_until, shown.possible_gap_at)


def test_a_daily_dose_between_injections_ends_the_cover_and_the_injection_may_last() -> None:
    shown = read_both_ways(bup(DOSE), injected(4, last_dose=local("2026-06-01 10:00")))
    assert (shown.covered_until, shown.gap) == (utc("2026-06-09 13:15"), "possible")
    assert shown.confirmed_gap_at == local("2026-07-13 10:00")


def test_everything_that_is_said_has_a_meaning() -> None:
    assert {"none", "possible", "confirmed", "confirm-pick-up", "confirm-last-dose", "name-who-doses"} <= set(
        CODES[CLOCK]
    )
    assert all(text == text.lower() for text in REASONS)
    assert LEVELS[-1] == "stat"
