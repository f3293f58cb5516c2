"""The medication coverage clock: until when the person has the next dose, and how urgent that is.

Scheduling support, never a dosing recommendation: no amount is read or computed here, only times and
counts. The rules R1 to R9 are those of the project's clinical facts (sections 4.3, 4.5 and, where
they differ, 4.6); sources of law: 21 CFR 1306.07(a) and (b); of the windows of long-acting products:
their labels.

A day is a calendar day in the zone of the facility that gave the dose, at the same time on the wall
clock (R1): 24 hours are wrong twice a year. A wall-clock time that a change of the clocks repeats is
the earlier one; one that it skips moves on by the hour that is skipped. Intervals that are no whole
number of days are true elapsed time (R2). Everything is pure: same inputs, same outputs (R9).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from app.rules.verdict import Reason, Verdict
from schemas.discharge import Bridge, Disposition, Priority

Confidence = Literal["verified", "reported", "assumed", "unknown"]
OpenBetween = Callable[[datetime, datetime], bool]
"""Whether the partner (without one: any candidate) has a dosing or intake hour in the half-open time."""

LEVELS: Final[tuple[Priority, ...]] = ("routine", "urgent", "asap", "stat")
"""FHIR request-priority, rising."""


class Window(NamedTuple):
    """Days after an injection: when the next may be given, is due, and how long a delay is tolerated."""

    earliest: int | None
    due: int
    tolerance: int


LONG_ACTING: Final[Mapping[str, Window]] = {
    "bup-lai-monthly-sublocade": Window(26, 28, 14),
    "bup-lai-weekly-brixadi": Window(5, 7, 2),
    "bup-lai-monthly-brixadi": Window(21, 28, 7),
    "xr-ntx": Window(None, 28, 0),
}
"""``clock_class`` of rxnorm.csv to the window of its label (facts 4.3). A Brixadi that is not known to be
monthly is to be passed as weekly (R5). Every other class is a daily medication."""

METHADONE: Final = "methadone-daily"

_DAY: Final = timedelta(days=1)
_METHADONE_DAYS: Final = 3
_FUTURE: Final = timedelta(minutes=15)
_OLD: Final = timedelta(days=45)
_REASSESS: Final = timedelta(hours=72)
_THRESHOLDS: Final = (timedelta(hours=168), timedelta(hours=72), timedelta(hours=24))
"""Time to go, at most: urgent, asap, stat (R7)."""
_YEARS: Final = (1900, 9000)
"""Outside of them a zone can't be applied."""
_MAX_SUPPLY: Final = timedelta(days=366)
_TICK: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class CoverageInput:
    """What the clock reads.

    Attributes:
        zone: of the facility that gave the dose.
        product_class: ``clock_class`` of rxnorm.csv.
        last_dose: the last dose that was given, not held, not refused; a date where only the day is
            known (counts from 00:00 local), a time without offset is in ``zone``.
        verified: the dose is charted or confirmed, not only told.
        interval: of the schedule of a daily product; None = once a day. Long-acting products have their own.
        bridges: what the person has in hand.
        disposition: FHIR discharge-disposition or ``custody``.
        pregnant, overdose_this_visit, no_phone: known to be so; unknown is False.
        homeless: shown as a flag; raises nothing.
    """

    zone: ZoneInfo
    product_class: str
    last_dose: datetime | date | None
    verified: bool = True
    interval: timedelta | None = None
    bridges: Sequence[Bridge] = ()
    disposition: Disposition | None = None
    pregnant: bool = False
    overdose_this_visit: bool = False
    no_phone: bool = False
    homeless: bool = False


