"""The medication coverage clock: until when the person has the next dose, and how urgent that is.

Scheduling support, never a dosing recommendation: no amount is read or computed here, only times and
counts. The rules R1 to R9 are those of the project's clinical facts (sections 4.3, 4.5 and, where
they differ, 4.6); sources of law: 21 CFR 1306.07(a) and (b); of the windows of long-acting products:
their labels (``schemas.dose_times``).

Where facts contradict each other (``CoverageInput.others``) the cover ends by the reading that ends first, and
``covered_until_if_unverified`` by the one that ends last: never silently one of them. Everything is pure: same
inputs, same outputs (R9).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from app.rules.coverage_gap import Ask, DueBand, Ends, Gap, asks, due_band, gap_at, hold_until
from app.rules.coverage_inputs import FUTURE, METHADONE, Confidence, CoverageInput, after, instant, schedule, wall
from app.rules.coverage_reasons import TIMED, reasons
from app.rules.coverage_supply import alarms, supplied
from app.rules.verdict import Verdict
from schemas.discharge import Priority
from schemas.dose_times import LONG_ACTING

__all__ = ["LEVELS", "Coverage", "CoverageInput", "OpenBetween", "compute"]

OpenBetween = Callable[[datetime, datetime], bool]
"""Whether the partner (without one: any candidate) has a dosing or intake hour in the half-open time."""

LEVELS: Final[tuple[Priority, ...]] = ("routine", "urgent", "asap", "stat")
"""FHIR request-priority, rising."""
SAFETY: Final = "Scheduling support, never a dosing recommendation: whoever doses decides what is given, and when."
"""Goes with whatever of the clock is shown to people."""

_OLD: Final = timedelta(days=45)
_YEAR: Final = timedelta(days=366)
_IMPLAUSIBLE: Final = "implausible-last-dose"
_REASSESS: Final = timedelta(hours=72)
_THRESHOLDS: Final = (timedelta(hours=168), timedelta(hours=72), timedelta(hours=24))
"""Time to go, at most: urgent, asap, stat (R7)."""
_TICK: Final = timedelta(microseconds=1)
_MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Coverage(Verdict):
    """What the clock shows. All instants are UTC; None where no last dose is usable.

    Attributes:
        next_due: when the dose after the last one is due.
        earliest, latest: the window around it; ``earliest`` only where a label gives one.
        covered_until: when the first dose with no known source falls due; for a long-acting product
            the end of the tolerated delay.
        covered_until_if_unverified: the same, prescriptions counted whose fill is unknown, and by the reading of
            contradictory facts that ends last.
        confidence: of the last dose: verified, reported, assumed (the day only), unknown.
        priority: FHIR request-priority.
        flags: codes of the flag code system, in a fixed order.
        without_medication: time since the cover ended; None while it lasts.
        recompute_at: when anything here changes if nothing else happens; None if never.
        gap: what is known of a gap within 24 hours.
        possible_gap_at: from when a gap is possible; None where that is when it is confirmed.
        confirmed_gap_at: from when there is one whatever is true.
        hold_partner_until: until then a partner is not pressed: the hospital is asked first whether it was filled.
        asks: what the hospital is asked.
        dosing_owner_unknown: somebody else must give the doses, and nobody is named: the case manager is told.
        falls_due: when the first dose without a known source falls due: of an injection its own due time.
        band: how soon that is.
        label: month of the label whose window was used; None where none was.
    """

    next_due: datetime | None
    earliest: datetime | None
    latest: datetime | None
    covered_until: datetime | None
    covered_until_if_unverified: datetime | None
    confidence: Confidence
    priority: Priority
    flags: tuple[str, ...]
    without_medication: timedelta | None
    recompute_at: datetime | None
    gap: Gap
    possible_gap_at: datetime | None
    confirmed_gap_at: datetime | None
    hold_partner_until: datetime | None
    asks: tuple[Ask, ...]
    falls_due: datetime | None
    band: DueBand
    label: str | None

    @property
    def dosing_owner_unknown(self) -> bool:
        """Whether somebody must be named who gives the doses, and nobody is."""
        return "name-who-doses" in self.asks


class _Course(NamedTuple):
    """One reading of what is known: the last dose that counts, and what follows from it."""

    last: datetime
    confidence: Confidence
    next_due: datetime
    earliest: datetime | None
    latest: datetime
    sure: datetime
    covered: datetime
    hoped: datetime
    falls_due: datetime
    why: tuple[str, ...] = ()
    late: bool = False
    label: str | None = None

    @property
    def later_told(self) -> bool:
        """Whether a later dose is told that can't have been given yet."""
        return "earlier-dose-used" in self.why


