"""The medication: what is ongoing, what was given, what the person has in hand.

No amount is ever computed (design: no dose arithmetic): doses and supplies stand as they were stated.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from fhir_mappings.building.build_elements import (
    ABSENT,
    US_CORE,
    Frame,
    concept,
    count,
    extension,
    keyed,
    present,
    quantity,
    when,
)
from fhir_mappings.labels import Resource
from schemas.discharge import Bridge, Dose, Medication

MEDICATION_REQUEST: Final = US_CORE + "medicationrequest"
_HISTORY: Final = timedelta(days=7)
_INTERVAL: Final = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?")
_DISCHARGE: Final[list[Resource]] = [
    {
        "coding": [
            {
                "system": "http://terminology.hl7.org/CodeSystem/medicationrequest-category",
                "code": "discharge",
                "display": "Discharge",
            }
        ]
    }
]
_SUPPLY_TEXT: Final = {"dispensed": "Dispensed for the way home", "take-home": "Take-home doses"}
CALL_BACK: Final = "Call back to verify this dose: "
"""Start of the note of a dose that names a number; ``GIVEN_BY`` and ``VERIFIED_BY`` are functions of its performers."""
GIVEN_BY: Final = "Given by"
VERIFIED_BY: Final = "Verified by"
_PERIOD_WORD: Final = {"wk": "weeks", "d": "days", "h": "hours", "min": "minutes"}


@dataclass(frozen=True, slots=True)
class _Course:
    """One product of the event: its logical key, and its concept with every code that was sent for it."""

    frame: Frame
    key: str
    medication: Medication
    product: Resource

    def of_kind(self, *kinds: str) -> Iterator[tuple[int, Bridge]]:
        """The bridges of these kinds, numbered from 1."""
        return enumerate((bridge for bridge in self.medication.bridges if bridge.kind in kinds), start=1)


def medications(frame: Frame, requester: Resource) -> list[Resource]:
    """For each product: its schedule, prescriptions to take home, doses given, supplies handed over.

    The schedule is a ``plan``, not an order: it tells the next program what was going on and
    authorises nobody. A prescription is an ``order``, so it names who asked for it (us-core-21).
    """
    built: list[Resource] = []
    for key, medication in keyed(frame.event.medications, lambda one: one.product.code):
        product = concept(medication.product, medication.product.alternates)
        course = _Course(frame, key, medication, product)
        built.append(_ongoing(course))
        built.extend(
            _prescription(course, number, bridge, requester) for number, bridge in course.of_kind("prescribed")
        )
        built.extend(_administration(course, dose_key, dose) for dose_key, dose in _recent(course))
        for kind in _SUPPLY_TEXT:
            built.extend(_dispense(course, number, bridge) for number, bridge in course.of_kind(kind))
    return built


def _ongoing(course: _Course) -> Resource:
    dose = course.medication.dose_number
    return {
        **course.frame.new("MedicationRequest", course.key, MEDICATION_REQUEST),
        "status": "active",
        "intent": "plan",
        "medicationCodeableConcept": course.product,
        "subject": course.frame.patient,
        "encounter": course.frame.encounter,
        **present(
            {
                "note": [{"text": f"Number of the last dose of this product: {dose}"}] if dose else None,
                "dosageInstruction": _schedule(course.medication),
            }
        ),
    }


def _schedule(medication: Medication) -> list[Resource]:
    due = when(medication.next_due_ordered)
    repeat = timing_repeat(medication.schedule.interval if medication.schedule else None)
    timing = present({"event": [due] if due else None, "repeat": repeat})
    if not timing:
        return []
    text = f"Every {repeat['period']} {_PERIOD_WORD[repeat['periodUnit']]}" if repeat else None
    return [present({"text": text, "timing": timing})]


def timing_repeat(interval: str | None) -> Resource | None:
    """Timing.repeat of an ISO 8601 duration: PT24H is once per 24 h, P28D once per 28 d.

    A duration in two units (P1DT12H) is written in its smaller one; a zero duration says nothing.
    """
    match = _INTERVAL.fullmatch(interval) if interval else None
    if match is None:
        return None
    weeks, days, hours, minutes = (int(part or 0) for part in match.groups())
    if minutes:
        length, unit = hours * 60 + minutes, "min"
    elif hours:
        length, unit = days * 24 + hours, "h"
    else:
        length, unit = (days, "d") if days else (weeks, "wk")
    return {"frequency": 1, "period": length, "periodUnit": unit} if length else None


def _prescription(course: _Course, number: int, bridge: Bridge, requester: Resource) -> Resource:
    return {
        **course.frame.new("MedicationRequest", f"{course.key}|prescribed|{number}", MEDICATION_REQUEST),
        "extension": [extension("supply-filled", "valueCode", bridge.filled)],
        "status": "active",
        "intent": "order",
        "category": _DISCHARGE,
        "medicationCodeableConcept": course.product,
        "subject": course.frame.patient,
        "encounter": course.frame.encounter,
        "requester": requester,
        **present(
            {
                "dispenseRequest": present(
                    {
                        "validityPeriod": present({"start": when(bridge.start)}),
                        "quantity": _doses(bridge),
                        "expectedSupplyDuration": _days(bridge),
                    }
                )
            }
        ),
    }


def _days(bridge: Bridge) -> Resource | None:
    return None if bridge.days is None else count(bridge.days, "days", "d")


def _doses(bridge: Bridge) -> Resource | None:
    return None if bridge.doses is None else count(bridge.doses, "doses", "{dose}")


def _dispense(course: _Course, number: int, bridge: Bridge) -> Resource:
    """What was handed over for the days after: dispensed by the hospital, or take-home doses.

    Days as daysSupply, counted doses as a quantity of {dose}; ``start`` is the first day that the
    supply is for. No us-core-medicationdispense is claimed: us-core-20 wants the moment of the
    hand-over, which the event doesn't have.
    """
    starts = when(bridge.start)
    known = bridge.filled != "unknown"
    return {
        **course.frame.new("MedicationDispense", f"{course.key}|{bridge.kind}|{number}"),
        **present(
            {
                "extension": [extension("supply-filled", "valueCode", bridge.filled)] if known else None,
                "status": "completed",
                "category": {"text": _SUPPLY_TEXT[bridge.kind]},
                "medicationCodeableConcept": course.product,
                "subject": course.frame.patient,
                "context": course.frame.encounter,
                "quantity": _doses(bridge),
                "daysSupply": _days(bridge),
                "dosageInstruction": [{"timing": {"repeat": {"boundsPeriod": {"start": starts}}}}] if starts else None,
            }
        ),
    }


def _recent(course: _Course) -> list[tuple[str, Dose]]:
    """The doses of the last seven days, held and refused ones too, and always the last given one."""
    stated_at = course.frame.event.occurred_at
    doses = course.medication.doses
    if not doses:
        return []
    last = last_given(doses, stated_at)
    since = stated_at - _HISTORY
    keys = keyed(doses, lambda one: f"{course.key}|{one.at.isoformat()}")
    return [(key, dose) for key, dose in keys if dose is last or moment(dose.at, stated_at) >= since]


def moment(at: date, beside: datetime) -> datetime:
    """An instant to compare by; a day counts from its midnight in the zone of ``beside``."""
    return at if isinstance(at, datetime) else datetime.combine(at, time.min, beside.tzinfo)


def is_dose(dose: Dose) -> bool:
    """Whether something was taken: a held or refused dose, or one of 0, is not a dose."""
    return not dose.held and dose.amount != 0


def last_given(doses: list[Dose], beside: datetime) -> Dose | None:
    """The latest dose that was really given, or None."""
    return max(filter(is_dose, doses), key=lambda one: moment(one.at, beside), default=None)


def _administration(course: _Course, key: str, dose: Dose) -> Resource:
    observed = dose.observed
    return {
        **course.frame.new("MedicationAdministration", key),
        **present(
            {
                "extension": None if observed is None else [extension("dose-observed", "valueBoolean", observed)],
                "status": "completed" if is_dose(dose) else "not-done",
                "medicationCodeableConcept": course.product,
                "subject": course.frame.patient,
                "context": course.frame.encounter,
                "effectiveDateTime": when(dose.at),
                "performer": _performers(dose),
                "note": [{"text": CALL_BACK + dose.call_back}] if dose.call_back else None,
                "dosage": _dosage(dose),
            }
        ),
    }


def _performers(dose: Dose) -> list[Resource]:
    people = ((GIVEN_BY, dose.given_by), (VERIFIED_BY, dose.verified_by))
    return [{"function": {"text": role}, "actor": {"display": person}} for role, person in people if person]


def _dosage(dose: Dose) -> Resource | None:
    """The dose as stated; mad-1 demands an amount beside a route, so an unknown one says so."""
    if dose.amount is None and dose.route is None:
        return None
    amount = {"extension": ABSENT} if dose.amount is None else quantity(dose.amount, dose.unit)
    return present({"route": {"text": dose.route} if dose.route else None, "dose": amount})
