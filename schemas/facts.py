"""What one message says, and what many messages together say, about one visit.

A dialect reads bytes into ``Facts``; ``fhir_mappings.visit`` merges them, in any order, into the
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
    "discharge",
    "update",
    "cancel-discharge",
    "cancel-visit",
    "order",
    "dose",
    "supply",
    "merge",
    "expected-discharge",
    "other",
]


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
    interval: str | None = None
    order: str | None = None
    """Key of the order under which it was given, where the message says."""


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


class Facts(Model):
    """What one message says about one visit."""

    trigger: str
    """``ADT^A03``, ``RDE^O11``, ``event`` ..."""
    kind: FactKind
    at: Instant
    """The time of the fact itself: EVN-2, else MSH-7; ``occurred_at`` of an event."""
    test: bool = False
    patient: Patient | None = None
    merged_identifiers: list[Identifier] = Field(default_factory=list)
    """MRG: identifiers that no longer stand for this person."""
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
    identifiers: dict[str, Identifier] = Field(default_factory=dict)
    """Every patient identifier that was ever stated for this visit, by ``system|value``."""
    former_identifiers: list[Identifier] = Field(default_factory=list)
    visit: VisitDetails = Field(default_factory=VisitDetails)
    visit_at: Instant | None = None
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
    unhandled_signal: bool = False
    """A trigger that is not handled carried a signal: a human must look."""
    stamps: dict[str, int] = Field(default_factory=dict)
    """When each field was last stated (event time, not arrival), so that facts merge alike in any order."""


NOTHING_KNOWN: Final = VisitRecord()
"""Built once: its nested defaults cost more than a merge. Records are never changed in place."""