def compute(
    inputs: CoverageInput, now: datetime, *, open_between: OpenBetween | None = None, floor: Priority | None = None
) -> Coverage:
    """The clock at ``now``.

    Args:
        inputs: what is known.
        now: an aware instant.
        open_between: the partner's hours. None = not known, and then neither the weekend escalator
            nor ``no-slot-before-gap`` (R8) can hold: no hours are invented.
        floor: the priority so far, which is not undercut; None on a new verified fact (R7).
    """
    courses = _courses(inputs, now)
    shown = _face(inputs, now, courses, open_between, floor)
    moments = sorted({at for at in _moments(inputs, courses, now, shown, open_between) if at > now})
    # Which dose counts changes only where one can't have been given yet.
    fixed = courses if not any(True for _ in _usable_later(inputs, now)) else None
    for at in moments:
        if _differs(shown, _face(inputs, at, fixed or _courses(inputs, at), open_between, floor)):
            return replace(shown, recompute_at=at)
    return shown


def _courses(inputs: CoverageInput, now: datetime) -> list[_Course]:
    return [found for one in (inputs, *inputs.others) if (found := _course(one, now)) is not None]


def _differs(one: Coverage, other: Coverage) -> bool:
    """Whether something else is shown; time that passes without consequence is no change."""
    return replace(one, without_medication=None) != replace(other, without_medication=None)


def _face(
    inputs: CoverageInput,
    now: datetime,
    courses: Sequence[_Course],
    open_between: OpenBetween | None,
    floor: Priority | None,
) -> Coverage:
    """All that is shown at ``now`` but when it changes."""
    if not courses:
        return _unknown(inputs, now, floor)
    course = min(courses, key=lambda one: (one.covered, one.sure))
    ends = Ends(min(one.sure for one in courses), course.covered, max(one.hoped for one in courses))
    closed = _closed(ends.covered, now, open_between)
    raised = any(_escalators(inputs))
    doubted = course.later_told
    level = _level(ends.covered - now)
    return Coverage(
        reasons=reasons(
            inputs,
            TIMED[level],
            closed=closed,
            raised=raised,
            late=course.late,
            more=(
                *course.why,
                *([_IMPLAUSIBLE] if doubted else []),
                *_owner(asked := asks(inputs, ends, now, doubted=doubted)),
            ),
        ),
        next_due=course.next_due,
        earliest=course.earliest,
        latest=course.latest,
        covered_until=ends.covered,
        covered_until_if_unverified=ends.hoped,
        confidence=course.confidence,
        priority=_priority(level, inputs, floor, closed=closed),
        flags=tuple(_flags(inputs, course, now, closed=closed)),
        without_medication=now - ends.covered if now > ends.covered else None,
        recompute_at=None,
        gap=gap_at(ends, now),
        possible_gap_at=ends.sure if ends.sure < ends.hoped else None,
        confirmed_gap_at=ends.hoped,
        hold_partner_until=hold_until(inputs, ends, now, raised=raised or closed or doubted),
        asks=asked,
        falls_due=course.falls_due,
        band=due_band(course.falls_due, now),
        label=course.label,
    )


def _owner(asked: tuple[Ask, ...]) -> tuple[str, ...]:
    return ("dosing-owner-unknown",) if "name-who-doses" in asked else ()


