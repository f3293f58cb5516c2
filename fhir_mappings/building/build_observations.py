"""Facts about the way out that have no element of their own: one Observation for each.

A yes/no fact is a valueBoolean, ``unknown`` is a dataAbsentReason, and what was not said is not there.
Codes are ours (schemas.codes.local) unless a published one was verified: LOINC 82810-3 and SNOMED CT
77386006 (US Core 7.0.0, example of the pregnancy status profile).
"""

from collections.abc import Iterator
from typing import Final

from fhir_mappings.building.build_elements import (
    LOINC,
    SNOMED,
    UNKNOWN,
    US_CORE,
    Frame,
    coding,
    concept,
    count,
    keyed,
    present,
    when,
)
from fhir_mappings.labels import Resource
from schemas.codes import local
from schemas.discharge import Appointment, Bridge, Coding, DrugScreen, Medication, Otp

SIMPLE: Final = US_CORE + "simple-observation"
PREGNANCY: Final = US_CORE + "observation-pregnancystatus"
LABORATORY: Final = US_CORE + "observation-lab"
_CATEGORY_SYSTEM: Final = "http://terminology.hl7.org/CodeSystem/observation-category"
_SOCIAL: Final[list[Resource]] = [{"coding": [{"system": _CATEGORY_SYSTEM, "code": "social-history"}]}]
_EXAM: Final[list[Resource]] = [{"coding": [{"system": _CATEGORY_SYSTEM, "code": "exam"}]}]
_LAB: Final[list[Resource]] = [{"coding": [{"system": _CATEGORY_SYSTEM, "code": "laboratory"}]}]
_THERAPY: Final[list[Resource]] = [{"coding": [{"system": _CATEGORY_SYSTEM, "code": "therapy"}]}]
_PREGNANT_CODE: Final[Resource] = {
    "coding": [
        {"system": LOINC, "code": "82810-3", "display": "Pregnancy status"},
        local.coding(local.FACT, "pregnant"),
    ],
    "text": "Pregnancy status",
}
_PREGNANCY_VALUE: Final[dict[bool | str, Resource]] = {
    True: {"coding": [{"system": SNOMED, "code": "77386006", "display": "Pregnant"}], "text": "Pregnant"},
    False: {"text": "Not pregnant"},
    "unknown": {
        "coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "code": "UNK"}],
        "text": "Unknown",
    },
}
_FACT_CODE: Final[dict[str, Resource]] = {name: local.concept(local.FACT, name) for name in local.CODES[local.FACT]}
_OWN_SUPPLY: Final[Resource] = {"text": "Own supply in hand"}


def observations(frame: Frame) -> list[Resource]:
    """Every fact of the event that is an Observation."""
    return [
        *_yes_no(frame),
        *_pregnancy(frame),
        *_told(frame),
        *_qtc(frame),
        *_drug_screens(frame),
        *_supplies(frame),
        *_own_supplies(frame),
        *_places_and_times(frame),
    ]


def _fact(frame: Frame, name: str, category: list[Resource], value: Resource, *, key: str | None = None) -> Resource:
    return {
        **frame.new("Observation", key or name, SIMPLE),
        "status": "final",
        "category": category,
        "code": _FACT_CODE[name],
        "subject": frame.patient,
        "encounter": frame.encounter,
        "performer": [frame.hospital],
        **value,
    }


def _yes_no(frame: Frame) -> Iterator[Resource]:
    event, clinical = frame.event, frame.event.clinical
    for name, category, value in (
        ("homeless", _SOCIAL, event.patient.homeless),
        ("photo-id", _SOCIAL, event.photo_id),
        ("naloxone-given", _THERAPY, event.naloxone_given),
        ("overdose-this-visit", _EXAM, clinical.overdose_this_visit),
        ("benzodiazepines", _SOCIAL, clinical.benzodiazepines),
        ("alcohol", _SOCIAL, clinical.alcohol),
        ("stimulants", _SOCIAL, clinical.stimulants),
        ("wounds-or-picc", _EXAM, clinical.wounds_or_picc),
    ):
        if value is not None:
            known = {"dataAbsentReason": UNKNOWN} if value == "unknown" else {"valueBoolean": value}
            yield _fact(frame, name, category, known)


def _pregnancy(frame: Frame) -> Iterator[Resource]:
    pregnant = frame.event.clinical.pregnant
    if pregnant is not None:
        yield {
            **frame.new("Observation", "pregnant", PREGNANCY),
            "status": "final",
            "category": _SOCIAL,
            "code": _PREGNANT_CODE,
            "subject": frame.patient,
            "encounter": frame.encounter,
            # The profile demands a time: that of the statement.
            "effectiveDateTime": when(frame.event.occurred_at),
            "performer": [frame.hospital],
            "valueCodeableConcept": _PREGNANCY_VALUE[pregnant],
        }


