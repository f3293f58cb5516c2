"""Hours of a week in a time zone: whether somebody is there, when next, and when so much of that time has passed.

An opening or closing time that a change of the clocks repeats is the earlier one; one that it skips moves on by the
hour that is skipped. Days that are closed (holidays) are local days. Pure.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from schemas.hours import WEEKDAYS, OpenHours, minutes

_DAY: Final = timedelta(days=1)
_HORIZON: Final = 400
"""Days that are looked through: whoever does not open within them does not open."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """When an organisation is there.

    Attributes:
        zone: of its walls.
        weekly: day of the week (Monday 0) to its hours in minutes since midnight, in order, without overlap.
        closed: local days without any.
    """

    zone: ZoneInfo
    weekly: Mapping[int, Sequence[tuple[int, int]]]
    closed: frozenset[date] = frozenset()

    @classmethod
    def of(cls, hours: Iterable[OpenHours], zone: ZoneInfo, closed: Iterable[date] = ()) -> "Calendar":
        """The calendar that entries of a profile come to; entries that overlap count once."""
        spans: dict[int, list[tuple[int, int]]] = {}
        for entry in hours:
            for day in entry.days:
                spans.setdefault(WEEKDAYS.index(day), []).append((minutes(entry.opens), minutes(entry.closes)))
        return cls(zone, {day: _merged(found) for day, found in spans.items()}, frozenset(closed))

    def open_between(self, start: datetime, end: datetime) -> bool:
        """Whether there is any open time in the half-open [start, end)."""
        first = next(self.spans(start), None)
        return first is not None and first[0] < end

    def open_at(self, at: datetime) -> bool:
        """Whether it is open at that moment."""
        first = next(self.spans(at), None)
        return first is not None and first[0] <= at

    def next_open(self, at: datetime) -> datetime | None:
        """The first open moment at or after ``at``, UTC; None where there is none in a year."""
        first = next(self.spans(at), None)
        return None if first is None else first[0]

    def after(self, start: datetime, duration: timedelta) -> datetime | None:
        """When ``duration`` of open time has passed since ``start``, UTC; None where it does not within a year."""
        left = duration
        for opens, closes in self.spans(start):
            if closes - opens >= left:
                return opens + left
            left -= closes - opens
        return None

    def spans(self, since: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Open times from ``since`` on, each (opens, closes) in UTC; the first is cut where ``since`` lies in it."""
        if not MINYEAR < since.year < MAXYEAR:
            return  # where the calendar ends nobody is open
        since = since.astimezone(UTC)
        first = since.astimezone(self.zone).date() - _DAY
        for day in (first + n * _DAY for n in range(min(_HORIZON, (date.max - first).days - 1))):
            if day in self.closed:
                continue
            for opens, closes in self.weekly.get(day.weekday(), ()):
                begin, end = max(self._at(day, opens), since), self._at(day, closes)
                if begin < end:
                    yield begin, end

    def _at(self, day: date, minute: int) -> datetime:
        return (datetime.combine(day, time(), self.zone) + timedelta(minutes=minute)).astimezone(UTC)


def _merged(spans: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    found: list[tuple[int, int]] = []
    for opens, closes in sorted(spans):
        if found and opens <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], closes))
        else:
            found.append((opens, closes))
    return tuple(found)