def _unknown(inputs: CoverageInput, now: datetime, floor: Priority | None) -> Coverage:
    """R6: without a usable last dose at least asap, stat for methadone; one that was told is implausible."""
    level = LEVELS.index("stat" if inputs.product_class == METHADONE else "asap")
    asked = asks(inputs, None, now)
    flags = (*_escalators(inputs), *(told := [_IMPLAUSIBLE] if inputs.last_dose else []), *_facts(inputs))
    raised = any(_escalators(inputs))
    return Coverage(
        reasons=reasons(inputs, "no-last-dose", closed=False, raised=raised, late=False, more=(*told, *_owner(asked))),
        next_due=None,
        earliest=None,
        latest=None,
        covered_until=None,
        covered_until_if_unverified=None,
        confidence="unknown",
        priority=_priority(level, inputs, floor, closed=False),
        flags=flags,
        without_medication=None,
        recompute_at=None,
        gap="possible",
        possible_gap_at=None,
        confirmed_gap_at=None,
        hold_partner_until=None,
        asks=asked,
        falls_due=None,
        band="not-known",
        label=None,
    )


# ---- one reading


def _course(inputs: CoverageInput, now: datetime) -> _Course | None:
    """What follows from the newest dose that can have been given; None where none can (R6)."""
    for dose in _told(inputs):
        last = instant(dose, inputs.zone)
        if last is not None and last - now <= FUTURE:
            skipped = () if dose is inputs.last_dose else ("earlier-dose-used",)
            confidence = _confidence(inputs, dose)
            found = _daily(inputs, last, confidence) if inputs.daily else _injected(inputs, last, confidence)
            return found._replace(why=(*skipped, *found.why))
    return None


def _told(inputs: CoverageInput) -> tuple[datetime | date, ...]:
    return (inputs.last_dose, *inputs.earlier_doses) if inputs.last_dose is not None else ()


def _confidence(inputs: CoverageInput, dose: datetime | date) -> Confidence:
    if not isinstance(dose, datetime):
        return "assumed"
    return "verified" if inputs.verified else "reported"


def _daily(inputs: CoverageInput, last: datetime, confidence: Confidence) -> _Course:
    due = after(last, 1, schedule(inputs), inputs.zone)
    covered, hoped, late = supplied(inputs, last)
    return _Course(last, confidence, due, None, due, covered, covered, hoped, covered, late=late)


def _injected(inputs: CoverageInput, last: datetime, confidence: Confidence) -> _Course:
    """R5: the prescriber's date where one is ordered, else the window of the label.

    The label's tolerance is for a person who is in treatment with it: after a first injection none is added. Where
    nobody says which injection it was, it is counted, and not relied on: a gap is possible from the due date on.
    """
    ordered = _ordered(inputs, last)
    if ordered is not None:
        ends = (ordered, ordered, ordered, ordered)
        return _Course(last, confidence, ordered, None, ordered, *ends, why=("ordered-date",))
    window = LONG_ACTING[inputs.product_class]
    due = wall(last, window.due, inputs.zone)
    earliest = None if window.earliest is None else wall(last, window.earliest, inputs.zone)
    tolerated = wall(last, window.due + (0 if inputs.dose_number == 1 else window.tolerance), inputs.zone)
    unsure = inputs.dose_number is None and window.tolerance
    why = ("tolerance-not-relied-on",) if unsure else ("first-dose",) if inputs.dose_number == 1 else ()
    sure = due if unsure else tolerated
    return _Course(
        last, confidence, due, earliest, tolerated, sure, tolerated, tolerated, due, why=why, label=window.label
    )


def _ordered(inputs: CoverageInput, last: datetime) -> datetime | None:
    """The next date that is ordered; one on the day of the last dose or before it is of that dose.

    No product lasts a year: what is ordered for later is a slip of the pen, and the window of the label holds.
    """
    ordered = instant(inputs.next_due_ordered, inputs.zone) if inputs.next_due_ordered is not None else None
    if ordered is None:
        return None
    day, given = (at.astimezone(inputs.zone).date() for at in (ordered, last))
    return ordered if timedelta() < day - given <= _YEAR else None


# ---- urgency


def _level(to_go: timedelta) -> int:
    """R7: how many thresholds are reached; the past is beyond all."""
    return sum(to_go <= threshold for threshold in _THRESHOLDS)