@dataclass(frozen=True, slots=True)
class Coverage(Verdict):
    """What the clock shows. All instants are UTC; None where no last dose is usable.

    Attributes:
        next_due: when the dose after the last one is due.
        earliest, latest: the window around it; ``earliest`` only where a label gives one.
        covered_until: when the first dose with no known source falls due; for a long-acting product
            the end of the tolerated delay.
        covered_until_if_unverified: the same, prescriptions counted whose fill is unknown.
        confidence: of the last dose: verified, reported, assumed (the day only), unknown.
        priority: FHIR request-priority.
        flags: codes of the flag code system, in a fixed order.
        without_medication: time since the cover ended; None while it lasts.
        recompute_at: when priority or flags change if nothing else happens; None if never.
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


class _Clock(NamedTuple):
    next_due: datetime
    earliest: datetime | None
    latest: datetime
    covered: datetime
    unverified: datetime


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
    last, confidence = _last_dose(inputs)
    future = last is not None and last - now > _FUTURE
    if last is None or future:
        return _unknown(inputs, floor)
    clock = _clock(inputs, last)
    closed = _closed(clock.covered, now, open_between)
    flags = [*_escalators(inputs), *(["no-slot-before-gap"] if closed else []), *_lapse(clock.covered, now)]
    if inputs.product_class not in LONG_ACTING and now - last > _OLD:
        flags.append("implausible-last-dose")
    level = _level(clock.covered - now)
    return Coverage(
        reasons=_reasons(inputs, _TIMED[level], closed=closed),
        next_due=clock.next_due,
        earliest=clock.earliest,
        latest=clock.latest,
        covered_until=clock.covered,
        covered_until_if_unverified=clock.unverified,
        confidence=confidence,
        priority=_priority(level, inputs, floor, closed=closed),
        flags=(*flags, *_facts(inputs)),
        without_medication=now - clock.covered if now > clock.covered else None,
        recompute_at=_recompute_at(clock, last, inputs, now, watch=open_between is not None and not closed),
    )


def _unknown(inputs: CoverageInput, floor: Priority | None) -> Coverage:
    """R6: without a usable last dose at least asap, stat for methadone; one that was told is implausible."""
    level = LEVELS.index("stat" if inputs.product_class == METHADONE else "asap")
    flags = (*_escalators(inputs), *(["implausible-last-dose"] if inputs.last_dose else []), *_facts(inputs))
    return Coverage(
        reasons=_reasons(inputs, "no-last-dose", closed=False),
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
    )


def _last_dose(inputs: CoverageInput) -> tuple[datetime | None, Confidence]:
    """The last dose as UTC instant and how sure it is; a day alone counts from its first moment (R6)."""
    dose = inputs.last_dose
    if dose is None or not _YEARS[0] <= dose.year <= _YEARS[1]:
        return None, "unknown"
    if not isinstance(dose, datetime):
        return datetime.combine(dose, time(), inputs.zone).astimezone(UTC), "assumed"
    if dose.tzinfo is None:
        dose = dose.replace(tzinfo=inputs.zone, fold=0)
    return dose.astimezone(UTC), "verified" if inputs.verified else "reported"


def _wall(last: datetime, days: int, zone: ZoneInfo) -> datetime:
    """The same wall-clock time ``days`` later, UTC. Adding to a local time drops its fold: the earlier hour."""
    local = last.astimezone(zone).replace(tzinfo=None) + timedelta(days=days)
    return local.replace(tzinfo=zone).astimezone(UTC)


def _clock(inputs: CoverageInput, last: datetime) -> _Clock:
    window = LONG_ACTING.get(inputs.product_class)
    if window is not None:
        due, latest = (_wall(last, days, inputs.zone) for days in (window.due, window.due + window.tolerance))
        earliest = None if window.earliest is None else _wall(last, window.earliest, inputs.zone)
        return _Clock(due, earliest, latest, latest, latest)
    interval = _interval(inputs)
    sure = _doses(inputs, interval, _counts)
    hoped = _doses(inputs, interval, _may_count)
    due, covered, unverified = (_after(last, steps, interval, inputs.zone) for steps in (1, 1 + sure, 1 + hoped))
    return _Clock(due, None, due, covered, unverified)


def _interval(inputs: CoverageInput) -> timedelta:
    """Of the schedule; none, or one that can't be, is once a day."""
    return inputs.interval if inputs.interval and inputs.interval >= timedelta(hours=1) else _DAY


def _after(last: datetime, steps: int, interval: timedelta, zone: ZoneInfo) -> datetime:
    if interval % _DAY:
        return last + steps * interval
    return _wall(last, steps * interval.days, zone)


