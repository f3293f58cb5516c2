"""A hospital interface: how its messages are recognised, read and where its referrals go.

What stands under a key here is its description in ``/schemas/sender.json``; ``docs/senders.md`` has examples.
"""

from typing import Annotated, Final, Literal, NamedTuple, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, Field, StringConstraints, field_validator, model_validator

from schemas.base import Model, zone_names
from schemas.discharge import Coding, Disposition, NeedKind, Priority, Text, Token, VisitClass
from schemas.fallback import Fallback

UnitStatus = Literal["part2", "not-part2"]
_URI = r"^(urn:[a-z0-9][a-z0-9-]+:\S+|https?://\S+)$"
_MAX_ADDRESS: Final = 300
Part2 = Literal["all", "none", "listed"]
ResultMeaning = Literal["urine-drug-screen", "pregnancy", "qtc"]


class OrderClassMap(Model):
    """Where an order says whether it is inpatient or for the way home, and with which words."""

    model_config = ConfigDict(extra="allow", use_attribute_docstrings=True)

    field: str = "ORC-29.1"
    """Field, and component, where the word stands. Each other key is a word: ``inpatient`` or ``discharge``."""


class ConsentMap(Model):
    """What a consent form of the hospital says on paper, since CON has no field for it.

    To register a form is to declare that it states every element of 42 CFR 2.31(a), but for those in ``lacks``.
    """

    model_config = ConfigDict(use_attribute_docstrings=True)

    recipients: list[Text] = Field(default_factory=list)
    """Names of the organizations that may receive the record, the first choice first."""
    classes: list[Text] = Field(default_factory=list, max_length=16)
    """General designations as the form words them: ``my treating providers``."""
    both_directions: bool = False
    """The recipients may report back to the hospital."""
    purposes: list[Token] = Field(default_factory=list)
    """v3-ActReason codes; TREAT when empty."""
    form: Token | None = None
    """URI or number of the form; the code in CON-2 where it is not given."""
    lacks: list[Token] = Field(default_factory=list, max_length=16)
    """Elements of 42 CFR 2.31(a) that the form does not state: ``10``."""

    @model_validator(mode="after")
    def _names_somebody(self) -> Self:
        if not (self.recipients or self.classes):
            raise ValueError("a form names recipients or classes of them (42 CFR 2.31(a)(4))")
        return self


