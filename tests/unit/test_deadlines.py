"""Who is asked when: one after another, in the partner's own hours, several at once only against the gap."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules.deadlines import AT_ONCE, Answering, Asked, Next, Plan, plan
from app.rules.hours import Calendar
from schemas.hours import WEEKDAYS, OpenHours, Weekday

NEW_YORK = ZoneInfo("America/New_York")
WEEK: list[Weekday] = ["mon", "tue", "wed", "thu", "fri"]


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-{text}").replace(tzinfo=NEW_YORK).astimezone(UTC)


def opens(start: str, end: str, days: list[Weekday]) -> Calendar:
    return Calendar.of([OpenHours(days=days, opens=start, closes=end)], NEW_YORK)


HOUR = timedelta(hours=1)
OFFICE = Answering(HOUR, opens("09:00", "17:00", WEEK))
DAILY = Answering(HOUR, opens("06:00", "10:00", list(WEEKDAYS)))
SATURDAY = Answering(HOUR, opens("06:00", "10:00", ["sat"]))
UNKNOWN = Answering(HOUR)
FRIDAY, SATURDAY_GAP, MONDAY_GAP = at("20T16:30"), at("21T09:15"), at("23T09:15")


def asked(name: str, how: Answering, when: datetime, status: str = "requested", *, reminded: bool = False) -> Asked:
    return Asked(name, status, when, how, reminded)


def codes(found: Plan) -> tuple[str, ...]:
    return tuple(reason.code for reason in found.reasons)


def test_the_first_is_asked_and_the_next_waits() -> None:
    found = plan([], [Next("a", DAILY), Next("b", DAILY)], gap=at("25T09:15"), now=at("20T06:30"))
    assert (found.ask, found.together, codes(found)) == (("a",), False, ())
    assert found.look_at == at("20T07:00")  # half of its hour


def test_a_reminder_goes_once_then_the_next_is_asked() -> None:
    some = [Next("b", DAILY)]
    half = plan([asked("a", DAILY, at("20T06:30"))], some, gap=None, now=at("20T07:00"))
    assert (half.remind, half.ask, half.look_at) == (("a",), (), at("20T07:30"))
    again = plan([asked("a", DAILY, at("20T06:30"), reminded=True)], some, gap=None, now=at("20T07:05"))
    assert again.remind == ()
    over = plan([asked("a", DAILY, at("20T06:30"), reminded=True)], some, gap=None, now=at("20T07:30"))
    assert (over.ask, over.withdraw, over.together) == (("b",), ("a",), False)


def test_nobody_is_silent_while_closed() -> None:
    evening = plan([asked("a", OFFICE, at("20T16:30"))], [Next("b", OFFICE)], gap=None, now=at("22T12:00"))
    assert (evening.ask, evening.withdraw) == ((), ())
    assert evening.remind == ("a",)
    assert evening.look_at == at("23T09:30")


def test_friday_evening() -> None:
    """The clinic of weekdays can't come before Saturday's gap; the one that doses on Saturday is asked beside it."""
    found = plan(
        [asked("weekdays", OFFICE, FRIDAY)], [Next("saturday", SATURDAY)], gap=SATURDAY_GAP, now=at("20T18:00")
    )
    assert (found.ask, found.together, found.withdraw) == (("saturday",), True, ())
    some = [Next("saturday", SATURDAY), Next("also weekdays", OFFICE)]
    calm = plan([asked("weekdays", OFFICE, FRIDAY)], some, gap=at("24T09:15"), now=at("20T18:00"))
    assert calm.ask == ()  # a no on Monday leaves another clinic until Tuesday


def test_waiting_must_not_cost_the_next_its_last_hour() -> None:
    slow = Answering(timedelta(hours=6), DAILY.intake)  # asked on Friday at 06:30 it answers by Saturday 08:30
    some = [Next("b", SATURDAY)]  # which would then have until 09:30 to answer
    found = plan([asked("slow", slow, at("20T06:30"))], some, gap=SATURDAY_GAP, now=at("20T06:31"))
    assert (found.ask, found.together) == (("b",), True)
    assert plan([asked("quick", DAILY, at("20T06:30"))], some, gap=SATURDAY_GAP, now=at("20T06:31")).ask == ()


def test_no_more_than_three_at_once_after_the_gap() -> None:
    found = plan([], [Next(name, DAILY) for name in "abcd"], gap=at("20T05:00"), now=at("20T06:30"))
    assert (found.ask, found.together) == (("a", "b", "c"), True)


def test_no_hour_before_the_gap_is_told_at_once() -> None:
    found = plan([], [Next("a", OFFICE), Next("b", OFFICE)], gap=SATURDAY_GAP, now=at("20T17:30"))
    assert codes(found) == ("no-slot-before-gap",)
    assert found.ask == ("a", "b")
    unknown = plan([], [Next("a", OFFICE), Next("b", UNKNOWN)], gap=SATURDAY_GAP, now=at("20T17:30"))
    assert codes(unknown) == ()


def test_a_day_without_a_place_has_no_hour_before_the_gap_and_its_hours_count_for_the_answer() -> None:
    full = replace(OFFICE, full_until=at("21T00:00"))
    assert codes(plan([], [Next("a", OFFICE)], gap=SATURDAY_GAP, now=at("20T15:30"))) == ()
    found = plan([], [Next("a", full)], gap=SATURDAY_GAP, now=at("20T15:30"))
    assert (found.ask, codes(found), found.look_at) == (("a",), ("no-slot-before-gap",), at("20T16:00"))


@pytest.mark.parametrize(
    ("statuses", "code"),
    [((), "nobody-left"), (("rejected", "cancelled"), "nobody-left"), (("requested",), "no-answer")],
)
def test_a_person_is_told_when_nobody_is_left(statuses: tuple[str, ...], code: str) -> None:
    before = [asked(status, DAILY, at("19T06:00"), status) for status in statuses]
    found = plan(before, [], gap=None, now=at("20T12:00"))
    assert codes(found) == (code,)
    assert found.withdraw == ()  # a late yes is still welcome


def test_a_refusal_leads_to_the_next_at_once() -> None:
    found = plan([asked("a", DAILY, at("20T06:30"), "rejected")], [Next("b", DAILY)], gap=None, now=at("20T06:31"))
    assert (found.ask, found.withdraw) == (("b",), ())


def test_who_confirms_each_partner_is_told_of_the_next() -> None:
    some = [Next("b", DAILY)]
    found = plan([asked("a", DAILY, at("20T06:30"), "rejected")], some, gap=None, now=at("20T06:31"), confirmed=True)
    assert (found.ask, codes(found)) == ((), ("confirm-next",))


def test_an_accepted_place_is_watched_until_the_person_is_seen() -> None:
    accepted = [asked("a", DAILY, at("20T06:30"), "accepted"), asked("b", DAILY, at("20T06:30"), "cancelled")]
    before = plan(accepted, [Next("c", DAILY)], gap=SATURDAY_GAP, now=at("20T12:00"))
    assert (before.ask, codes(before), before.look_at) == ((), (), SATURDAY_GAP)
    assert codes(plan(accepted, [], gap=SATURDAY_GAP, now=SATURDAY_GAP)) == ("not-seen-before-gap",)
    seen = [asked("a", DAILY, at("20T06:30"), "in-progress")]
    assert plan(seen, [], gap=SATURDAY_GAP, now=SATURDAY_GAP) == Plan(())


def test_a_place_that_is_closed_until_after_the_gap_is_told() -> None:
    found = plan([asked("a", OFFICE, FRIDAY, "accepted")], [], gap=SATURDAY_GAP, now=at("20T17:30"))
    assert codes(found) == ("no-slot-before-gap",)


answerings = st.sampled_from([OFFICE, DAILY, SATURDAY, UNKNOWN])
moments = st.integers(0, 14 * 96).map(lambda n: at("16T00:00") + n * timedelta(minutes=15))
pasts = st.builds(
    Asked,
    st.uuids().map(str),
    st.sampled_from(["requested", "rejected", "cancelled", "accepted", "in-progress", "completed"]),
    moments,
    answerings,
    st.booleans(),
)


@given(
    st.lists(pasts, max_size=4),
    st.lists(st.builds(Next, st.uuids().map(str), answerings), max_size=5),
    st.none() | moments,
    moments,
)
def test_nothing_is_ever_stuck(before: list[Asked], some: list[Next], gap: datetime | None, now: datetime) -> None:
    """Whoever waits has a next look or a person who knows; at most three wait; nobody is withdrawn for nothing."""
    before = [one for one in before if one.asked_at <= now]
    found = plan(before, some, gap=gap, now=now)
    engaged = any(one.status in {"accepted", "in-progress", "completed"} for one in before)
    waiting = [o for o in before if o.status == "requested" and o.answering.due(o.asked_at) > now]
    assert engaged or found.look_at is not None or found.reasons
    assert found.look_at is None or found.look_at > now
    assert len(found.ask) + len(waiting) <= max(AT_ONCE, len(waiting))
    assert not found.withdraw or found.ask
    assert not (engaged and (found.ask or found.withdraw or found.remind))
    assert found.together == (len(found.ask) + len(waiting) > 1 and bool(found.ask))


@given(
    st.lists(pasts, max_size=3),
    st.lists(st.builds(Next, st.uuids().map(str), answerings), max_size=3),
    st.none() | moments,
    moments,
    st.integers(1, 400),
)
def test_nothing_changes_before_the_next_look(
    before: list[Asked], some: list[Next], gap: datetime | None, now: datetime, minutes: int
) -> None:
    before = [one for one in before if one.asked_at <= now]
    first = plan(before, some, gap=gap, now=now)
    later = now + timedelta(minutes=minutes)
    if first.ask or first.withdraw or first.remind or (first.look_at is not None and later >= first.look_at):
        return
    second = plan(before, some, gap=gap, now=later)
    assert (second.ask, second.remind, second.withdraw, second.reasons) == ((), (), (), first.reasons)


def test_a_partner_is_held_to_the_time_that_it_was_told() -> None:
    told = replace(asked("a", DAILY, at("20T06:30")), answer_by=at("20T09:00"))
    some = [Next("b", DAILY)]
    assert plan([told], some, gap=None, now=at("20T08:59")).ask == ()
    assert plan([told], some, gap=None, now=at("20T09:00")).withdraw == ("a",)
