"""FHIR Bundles as a hospital sends them; everybody in them is made up and says so."""

from copy import deepcopy
from typing import Any

Resource = dict[str, Any]
EVENTS = "http://hl7.org/fhir/us/davinci-alerts/CodeSystem/notification-event"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
V2_0203 = "http://terminology.hl7.org/CodeSystem/v2-0203"
MR, VN = "urn:oid:2.16.840.1.113883.3.9999.1", "urn:oid:2.16.840.1.113883.3.9999.2"
PATIENT, ENCOUNTER, CONDITION = "urn:uuid:p", "urn:uuid:e", "urn:uuid:c"
ORDER, DOSE, SUPPLY = "urn:uuid:o", "urn:uuid:d", "urn:uuid:s"
METHADONE = {
    "coding": [{"system": RXNORM, "code": "991147", "display": "methadone hydrochloride 10 MG/ML Oral Concentrate"}]
}
HEADER_ID = "0f9a1c00-0000-4000-8000-{:012d}"


NOTHING: dict[str, Any] = dict.fromkeys("pecods")
"""For ``transaction``: a Bundle without the stay."""


def ref(url: str) -> Resource:
    """A literal reference."""
    return {"reference": url}


def concept(system: str, code: str) -> Resource:
    """A CodeableConcept of one code."""
    return {"coding": [{"system": system, "code": code}]}


def patient(number: int = 1, **changes: Any) -> Resource:
    """The person."""
    return {
        "resourceType": "Patient",
        "identifier": [{"type": concept(V2_0203, "MR"), "system": MR, "value": f"HTEST{number:04d}"}],
        "name": [{"use": "official", "family": "HTEST", "given": ["Sam"]}],
        "telecom": [{"system": "phone", "value": "+1-555-0107"}],
        "gender": "male",
        "birthDate": "1991-04-02",
        **changes,
    }


def encounter(number: int = 1, **changes: Any) -> Resource:
    """A stay that has ended."""
    return {
        "resourceType": "Encounter",
        "identifier": [{"type": concept(V2_0203, "VN"), "system": VN, "value": f"HTEST-V{number:04d}"}],
        "status": "finished",
        "class": {"system": ACT, "code": "IMP"},
        "subject": ref(PATIENT),
        "period": {"start": "2026-06-01T09:00:00-04:00", "end": "2026-06-05T14:00:00-04:00"},
        "diagnosis": [{"condition": ref(CONDITION), "rank": 1}],
        "location": [{"location": {"display": "4W"}}],
        "hospitalization": {
            "dischargeDisposition": concept("http://terminology.hl7.org/CodeSystem/discharge-disposition", "home")
        },
        **changes,
    }


def condition(**changes: Any) -> Resource:
    """Opioid dependence."""
    return {
        "resourceType": "Condition",
        "code": concept("http://hl7.org/fhir/sid/icd-10-cm", "F11.20"),
        "subject": ref(PATIENT),
        "encounter": ref(ENCOUNTER),
        **changes,
    }


def order(**changes: Any) -> Resource:
    """Methadone once a day."""
    timing = {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}
    return {
        "resourceType": "MedicationRequest",
        "identifier": [{"system": "urn:oid:2.16.840.1.113883.3.9999.5", "value": "HTEST-P1"}],
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": METHADONE,
        "subject": ref(PATIENT),
        "encounter": ref(ENCOUNTER),
        "authoredOn": "2026-06-01T10:00:00-04:00",
        "dosageInstruction": [{"timing": timing}],
        **changes,
    }


def dose(**changes: Any) -> Resource:
    """The dose of the morning of the discharge."""
    return {
        "resourceType": "MedicationAdministration",
        "status": "completed",
        "medicationCodeableConcept": METHADONE,
        "subject": ref(PATIENT),
        "context": ref(ENCOUNTER),
        "effectiveDateTime": "2026-06-05T09:00:00-04:00",
        "request": ref(ORDER),
        "dosage": {"route": {"text": "oral"}, "dose": {"value": 80, "unit": "mg"}},
        **changes,
    }


def supply(**changes: Any) -> Resource:
    """Two days of it for the way home."""
    return {
        "resourceType": "MedicationDispense",
        "identifier": [{"system": "urn:oid:2.16.840.1.113883.3.9999.6", "value": "HTEST-RX1"}],
        "status": "completed",
        "medicationCodeableConcept": METHADONE,
        "subject": ref(PATIENT),
        "context": ref(ENCOUNTER),
        "authorizingPrescription": [ref(ORDER)],
        "daysSupply": {"value": 2, "unit": "days", "system": "http://unitsofmeasure.org", "code": "d"},
        "whenHandedOver": "2026-06-05T13:00:00-04:00",
        **changes,
    }


def resources(number: int = 1, **changes: Any) -> dict[str, Resource]:
    """A discharge on methadone by fullUrl; ``changes`` replaces, adds or (None) leaves out, by its last part."""
    all_of_it: dict[str, Resource | None] = {
        "p": patient(number),
        "e": encounter(number),
        "c": condition(),
        "o": order(),
        "d": dose(),
        "s": supply(),
        **changes,
    }
    return {f"urn:uuid:{name}": deepcopy(one) for name, one in all_of_it.items() if one is not None}


def header(number: int = 1, event: str = "notification-discharge", **changes: Any) -> Resource:
    """The header of a notification."""
    return {
        "resourceType": "MessageHeader",
        "id": HEADER_ID.format(number),
        "eventCoding": {"system": EVENTS, "code": event},
        "source": {"endpoint": "https://ehr.example.org/fhir"},
        "focus": [ref(ENCOUNTER)],
        **changes,
    }


def message(
    number: int = 1,
    event: str = "notification-discharge",
    *,
    at: str = "2026-06-05T14:10:00-04:00",
    head: Resource | None = None,
    **changes: Any,
) -> Resource:
    """A notification with all that a referral needs."""
    entries = {"urn:uuid:h": head or header(number, event), **resources(number, **changes)}
    return {
        "resourceType": "Bundle",
        "type": "message",
        "timestamp": at,
        "entry": [{"fullUrl": url, "resource": one} for url, one in entries.items()],
    }


def transaction(number: int = 1, *, at: str | None = "2026-06-05T14:10:00-04:00", **changes: Any) -> Resource:
    """The same, written by POST."""
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        **({"timestamp": at} if at is not None else {}),
        "entry": [posted(url, one) for url, one in resources(number, **changes).items()],
    }


def posted(url: str, resource: Resource) -> Resource:
    """An entry that creates a resource."""
    return {"fullUrl": url, "resource": resource, "request": {"method": "POST", "url": resource["resourceType"]}}


def request_and_task(**changes: Any) -> dict[str, Any]:
    """A referral that is asked for by name: ServiceRequest and source Task."""
    common = {"status": "active", "intent": "order", "subject": ref(PATIENT), "encounter": ref(ENCOUNTER)}
    code = concept("http://snomed.info/sct", "1254709001")
    fulfill = concept("http://hl7.org/fhir/CodeSystem/task-code", "fulfill")
    return {
        "r": {"resourceType": "ServiceRequest", "code": code, "priority": "urgent", **common},
        "t": {
            "resourceType": "Task",
            "identifier": [{"system": "https://ehr.example.org/referrals", "value": "HTEST-T1"}],
            "status": "requested",
            "intent": "order",
            "code": fulfill,
            "focus": ref("urn:uuid:r"),
            "for": ref(PATIENT),
            "encounter": ref(ENCOUNTER),
            "authoredOn": "2026-06-05T12:00:00-04:00",
            **changes,
        },
    }
