"""What the encrypted visit stub holds: the record of the visit and the referral that grew from it."""

from typing import Literal

from pydantic import Field

from schemas.base import Instant, Model
from schemas.facts import VisitRecord


class Held(Model):
    """One resource that intake wrote: its id, version, and a digest of its content."""

    id: str
    version: int
    digest: str


class Decided(Model):
    """The decision of consent that stands: its row, and what of it must change for there to be another one."""

    id: str
    level: Literal["nothing", "offer", "packet"]
    basis: str | None
    consent: str | None
    """FHIR id of the Consent that it stands on."""
    until: Instant | None
    notice: str | None
    codes: list[str]


class Child(Model):
    """What one partner was sent."""

    partner: str
    service_request: str
    task: str
    decided: Decided | None = None
    """What the partner may see."""
    back: Decided | None = None
    """What the hospital may see of what the partner reports."""


class NeedLink(Model):
    """The source ServiceRequest and Task of one need, and the children sent for it."""

    need: str
    service_request: str
    task: str
    children: list[Child] = Field(default_factory=list)


class ReferralLink(Model):
    """The referral of a visit: every source of one transition shares the group."""

    group: str
    needs: list[NeedLink] = Field(default_factory=list)
    """The sources that hold now."""
    former: list[NeedLink] = Field(default_factory=list)
    """Sources that ended before the visit did (a cancelled discharge)."""
    departed: bool = False
    """A partner was asked because the person had left, not because somebody offered early."""
    awaits_discharge: bool = False
    """A source was taken back; the next one opens when the visit ends."""
    resources: dict[str, Held] = Field(default_factory=dict)
    """``Type|logical key`` -> what was written."""


class VisitContent(Model):
    """What the sealed stub holds."""

    sender: str
    record: VisitRecord
    referral: ReferralLink | None = None
    numbers: list[str] = Field(default_factory=list)
    persons: list[str] = Field(default_factory=list)
