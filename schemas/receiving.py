"""How an organisation wants to be told that it is asked, and the numbers that may be used for it."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from schemas.base import Day, Model

Way = Literal["poll", "subscribe", "push", "portal", "manual", "sms", "fax", "email"]
"""``manual``: a person of the hospital prints, and phones or faxes."""
E164 = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{6,14}$")]
"""A number of the telephone network with its country: ``+15550100199`` (ITU-T E.164)."""


class AttestedNumber(Model):
    """A number that somebody has vouched for: that it is the organisation's, and who reads what is sent there."""

    number: E164
    attested_by: str = Field(min_length=1, max_length=200)
    """Who of the organisation said so."""
    attested_at: Day


class Receiving(Model):
    """What a partner's profile says of how it is told."""

    receives_by: list[Way] = Field(default_factory=list, max_length=8)
    """Every way that is used. Polling works without being named."""
    sms: AttestedNumber | None = None
    """Told only that there is something new, and where to look."""
    fax: AttestedNumber | None = None
    """Sent a cover sheet, and the packet where consent permits it."""

    @model_validator(mode="after")
    def _has_its_numbers(self) -> Self:
        for way, number in (("sms", self.sms), ("fax", self.fax)):
            if way in self.receives_by and number is None:
                raise ValueError(f"receives_by {way} needs {way}: number, attested_by, attested_at")
        return self