def _closed(covered: datetime, now: datetime, open_between: OpenBetween | None) -> bool:
    """No open hour of the partner before a cover that ends within seven days (4.6)."""
    if open_between is None or not now < covered <= now + _THRESHOLDS[0]:
        return False
    return not open_between(now, covered)


def _escalators(inputs: CoverageInput) -> Iterator[str]:
    if inputs.pregnant:
        yield "pregnant"
    if inputs.disposition == "aadvice":
        yield "aadvice"
    if inputs.overdose_this_visit:
        yield "overdose-this-visit"
    if inputs.no_phone:
        yield "no-phone"


def _priority(level: int, inputs: CoverageInput, floor: Priority | None, *, closed: bool) -> Priority:
    """One level up for all escalators together; left against advice is stat (4.6)."""
    if inputs.disposition == "aadvice":
        return "stat"
    raised = closed or any(_escalators(inputs))
    lowest = LEVELS.index(floor) if floor else 0
    return LEVELS[max(lowest, min(level + raised, len(LEVELS) - 1))]


# ---- flags


def _flags(inputs: CoverageInput, course: _Course, now: datetime, *, closed: bool) -> Iterator[str]:
    yield from _escalators(inputs)
    if closed:
        yield "no-slot-before-gap"
    yield from _lapse(course.covered, now)
    if (inputs.daily and now - course.last > _OLD) or course.later_told or _IMPLAUSIBLE in inputs.doubts:
        yield _IMPLAUSIBLE
    yield from _facts(inputs)


def _lapse(covered: datetime, now: datetime) -> Iterator[str]:
    if now > covered:
        yield "lapsed"
    if now - covered > _REASSESS:
        yield "reassess-tolerance"


def _facts(inputs: CoverageInput) -> Iterator[str]:
    """Flags that raise nothing: what a human must see beside the clock."""
    yield from alarms(inputs)
    yield from (doubt for doubt in inputs.doubts if doubt != _IMPLAUSIBLE)
    if inputs.homeless:
        yield "homeless"
    ending = _DISPOSITION_FLAGS.get(inputs.disposition or "")
    if ending:
        yield ending


_DISPOSITION_FLAGS: Final[Mapping[str, str]] = {"snf": "snf", "custody": "custody", "exp": "died"}


# ---- when it changes by time alone


def _moments(
    inputs: CoverageInput,
    courses: Sequence[_Course],
    now: datetime,
    shown: Coverage,
    open_between: OpenBetween | None,
) -> Iterator[datetime]:
    """Moments at which something of what is shown may change, if nothing else happens."""
    yield from _usable_later(inputs, now)
    for course in courses:
        for end in {course.sure, course.covered, course.hoped, course.falls_due}:
            yield from (end - threshold for threshold in _THRESHOLDS)
            yield end + _TICK
        yield course.covered
        yield course.covered + _REASSESS + _TICK
        yield course.last + _OLD + _TICK
    if shown.hold_partner_until is not None:
        yield shown.hold_partner_until
    covered = shown.covered_until
    if open_between is None or covered is None or "no-slot-before-gap" in shown.flags:
        return
    if now < covered <= now + _THRESHOLDS[0]:
        yield _closes(now, covered, open_between)


def _usable_later(inputs: CoverageInput, now: datetime) -> Iterable[datetime]:
    """When doses that can't have been given yet become plausible."""
    for one in (inputs, *inputs.others):
        for dose in _told(one):
            at = instant(dose, one.zone)
            if at is not None and at - FUTURE > now:
                yield at - FUTURE


def _closes(now: datetime, covered: datetime, open_between: OpenBetween) -> datetime:
    """The first whole minute from which no open hour is left before ``covered``; hours are in whole minutes."""
    begin = now.replace(second=0, microsecond=0)
    open_still, closed = 0, -(-(covered - begin) // _MINUTE)
    while closed - open_still > 1:
        middle = (open_still + closed) // 2
        if open_between(begin + middle * _MINUTE, covered):
            open_still = middle
        else:
            closed = middle
    return min(begin + closed * _MINUTE, covered)
