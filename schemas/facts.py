"""What one message says, and what many messages together say, about one visit.

A dialect reads bytes into ``Facts``; ``fhir_mappings.visits.visit`` merges them, in any order, into the
``VisitRecord``, from which the ``DischargeEvent`` is drawn. The record is what the encrypted visit
stub holds.
"""

from typing import Final, Literal

from pydantic import Field

from schemas.base import Instant, Model, When
from schemas.discharge import (
    Circumstances,
    Diagnosis,
    Dose,
    Identifier,
    Patient,
    Product,
    VisitDetails,
)

FactKind = Literal[
    "admit",
    "pre-admit",
    "transfer",
    "class-change",
    "discharge",
    "update",
    "cancel-discharge",
    "cancel-visit",
    "expected-discharge",
    "cancel-expected",
    "order",
    "dose",
    "supply",
    "result",
    "referral",
    "cancel-referral",
    "person",
    "merge",
    "move",
    "unlink",
    "other",
]
"""What a message is about.

    pre-admit        the person is not here yet (A05, A14)
    transfer         another unit, or back to the one before (A02, A12)
    class-change     outpatient to inpatient or back (A06, A07): the same stay goes on
    cancel-expected  an announced discharge is off (A25)
    referral         a clinician asks for the referral by name (REF^I12, I13); cancel-referral takes it back (I14)
    result           observations (ORU^R01)
    person           who somebody is, whatever the visit (A28, A31)
    merge            numbers that turned out to be the same person, account or visit (A18 A34 A35 A40 A41 A42 A47 A50)
    move             an account or visit that was another person's (A44, A45)
    unlink           two persons that were taken for one (A37): for a human
"""


class Order(Model):
    """One medication order (ORC + RXE/RXO). Evidence of treatment, never of supply by itself."""

    key: str
    """Placer order number with its authority; the identity of the order."""
    product: Product
    at: Instant
    """When this fact was stated (ORC-9, else the message's event time)."""
    withdrawn: bool = False
    """ORC-1 CA, DC, OC or OD."""
    discharge: bool = False
    """A prescription to take home, not an inpatient order."""
    interval: str | None = None
    amount: float | None = None
    unit: str | None = None
    route: str | None = None
    prescriber: str | None = None
    prescriber_id: str | None = None
    days: int | None = None
    doses: int | None = None
    start: When | None = None
    next_due_ordered: When | None = None
    dose_number: int | None = None


class GivenDose(Dose):
    """One charted administration (RXA)."""

    key: str
    """Order, product and start time: the identity of the charted dose."""
    product: Product
    charted_at: Instant
    outcome: Literal["complete", "partial", "refused", "not-given"] = "complete"
    """RXA-20 CP, PA, RE, NA."""
    deleted: bool = False
    """RXA-21 D: charted in error."""
    updates: bool = False
    """RXA-21 U: says anew what was charted before."""
    interval: str | None = None
    order: str | None = None
    """Key of the order under which it was given, where the message says."""
    source: str | None = None
    """Interface and kind of message that told it: ``mercy-adt|hl7v2``."""


class Supply(Model):
    """Medication handed over for the way home (RXD)."""

    key: str
    product: Product
    at: Instant
    order: str | None = None
    """Key of the order that it fills; without it, ``key`` equal to an order's key says the same."""
    withdrawn: bool = False
    """The dispense was cancelled: it is no supply."""
    days: int | None = None
    doses: int | None = None
    interval: str | None = None
    start: When | None = None
    kind: Literal["dispensed", "prescribed", "take-home", "own-supply"] = "dispensed"
    filled: Literal["yes", "no", "unknown"] = "unknown"


class PickUp(Model):
    """The hospital's one answer: whether the prescription to take home was filled."""

    filled: Literal["yes", "no"]
    at: Instant
    """Of a prescription that was stated later it says nothing."""
    by: str
    """Who said it."""


class DosesMeanwhile(Model):
    """Who gives the doses while the person is where nobody of the referral does."""

    who: str
    at: Instant
    by: str