def _doses(inputs: CoverageInput, interval: timedelta, counts: Callable[[CoverageInput, Bridge], bool]) -> int:
    """How many doses the person has in hand; what is dispensed of methadone is capped at three days (R3)."""
    dispensed = other = 0
    for bridge in inputs.bridges:
        if counts(inputs, bridge):
            doses = _size(bridge, interval)
            dispensed += doses if bridge.kind == "dispensed" else 0
            other += doses if bridge.kind != "dispensed" else 0
    if inputs.product_class == METHADONE:
        dispensed = min(dispensed, _METHADONE_DAYS * _DAY // interval)
    return min(dispensed + other, _MAX_SUPPLY // interval)


def _size(bridge: Bridge, interval: timedelta) -> int:
    """A bridge in doses of this schedule: counted in doses when split, else in days (R1, R2); of unknown size none."""
    if bridge.doses is not None and (interval % _DAY or bridge.days is None):
        return bridge.doses
    return (bridge.days or 0) * _DAY // interval


def _counts(inputs: CoverageInput, bridge: Bridge) -> bool:
    """R3, R4: of methadone what was dispensed or an OTP's take-homes; else also a filled prescription, own supply."""
    if bridge.kind in {"dispensed", "take-home"}:
        return True
    if inputs.product_class == METHADONE:
        return False
    return bridge.kind == "own-supply" or bridge.filled == "yes"


def _may_count(inputs: CoverageInput, bridge: Bridge) -> bool:
    unfilled = bridge.kind == "prescribed" and bridge.filled == "unknown" and inputs.product_class != METHADONE
    return unfilled or _counts(inputs, bridge)


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


def _lapse(covered: datetime, now: datetime) -> Iterator[str]:
    if now > covered:
        yield "lapsed"
    if now - covered > _REASSESS:
        yield "reassess-tolerance"


def _facts(inputs: CoverageInput) -> Iterator[str]:
    """Flags that raise nothing: what a human must see beside the clock."""
    if inputs.product_class == METHADONE:
        if any(bridge.kind == "prescribed" for bridge in inputs.bridges):
            yield "methadone-rx-at-discharge"
        interval = _interval(inputs)
        dispensed = sum(_size(bridge, interval) for bridge in inputs.bridges if bridge.kind == "dispensed")
        if dispensed > _METHADONE_DAYS * _DAY // interval:
            yield "methadone-over-three-days"
    if inputs.homeless:
        yield "homeless"
    ending = _DISPOSITION_FLAGS.get(inputs.disposition or "")
    if ending:
        yield ending


_DISPOSITION_FLAGS: Final[Mapping[str, str]] = {"snf": "snf", "custody": "custody", "exp": "died"}


def _recompute_at(
    clock: _Clock, last: datetime, inputs: CoverageInput, now: datetime, *, watch: bool
) -> datetime | None:
    """The next moment at which a threshold is crossed; hourly while the partner's hours could run out."""
    moments = [clock.covered - threshold for threshold in _THRESHOLDS]
    moments += [clock.covered + _TICK, clock.covered + _REASSESS + _TICK]
    if inputs.product_class not in LONG_ACTING:
        moments.append(last + _OLD + _TICK)
    if watch and now < clock.covered <= now + _THRESHOLDS[0]:
        moments.append(now + timedelta(hours=1))
    return min((moment for moment in moments if moment > now), default=None)


_TIMED: Final = ("more-than-7-days", "within-7-days", "within-72-hours", "within-24-hours")
_TEXTS: Final[Mapping[str, str]] = {
    "no-last-dose": "no usable last dose: at least asap, stat for methadone",
    "more-than-7-days": "covered for more than 7 days",
    "within-7-days": "the cover ends within 7 days",
    "within-72-hours": "the cover ends within 72 hours",
    "within-24-hours": "the cover ends within 24 hours or has ended",
    "escalated": "raised by one level by the flags that escalate",
    "left-against-advice": "left against advice is stat",
    "date-only": "only the day of the last dose is known: counted from 00:00 local",
    "unverified-dose": "the last dose is told, not confirmed",
    "unfilled-prescription": "a prescription that is not known to be filled counts as no supply",
    "bridge-size-unknown": "a supply of unknown size counts as none",
    "methadone-not-prescribable": "methadone for opioid use disorder can't be prescribed (21 CFR 1306.07(a))",
}


def _reasons(inputs: CoverageInput, first: str, *, closed: bool) -> tuple[Reason, ...]:
    codes = (first, *_circumstances(inputs, closed=closed), *_supply_reasons(inputs))
    return tuple(Reason(code, _TEXTS[code]) for code in codes)


def _circumstances(inputs: CoverageInput, *, closed: bool) -> Iterator[str]:
    if inputs.disposition == "aadvice":
        yield "left-against-advice"
    elif closed or any(_escalators(inputs)):
        yield "escalated"
    if inputs.last_dose is not None and not isinstance(inputs.last_dose, datetime):
        yield "date-only"
    elif inputs.last_dose is not None and not inputs.verified:
        yield "unverified-dose"


def _supply_reasons(inputs: CoverageInput) -> Iterable[str]:
    if inputs.product_class in LONG_ACTING:
        return ()
    methadone = inputs.product_class == METHADONE
    found = []
    if any(bridge.kind == "prescribed" and (methadone or bridge.filled != "yes") for bridge in inputs.bridges):
        found.append("methadone-not-prescribable" if methadone else "unfilled-prescription")
    if any(bridge.days is None and bridge.doses is None for bridge in inputs.bridges):
        found.append("bridge-size-unknown")
    return found
