"""What the hospital of the examples sends as FHIR. Everybody in it is made up and says so (HTEST)."""

from typing import Any, Final

from tools.example_messages import METHADONE

Json = dict[str, Any]
_URN: Final = "urn:uuid:3b9f6a10-0000-4000-8000-{:012d}"
_HEADER, _PATIENT, _ENCOUNTER, _CONDITION, _ORDER, _DOSE, _SUPPLY, _REQUEST, _TASK = map(_URN.format, range(1, 10))
_MR, _VN = "urn:oid:2.16.840.1.113883.3.9999.1", "urn:oid:2.16.840.1.113883.3.9999.2"
_TERMINOLOGY: Final = "http://terminology.hl7.org/CodeSystem"


def _ref(url: str) -> Json:
    return {"reference": url}


def _coded(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}


def _discharge(number: int) -> dict[str, Json]:
    """A discharge on methadone, by fullUrl."""
    drug = {"coding": [METHADONE]}
    of_person = {"subject": _ref(_PATIENT)}
    return {
        _PATIENT: {
            "resourceType": "Patient",
            "identifier": [
                {"type": _coded(f"{_TERMINOLOGY}/v2-0203", "MR"), "system": _MR, "value": f"HTEST{number:04d}"}
            ],
            "name": [{"family": "HTEST", "given": ["Toni"]}],
            "telecom": [{"system": "phone", "value": "+1-555-0117"}],
            "gender": "female",
            "birthDate": "1988-07-21",
        },
        _ENCOUNTER: {
            "resourceType": "Encounter",
            "identifier": [{"system": _VN, "value": f"HTEST-V{number:04d}"}],
            "status": "finished",
            "class": {"system": f"{_TERMINOLOGY}/v3-ActCode", "code": "IMP"},
            **of_person,
            "period": {"start": "2026-06-01T09:00:00-04:00", "end": "2026-06-05T14:00:00-04:00"},
            "location": [{"location": {"display": "4W"}}],
            "hospitalization": {"dischargeDisposition": _coded(f"{_TERMINOLOGY}/discharge-disposition", "home")},
        },
        _CONDITION: {
            "resourceType": "Condition",
            "code": _coded("http://hl7.org/fhir/sid/icd-10-cm", "F11.20"),
            **of_person,
            "encounter": _ref(_ENCOUNTER),
        },
        _ORDER: {
            "resourceType": "MedicationRequest",
            "status": "active",
            "intent": "order",
            "medicationCodeableConcept": drug,
            **of_person,
            "encounter": _ref(_ENCOUNTER),
            "dosageInstruction": [{"timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}}],
        },
        _DOSE: {
            "resourceType": "MedicationAdministration",
            "status": "completed",
            "medicationCodeableConcept": drug,
            **of_person,
            "context": _ref(_ENCOUNTER),
            "effectiveDateTime": "2026-06-05T09:00:00-04:00",
            "dosage": {"route": {"text": "oral"}, "dose": {"value": 80, "unit": "mg"}},
        },
        _SUPPLY: {
            "resourceType": "MedicationDispense",
            "status": "completed",
            "category": _coded(f"{_TERMINOLOGY}/medicationdispense-category", "outpatient"),
            "medicationCodeableConcept": drug,
            **of_person,
            "context": _ref(_ENCOUNTER),
            "daysSupply": {"value": 2, "unit": "days", "system": "http://unitsofmeasure.org", "code": "d"},
            "whenHandedOver": "2026-06-05T13:00:00-04:00",
        },
    }


def _referral() -> dict[str, Json]:
    """ServiceRequest and source Task, by fullUrl."""
    about = {"encounter": _ref(_ENCOUNTER), "authoredOn": "2026-06-05T13:30:00-04:00"}
    return {
        _REQUEST: {
            "resourceType": "ServiceRequest",
            "status": "active",
            "intent": "order",
            "code": _coded("http://snomed.info/sct", "1254709001"),
            "subject": _ref(_PATIENT),
            **about,
        },
        _TASK: {
            "resourceType": "Task",
            "status": "requested",
            "intent": "order",
            "code": _coded("http://hl7.org/fhir/CodeSystem/task-code", "fulfill"),
            "focus": _ref(_REQUEST),
            "for": _ref(_PATIENT),
            **about,
        },
    }


def notification(number: int, event: str = "notification-discharge") -> Json:
    """A message of Da Vinci Unsolicited Notifications."""
    header = {
        "resourceType": "MessageHeader",
        "id": _HEADER.removeprefix("urn:uuid:"),
        "eventCoding": {"system": "http://hl7.org/fhir/us/davinci-alerts/CodeSystem/notification-event", "code": event},
        "source": {"endpoint": "https://ehr.example.org/fhir"},
        "focus": [_ref(_ENCOUNTER)],
    }
    entries = {_HEADER: header, **_discharge(number)}
    return {
        "resourceType": "Bundle",
        "type": "message",
        "timestamp": "2026-06-05T14:10:00-04:00",
        "entry": [{"fullUrl": url, "resource": resource} for url, resource in entries.items()],
    }


def written(number: int, *, kind: str = "transaction", more: Json | None = None) -> Json:
    """A stay and a referral that is asked for by name, as transaction."""
    entries = {**_discharge(number), **_referral(), **({_HEADER: more} if more else {})}
    return {
        "resourceType": "Bundle",
        "type": kind,
        "timestamp": "2026-06-05T14:10:00-04:00",
        "entry": [
            {"fullUrl": url, "resource": one, "request": {"method": "POST", "url": one["resourceType"]}}
            for url, one in entries.items()
        ],
    }


PROVENANCE: Final[Json] = {
    "resourceType": "Provenance",
    "target": [_ref(_ENCOUNTER)],
    "recorded": "2026-06-05T14:10:00-04:00",
    "agent": [{"who": {"display": "HTEST Mercy Hospital"}}],
}
