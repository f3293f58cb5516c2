"""Visit assembly: the record of a visit as one canonical event.

``merge`` (from ``visit_merge``) adds the facts of messages, in any order, to the record; ``as_event`` draws
the ``DischargeEvent`` from it; ``identity`` gives the keys by which a message finds its visit.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any, Final

from fhir_mappings import triage
from fhir_mappings.visits import visit_doses
from fhir_mappings.visits.visit_consents import of_person
from fhir_mappings.visits.visit_doses import interval_hours
from fhir_mappings.visits.visit_identity import Identity, identity, key_of
from fhir_mappings.visits.visit_merge import ADMISSION, earliest, merge
from fhir_mappings.visits.visit_step import micros
from schemas.codes import tables
from schemas.discharge import (
    Bridge,
    Diagnosis,
    DischargeEvent,
    Dose,
    Filled,
    Kind,
    Medication,
    Need,
    Patient,
    Product,
    Schedule,
    VisitDetails,
)
from schemas.facts import GivenDose, Order, PickUp, Supply, VisitRecord

__all__ = [
    "ADMISSION",
    "Identity",
    "as_event",
    "ends_before_it_begins",
    "identity",
    "interval_hours",
    "key_of",
    "last_dose",
    "merge",
    "moud_doses",
    "product_key",
    "request_withdrawn",
]

_CONTINUATION: Final = Need(kind="moud-continuation")
_DAY_HOURS: Final = 24
_DOSES_MAX: Final = 1464
"""What ``Bridge.doses`` may be."""


def last_dose(source: VisitRecord | DischargeEvent) -> Dose | None:
    """The latest dose that was really given of a product for opioid use disorder, if any is known."""
    if isinstance(source, VisitRecord):
        charted = [(triage.moment(dose, dose.charted_at), dose.key, dose) for dose in moud_doses(source)]
        return max(charted, key=lambda entry: entry[:2])[2] if charted else None
    doses = [
        (triage.moment(dose, source.occurred_at), dose)
        for medication in source.medications
        if _is_moud(medication.product)
        for dose in medication.doses
        if triage.is_given(dose)
    ]
    return max(doses, key=lambda entry: entry[0])[1] if doses else None


def moud_doses(record: VisitRecord) -> Iterator[GivenDose]:
    """Every dose that was really given of a product for opioid use disorder."""
    return (dose for dose in visit_doses.standing(record) if triage.is_given(dose) and _is_moud(dose.product))


def _is_moud(product: Product) -> bool:
    drug = triage.classify(product)
    return drug is not None and drug.triage_class in ("daily", "lai", "needs-dx", "hint")


def as_event(record: VisitRecord, *, event_id: str, occurred_at: datetime) -> DischargeEvent:
    """The record as one canonical event.

    Medications are those of the drugs that triage knows, with the doses that were held or refused, naloxone excepted,
    which becomes ``naloxone_given`` when it was supplied; other drugs stay out (minimum necessary). What a
    diagnosis code says about overdose, pregnancy or homelessness is filled in where nothing else says it.
    """
    roles = {row.role for row in map(_row, record.diagnoses.values()) if row is not None}
    stated = record.circumstances
    clinical: dict[str, bool] = {}
    if stated.clinical.overdose_this_visit is None and triage.current_overdose(record.diagnoses.values()):
        clinical["overdose_this_visit"] = True
    if stated.clinical.pregnant is None and "pregnancy-drug-use" in roles:
        clinical["pregnant"] = True
    fields: dict[str, Any] = dict(vars(stated))
    if clinical:
        fields["clinical"] = stated.clinical.model_copy(update=clinical)
    if stated.naloxone_given in (None, "unknown") and _naloxone_supplied(record):
        fields["naloxone_given"] = True
    fields["consents"] = of_person(stated.consents, record.former_identifiers)
    medications = _medications(record)
    if not stated.needs and any(_is_moud(medication.product) for medication in medications):
        fields["needs"] = [_CONTINUATION]
    return DischargeEvent(
        schema_version="1",
        event_id=event_id,
        kind=_kind(record),
        test=record.test,
        occurred_at=occurred_at,
        patient=_patient(record.patient, homeless="homeless" in roles),
        visit=_visit(record),
        diagnoses=sorted(record.diagnoses.values(), key=lambda dx: (dx.rank or 999, dx.system or "", dx.code)),
        medications=medications,
        **fields,
    )


def _row(diagnosis: Diagnosis) -> tables.DiagnosisRow | None:
    return tables.diagnosis(diagnosis.system, diagnosis.code)


def _visit(record: VisitRecord) -> VisitDetails:
    """The stay; one that began in the emergency department began when the person came there.

    When one began that ends before it begins is not known.
    """
    if ends_before_it_begins(record):
        return record.visit.model_copy(update={"admitted_at": None})
    return record.visit if record.came_at is None else record.visit.model_copy(update={"admitted_at": _began(record)})


def ends_before_it_begins(record: VisitRecord) -> bool:
    """Whether the times of the stay contradict each other; of a day without a time the day counts."""
    began, ended = _began(record), record.visit.discharged_at
    if began is None or ended is None:
        return False
    if isinstance(began, datetime) and isinstance(ended, datetime):
        return began > ended
    return _day(began) > _day(ended)


def _began(record: VisitRecord) -> date | None:
    stated = record.visit.admitted_at
    return stated if record.came_at is None else earliest(record.came_at, stated)


def _day(at: date) -> date:
    return at.date() if isinstance(at, datetime) else at


def _patient(patient: Patient, *, homeless: bool) -> Patient:
    return patient.model_copy(update={"homeless": True}) if homeless and patient.homeless is None else patient


def _kind(record: VisitRecord) -> Kind:
    if record.cancelled:
        return "cancel-visit"
    if record.ended_at is not None:
        return "discharge"
    stamps = record.stamps
    return (
        "cancel-discharge" if stamps.get("cancel-discharge", -1) > stamps.get("goes-on", -1) else "expected-discharge"
    )


def has_died(record: VisitRecord) -> bool:
    """Whether the person has died: in this stay, as its end says, or wherever it was."""
    return record.died or (record.ended_at is not None and record.visit.disposition == "exp")


def request_withdrawn(record: VisitRecord) -> bool:
    """Whether a referral that was asked for by name was taken back (REF^I14), and nothing since says otherwise."""
    stamps = record.stamps
    ended = micros(record.ended_at) if record.ended_at is not None else -1
    return stamps.get("cancel-referral", -1) > max(stamps.get("referral", -1), ended)


def _naloxone_supplied(record: VisitRecord) -> bool:
    for supply in record.supplies.values():
        if supply.kind != "prescribed" and not supply.withdrawn:
            drug = triage.classify(supply.product)
            if drug is not None and drug.triage_class == "rescue":
                return True
    return False


class _Group:
    """All facts about one product."""

    __slots__ = ("doses", "orders", "supplies")

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.doses: list[GivenDose] = []
        self.supplies: list[Supply] = []


def product_key(product: Product) -> str:
    """What makes two namings one product: the RxNorm code where one is sent, else system and code."""
    for coding in (product, *product.alternates):
        if tables.system_of(coding.system) == tables.RXNORM:
            return f"{tables.RXNORM}|{coding.code}"
    return f"{product.system or ''}|{product.code}"


def _ours(product: Product) -> bool:
    drug = triage.classify(product)
    return drug is not None and drug.triage_class != "rescue"


def _medications(record: VisitRecord) -> list[Medication]:
    groups: dict[str, _Group] = {}
    for order in record.orders.values():
        if _ours(order.product):
            groups.setdefault(product_key(order.product), _Group()).orders.append(order)
    for dose in visit_doses.standing(record):
        if _ours(dose.product):
            groups.setdefault(product_key(dose.product), _Group()).doses.append(dose)
    supplies = [supply for supply in record.supplies.values() if not supply.withdrawn]
    for supply in supplies:
        if _ours(supply.product):
            groups.setdefault(product_key(supply.product), _Group()).supplies.append(supply)
    filled = {key for supply in supplies for key in (supply.order, supply.key) if key is not None}
    found = (_medication(groups[key], filled, record.pick_up) for key in sorted(groups))
    return [medication for medication in found if medication is not None]


def _medication(group: _Group, filled: set[str], answer: PickUp | None) -> Medication | None:
    """One medication; None where nothing stands but withdrawn orders and doses that nobody got."""
    orders = sorted(
        group.orders, key=lambda order: (order.withdrawn, order.discharge, -order.at.timestamp(), order.key)
    )
    standing = [order for order in orders if not order.withdrawn]
    doses = sorted(group.doses, key=lambda dose: (triage.moment(dose, dose.charted_at), dose.key))
    given = [dose for dose in doses if triage.is_given(dose)]
    supplies = sorted(group.supplies, key=lambda supply: (supply.at, supply.key))
    if not (standing or given or supplies):
        return None
    # A withdrawn order still tells how often its doses were given: orders end with the stay.
    stated = [order.interval for order in orders]
    stated += [supply.interval for supply in reversed(supplies)]
    stated += [dose.interval for dose in reversed(given)]
    interval = next((value for value in stated if value), None)
    prescriptions = [order for order in standing if _takes_home(order, filled)]
    told = [supply for supply in supplies if supply.kind == "prescribed"]
    if told:
        # Who tells of the prescription itself (whether it was filled) tells of the one that was ordered.
        supplies = [_sized(supply, prescriptions) if supply in told else supply for supply in supplies]
        prescriptions = []
    bridges = [_bridge(supply, supply.interval or interval, answer) for supply in supplies]
    bridges += [_prescribed(order, order.interval or interval, answer) for order in prescriptions]
    products = [dose.product for dose in reversed(given)]
    products += [order.product for order in standing]
    products += [supply.product for supply in reversed(supplies)]
    return Medication(
        product=products[0],
        schedule=Schedule(interval=interval) if interval else None,
        doses=[_dose(dose) for dose in doses],
        bridges=bridges,
        next_due_ordered=next((order.next_due_ordered for order in standing if order.next_due_ordered), None),
        dose_number=next((order.dose_number for order in standing if order.dose_number), None),
    )


def _takes_home(order: Order, filled: set[str]) -> bool:
    """A prescription that no dispense has replaced."""
    return order.discharge and order.key not in filled


def _dose(dose: GivenDose) -> Dose:
    return Dose.model_construct(**{name: getattr(dose, name) for name in Dose.model_fields})


def _bridge(supply: Supply, interval: str | None, answer: PickUp | None) -> Bridge:
    days, doses = _counted(supply.days, supply.doses, interval)
    filled = supply.filled
    if supply.kind == "prescribed" and filled == "unknown":
        filled = _filled(supply.at, answer)
    return Bridge(kind=supply.kind, days=days, doses=doses, start=supply.start, filled=filled)


def _prescribed(order: Order, interval: str | None, answer: PickUp | None) -> Bridge:
    days, doses = _counted(order.days, order.doses, interval)
    filled = _filled(order.at, answer)
    return Bridge(kind="prescribed", days=days, doses=doses, start=order.start, filled=filled)


def _sized(supply: Supply, prescriptions: Sequence[Order]) -> Supply:
    """A prescription of which only is told whether it was filled is as large as it was ordered."""
    ordered = next((one for one in prescriptions if one.days is not None or one.doses is not None), None)
    if ordered is None or supply.days is not None or supply.doses is not None:
        return supply
    return supply.model_copy(update={"days": ordered.days, "doses": ordered.doses})


def _filled(stated_at: datetime, answer: PickUp | None) -> Filled:
    """What the hospital answered of a prescription that was stated before."""
    return answer.filled if answer is not None and stated_at <= answer.at else "unknown"


def _counted(days: int | None, doses: int | None, interval: str | None) -> tuple[int | None, int | None]:
    """A supply in days, or in doses where several are taken a day, never both; a quantity of units is neither."""
    hours = interval_hours(interval)
    if hours is None or not 1 <= hours < _DAY_HOURS:
        return days, doses if days is None else None
    if doses is None and days is not None:
        counted = int(days * _DAY_HOURS / hours)
        # More than any supply holds: the interval is doubtful, the days are what was said.
        doses = counted if counted <= _DOSES_MAX else None
    return (None, doses) if doses is not None else (days, None)
