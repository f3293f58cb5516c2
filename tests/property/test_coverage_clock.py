"""What holds of the coverage clock whatever it reads."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.rules.coverage import LEVELS, Coverage, CoverageInput, OpenBetween, compute
from app.rules.coverage_changes import inputs_of, outputs_of, verified_anew, why
from app.rules.hours import Calendar
from app.rules.last_dose import Charted, last_dose
from schemas.discharge import Bridge, Priority
from schemas.dose_times import LONG_ACTING

START = datetime(2026, 10, 25, tzinfo=UTC)
"""A week before the clocks of North America go back."""
MINUTE = timedelta(minutes=1)
ZONES = [ZoneInfo(name) for name in ("America/New_York", "America/Phoenix", "America/St_Johns", "Australia/Lord_Howe")]
STEADY = [ZoneInfo(name) for name in ("America/Phoenix", "Asia/Kolkata", "UTC")]
CLASSES = ["methadone-daily", "bup-daily", "ntx-oral-daily", *LONG_ACTING]
INTERVALS = [None, timedelta(hours=8), timedelta(hours=12), timedelta(days=1), timedelta(days=2)]

moments = st.integers(0, 14 * 1440).map(lambda minutes: START + minutes * MINUTE)
days = st.integers(0, 14).map(lambda n: date(2026, 10, 25) + timedelta(days=n))
bridges = st.builds(
    Bridge,
    kind=st.sampled_from(["dispensed", "prescribed", "take-home", "own-supply"]),
    days=st.none() | st.integers(0, 9),
    doses=st.none() | st.integers(0, 9),
    start=st.none() | days,
    filled=st.sampled_from(["yes", "no", "unknown"]),
)
supplies = st.lists(bridges, max_size=3)


@st.composite
def known(draw: st.DrawFn, zones: list[ZoneInfo] = ZONES) -> CoverageInput:
    """What may be known of one person."""
    plain = CoverageInput(
        zone=draw(st.sampled_from(zones)),
        product_class=draw(st.sampled_from(CLASSES)),
        last_dose=draw(st.none() | moments | days),
        verified=draw(st.booleans()),
        interval=draw(st.sampled_from(INTERVALS)),
        bridges=draw(supplies),
        beside=draw(st.lists(supplies, max_size=1)),
        disposition=draw(st.sampled_from([None, "home", "snf", "custody", "aadvice"])),
        pregnant=draw(st.booleans()),
        dose_number=draw(st.none() | st.integers(1, 4)),
        next_due_ordered=draw(st.none() | days),
        earlier_doses=draw(st.lists(moments, max_size=1)),
        elsewhere=draw(st.booleans()),
    )
    other = draw(st.none() | moments)
    return replace(plain, others=(replace(plain, last_dose=other),)) if other else plain


@st.composite
def hours(draw: st.DrawFn) -> OpenBetween | None:
    """The hours of a partner, or none that are known."""
    weekly = draw(st.none() | st.dictionaries(st.integers(0, 6), st.integers(0, 22), max_size=3))
    if weekly is None:
        return None
    zone = draw(st.sampled_from(ZONES))
    return Calendar(zone, {day: [(hour * 60, hour * 60 + 90)] for day, hour in weekly.items()}).open_between


def face(shown: Coverage) -> Coverage:
    """All that is shown but what passes without consequence."""
    return replace(shown, without_medication=None, recompute_at=None)


@settings(max_examples=25, deadline=None)
@given(known(), moments, hours())
def test_recompute_at_is_the_next_change_and_there_is_none_before_it(
    inputs: CoverageInput, now: datetime, open_between: OpenBetween | None
) -> None:
    shown = compute(inputs, now, open_between=open_between)
    at = shown.recompute_at
    end = min(at or now + timedelta(hours=12), now + timedelta(hours=12))
    minute = now
    while minute < end:
        assert face(compute(inputs, minute, open_between=open_between)) == face(shown)
        minute += MINUTE
    if at is not None:
        before = compute(inputs, at - timedelta(microseconds=1), open_between=open_between)
        assert face(before) == face(shown)
        assert face(compute(inputs, at, open_between=open_between)) != face(shown)


@settings(max_examples=200, deadline=None)
@given(known(), moments, st.integers(1, 2000))
def test_without_a_change_to_come_nothing_changes(inputs: CoverageInput, now: datetime, later: int) -> None:
    shown = compute(inputs, now)
    if shown.recompute_at is None or now + timedelta(hours=later) < shown.recompute_at:
        assert face(compute(inputs, now + timedelta(hours=later))) == face(shown)


@settings(max_examples=300, deadline=None)
@given(known(STEADY), moments, st.integers(1, 5000))
def test_a_later_dose_never_shortens_the_cover(inputs: CoverageInput, last: datetime, minutes: int) -> None:
    now = START + timedelta(days=60)
    one, other = (
        compute(replace(inputs, last_dose=at, others=(), next_due_ordered=None), now)
        for at in (last, last + minutes * MINUTE)
    )
    assert one.covered_until is not None
    assert other.covered_until is not None
    assert one.covered_until <= other.covered_until
    assert one.covered_until <= (one.covered_until_if_unverified or one.covered_until)


@settings(max_examples=300, deadline=None)
@given(known(), moments, st.integers(1, 9))
def test_a_dose_at_the_same_time_on_a_later_day_never_shortens_it_wherever_the_clocks_change(
    inputs: CoverageInput, last: datetime, more: int
) -> None:
    now = START + timedelta(days=60)
    told = last.astimezone(inputs.zone).replace(tzinfo=None)
    first, second = (
        compute(replace(inputs, last_dose=at, others=(), next_due_ordered=None, bridges=(), beside=()), now)
        for at in (told, told + timedelta(days=more))
    )
    assert (first.covered_until or now) < (second.covered_until or now)


charted = st.builds(
    Charted,
    at=moments,
    product_class=st.sampled_from(["bup-daily", "methadone-daily"]),
    stated_at=moments,
    source=st.sampled_from([None, "hl7v2:a", "json:a", "hl7v2:b"]),
)


def _at(minute: int, source: str | None) -> Charted:
    at = START + minute * MINUTE
    return Charted(at=at, product_class="bup-daily", stated_at=START, source=source)


@settings(max_examples=300, deadline=None)
@given(st.lists(charted, max_size=5), moments, charted)
# A third source contradicts the first: what nobody contradicts, the dose between them, counts as before.
@example([_at(0, "json:a"), _at(1, None)], START, _at(2, "hl7v2:a"))
def test_one_more_later_dose_never_shortens_the_cover_however_facts_contradict(
    doses: list[Charted], left: datetime, more: Charted
) -> None:
    newest = max((dose.at for dose in doses if isinstance(dose.at, datetime)), default=START)
    more = more._replace(product_class="bup-daily", at=newest + MINUTE)
    before, after = (_covered(one, left) for one in (doses, [*doses, more]))
    assert before is None or (after is not None and before <= after)


def _covered(doses: list[Charted], left: datetime) -> datetime | None:
    zone = ZoneInfo("UTC")
    found = last_dose(doses, product_class="bup-daily", zone=zone, left_at=left)
    if found is None:
        return None
    plain, *others = (CoverageInput(zone, one.product_class, one.at) for one in found.readings)
    return compute(replace(plain, others=tuple(others)), START + timedelta(days=90)).covered_until


@settings(max_examples=200, deadline=None)
@given(known(), moments)
def test_the_same_inputs_give_the_same_outputs_and_are_kept_as_they_are(inputs: CoverageInput, now: datetime) -> None:
    shown = compute(inputs, now)
    assert compute(replace(inputs), now) == shown
    for plain in (inputs_of(inputs), outputs_of(shown)):
        assert json.loads(json.dumps(plain)) == plain
    assert why(inputs_of(inputs), inputs_of(inputs)) == ("time",)


@settings(max_examples=200, deadline=None)
@given(st.lists(known(), min_size=2, max_size=4), st.lists(moments, min_size=4, max_size=4))
def test_the_priority_never_falls_without_a_new_verified_fact(
    course: list[CoverageInput], looks: list[datetime]
) -> None:
    before, floor = None, None
    for inputs, now in zip(course, sorted(looks), strict=False):
        told = inputs_of(inputs)
        anew = verified_anew(before, told)
        shown = compute(inputs, now, floor=None if anew else floor)
        later = compute(inputs, now + timedelta(hours=30), floor=shown.priority)
        assert anew or _level(floor) <= _level(shown.priority)
        assert _level(shown.priority) <= _level(later.priority)
        before, floor = told, shown.priority


def _level(priority: Priority | None) -> int:
    return LEVELS.index(priority) if priority else 0
