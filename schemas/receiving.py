"""How an organisation wants to be told that it is asked, and the numbers that may be used for it."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.base import Day, Model
from schemas.partner_server import PartnerServer

Way = Literal["poll", "subscribe", "push", "portal", "manual", "sms", "fax", "email"]
"""``manual``: a person of the hospital prints, and phones or faxes. ``push``: to its own FHIR server."""
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
    """How it learns of a referral, its first choice first; empty = not said. Polling works without being named."""
    sms: AttestedNumber | None = None
    """Told only that there is something new, and where to look. Without it a person does it."""
    fax: AttestedNumber | None = None
    """Sent a cover sheet, and the packet where consent permits it. Without it a person does it."""

    server: PartnerServer | None = None
    """Its own FHIR server. Without it a person does what ``push`` would do."""

    @property
    def pushes_to(self) -> PartnerServer | None:
        """The server that it wants to be told by; None where it doesn't."""
        return self.server if "push" in self.receives_by else None

    @property
    def by_hand(self) -> bool:
        """Whether somebody must tell it: it asks for that, or what a machine would need for it is not known."""
        needs = (("sms", self.sms), ("fax", self.fax), ("push", self.server))
        wanted = {"manual"} | {way for way, known in needs if known is None}
        return not wanted.isdisjoint(self.receives_by)
