"""What every data shape shares: strict models and the two kinds of time that people send us.

No I/O. Standard library and pydantic only.
"""

from datetime import date, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, ValidationInfo


class Model(BaseModel):
    """A strict shape: unknown names are refused by name, values are not silently dropped."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True, hide_input_in_errors=True)


def zone_of(info: ValidationInfo) -> ZoneInfo | None:
    """The sender's time zone, passed as validation context ``{"zone": ZoneInfo}``."""
    zone = (info.context or {}).get("zone")
    return zone if isinstance(zone, ZoneInfo) else None


def _instant(value: object, info: ValidationInfo) -> datetime:
    if isinstance(value, str):
        if len(value) <= len("2026-06-05"):
            raise ValueError("expected an instant with date and time")
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        raise ValueError("expected an instant as text")  # noqa: TRY004 - pydantic wants ValueError
    if value.tzinfo is None:
        zone = zone_of(info)
        if zone is None:
            raise ValueError("time needs an offset, or a sender with a time zone")
        # An ambiguous hour takes fold=0, the earlier instant; a time that does not exist moves on.
        value = value.replace(tzinfo=zone)
        value = datetime.fromisoformat(value.isoformat())
    return value


def _when(value: object, info: ValidationInfo) -> date | datetime:
    if isinstance(value, str) and len(value) == len("2026-06-05"):
        return date.fromisoformat(value)
    if type(value) is date:
        return value
    return _instant(value, info)


def _day(value: object) -> date:
    if isinstance(value, str) and len(value) == len("2026-06-05"):
        return date.fromisoformat(value)
    # Pydantic alone would take a number for seconds since 1970: a birth date of another person.
    if type(value) is not date:
        raise ValueError("expected a date as text")
    return value


def _iso(value: date | datetime) -> str:
    return value.isoformat()


Instant = Annotated[datetime, BeforeValidator(_instant), PlainSerializer(_iso, return_type=str)]
"""A moment with offset. Text without offset takes the sender's zone, never UTC."""

When = Annotated[date | datetime, BeforeValidator(_when), PlainSerializer(_iso, return_type=str)]
"""A moment, or a day where only the day is known."""

Day = Annotated[date, BeforeValidator(_day), PlainSerializer(_iso, return_type=str)]
