"""Local hours of a week, as an organisation states them."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from schemas.base import Model

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
LocalTime = Annotated[str, StringConstraints(pattern=r"^(?:(?:[01]\d|2[0-3]):[0-5]\d|24:00)$")]
"""A time on the wall clock: ``06:30``; ``24:00`` is the midnight that ends the day."""

WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""In the order of ``datetime.weekday``."""


class OpenHours(Model):
    """The same hours on some days of the week. Hours past midnight are two entries."""

    days: list[Weekday] = Field(min_length=1, max_length=7)
    opens: LocalTime
    closes: LocalTime

    @model_validator(mode="after")
    def _closes_after_it_opens(self) -> "OpenHours":
        if self.closes <= self.opens:
            raise ValueError("closes: later than opens; hours past midnight are two entries")
        return self


def minutes(at: LocalTime) -> int:
    """Minutes since the midnight that begins the day."""
    hours, _, rest = at.partition(":")
    return int(hours) * 60 + int(rest)
