"""The person and the stay: Patient, Encounter, Condition, Coverage, AllergyIntolerance, and who cared.

A US Core 7.0.0 profile is claimed only by a resource that really conforms (source: the snapshots of
hl7.fhir.us.core 7.0.0). What others refer to (Patient, Encounter, Practitioner, PractitionerRole) always does, because
they claim profiles that demand it of their targets: an element that is demanded and unknown has a data-absent-reason
(US Core, General Guidance, Missing Data).
"""

from typing import Final

from fhir_mappings.building.build_elements import (
    ABSENT,
    EXTENSION,
    NPI,
    UNKNOWN,
    US_CORE,
    V2_0203,
    Frame,
    address,
    concept,
    human_name,
    identifier,
    keyed,
    language,
    name_text,
    period,
    phones,
    present,
    reference,
    when,
)
from fhir_mappings.labels import ACT_CODE, Resource
from schemas.discharge import Clinician, Contact, Coverage, Diagnosis, Identifier, Name, VisitDetails
from schemas.discharge import Patient as Person

PATIENT: Final = US_CORE + "patient"
ENCOUNTER: Final = US_CORE + "encounter"
CONDITION: Final = US_CORE + "condition-encounter-diagnosis"
COVERAGE: Final = US_CORE + "coverage"
ALLERGY: Final = US_CORE + "allergyintolerance"
PRACTITIONER: Final = US_CORE + "practitioner"
PRACTITIONER_ROLE: Final = US_CORE + "practitionerrole"
LOCATION: Final = US_CORE + "location"

_INTERPRETER: Final = "http://hl7.org/fhir/StructureDefinition/patient-interpreterRequired"
_PLANNED_END: Final = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Encounter.plannedEndDate"
_CLASS_DISPLAY: Final = {
    "IMP": "inpatient encounter",
    "EMER": "emergency",
    "OBSENC": "observation encounter",
    "AMB": "ambulatory",
}
# US Core demands Encounter.type; the class is all that is known of it, so it is said as text.
_TYPE_TEXT: Final = {"IMP": "Inpatient stay", "EMER": "Emergency visit", "OBSENC": "Observation stay", "AMB": "Visit"}
_UNSAID: Final[Resource] = {"extension": ABSENT}
"""Beside a primitive element that a profile demands and nobody said."""
_NO_NUMBER: Final[list[Resource]] = [{"_system": _UNSAID, "_value": _UNSAID}]
_NO_PHONE: Final[list[Resource]] = [{"system": "phone", "_value": _UNSAID}]
"""US Core demands a telecom or an endpoint of a role (pd-1); the system of a telecom must be a code."""
_DISPOSITION: Final = "http://terminology.hl7.org/CodeSystem/discharge-disposition"
_CUSTODY: Final[Resource] = {
    "coding": [{"system": _DISPOSITION, "code": "oth", "display": "Other"}],
    "text": "Discharged to court or law enforcement",
}
_ENCOUNTER_DIAGNOSIS: Final[list[Resource]] = [
    {
        "coding": [
            {
                "system": "http://terminology.hl7.org/CodeSystem/condition-category",
                "code": "encounter-diagnosis",
                "display": "Encounter Diagnosis",
            }
        ]
    }
]
_ALLERGY_ACTIVE: Final[Resource] = {
    "coding": [
        {"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"},
    ]
}
_MEMBER_ID: Final[Resource] = {"coding": [{"system": V2_0203, "code": "MB"}]}
_PLAN: Final[Resource] = {
    "coding": [{"system": "http://terminology.hl7.org/CodeSystem/coverage-class", "code": "plan"}]
}
_PARTICIPATION: Final = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
_ATTENDER: Final[list[Resource]] = [
    {"coding": [{"system": _PARTICIPATION, "code": "ATND", "display": "attender"}]},
]


def patient(frame: Frame) -> Resource:
    """The person; what us-core-patient demands (identifier, name, gender) and nobody said is said to be unknown."""
    person = frame.event.patient
    home = address(person.address)
    return {
        **frame.new("Patient", "", PATIENT),
        **present(
            {
                "extension": _interpreter(person),
                "identifier": [identifier(one) for one in person.identifiers] or _NO_NUMBER,
                "name": [human_name(person.name)],
                "telecom": phones(*person.phones),
                "gender": person.sex or "unknown",
                "birthDate": when(person.birth_date),
                "address": [home] if home else None,
                # Of whom the person does not want to be called nobody learns.
                "contact": [_contact(one) for one in frame.event.contacts if one.permission is not False],
                "communication": _communication(person),
            }
        ),
    }