def _told(frame: Frame) -> Iterator[Resource]:
    event, clinical = frame.event, frame.event.clinical
    for name, value in (
        ("psychiatric-acuity", clinical.psychiatric_acuity),
        ("mobility", clinical.mobility),
        ("continuation", event.continuation),
    ):
        if value is not None:
            category = _THERAPY if name == "continuation" else _EXAM
            known = {"dataAbsentReason": UNKNOWN} if value == "unknown" else {"valueString": value}
            yield _fact(frame, name, category, known)


def _qtc(frame: Frame) -> Iterator[Resource]:
    qtc = frame.event.clinical.qtc_ms
    if qtc is not None:
        known = {"dataAbsentReason": UNKNOWN} if qtc == "unknown" else {"valueQuantity": count(qtc, "ms", "ms")}
        yield _fact(frame, "qtc", _EXAM, known)


def _drug_screens(frame: Frame) -> Iterator[Resource]:
    screens = frame.event.clinical.urine_drug_screen
    if screens == "unknown":
        yield _fact(frame, "urine-drug-screen", _LAB, {"dataAbsentReason": UNKNOWN})
        return
    for key, screen in keyed(screens, lambda one: one.code or one.display or ""):
        yield _drug_screen(frame, f"urine-drug-screen|{key}", screen)


def _drug_screen(frame: Frame, key: str, screen: DrugScreen) -> Resource:
    """One result; us-core-observation-lab is claimed for a LOINC code only, as its binding asks."""
    loinc = screen.code is not None and screen.system == LOINC
    codes = [coding(Coding(system=screen.system, code=screen.code, display=screen.display))] if screen.code else []
    return {
        **frame.new("Observation", key, LABORATORY if loinc else SIMPLE),
        **present(
            {
                "status": "final",
                "category": _LAB,
                "code": {
                    "coding": [*codes, *_FACT_CODE["urine-drug-screen"]["coding"]],
                    "text": screen.display or "Urine drug screen",
                },
                "subject": frame.patient,
                "encounter": frame.encounter,
                "effectiveDateTime": when(screen.at),
                "performer": [frame.hospital],
                "valueString": screen.result,
                "dataAbsentReason": None if screen.result else UNKNOWN,
            }
        ),
    }


def _supplies(frame: Frame) -> Iterator[Resource]:
    for key, supply in keyed(frame.event.supplies_given, str):
        yield _fact(frame, "supplies-given", _THERAPY, {"valueString": supply}, key=f"supplies-given|{key}")


def _own_supplies(frame: Frame) -> Iterator[Resource]:
    for product, medication in keyed(frame.event.medications, lambda one: one.product.code):
        own = [bridge for bridge in medication.bridges if bridge.kind == "own-supply"]
        for number, bridge in enumerate(own, start=1):
            yield _own_supply(frame, f"own-supply|{product}|{number}", medication, bridge)


def _own_supply(frame: Frame, key: str, medication: Medication, bridge: Bridge) -> Resource:
    """What the person still has at home: not handed over by anybody here, so no MedicationDispense."""
    days = None if bridge.days is None else count(bridge.days, "days", "d")
    doses = None if bridge.doses is None else count(bridge.doses, "doses", "{dose}")
    # One value is allowed: days count where both are known, doses stand beside them.
    parts = [
        {"code": {"text": "Product"}, "valueCodeableConcept": concept(medication.product)},
        *([{"code": {"text": "Doses"}, "valueQuantity": doses}] if days and doses else []),
        *([{"code": {"text": "From"}, "valueDateTime": when(bridge.start)}] if bridge.start else []),
        *([{"code": {"text": "Filled"}, "valueString": bridge.filled}] if bridge.filled != "unknown" else []),
    ]
    value = days or doses
    return {
        **frame.new("Observation", key, SIMPLE),
        **present(
            {
                "status": "final",
                "category": _THERAPY,
                "code": _OWN_SUPPLY,
                "subject": frame.patient,
                "encounter": frame.encounter,
                "performer": [frame.hospital],
                "valueQuantity": value,
                "dataAbsentReason": None if value else UNKNOWN,
                "component": parts,
            }
        ),
    }


def _places_and_times(frame: Frame) -> Iterator[Resource]:
    if frame.event.current_otp:
        yield _fact(frame, "current-otp", _SOCIAL, _otp(frame.event.current_otp))
    if frame.event.next_appointment:
        yield _fact(frame, "next-appointment", _THERAPY, _appointment(frame.event.next_appointment))


def _otp(otp: Otp) -> Resource:
    parts = (
        ("Phone", "valueString", otp.phone),
        ("Contacted at", "valueDateTime", when(otp.contacted_at)),
        ("Dose confirmed", "valueBoolean", otp.dose_confirmed),
    )
    return present({"valueString": otp.name, "component": _components(parts)})


def _appointment(appointment: Appointment) -> Resource:
    parts = (("Where", "valueString", appointment.where), ("Phone", "valueString", appointment.phone))
    return present({"valueDateTime": when(appointment.at), "component": _components(parts)})


def _components(parts: tuple[tuple[str, str, str | bool | None], ...]) -> list[Resource]:
    return [{"code": {"text": name}, kind: value} for name, kind, value in parts if value is not None]
