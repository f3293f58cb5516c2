"""A gap that is only possible, and one that is certain: who is asked first, and which is worked on first.

A prescription that nobody is known to have picked up counts as nothing, so its referral is as urgent as any; but the
gap is one only if the pharmacy was never visited, and one question to the hospital settles that. Were every partner
pressed for it at once, nobody would believe the alarm that is true. Pure: no amount is read or computed.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from app.rules.coverage_inputs import CoverageInput
from app.rules.coverage_supply import awaits_pick_up

Gap = Literal["none", "possible", "confirmed"]
"""Of the doses that fall due within 24 hours or have fallen due: all have a source as far as is known; one has a
source only if something unverified is true; one has none whatever is true."""
DueBand = Literal["lapsed", "within-24-hours", "24-to-72-hours", "later", "not-known"]
"""How soon the first dose without a known source falls due (the product's own due time where it is injected)."""
Ask = Literal["confirm-pick-up", "confirm-last-dose", "name-who-doses"]
"""What the hospital is asked, one answer each: was it filled; when was the last dose; who gives it meanwhile."""

SOON: Final = timedelta(hours=24)
_ASAP: Final = timedelta(hours=72)
PICK_UP_LEAD: Final = timedelta(hours=4)
"""So long before the first dose that hangs on a pick-up the partner is pressed after all."""
_RANK: Final[dict[str, int]] = {"confirmed": 0, "possible": 1, "none": 2}
_LEVELS: Final[dict[str, int]] = {"stat": 0, "asap": 1, "urgent": 2, "routine": 3}


class Ends(NamedTuple):
    """When cover ends, by how much of it is sure.

    ``sure`` rests on nothing that is unverified; ``covered`` is ``covered_until``; ``hoped`` counts all that may be.
    """

    sure: datetime
    covered: datetime
    hoped: datetime


def gap_at(ends: Ends | None, now: datetime) -> Gap:
    """What is known of a gap at ``now``; without any usable last dose one is possible at any moment."""
    if ends is None:
        return "possible"
    if ends.hoped - now <= SOON:
        return "confirmed"
    return "possible" if ends.sure - now <= SOON else "none"


def hold_until(inputs: CoverageInput, ends: Ends, now: datetime, *, raised: bool) -> datetime | None:
    """Until when the partner is not pressed, because all that is open is whether a prescription was picked up.

    Four hours before the first dose that hangs on it falls due. None where something else is open as well: facts
    that contradict each other, a circumstance that escalates, a gap that is certain, or nobody known to dose.
    """
    only = any(awaits_pick_up(inputs, bridge) for bridge in inputs.in_hand) and inputs.daily
    alone = not (raised or inputs.doubts or (inputs.elsewhere and inputs.dosed_by is None))
    at = ends.sure - PICK_UP_LEAD
    return at if only and alone and ends.hoped > ends.sure and gap_at(ends, now) != "confirmed" and at > now else None


def asks(inputs: CoverageInput, ends: Ends | None, now: datetime, *, doubted: bool = False) -> tuple[Ask, ...]:
    """What the hospital is asked, in a fixed order; ``doubted``: the last dose that is told is implausible."""
    return tuple(_asks(inputs, ends, now, doubted=doubted))


def _asks(inputs: CoverageInput, ends: Ends | None, now: datetime, *, doubted: bool) -> Iterator[Ask]:
    pending = inputs.daily and any(awaits_pick_up(inputs, bridge) for bridge in inputs.in_hand)
    if pending and ends is not None and ends.hoped > ends.sure:
        yield "confirm-pick-up"
    if ends is None or inputs.doubts or doubted:
        yield "confirm-last-dose"
    if owner_unknown(inputs, ends, now):
        yield "name-who-doses"


def owner_unknown(inputs: CoverageInput, ends: Ends | None, now: datetime) -> bool:
    """Whether somebody must be named who gives the doses, and nobody is.

    A nursing facility, custody and a partner that is holding stop no clock. Of an injection it matters from 72 hours
    before it is due, of a daily dose from tomorrow on, whatever the person was handed: it may be taken away there.
    """
    if not inputs.elsewhere or inputs.dosed_by is not None:
        return False
    return inputs.daily or ends is None or ends.sure - now <= _ASAP


def due_band(falls_due: datetime | None, now: datetime) -> DueBand:
    """How soon that is."""
    if falls_due is None:
        return "not-known"
    left = falls_due - now
    if left < timedelta():
        return "lapsed"
    if left <= SOON:
        return "within-24-hours"
    return "24-to-72-hours" if left <= _ASAP else "later"


def worklist_key(priority: str, gap: Gap, covered_until: datetime | None) -> tuple[int, int, float]:
    """Sorts a worklist, the first to be worked on first.

    A confirmed gap comes before any possible one, whatever their priorities; then the priority; then who runs out
    first, and before all others of their kind those of whom nothing is known.
    """
    return _RANK[gap], _LEVELS[priority], covered_until.timestamp() if covered_until else 0.0
