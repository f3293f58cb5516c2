"""What an organisation says of whom and what it takes: facets of its profile, each attested and each with an end.

Every facet is worded so that ``yes`` opens the door and ``no`` closes it: "no-photo-id-required: no" asks for a photo
identification. ``unknown`` is not said, and so is what nobody stands behind any more. Which policies stop transitions,
and so which facets there are, is in the project's clinical facts, section 6.3.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import AfterValidator, Field, model_validator

from schemas.base import Day, Instant, Model
from schemas.discharge import Text, Token

Tri = Literal["yes", "no", "unknown"]
Detail = Literal["at_most", "from_age", "listed", "notice_hours", "next_day", "rems_certified"]
IntakesLeft = Literal["0", "1", "2+"]

CAPACITY_HOLDS: Final = timedelta(hours=24)
"""How long a word about free places counts where no end was given."""
ATTESTATION_HOLDS: Final = timedelta(days=365)
"""How long an attestation counts where who gives it names no end."""


class FacetKind(NamedTuple):
    """One facet: the question that is put to the organisation, and what a ``no`` or ``yes`` may state more exactly."""

    question: str
    details: frozenset[Detail] = frozenset()


def _kind(question: str, *details: Detail) -> FacetKind:
    return FacetKind(question, frozenset(details))


FACETS: Final[Mapping[str, FacetKind]] = {
    # Medication
    "methadone-onsite": _kind("Do you dose methadone for opioid use disorder on site?"),
    "buprenorphine-initiate": _kind("Do you start people on buprenorphine?"),
    "buprenorphine-continue": _kind("Do you take over people who are on buprenorphine already?"),
    "sublocade-onsite": _kind("Do you give Sublocade on site?", "rems_certified", "next_day"),
    "brixadi-onsite": _kind("Do you give Brixadi on site?", "rems_certified", "next_day"),
    "naltrexone-injection": _kind("Do you give extended-release naltrexone?", "next_day"),
    "prescribed-elsewhere": _kind("Do you take people whose medication is prescribed or dosed elsewhere?"),
    "no-taper-required": _kind("May people stay on their medication, without a taper?"),
    "any-dose": _kind("Do you take people whatever their dose? If not: up to which amount?", "at_most"),
    "split-dosing": _kind("Do you dose more than once a day?"),
    "guest-dosing": _kind("Do you dose guests of another program? How many hours of notice?", "notice_hours"),
    "take-home-doses": _kind("Do you give take-home doses to people who are new?"),
    "weekend-dosing": _kind("Do you dose on Saturdays and Sundays?"),
    "holiday-dosing": _kind("Do you dose on holidays?"),
    "dose-on-intake-day": _kind("Is the first dose given on the day of the intake?"),
    "walk-in": _kind("Can people come without an appointment?"),
    # Other substances
    "benzodiazepines": _kind("Do you take people who use benzodiazepines?"),
    "alcohol-risk": _kind("Do you take people at risk of alcohol withdrawal?"),
    "stimulants": _kind("Do you take people who use stimulants?"),
    "no-abstinence-required": _kind("Do you take people without a negative drug screen at entry?"),
    # Papers and payment
    "no-photo-id-required": _kind("Do you take people without a photo identification?"),
    "hospital-photo-letter": _kind("Do you accept a hospital's letter with a photo in place of one?"),
    "no-ecg-required": _kind("Do you take people without an ECG?"),
    "no-labs-required": _kind("Do you take people without laboratory results?"),
    "no-tb-test-required": _kind("Do you take people without a test for tuberculosis?"),
    "no-paperwork-required": _kind("Do you take people without further papers?"),
    "medicaid": _kind("Do you accept Medicaid?"),
    "medicare": _kind("Do you accept Medicare?"),
    "private-insurance": _kind("Do you accept private insurance?"),
    "uninsured": _kind("Do you take people without insurance?"),
    "no-fees": _kind("Is it free of charge for the person?"),
    "any-residency": _kind("Do you take people wherever they live? If not: of which states?", "listed"),
    # Who
    "pregnancy": _kind("Do you take pregnant people?"),
    "pregnancy-priority": _kind("Do pregnant people get a place first?"),
    "parenting": _kind("Can people bring their children?"),
    "women": _kind("Do you take women?"),
    "men": _kind("Do you take men?"),
    "gender-diverse": _kind("Do you take people who are neither women nor men, and say so?"),
    "every-age": _kind("Do you take people of every age? If not: from which age?", "from_age"),
    "couples": _kind("Can couples come together?"),
    "pets": _kind("Can people bring a pet?"),
    "criminal-record": _kind("Do you take people with a criminal record?"),
    "sexual-offence-record": _kind("Do you take people with a record of a sexual offence?"),
    "arson-record": _kind("Do you take people with a record of arson?"),
    # Health
    "wheelchair": _kind("Can people come who use a wheelchair or need help to move?"),
    "wounds-or-picc": _kind("Do you take people with wounds or a PICC line?"),
    "oxygen": _kind("Do you take people who use oxygen?"),
    "psychiatric-acuity": _kind("Do you take people with acute psychiatric needs?"),
    "naloxone-onsite": _kind("Is naloxone kept on site?"),
    # Getting there, and being understood
    "interpreter": _kind("Do you provide an interpreter?"),
    "languages": _kind("Do you speak other languages than English? Which?", "listed"),
    "deaf": _kind("Can deaf people communicate with you?"),
    "transport": _kind("Do you provide a way to get to you?"),
    "no-time-limit": _kind("Can people stay as long as they need?"),
}
"""Name of each facet that there is. A profile with any other is refused."""


class Amount(Model):
    """A charted amount, or the one that an organisation names as its limit. Compared, never computed with."""

    value: float = Field(gt=0, allow_inf_nan=False)
    unit: Token


class Facet(Model):
    """One answer of an organisation about itself."""

    value: Tri
    condition: Text | None = None
    """What it hangs on, in the organisation's own words: then a person must judge."""
    attested_by: Text | None = None
    """Who said so: a name or an office, never a person who is referred."""
    attested_at: Instant | None = None
    expires: Day | None = None
    """First day, in the organisation's zone, on which it does not count any more."""
    at_most: Amount | None = None
    from_age: int | None = Field(default=None, ge=0, le=120)
    listed: list[Token] = Field(default_factory=list, max_length=64)
    """States as two letters, or languages as BCP 47 tags."""
    notice_hours: int | None = Field(default=None, ge=0, le=720)
    next_day: Day | None = None
    """The next day on which injections are given."""
    rems_certified: bool | None = None

    @model_validator(mode="after")
    def _attested(self) -> "Facet":
        if self.value == "unknown":
            return self
        if self.attested_by is None or self.attested_at is None or self.expires is None:
            raise ValueError("yes and no need attested_by, attested_at and expires")
        if self.expires <= self.attested_at.date():
            raise ValueError("expires: a day after attested_at")
        return self

    @property
    def details(self) -> frozenset[str]:
        """Which details it states."""
        return frozenset(name for name in _DETAILS if getattr(self, name) not in (None, []))

    def stands(self, on: date) -> bool:
        """Whether it says something that still counts on a local day of the organisation."""
        return self.value != "unknown" and self.expires is not None and on < self.expires


_DETAILS: Final = ("at_most", "from_age", "listed", "notice_hours", "next_day", "rems_certified")


def _known(facets: dict[str, Facet]) -> dict[str, Facet]:
    for name, facet in facets.items():
        if name not in FACETS:
            raise ValueError(f"unknown clause {name!r}; docs/matching.md lists those that there are")
        odd = facet.details - FACETS[name].details
        if odd:
            raise ValueError(f"{name}: {', '.join(sorted(odd))} says nothing about this clause")
    return facets


Facets = Annotated[dict[str, Facet], AfterValidator(_known)]
"""Name of a facet to what is said; a name that nobody knows is refused by name."""


class Capacity(Model):
    """How many intakes are left on the day on which it was said."""

    left: IntakesLeft
    as_of: Instant
    source: Text
    """Who said so, or by which answer."""
    expires: Instant | None = None
    """None: 24 hours after ``as_of``."""

    @property
    def until(self) -> datetime:
        """From when on it counts as unknown."""
        return self.expires or self.as_of + CAPACITY_HOLDS

    def stands(self, at: datetime) -> bool:
        """Whether it counts at that moment."""
        return at < self.until
