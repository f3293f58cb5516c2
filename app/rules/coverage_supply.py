"""What the person has in hand, in doses of the schedule (R1 to R4): what counts, what may count, what does not."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple

from app.rules.coverage_inputs import METHADONE, CoverageInput, after, instant, schedule
from schemas.discharge import Bridge
from schemas.dose_times import DAY

METHADONE_DAYS: Final = 3
"""What may be dispensed outside of an OTP (21 CFR 1306.07(b))."""
_MAX_SUPPLY: Final = timedelta(days=366)
_BEFORE_ALL: Final = datetime(1, 1, 2, tzinfo=UTC)


class Supplied(NamedTuple):
    """How far doses in hand reach: by what is known, and if what is not verified is true."""

    covered: datetime
    unverified: datetime
    late: bool
    """Some supply begins only after a day that has none."""


def supplied(inputs: CoverageInput, last: datetime) -> Supplied:
    """When the first dose without a known source falls due, after a dose at ``last``."""
    supplies = (inputs.bridges, *inputs.beside)
    reached = [_reach(inputs, last, [one for one in supply if counts(inputs, one)]) for supply in supplies]
    hoped = [_reach(inputs, last, [one for one in supply if may_count(inputs, one)])[0] for supply in supplies]
    return Supplied(max(one for one, _ in reached), max(hoped), any(late for _, late in reached))


def _reach(inputs: CoverageInput, last: datetime, bridges: Iterable[Bridge]) -> tuple[datetime, bool]:
    interval = schedule(inputs)
    most = _MAX_SUPPLY // interval
    limit = METHADONE_DAYS * DAY // interval if inputs.product_class == METHADONE else most
    dispensed = other = 0
    late = False
    for bridge in sorted(bridges, key=lambda one: _start(inputs, one)):
        held = min(min(dispensed, limit) + other, most)
        if bridge.start is not None and _begins_after(inputs, bridge, after(last, 1 + held, interval, inputs.zone)):
            late = True
        elif bridge.kind == "dispensed":
            dispensed += size(bridge, interval)
        else:
            other += size(bridge, interval)
    return after(last, 1 + min(min(dispensed, limit) + other, most), interval, inputs.zone), late


def _start(inputs: CoverageInput, bridge: Bridge) -> datetime:
    """When it begins; one of which that is not said is there from the start."""
    begins = instant(bridge.start, inputs.zone) if bridge.start is not None else None
    return begins or _BEFORE_ALL


def _begins_after(inputs: CoverageInput, bridge: Bridge, reached: datetime) -> bool:
    """Whether it begins on a later day than the doses before it reach to."""
    return _start(inputs, bridge).astimezone(inputs.zone).date() > reached.astimezone(inputs.zone).date()


def size(bridge: Bridge, interval: timedelta) -> int:
    """A bridge in doses of this schedule: counted in doses when split, else in days (R1, R2); of unknown size none."""
    if bridge.doses is not None and (interval % DAY or bridge.days is None):
        return bridge.doses
    return (bridge.days or 0) * DAY // interval


def counts(inputs: CoverageInput, bridge: Bridge) -> bool:
    """R3, R4: of methadone what was dispensed or an OTP's take-homes; else also a filled prescription, own supply.

    What was handed over and is said not to be in hand contradicts itself: it counts as nothing.
    """
    if bridge.kind in {"dispensed", "take-home"}:
        return bridge.filled != "no"
    if inputs.product_class == METHADONE:
        return False
    return bridge.filled != "no" if bridge.kind == "own-supply" else bridge.filled == "yes"


def may_count(inputs: CoverageInput, bridge: Bridge) -> bool:
    """What counts, and what would if an unverified fact is true: a fill that is unknown, a supply that is doubted."""
    return counts(inputs, bridge) or awaits_pick_up(inputs, bridge) or contradicted(bridge)


def awaits_pick_up(inputs: CoverageInput, bridge: Bridge) -> bool:
    """A prescription of which nobody has said whether it was filled, where filling it would help."""
    return bridge.kind == "prescribed" and bridge.filled == "unknown" and inputs.product_class != METHADONE


def contradicted(bridge: Bridge) -> bool:
    """Handed over, it is said, and not in hand."""
    return bridge.kind in {"dispensed", "take-home"} and bridge.filled == "no"


def alarms(inputs: CoverageInput) -> Iterator[str]:
    """Flags about the law of methadone (21 CFR 1306.07)."""
    if inputs.product_class != METHADONE:
        return
    if any(bridge.kind == "prescribed" for bridge in inputs.in_hand):
        yield "methadone-rx-at-discharge"
    if sum(_dispensed(inputs).values()) > METHADONE_DAYS * DAY // schedule(inputs):
        yield "methadone-over-three-days"


def _dispensed(inputs: CoverageInput) -> Mapping[date | None, int]:
    """Doses that were dispensed, by the day from which on; strengths of one day are taken side by side."""
    found: dict[date | None, int] = {}
    for supply in (inputs.bridges, *inputs.beside):
        own: dict[date | None, int] = {}
        for bridge in supply:
            if bridge.kind == "dispensed":
                day = _start(inputs, bridge).astimezone(inputs.zone).date() if bridge.start is not None else None
                own[day] = own.get(day, 0) + size(bridge, schedule(inputs))
        for day, doses in own.items():
            found[day] = max(doses, found.get(day, 0))
    return found
