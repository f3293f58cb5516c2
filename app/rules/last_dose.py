"""Which dose was the last, and whether what is charted contradicts itself.

Sources contradict each other: two tell different times of the last dose, a dose is charted after the person left, two
products are given in turn. None of them is taken silently. Each case is a flag and a question for a person, and the
clock is read both ways: the cover ends by the reading that ends first (``rules.coverage``).

The rules:

- Of one product the newest dose is the last one. A dose that was held or refused is none; who calls this leaves it out.
- What a source says anew replaces what it said before (``fhir_mappings.visits.visit_doses``): that is a correction and
  no contradiction, and what was replaced is not told here either.
- Two doses within half an interval of each other, each from another source and at another time, are one dose told
  twice: ``conflicting-last-dose``. A day without a time does not contradict a time on that day.
- The last dose more than 45 days before the person left, of an injection more than a year: ``implausible-last-dose``.
- A dose more than an hour after the discharge: ``dose-after-discharge``.
- A dose of another product between two doses of this one, or after the last of them: ``interleaved-products``.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from app.rules.coverage_inputs import Doubt, instant
from schemas.dose_times import LONG_ACTING, between

_AFTER_LEAVING: Final = timedelta(hours=1)
"""Charting runs late, and so do people who leave."""
_OLD: Final = timedelta(days=45)
_OLD_INJECTION: Final = timedelta(days=366)
_BEFORE_ALL: Final = datetime(1, 1, 2, tzinfo=UTC)
_AFTER_ALL: Final = datetime(9999, 12, 30, tzinfo=UTC)
_MIDDLE: Final = 5000
"""Years before it that no zone can be applied to are long past, those after it are to come."""
_EARLIER: Final = 3
"""Doses before the last one that are told."""


class Charted(NamedTuple):
    """One dose that was given."""

    at: datetime | date
    product_class: str
    stated_at: datetime
    """When its source said so."""
    source: str | None = None
    """Who told it; None: not known, and then it contradicts nobody."""
    verified: bool = True


class LastDose(NamedTuple):
    """One reading: the last dose of one product, and those before it, the newest first."""

    product_class: str
    at: datetime | date
    verified: bool
    earlier: tuple[datetime | date, ...]


class Found(NamedTuple):
    """All readings; the first is the plain one (the newest dose of the product), and what is doubtful about it."""

    readings: tuple[LastDose, ...]
    doubts: tuple[Doubt, ...]


class _Given(NamedTuple):
    at: datetime
    dose: Charted


def last_dose(
    doses: Sequence[Charted],
    *,
    product_class: str,
    zone: ZoneInfo,
    interval: timedelta | None = None,
    left_at: datetime | None = None,
) -> Found | None:
    """The last dose of a product, by every reading of what is charted; None where no dose is.

    Args:
        doses: all that were given, of any product for opioid use disorder.
        product_class: ``clock_class`` of the product that the referral is about.
        zone: of the facility that gave them.
        interval: of a daily schedule; None = once a day.
        left_at: when the person left, where they have.
    """
    given = sorted(_placed(doses, zone), key=lambda one: (one.at, one.dose.stated_at))
    half = _half(product_class, interval)
    own = [one for one in given if one.dose.product_class == product_class]
    if not own:
        return None
    kept = own
    readings, doubts = [_reading(own)], list[Doubt]()
    if left_at is not None and left_at - own[-1].at > (_OLD_INJECTION if product_class in LONG_ACTING else _OLD):
        doubts.append("implausible-last-dose")
    if (rival := _rival(own, half, zone)) is not None:
        doubts.append("conflicting-last-dose")
        readings.append(_reading([one for one in own if one.at <= rival.at or not _contradict(rival, one, zone)]))
    if left_at is not None and own[-1].at - left_at > _AFTER_LEAVING:
        doubts.append("dose-after-discharge")
        kept = [one for one in own if one.at - left_at <= _AFTER_LEAVING]
        readings += [_reading(kept)] if kept else []
    others = [one for one in given if one.dose.product_class != product_class]
    if others and _interleaved(own, others):
        doubts.append("interleaved-products")
        other = others[-1].dose.product_class
        readings.append(_reading([one for one in others if one.dose.product_class == other]))
    return Found(tuple(dict.fromkeys(readings)), tuple(doubts))


def _placed(doses: Sequence[Charted], zone: ZoneInfo) -> Iterator[_Given]:
    """The doses with their instants; one beyond the calendar is implausible, and said to be so: none is left out."""
    for dose in doses:
        beyond = _BEFORE_ALL if dose.at.year < _MIDDLE else _AFTER_ALL
        yield _Given(instant(dose.at, zone) or beyond, dose)


def _half(product_class: str, interval: timedelta | None) -> timedelta:
    return between(product_class, interval) / 2


def _reading(given: Sequence[_Given]) -> LastDose:
    *before, last = given
    earlier = dict.fromkeys(one.dose.at for one in reversed(before) if one.at < last.at)
    return LastDose(last.dose.product_class, last.dose.at, last.dose.verified, tuple(earlier)[:_EARLIER])


def _rival(own: Sequence[_Given], half: timedelta, zone: ZoneInfo) -> _Given | None:
    """The last dose by the word of another source: of several, of the one that tells the earliest."""
    last = own[-1]
    newest = {one.dose.source: one for one in own}
    told = (one for one in newest.values() if last.at - one.at < half and _contradict(one, last, zone))
    return min(told, key=lambda one: one.at, default=None)


def _contradict(one: _Given, other: _Given, zone: ZoneInfo) -> bool:
    sources = {one.dose.source, other.dose.source}
    if len(sources) == 1 or None in sources or one.at == other.at:
        return False
    dated = not (isinstance(one.dose.at, datetime) and isinstance(other.dose.at, datetime))
    return not (dated and one.at.astimezone(zone).date() == other.at.astimezone(zone).date())


def _interleaved(own: Sequence[_Given], others: Sequence[_Given]) -> bool:
    if others[-1].at > own[-1].at:
        return True
    return any(before.at < other.at < after.at for before, after in pairwise(own) for other in others)
