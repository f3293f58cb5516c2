"""DischargeEvent: the one canonical, source-free fact.

"This person leaves or left, on this medication, needing this." Hospitals may send it as JSON
(``/ingest/events``); every other dialect is translated into it.
"""

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints, model_validator

from schemas.base import Day, Instant, Model, When

Text = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
Token = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Unknown = Literal["unknown"]
Kind = Literal["expected-discharge", "discharge", "update", "cancel-discharge", "cancel-visit"]
Sex = Literal["male", "female", "other", "unknown"]
VisitClass = Literal["IMP", "EMER", "OBSENC", "AMB"]
Disposition = Literal[
    "home", "alt-home", "other-hcf", "hosp", "long", "aadvice", "exp", "psy", "rehab", "snf", "oth", "custody"
]
"""FHIR discharge-disposition, plus ``custody`` (court or law enforcement), a decision for a human."""
NeedKind = Literal[
    "moud-continuation",
    "peer-support",
    "recovery-housing",
    "mental-health",
    "primary-care",
    "hcv-hiv",
    "harm-reduction",
    "naloxone",
    "transport",
    "identification",
    "phone",
    "guest-order",
]
MOUD: Final[NeedKind] = "moud-continuation"
Priority = Literal["routine", "urgent", "asap", "stat"]
"""FHIR request-priority."""
Continuation = Literal["new-intake", "return-to-current-otp", "guest-dosing", "notice-only"]
BridgeKind = Literal["dispensed", "prescribed", "take-home", "own-supply"]
Filled = Literal["yes", "no", "unknown"]
Interval = Annotated[
    str,
    StringConstraints(
        pattern=r"^P(?:\d{1,3}W|\d{1,4}D(?:T\d{1,4}H)?|T\d{1,4}H(?:\d{1,4}M)?|T\d{1,5}M)$", max_length=24
    ),
]
"""An ISO 8601 duration: ``PT24H``, ``PT12H``, ``P7D``, ``P28D``."""


class Identifier(Model):
    """An identifier with the authority that assigned it."""

    system: Token
    value: Token
    type: Token | None = None
    """v2-0203 code where known: MR, VN, AN, ..."""


class Coding(Model):
    """A code as received; ``display`` is the sender's text."""

    system: Token | None = None
    code: Token
    display: Text | None = None


class Name(Model):
    """A person's name."""

    family: Text | None = None
    given: list[Text] = Field(default_factory=list)
    text: Text | None = None


class Address(Model):
    """A postal address as sent; nothing is invented."""

    lines: list[Text] = Field(default_factory=list)
    city: Text | None = None
    state: Text | None = None
    postal_code: Text | None = None
    country: Text | None = None


class Patient(Model):
    """The person who leaves."""

    identifiers: list[Identifier] = Field(default_factory=list, max_length=64)
    name: Name | None = None
    birth_date: Day | None = None
    sex: Sex | None = None
    phones: list[Token] = Field(default_factory=list)
    address: Address | None = None
    language: Token | None = None
    interpreter: bool | None = None
    homeless: bool | None = None


class Contact(Model):
    """How the person can be reached, and what may be said there."""

    what: Token
    where: Text | None = None
    name: Text | None = None
    phone: Token | None = None
    permission: bool | None = None
    safe_to_leave_message: bool | None = None
    best_time: Text | None = None


class Clinician(Model):
    """A named clinician; the identifier is an NPI where the system says so."""

    identifier: Identifier | None = None
    name: Name | None = None
    phone: Token | None = None


class VisitDetails(Model):
    """The stay that ends."""

    identifiers: list[Identifier] = Field(default_factory=list, max_length=64)
    class_: VisitClass | None = Field(default=None, alias="class")
    admitted_at: When | None = None
    expected_discharge_at: When | None = None
    discharged_at: When | None = None
    unit: Token | None = None
    disposition: Disposition | None = None
    destination: Text | None = None
    attending: Clinician | None = None


class Diagnosis(Coding):
    """A diagnosis of this visit."""

    rank: int | None = None
    recorded_at: When | None = None


class Product(Coding):
    """A drug product; ``alternates`` are further codes sent for the same product, as received."""

    alternates: list[Coding] = Field(default_factory=list)


class Schedule(Model):
    """How often: ``PT24H`` daily, ``PT12H`` split, ``P28D`` monthly."""

    interval: Interval | None = None


class Dose(Model):
    """One dose that was given, or was held or refused (``held``: not a dose)."""

    at: When
    amount: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    unit: Token | None = None
    route: Text | None = None
    observed: bool | None = None
    held: bool = False
    given_by: Text | None = None
    verified_by: Text | None = None
    call_back: Token | None = None


class Bridge(Model):
    """What the person has in hand for the days after: ``days`` or ``doses``, never quantities."""

    kind: BridgeKind
    days: int | None = Field(default=None, ge=0, le=366)
    doses: int | None = Field(default=None, ge=0, le=1464)
    start: When | None = None
    filled: Filled = "unknown"


class Medication(Model):
    """One product with its doses and bridges."""

    product: Product
    schedule: Schedule | None = None
    doses: list[Dose] = Field(default_factory=list, max_length=1000)
    bridges: list[Bridge] = Field(default_factory=list, max_length=100)
    next_due_ordered: When | None = None
    dose_number: int | None = Field(default=None, ge=1)