class SenderMaps(Model):
    """Site code to our code. What is not given takes the dialect's default; keys of other names are for people."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True, use_attribute_docstrings=True)

    class_: dict[str, VisitClass] = Field(default_factory=dict, alias="class")
    """Patient class (PV1-2) to the class of the visit; the letters of HL7 table 0004 are known."""
    disposition: dict[str, Disposition | Literal["not-a-discharge"]] = Field(default_factory=dict)
    """Discharge disposition (PV1-36) to where the person goes; UB-04 discharge status codes are known."""
    drug_systems: dict[str, Literal["rxnorm", "ndc", "local"]] = Field(default_factory=dict)
    """Name of a drug code system (RXE-2.3, RXE-2.6) to what it is; RXNORM, RXN and NDC are known."""
    local_drugs: dict[str, Coding] = Field(default_factory=dict)
    """Drug code of the hospital's own to its RxNorm code."""
    order_class: OrderClassMap | None = None
    """Where an order says whether it is inpatient or for the way home; ORC-29 with I and O where it is not given."""
    recurring_accounts: dict[str, list[str]] = Field(default_factory=dict)
    """Fields whose number is used for more than one visit, so that it finds none, with the patient classes (PV1-2 as
    sent) for which that holds; an empty list: for all. ``{"PID-18": ["R"]}``"""
    authorities: dict[str, Annotated[str, StringConstraints(pattern=_URI)]] = Field(default_factory=dict)
    """Name of an assigning authority (CX-4.1), or system of a FHIR identifier, to the URI that stands for it: two
    interfaces of one hospital that name it in two ways then speak of the same person and visit."""
    results: dict[str, ResultMeaning] = Field(default_factory=dict)
    """Local OBX-3 code to what it measures."""
    referral_needs: dict[str, NeedKind] = Field(default_factory=dict)
    """Code in RF1-3, RF1-5 or RF1-10 to the need that a REF^I12 asks for."""
    consents: dict[str, ConsentMap] = Field(default_factory=dict)
    """Code in CON-2 to what that form of the hospital permits."""
    days_supply: str | None = None
    """Field where days of supply stand besides TQ1-6, ORC-7.3 and RXE-1.3: ``ZOC-3``."""
    order_triggers: list[str] = Field(default_factory=list)
    """Message types that tell orders here, besides those that do everywhere: ``ORM^O01``."""
    dose_triggers: list[str] = Field(default_factory=list)
    """Message types that tell doses here."""
    dispense_triggers: list[str] = Field(default_factory=list)
    """Message types that tell supplies here."""

    @field_validator("local_drugs", mode="before")
    @classmethod
    def _text_is_display(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {
            code: {"display" if k == "text" else k: v for k, v in drug.items()} if isinstance(drug, dict) else drug
            for code, drug in value.items()
        }


class Answers(Model):
    """Where and how the hospital is told by HL7 v2 what became of its referrals; ``docs/answers.md`` has examples."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    to: str
    """Where it listens: ``mllps://host:port``, or ``mllp://host:port`` without TLS inside a network of its own."""
    message: Literal["MDM^T02", "ORU^R01"] = "MDM^T02"
    """What an answer is; to a referral that a REF^I12 asked for it is RRI^I12 all the same."""
    verbosity: Literal["all", "two"] = "all"
    """``two``: only "seen, first dose given" and "not seen, last covered day"."""
    needs: list[NeedKind] = Field(default_factory=list)
    """Needs of whose referrals it is told; empty: all."""
    application: Token | None = None
    """MSH-5; without it what the hospital's own messages have in MSH-3."""
    facility: Token | None = None
    """MSH-6; without it what the hospital's own messages have in MSH-4."""
    own_application: Token | None = None
    """MSH-3; without it what the hospital's own messages have in MSH-5."""
    own_facility: Token | None = None
    """MSH-4; without it what the hospital's own messages have in MSH-6."""
    version: Literal["2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8", "2.8.1", "2.8.2"] | None = (
        None
    )
    """MSH-12; without it that of the hospital's own messages."""
    charset: Literal["ASCII", "8859/1", "8859/2", "8859/15", "UNICODE UTF-8"] | None = None
    """MSH-18; without it the characters of the hospital's own messages."""
    connection: Literal["kept", "each"] = "kept"
    """``each``: a new connection for each message, for a receiver that reads no second one."""
    seconds: int = Field(default=30, ge=1, le=60)
    """How long an acknowledgement is waited for."""

    @field_validator("to")
    @classmethod
    def _has_a_place(cls, value: str) -> str:
        place_of(value)
        return value


class Place(NamedTuple):
    """A receiver of MLLP."""

    host: str
    port: int
    tls: bool


def place_of(address: str) -> Place:
    """The receiver that ``mllp://host:port`` or ``mllps://host:port`` names; ValueError where it is not one."""
    parts = urlsplit(address)
    written = address.isascii() and address.isprintable() and " " not in address and len(address) <= _MAX_ADDRESS
    alone = parts.path in {"", "/"} and not (parts.query or parts.fragment or parts.username or parts.password)
    if not (written and alone and parts.scheme in {"mllp", "mllps"} and parts.hostname and parts.port):
        raise ValueError("expected mllps://host:port or mllp://host:port, and nothing after it")
    return Place(parts.hostname, parts.port, parts.scheme == "mllps")


class SenderFile(Model):
    """The body of ``--file sender.json``; names that the command line also sets may stand in it."""

    model_config = ConfigDict(extra="ignore", use_attribute_docstrings=True)

    units: dict[str, UnitStatus] = Field(default_factory=dict)
    """Unit (PV1-3.1) to whether it is a Part 2 program; one that is not classified counts as one."""
    routes: dict[str, str] = Field(default_factory=dict)
    """Need to partner name."""
    mode: Literal["production", "test"] = "production"
    """``test`` takes messages that MSH-11 marks as a test (T, D) for real."""
    minimum_offer: Literal["when-asked", "at-once"] = "when-asked"
    """A partner to whom no consent permits the packet is told the minimum that identifies nobody: when the hospital
    asks for it by setting the source Task to requested, or at once. Without it the referral waits for the consent."""
    offers: Literal["automatic", "confirmed"] = "automatic"
    """When a partner declines or is silent the next is asked, or a person is told and confirms each (``confirmed``)."""
    answer_minutes: dict[Priority, Annotated[int, Field(gt=0, le=20_160)]] = Field(default_factory=dict)
    """Priority to the minutes, of a partner's intake hours, within which one that promises nothing is to answer;
    ``stat`` 60, ``asap`` 120, ``urgent`` 240 and ``routine`` 1440 where nothing is given."""
    outreach_minutes: int = Field(default=240, gt=0, le=20_160)
    """Minutes within which somebody tries to reach a person who did not come; sooner where the cover ends sooner."""
    ride_hours: float | None = Field(default=None, ge=0, le=72)
    """A ride must be found so many hours before the appointment that it is for; 4 where nothing is given."""
    need_days: dict[NeedKind, Annotated[float, Field(gt=0, le=365)]] = Field(default_factory=dict)
    """Need to the days after the discharge within which somebody is to have taken it; one that is not given has no
    time of its own. The medication has the coverage clock, and a ride its appointment."""
    fallbacks: list[Fallback] = Field(default_factory=list, max_length=16)
    """What the hospital offers itself when nobody has an intake before the cover ends, in its order."""
    control_id_reuse: Literal["accept", "quarantine"] = "accept"
    """What becomes of a message with the MSH-10 of an earlier one and other content."""
    ack: Literal["original", "enhanced", "always"] = "original"
    """HL7 acknowledgement mode; ``original`` does not look at MSH-15 and MSH-16."""
    stub_days: int = Field(default=7, ge=0, le=90)
    """Days after the end of a visit without signal until its stub's key is destroyed."""
    call_back: Token | None = None
    """Phone number at which the hospital's case manager is reached: it stands on cover sheets."""
    admission_hours: float = Field(default=4, ge=0, le=72)
    """An emergency visit whose end is followed by an admission within so many hours was none: the stay goes on."""
    bare_f11: Literal["review", "daily-list"] = "review"
    """An ended visit with an F11 diagnosis and no medication: a row to answer, or a line of the daily list."""
    zones: dict[str, str] = Field(default_factory=dict)
    """Facility (PV1-3.4, else MSH-4) to its time zone, where it is not ``timezone``."""
    maps: SenderMaps = SenderMaps()
    """What the hospital's own codes and fields mean."""
    answers: Answers | None = None
    """Where the hospital is told by HL7 v2 what became of its referrals; without it only FHIR tells."""

    @field_validator("need_days")
    @classmethod
    def _has_no_clock(cls, value: dict[NeedKind, float]) -> dict[NeedKind, float]:
        if not value.keys().isdisjoint({"moud-continuation", "transport"}):
            raise ValueError("the medication has the coverage clock, and a ride its appointment")
        return value

    @field_validator("zones")
    @classmethod
    def _zones_exist(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value.values():
            _must_exist(name)
        return value


def _must_exist(zone: str) -> None:
    if zone not in zone_names():
        raise ValueError("not an IANA time zone name, e.g. America/New_York")


class Sender(SenderFile):
    """One registered hospital interface."""

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    """Short name of the interface."""
    organization: str
    """FHIR id of the hospital's Organization; in a file, the hospital's name."""
    dialect: str
    """Which reader takes its messages: a folder of ``fhir_mappings/dialects``."""
    timezone: str
    """IANA zone of times without an offset."""
    match_msh: list[str] = Field(default_factory=list)
    """``APP|FACILITY`` pairs (MSH-3.1 and MSH-4.1)."""
    peers: list[str] = Field(default_factory=list)
    """CIDR blocks that may connect by MLLP as this sender."""
    part2: Part2 | None = None
    """``all`` or ``none`` of its units is a Part 2 program, or the ``listed`` ones; without it each is unknown."""
    part2_units: list[str] = Field(default_factory=list)
    """Units (PV1-3.1) that are Part 2 programs, besides those in ``units``."""

    @field_validator("timezone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        _must_exist(value)
        return value

    def zone(self, facility: str | None = None) -> ZoneInfo:
        """The zone that times without an offset are in, at a facility of this sender."""
        return ZoneInfo(self.zones.get(facility or "", self.timezone))

    def unit_status(self, unit: str | None) -> UnitStatus | Literal["unknown"]:
        """Whether a unit (PV1-3.1) is a Part 2 program; unknown counts as Part 2 (fail closed)."""
        if self.part2 == "all":
            return "part2"
        if unit is not None and unit in self.part2_units:
            return "part2"
        if unit is not None and unit in self.units:
            return self.units[unit]
        return "not-part2" if self.part2 == "none" else "unknown"
