"""A community organisation that receives referrals, as its profile file describes it."""

from pydantic import ConfigDict, Field

from schemas.base import Model
from schemas.discharge import NeedKind


class PartnerProfile(Model):
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
    products: list[str] = Field(default_factory=list)
    """``methadone``, ``buprenorphine``, ``naltrexone``; empty = not said."""
    time_zone: str | None = None
    phone: str | None = None