class DrugScreen(Model):
    """One urine drug screen result."""

    code: Token | None = None
    system: Token | None = None
    display: Text | None = None
    result: Text | None = None
    at: When | None = None


class Clinical(Model):
    """Circumstances that partners' policies ask for; each may be ``unknown``."""

    pregnant: bool | Unknown | None = None
    overdose_this_visit: bool | Unknown | None = None
    benzodiazepines: bool | Unknown | None = None
    alcohol: bool | Unknown | None = None
    stimulants: bool | Unknown | None = None
    qtc_ms: Annotated[int, Field(gt=0, lt=2000)] | Unknown | None = None
    urine_drug_screen: list[DrugScreen] | Unknown = Field(default_factory=list)
    wounds_or_picc: bool | Unknown | None = None
    psychiatric_acuity: Text | None = None
    mobility: Text | None = None


class Coverage(Model):
    """Insurance as sent."""

    payer: Text
    member_id: Token | None = None
    plan: Text | None = None
    type: Token | None = None


class Otp(Model):
    """The opioid treatment program where the person is enrolled now."""

    name: Text
    phone: Token | None = None
    contacted_at: When | None = None
    dose_confirmed: bool | None = None


class Need(Model):
    """One thing that the person needs from the community."""

    kind: NeedKind
    priority: Priority | None = None
    patient_choice: list[Text] = Field(default_factory=list)
    identifier: Identifier | None = None
    """The hospital's own number of the request, where it has one."""


class ConsentGiven(Model):
    """A written consent as the hospital reports it (42 CFR 2.31)."""

    identifier: Token | None = None
    status: Literal["active", "inactive", "draft", "rejected", "entered-in-error"] = "active"
    patient: list[Identifier] = Field(default_factory=list, max_length=16)
    """Whose consent it is, where that is said (2.31(a)(1)); one of somebody else permits nothing."""
    disclosers: list[Text] = Field(default_factory=list, max_length=64)
    """Names of the organisations that may disclose (2.31(a)(2)); the hospital when empty."""
    information: Text | None = None
    """What may be disclosed, where that is said here and not on the form (2.31(a)(3))."""
    recipients: list[Text] = Field(default_factory=list)
    """Names of the organisations that may receive the record (2.31(a)(4)), the patient's first choice first."""
    classes: list[Text] = Field(default_factory=list, max_length=16)
    """General designations of recipients as the form words them: ``my treating providers``."""
    not_recipients: list[Text] = Field(default_factory=list)
    """Names of the organisations that the patient excluded: they beat every permit."""
    both_directions: bool = False
    """The recipients may report back to those who disclose to them."""
    purposes: list[Token] = Field(default_factory=list)
    """v3-ActReason codes (2.31(a)(5)); TREAT when empty."""
    signed_at: When | None = None
    """Date of signature (2.31(a)(9))."""
    signed_by: Literal["patient", "representative"] | None = None
    """Who signed (2.31(a)(8)), where that is said here and not on the form."""
    expires_at: When | None = None
    """2.31(a)(7); where there is no date, the form says the event, or that there is none."""
    form: Token | None = None
    """The form that was signed: its URI or number. It states what is not said here, the right to revoke (2.31(a)(6))
    and what becomes of the record (2.31(a)(4)(iii), (10)) among it."""
    lacks: list[Token] = Field(default_factory=list, max_length=16)
    """Elements that are known to be missing from the signed form: ``6``, ``10``."""
    document_hash: Token | None = None
    """SHA-256 of the signed document, in hexadecimal digits."""


class Appointment(Model):
    """The next appointment that was booked."""

    at: When
    where: Text | None = None
    phone: Token | None = None


class GuestDosing(Model):
    """Doses at a clinic where the person is not enrolled; their own program is ``current_otp``."""

    first_day: Day
    """First day, where the clinic is, on which it is to dose."""
    last_day: Day
    """Last such day: on the day after, the person's own program doses again."""
    order_received: bool | Unknown | None = None
    """Whether the order of the person's own program has reached the clinic."""

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> "GuestDosing":
        if self.last_day < self.first_day:
            raise ValueError("last_day: not before first_day")
        return self


class Circumstances(Model):
    """Everything about the person's way out that is neither identity, stay, diagnosis nor drug."""

    contacts: list[Contact] = Field(default_factory=list, max_length=64)
    naloxone_given: bool | Unknown | None = None
    supplies_given: list[Text] = Field(default_factory=list)
    allergies: list[Coding] = Field(default_factory=list, max_length=200)
    clinical: Clinical = Field(default_factory=Clinical)
    photo_id: bool | Unknown | None = None
    coverage: list[Coverage] = Field(default_factory=list, max_length=32)
    current_otp: Otp | None = None
    needs: list[Need] = Field(default_factory=list, max_length=32)
    continuation: Continuation | None = None
    guest_dosing: GuestDosing | None = None
    """From when to when, where ``continuation`` is ``guest-dosing``."""
    consents: list[ConsentGiven] = Field(default_factory=list)
    next_appointment: Appointment | None = None


class DischargeEvent(Circumstances):
    """One discharge, expected discharge, change or cancellation, whatever its source."""

    schema_version: Literal["1"]
    event_id: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,200}$")]
    kind: Kind
    test: bool = False
    occurred_at: Instant
    patient: Patient
    visit: VisitDetails
    diagnoses: list[Diagnosis] = Field(default_factory=list, max_length=500)
    medications: list[Medication] = Field(default_factory=list, max_length=200)
