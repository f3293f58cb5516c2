"""A community organisation that receives referrals, as its profile file describes it."""

from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, ConfigDict, Field, field_validator

from schemas.base import Day, Model, zone_names
from schemas.checklist import IntakeChecklist
from schemas.discharge import Address, NeedKind, Text, Token
from schemas.facets import Capacity, Facet, Facets
from schemas.hours import OpenHours, Weekday
from schemas.receiving import Receiving

PRODUCTS: Final = frozenset({"methadone", "buprenorphine", "naltrexone", "naloxone"})
"""What is known by the name that a list of products has for it."""


def _product(name: str) -> str:
    return name.strip().lower()


Product = Annotated[str, AfterValidator(_product)]


class ContactPerson(Model):
    """Whom a case manager may ask for by name."""

    name: Text
    role: Text | None = None
    phone: Token


class PartnerProfile(Receiving):
    """One partner; the name is its identity in profile files."""

    model_config = ConfigDict(extra="allow")

    name: str
    active: bool = True
    covered_entity: bool = False
    """A HIPAA covered entity (45 CFR 160.103)."""
    part2_program: bool = False
    """A Part 2 program (42 CFR 2.11)."""
    business_associate: bool = False
    medical: bool = False
    """Has medical personnel, who may be told in a medical emergency (42 CFR 2.51)."""
    needs: list[NeedKind] = Field(default_factory=list)
    products: list[Product] = Field(default_factory=list)
    """``methadone``, ``buprenorphine``, ``naltrexone``; empty = not said. What else stands there excludes nobody."""
    time_zone: str | None = None
    """IANA zone of its hours: ``America/New_York``."""
    phone: str | None = None
    intake_hours: list[OpenHours] | None = Field(default=None, max_length=64)
    """When a person may come for an intake: neither opening nor dosing hours. None: not said."""
    dosing_hours: list[OpenHours] | None = Field(default=None, max_length=64)
    """When somebody who is enrolled is given a dose. None: not said."""
    closed_on: list[Day] = Field(default_factory=list, max_length=400)
    """Local days on which neither holds: holidays, closures."""
    response_minutes: int | None = Field(default=None, gt=0, le=20_160)
    """Within how many minutes of its own intake hours it answers a request. None: not promised."""
    place_hours: int = Field(default=72, gt=0, le=720)
    """Hours for which it keeps the place of a person who did not come."""
    address: Address | None = None
    """Where people go."""
    contact: ContactPerson | None = None
    facets: Facets = Field(default_factory=dict)
    """Whom and what it takes: ``schemas.facets``. What is not here is unknown."""
    capacity: Capacity | None = None
    """Intakes left today; None or lapsed: unknown."""
    still_here_on: Weekday = "mon"
    """Weekday of its list of whom it has taken: it is asked once a week whether they came and are still in care."""
    intake_checklist: IntakeChecklist = Field(default_factory=list)
    """What its intake needs before a person comes; empty = not said."""

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, zone: str | None) -> str | None:
        if zone is not None and zone not in zone_names():
            raise ValueError("an IANA time zone, such as America/New_York")
        return zone

    @property
    def unread(self) -> list[str]:
        """Names of fields and products that nothing here reads; a slip of the pen, more often than not."""
        return [*sorted(self.model_extra or ()), *(f"products: {one}" for one in self.products if one not in PRODUCTS)]

    def said_at(self) -> list[datetime]:
        """When each of its words about itself was said."""
        capacity = [self.capacity.as_of] if self.capacity else []
        return [*(facet.attested_at for facet in self.facets.values() if facet.attested_at), *capacity]

    def full_until(self, now: datetime) -> datetime | None:
        """The end of its day, where it has said today that no intake is left; None where it has not."""
        capacity = self.capacity
        if capacity is None or capacity.left != "0" or not capacity.stands(now):
            return None
        zone = self.zone or UTC
        day = capacity.as_of.astimezone(zone).date()
        ends = datetime.combine(day + timedelta(days=1), time(), zone)
        return ends if ends > now else None

    def kept_from(self, before: "PartnerProfile | None") -> "PartnerProfile":
        """This profile with what of the one before is newer: each facet by itself, and the free places."""
        if before is None:
            return self
        newer = {name: facet for name, facet in before.facets.items() if _is_newer(facet, self.facets.get(name))}
        capacity = self.capacity
        if before.capacity and (capacity is None or before.capacity.as_of > capacity.as_of):
            capacity = before.capacity
        return self.model_copy(update={"facets": {**self.facets, **newer}, "capacity": capacity})

    @property
    def zone(self) -> ZoneInfo | None:
        """The zone of its hours; None where it is not said."""
        return ZoneInfo(self.time_zone) if self.time_zone else None


def _is_newer(facet: Facet, other: Facet | None) -> bool:
    """A word that nobody dated is older than any other."""
    if other is None or facet.attested_at is None or other.attested_at is None:
        return other is None or (other.attested_at is None and facet.attested_at is not None)
    return facet.attested_at > other.attested_at
