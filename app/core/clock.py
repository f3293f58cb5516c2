"""The only place that reads the time.

Instants are whole microseconds since 1970-01-01T00:00:00Z wherever they are stored, so that both
databases order and compare them alike; ``iso`` renders them as FHIR instants with six digits.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Clock:
    """Now, or now shifted by ``offset_us`` (a sandbox that replays an old day)."""

    offset_us: int = 0

    @classmethod
    def starting_at(cls, instant: datetime | None) -> "Clock":
        """A clock that shows ``instant`` at this moment and runs on; None = the real time."""
        return cls(0 if instant is None else micros(instant) - time.time_ns() // 1000)

    def now_us(self) -> int:
        """Microseconds since the epoch."""
        return time.time_ns() // 1000 + self.offset_us

    def now(self) -> datetime:
        """The present moment, UTC."""
        return from_micros(self.now_us())


def monotonic() -> float:
    """Seconds of a clock that never jumps; for durations only."""
    return time.monotonic()


def micros(instant: datetime) -> int:
    """An aware datetime as microseconds since the epoch."""
    return (instant - _EPOCH) // _MICRO


def from_micros(value: int) -> datetime:
    """Microseconds since the epoch as UTC datetime."""
    return _EPOCH + timedelta(microseconds=value)


def in_calendar(value: int) -> datetime | None:
    """The same of what somebody sent: None where the calendar does not reach."""
    try:
        return from_micros(value)
    except OverflowError:
        return None


def to_the_minute(instant: datetime) -> datetime:
    """The next whole minute, or this one: people read minutes, and no second is taken away from them."""
    return instant.replace(second=0, microsecond=0) + (timedelta(minutes=1) if instant.second else timedelta())


def iso(value: int) -> str:
    """FHIR instant with six fractional digits: ``2026-06-08T14:20:00.000123Z``."""
    seconds, fraction = divmod(value, 1_000_000)
    return f"{_second(seconds)}.{fraction:06d}Z"


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