def _interpreter(person: Person) -> list[Resource]:
    return [] if person.interpreter is None else [{"url": _INTERPRETER, "valueBoolean": person.interpreter}]


def _communication(person: Person) -> list[Resource]:
    return [{"language": language(person.language), "preferred": True}] if person.language else []


def _contact(contact: Contact) -> Resource:
    """One way to reach the person, with its terms; pat-1 wants a detail, so a bare kind stands as the name."""
    details = present(
        {
            "name": {"text": contact.name} if contact.name else None,
            "telecom": phones(contact.phone),
            "address": {"text": contact.where} if contact.where else None,
        }
    )
    terms = [
        {"url": name, kind: value}
        for name, kind, value in (
            ("permission", "valueBoolean", contact.permission),
            ("safeToLeaveMessage", "valueBoolean", contact.safe_to_leave_message),
            ("bestTime", "valueString", contact.best_time),
        )
        if value is not None
    ]
    return {
        **({"extension": [{"url": f"{EXTENSION}/contact-terms", "extension": terms}]} if terms else {}),
        "relationship": [{"text": contact.what}],
        **(details or {"name": {"text": contact.what}}),
    }


def encounter(
    frame: Frame, *, diagnoses: list[tuple[Resource, int | None]], attending: Resource | None, unit: Resource | None
) -> Resource:
    """The stay: class, times, unit, attending clinician, diagnoses and where the person goes."""
    visit = frame.event.visit
    kind = visit.class_
    coded = present({"system": ACT_CODE, "code": kind, "display": _CLASS_DISPLAY[kind]}) if kind else None
    planned = when(visit.expected_discharge_at) if visit.discharged_at is None else None
    return {
        **frame.new("Encounter", "", ENCOUNTER),
        **present(
            {
                "extension": [{"url": _PLANNED_END, "valueDateTime": planned}] if planned else None,
                "identifier": [identifier(one) for one in visit.identifiers],
                "status": encounter_status(frame),
                "class": coded or {"system": "http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "code": "UNK"},
                "type": [{"text": _TYPE_TEXT[kind]} if kind else UNKNOWN],
                "subject": frame.patient,
                "participant": [{"type": _ATTENDER, "individual": attending}] if attending else None,
                "period": period(visit.admitted_at, visit.discharged_at),
                "diagnosis": [_ranked(condition, rank) for condition, rank in diagnoses],
                "hospitalization": _hospitalization(visit),
                "location": [{"location": unit}] if unit else None,
                "serviceProvider": frame.hospital,
            }
        ),
    }


def encounter_status(frame: Frame) -> str:
    """Encounter.status by the kind of event (HL7 v2-to-FHIR: A03 finished, A11 cancelled, A13 in-progress)."""
    kind = frame.event.kind
    if kind == "cancel-visit":
        return "cancelled"
    if kind == "cancel-discharge":
        return "in-progress"
    return "finished" if kind == "discharge" or frame.event.visit.discharged_at else "in-progress"


def _ranked(condition: Resource, rank: int | None) -> Resource:
    return present({"condition": reference(condition), "rank": rank if rank and rank > 0 else None})


def _hospitalization(visit: VisitDetails) -> Resource | None:
    disposition: Resource | None = None
    if visit.disposition == "custody":
        disposition = _CUSTODY
    elif visit.disposition:
        disposition = {"coding": [{"system": _DISPOSITION, "code": visit.disposition}]}
    destination = {"display": visit.destination} if visit.destination else None
    return present({"destination": destination, "dischargeDisposition": disposition}) or None


def conditions(frame: Frame) -> list[tuple[Resource, int | None]]:
    """The diagnoses of this visit, each code once, with their rank.

    No clinicalStatus: a message's diagnosis doesn't say whether it is active (F11.21 is "in remission" on paper).
    """
    stated: dict[tuple[str | None, str], Diagnosis] = {}
    for one in frame.event.diagnoses:
        stated.setdefault((one.system, one.code), one)
    keys = keyed(stated.values(), lambda one: one.code)
    return [(_condition(frame, key, diagnosis), diagnosis.rank) for key, diagnosis in keys]


def _condition(frame: Frame, key: str, diagnosis: Diagnosis) -> Resource:
    return {
        **frame.new("Condition", key, CONDITION),
        "category": _ENCOUNTER_DIAGNOSIS,
        "code": concept(diagnosis),
        "subject": frame.patient,
        "encounter": frame.encounter,
        **present({"recordedDate": when(diagnosis.recorded_at)}),
    }


def coverages(frame: Frame) -> list[Resource]:
    """Insurance as sent; us-core-15 wants a member id."""
    return [_coverage(frame, key, one) for key, one in keyed(frame.event.coverage, _coverage_key)]


def _coverage_key(coverage: Coverage) -> str:
    return coverage.member_id or coverage.payer


def _coverage(frame: Frame, key: str, coverage: Coverage) -> Resource:
    member = coverage.member_id
    return {
        **frame.new("Coverage", key, *([COVERAGE] if member else [])),
        **present(
            {
                "identifier": [{"type": _MEMBER_ID, "value": member}] if member else None,
                "status": "active",
                "type": {"text": coverage.type} if coverage.type else None,
                "subscriberId": member,
                "beneficiary": frame.patient,
                "relationship": UNKNOWN,
                "payor": [{"display": coverage.payer}],
                "class": [{"type": _PLAN, "value": coverage.plan}] if coverage.plan else None,
            }
        ),
    }


def allergies(frame: Frame) -> list[Resource]:
    """Allergies as sent; active, as HL7 v2-to-FHIR has it for AL1 (ait-1 demands a clinical status)."""
    return [
        {
            **frame.new("AllergyIntolerance", key, ALLERGY),
            "clinicalStatus": _ALLERGY_ACTIVE,
            "code": concept(allergy),
            "patient": frame.patient,
            "encounter": frame.encounter,
        }
        for key, allergy in keyed(frame.event.allergies, lambda one: one.code)
    ]


def location(frame: Frame) -> Resource | None:
    """The unit that the person leaves."""
    unit = frame.event.visit.unit
    if unit is None:
        return None
    return {
        **frame.new("Location", unit, LOCATION),
        "name": unit,
        "mode": "instance",
        "managingOrganization": frame.hospital,
    }


def clinician(frame: Frame) -> list[Resource]:
    """The attending as PractitionerRole and, where named, Practitioner; the role comes first."""
    attending = frame.event.visit.attending
    if attending is None:
        return []
    person = _practitioner(frame, attending) if attending.identifier or attending.name else None
    role = {
        **frame.new("PractitionerRole", _clinician_key(attending), PRACTITIONER_ROLE),
        **present(
            {
                "practitioner": {**reference(person), **_shown(attending)} if person else None,
                "organization": frame.hospital,
                "telecom": phones(attending.phone) or _NO_PHONE,
            }
        ),
    }
    return [role, person] if person else [role]


def _shown(attending: Clinician) -> Resource:
    return present({"display": name_text(attending.name)})


def _clinician_key(attending: Clinician) -> str:
    return attending.identifier.value if attending.identifier else name_text(attending.name) or "attending"


def _practitioner(frame: Frame, attending: Clinician) -> Resource:
    return {
        **frame.new("Practitioner", _clinician_key(attending), PRACTITIONER),
        "identifier": [_clinician_number(attending.identifier)] if attending.identifier else _NO_NUMBER,
        "name": [_clinician_name(attending.name)],
    }


def _clinician_number(number: Identifier) -> Resource:
    """The number as sent; what can't be an NPI is one of an unknown system (us-core-16, -17)."""
    if number.system == NPI and not is_npi(number.value):
        return {"type": {"text": "NPI"}, "_system": _UNSAID, "value": number.value}
    return identifier(number)


def _clinician_name(name: Name | None) -> Resource:
    if name is not None and name.family:
        return human_name(name)
    return {**(present({"text": name.text, "given": name.given}) if name else {}), "_family": _UNSAID}


def is_npi(value: str) -> bool:
    """Whether a text is a National Provider Identifier: ten digits with their check digit (us-core-16, -17)."""
    if len(value) != 10 or not (value.isascii() and value.isdigit()):
        return False
    doubled = (2 * int(digit) for digit in value[0:9:2])
    # 24 stands for the prefix 80840 that the check digit covers (45 CFR 162.406).
    total = 24 + sum(one - 9 if one > 9 else one for one in doubled) + sum(map(int, value[1:8:2]))
    return (total + int(value[9])) % 10 == 0
