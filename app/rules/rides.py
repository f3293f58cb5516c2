"""A ride and the appointment that it is for: which one, by when it must be found, how urgent it is. Pure.

The numbers are the hub's own, for want of a source: a ride must be found four hours before the appointment, and is
``asap`` within 24 hours of that moment, ``urgent`` within 72. ``stat`` is for medication alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from app.rules.reporting import appointment_of
from schemas.discharge import Priority

TRANSPORT: Final = "transport"
RIDE_HOURS: Final = 4
"""So long before the appointment a ride must be found, where the sender says nothing else."""
_FIRST: Final = "moud-continuation"
_KEPT: Final = frozenset({"booked", "pending", "arrived", "checked-in", "fulfilled"})
"""Appointment.status of one that holds, or was kept."""
_URGENCY: Final[tuple[tuple[timedelta, Priority], ...]] = (
    (timedelta(hours=24), "asap"),
    (timedelta(hours=72), "urgent"),
)


@dataclass(frozen=True, slots=True)
class Stated:
    """An appointment as somebody stated it.

    Attributes:
        at: when, or the day where only that is known.
        need: which need of the transition it is for; None where the hospital told of it, which does not say.
        partner: where it is; None where that is no partner, or not known.
    """

    at: datetime | date
    need: str | None = None
    partner: str | None = None


def last_said(outputs: Sequence[Any], appointments: Mapping[str, Any]) -> datetime | None:
    """The appointment that a partner's Task tells last; None where it tells none, or that one does not hold.

    Args:
        outputs: of the Task.
        appointments: the Appointments that outputs name, by id.
    """
    said = [found for one in outputs if (found := appointment_of(one)) is not None]
    if not said:
        return None
    kind, _, name = said[-1].partition("/")
    if kind != "Appointment":
        return _instant(said[-1])
    told = appointments.get(name, {})
    return _instant(told.get("start")) if told.get("status") in _KEPT else None


def _instant(text: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


def chosen(stated: Sequence[Stated]) -> Stated | None:
    """The appointment that the ride is for: that of the medication, else the earliest of those that are left."""
    return min(stated, key=lambda one: (one.need != _FIRST, one.need is None, _order(one.at)), default=None)


def _order(at: datetime | date) -> datetime:
    return at if isinstance(at, datetime) else datetime(at.year, at.month, at.day, tzinfo=UTC)


def priority(found_by: datetime, now: datetime) -> Priority:
    """How urgent it is that something is found by that moment."""
    left = found_by - now
    return next((level for threshold, level in _URGENCY if left <= threshold), "routine")