class Facts(Model):
    """What one message says about one visit."""

    trigger: str
    """``ADT^A03``, ``RDE^O11``, ``event`` ..."""
    kind: FactKind
    at: Instant
    """The time of the fact itself: EVN-2, else MSH-7; ``occurred_at`` of an event."""
    test: bool = False
    patient: Patient | None = None
    died: bool | None = None
    """Whether the person has died, wherever that was (PID-30, PID-29, Patient.deceased[x]); None: it is not said."""
    merged_identifiers: list[Identifier] = Field(default_factory=list)
    """MRG-1, MRG-4: identifiers that no longer stand for this person; of a ``move``, those of the other person."""
    merged_visits: list[Identifier] = Field(default_factory=list)
    """MRG-3, MRG-5: visit and account numbers that no longer stand for this visit."""
    facility: str | None = None
    """PV1-3.4, else MSH-4: where the unit is; decides the time zone where the sender's file names several."""
    visit: VisitDetails | None = None
    visit_status_ended: bool | None = None
    diagnoses: list[Diagnosis] = Field(default_factory=list)
    removed_diagnoses: list[Diagnosis] = Field(default_factory=list)
    orders: list[Order] = Field(default_factory=list)
    doses: list[GivenDose] = Field(default_factory=list)
    supplies: list[Supply] = Field(default_factory=list)
    circumstances: Circumstances | None = None
    handled: bool = True
    """False when the trigger is not one that this dialect reads; its segments are still triaged."""


class VisitRecord(Model):
    """All that is known of one visit: the merge of its facts, whatever their order of arrival."""

    test: bool = False
    """Some fact of it was marked as a test."""
    patient: Patient = Field(default_factory=Patient)
    """``identifiers`` are the current ones: of each authority those of the newest message, without merged ones."""
    patient_at: Instant | None = None
    died: bool = False
    """The person has died, in this stay or after it."""
    identifiers: dict[str, Identifier] = Field(default_factory=dict)
    """Every patient identifier that was ever stated for this visit, by ``system|value``."""
    former_identifiers: list[Identifier] = Field(default_factory=list)
    visit: VisitDetails = Field(default_factory=VisitDetails)
    visit_at: Instant | None = None
    facility: str | None = None
    former_visits: list[Identifier] = Field(default_factory=list)
    """Visit and account numbers that still find this visit, but no longer stand for it: merged ones (MRG-3, MRG-5)."""
    earlier_visits: list[Identifier] = Field(default_factory=list)
    """Numbers of the emergency visit that this stay began with. What comes under them tells of the person and of
    drugs, no longer of the course of the stay."""
    came_at: Instant | None = None
    """When the person came to the emergency department, where the stay began there."""
    ended_at: Instant | None = None
    """Event time of the discharge that holds now; None while the visit is open."""
    discharge_fact_at: Instant | None = None
    """Event time of the newest discharge or cancel-discharge fact."""
    cancelled: bool = False
    """The whole visit was cancelled (A11)."""
    diagnoses: dict[str, Diagnosis] = Field(default_factory=dict)
    orders: dict[str, Order] = Field(default_factory=dict)
    doses: dict[str, GivenDose] = Field(default_factory=dict)
    supplies: dict[str, Supply] = Field(default_factory=dict)
    circumstances: Circumstances = Field(default_factory=Circumstances)
    circumstances_at: Instant | None = None
    asked_for: bool = False
    """A clinician asked for the referral by name (REF^I12) and has not taken it back."""
    answer: Literal["refer", "not-ours"] | None = None
    """What a person said of it in the review queue."""
    pick_up: PickUp | None = None
    doses_meanwhile: DosesMeanwhile | None = None
    unlinked: bool = False
    """Two persons were taken for one (A37): a human must look."""
    unhandled_signal: bool = False
    """A trigger that is not handled carried a signal: a human must look."""
    stamps: dict[str, int] = Field(default_factory=dict)
    """When each field was last stated (event time, not arrival), so that facts merge alike in any order."""


NOTHING_KNOWN: Final = VisitRecord()
"""Built once: its nested defaults cost more than a merge. Records are never changed in place."""
