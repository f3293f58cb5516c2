"""What a FHIR date says: a range of microseconds since 1970-01-01T00:00:00Z.

A date without a zone is read as UTC: FHIR leaves that to the server (R4 search, 3.1.1.4.7).
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

OPEN_START = -(1 << 62)
OPEN_END = 1 << 62
"""Bounds of a Period without start or end; both fit a 64-bit column."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)
_SECOND = 1_000_000
_DAY = 86_400 * _SECOND
_TEXT = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d:\d\d)?)?)?)?", re.ASCII
)


def _micros(year: int, month: int, day: int) -> int:
    if year > 9999:
        return OPEN_END
    return (datetime(year, month, day, tzinfo=UTC) - _EPOCH) // _MICRO


def _day_range(year: int, month: str | None, day: str | None) -> tuple[int, int]:
    if month is None:
        return _micros(year, 1, 1), _micros(year + 1, 1, 1)
    number = int(month)
    if day is None:
        after = (year + 1, 1) if number == 12 else (year, number + 1)
        return _micros(year, number, 1), _micros(*after, 1)
    start = _micros(year, number, int(day))
    return start, start + _DAY


def _offset(zone: str | None) -> int:
    """Minutes east of UTC."""
    if zone is None or zone == "Z":
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[4:6])
    return minutes if zone[0] == "+" else -minutes


@lru_cache(maxsize=4096)
def date_range(text: str) -> tuple[int, int] | None:
    """First instant (inclusive) and end (exclusive) of a date, dateTime or instant; None where it is none.

    ``2026-06`` is the whole month, ``2026-06-05T14:00:00Z`` one second, ``…14:00:00.25Z`` ten milliseconds. Digits
    beyond microseconds are cut. Second 60 counts as the next minute. Also reads what search parameters may hold and
    resources may not: minutes without seconds, and times without a zone.
    """
    found = _TEXT.fullmatch(text)
    if not found:
        return None
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    try:
        start, end = _day_range(int(year), month, day)
    except ValueError:
        return None
    if hour is None:
        return start, end
    if int(hour) > 23 or int(minute) > 59 or int(second or 0) > 60:
        return None
    start += ((int(hour) * 60 + int(minute) - _offset(zone)) * 60 + int(second or 0)) * _SECOND
    if fraction is None:
        return start, start + (_SECOND if second else 60 * _SECOND)
    digits = fraction[:6]
    scale = 10 ** (6 - len(digits))
    start += int(digits) * scale
    return start, start + scale
