"""What two organisations that work together have agreed: a hospital and a partner, and how they meet about it.

It is no paper of the hub's (that is ``schemas.agreement``) and no permission: consent and law decide what may be shown,
and what is agreed here may only make it less.
"""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from schemas.base import Day, Model
from schemas.discharge import NeedKind, Priority, Text, Token

Line = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Address = Annotated[str, StringConstraints(pattern=r"^[^@\s<>]+@[^@\s<>]+$", max_length=254)]


class _Described(Model):
    """A shape whose keys are described in its JSON Schema."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class AgreedContact(_Described):
    """Whom the other side turns to."""

    role: Line
    """What for: ``intake``, ``privacy``, ``after hours``."""
    name: Line
    phone: Token
    email: Address | None = None
    """Told when the agreement must be looked at."""
    when: Line | None = None
    """When they are there: ``mon-fri 08:00-17:00``."""


class Commitment(_Described):
    """Something that one side gives the other."""

    what: Line
    owner: Line
    """Who sees to it: a role."""
    review_on: Day
    """When both look whether it is kept, and still wanted."""


class Side(_Described):
    """One of the two."""

    contacts: list[AgreedContact] = Field(min_length=1, max_length=32)
    gives: list[Commitment] = Field(default_factory=list, max_length=64)
    """What it gives the other."""


class AgreedDisclosure(_Described):
    """The most that is shown, whatever consent would permit; it never widens anything."""

    to_partner: Literal["packet", "offer", "nothing"] = "packet"
    """``offer``: only the minimum that identifies nobody."""
    to_hospital: Literal["packet", "nothing"] = "packet"
    """Of what the partner reports: ``nothing`` shows that a place was accepted, and in the end that it is closed."""


class WorkingAgreement(_Described):
    """One agreement between a hospital and a partner; a change is a new version of all of it."""

    hospital: Text
    """Its name, as its senders have it."""
    partner: Text
    """Its name, as its profile has it."""
    reference: Token
    """Number or name under which the two have filed it."""
    services: list[NeedKind] = Field(min_length=1)
    """Needs of which it speaks; of others nothing is agreed."""
    response_minutes: dict[Priority, Annotated[int, Field(gt=0, le=20_160)]] = Field(default_factory=dict)
    """Priority to the minutes, of the partner's own intake hours, within which it answers."""
    disclosure: AgreedDisclosure = Field(default_factory=AgreedDisclosure)
    from_hospital: Side
    from_partner: Side
    starts_on: Day
    """First day on which it holds."""
    ends_on: Day | None = None
    """First day on which it does not hold any more; none: no end."""
    review_on: Day
    """When the two look at all of it."""

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.ends_on is not None and self.ends_on <= self.starts_on:
            raise ValueError("ends_on: a day after starts_on")
        if self.hospital == self.partner:
            raise ValueError("hospital, partner: two organisations")
        return self

    def in_force(self, on: date) -> bool:
        """Whether it holds on a day."""
        return self.starts_on <= on and (self.ends_on is None or on < self.ends_on)

    def minutes_for(self, need: str, priority: Priority) -> int | None:
        """Within how many minutes the partner answers; None where nothing is agreed of that."""
        return self.response_minutes.get(priority) if need in self.services else None

    def looks(self) -> list[date]:
        """The days on which somebody must look at it, or at what one of them gives; the first first."""
        given = [one.review_on for side in (self.from_hospital, self.from_partner) for one in side.gives]
        return sorted([self.review_on, *given, *([self.ends_on] if self.ends_on else [])])

    def next_look(self, on: date) -> date:
        """The first of these days that is not over; the last one where all are."""
        days = self.looks()
        return next((day for day in days if day >= on), days[-1])


class Meeting(_Described):
    """One meeting of the two, as it stands in their log. No names: who was there is said by role."""

    on: Day
    attendees: list[Line] = Field(min_length=1, max_length=64)
    """By role: ``case manager, Mercy``."""
    topics: list[Line] = Field(min_length=1, max_length=64)
    decisions: list[Line] = Field(default_factory=list, max_length=64)
    next_on: Day | None = None
    """When they meet again."""

    @model_validator(mode="after")
    def _meets_again_later(self) -> Self:
        if self.next_on is not None and self.next_on <= self.on:
            raise ValueError("next_on: a day after on")
        return self
