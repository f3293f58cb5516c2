"""What the medication coverage clock reads, and the arithmetic of wall clocks that its rules share.

A day is a calendar day in the zone of the facility that gave the dose, at the same time on the wall clock (R1): 24
hours are wrong twice a year. A wall-clock time that a change of the clocks repeats is the earlier one; one that it
skips moves on by the hour that is skipped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from schemas.discharge import Bridge, Disposition
from schemas.dose_times import DAY, LONG_ACTING, between_doses

Confidence = Literal["verified", "reported", "assumed", "unknown"]
Doubt = Literal[
    "implausible-last-dose",
    "conflicting-last-dose",
    "dose-after-discharge",
    "interleaved-products",
    "supply-contradicted",
]
"""Facts that contradict each other, or can't be, by code of the flag code system."""

METHADONE: Final = "methadone-daily"
FUTURE: Final = timedelta(minutes=15)
"""A dose further ahead than this was not given yet (R6)."""
_YEARS: Final = (1900, 9000)
"""Outside of them a zone can't be applied."""


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
        bridges: what the person has in hand of one product.
        beside: the same of further products of the class, each by itself: two strengths are taken side by side, so
            the one that lasts longest counts, never their sum.
        disposition: FHIR discharge-disposition or ``custody``.
        pregnant, overdose_this_visit, no_phone: known to be so; unknown is False.
        homeless: shown as a flag; raises nothing.
        dose_number: which injection of a long-acting product the last dose was; None: not known.
        next_due_ordered: when a prescriber wants the next injection: it outranks the label's window.
        earlier_doses: those before the last one, the newest first: used where that one can't have been given yet.
        elsewhere: the person goes where somebody else would have to give the doses: a nursing facility, custody,
            or the partner that accepted is holding.
        dosed_by: who gives them meanwhile, where somebody has named it.
        doubts: which facts contradict each other.
        others: the same person by the other readings of contradictory facts.
    """

    zone: ZoneInfo
    product_class: str
    last_dose: datetime | date | None
    verified: bool = True
    interval: timedelta | None = None
    bridges: Sequence[Bridge] = ()
    beside: Sequence[Sequence[Bridge]] = ()
    disposition: Disposition | None = None
    pregnant: bool = False
    overdose_this_visit: bool = False
    no_phone: bool = False
    homeless: bool = False
    dose_number: int | None = None
    next_due_ordered: datetime | date | None = None
    earlier_doses: Sequence[datetime | date] = ()
    elsewhere: bool = False
    dosed_by: str | None = None
    doubts: tuple[Doubt, ...] = ()
    others: Sequence["CoverageInput"] = ()

    @property
    def in_hand(self) -> tuple[Bridge, ...]:
        """All that the person has in hand, of whatever product."""
        return tuple(bridge for supply in (self.bridges, *self.beside) for bridge in supply)

    @property
    def daily(self) -> bool:
        """Whether it is a medication that is taken by a schedule of hours or days, not a long-acting injection."""
        return self.product_class not in LONG_ACTING


def instant(stated: datetime | date, zone: ZoneInfo) -> datetime | None:
    """A stated time as UTC instant; a day alone from its first moment (R6); None at the edge of the calendar."""
    if not _YEARS[0] <= stated.year <= _YEARS[1]:
        return None
    if not isinstance(stated, datetime):
        return datetime.combine(stated, time(), zone).astimezone(UTC)
    # Without an offset it is local, and of a repeated hour the earlier one.
    return (stated if stated.tzinfo else stated.replace(tzinfo=zone, fold=0)).astimezone(UTC)


def wall(last: datetime, days: int, zone: ZoneInfo) -> datetime:
    """The same wall-clock time ``days`` later, UTC. Adding to a local time drops its fold: the earlier hour."""
    local = last.astimezone(zone).replace(tzinfo=None) + timedelta(days=days)
    return local.replace(tzinfo=zone).astimezone(UTC)


def schedule(inputs: CoverageInput) -> timedelta:
    """Time from one dose of a daily medication to the next."""
    return between_doses(inputs.interval)


def implausible_schedule(inputs: CoverageInput) -> bool:
    """Whether a schedule is stated that no daily medication has."""
    return inputs.daily and inputs.interval is not None and schedule(inputs) != inputs.interval


def after(last: datetime, steps: int, interval: timedelta, zone: ZoneInfo) -> datetime:
    """``steps`` intervals later: calendar days at the same wall-clock time, else true elapsed time (R1, R2)."""
    if interval % DAY:
        return last + steps * interval
    return wall(last, steps * interval.days, zone)
