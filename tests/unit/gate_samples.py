"""Valid resources, one per profile that the hub checks; every name is synthetic and says so."""

import copy
import json
from typing import Any

US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"
GRAVITY = "http://hl7.org/fhir/us/sdoh-clinicalcare/StructureDefinition/"
HTEST = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
PATIENT = {"reference": "Patient/p1"}


def _meta(profile: str) -> dict[str, Any]:
    return {"profile": [profile], "security": [HTEST]}


def _concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


_METHADONE = _concept(RXNORM, "991147")
_SNOMED = "http://snomed.info/sct"
_F11 = _concept("http://hl7.org/fhir/sid/icd-10-cm", "F11.20")
_PHONE = [{"system": "phone", "value": "555-0100", "use": "work"}]
_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
_NPI = [{"system": "http://hl7.org/fhir/sid/us-npi", "value": "1234567893"}]

SAMPLES: dict[str, dict[str, Any]] = {
    f"{GRAVITY}SDOHCC-TaskForReferralManagement": {
        "resourceType": "Task",
        "id": "t1",
        "identifier": [{"system": "urn:example:hospital", "value": "HTEST-66666666"}],
        "groupIdentifier": {"system": "urn:example:group", "value": "HTEST-1"},
        "partOf": [{"reference": "Task/t0"}, {"reference": "Task/t9"}],
        "status": "requested",
        "statusReason": {"text": "why"},
        "businessStatus": _concept("urn:example:business", "needs-a-person"),
        "intent": "order",
        "priority": "urgent",
        "code": _concept("http://hl7.org/fhir/CodeSystem/task-code", "fulfill"),
        "focus": {"reference": "ServiceRequest/s1"},
        "for": PATIENT,
        "encounter": {"reference": "Encounter/e1"},
        "executionPeriod": {"start": "2026-01-02", "end": "2026-01-02"},
        "authoredOn": "2026-01-02T03:04:05Z",
        "lastModified": "2026-01-02T03:04:05.5Z",
        "requester": {"reference": "Organization/hospital"},
        "owner": {"reference": "Organization/otp/_history/3"},
        "restriction": {"repetitions": 1, "period": {"end": "2026-01-05T00:00:00Z"}},
        "input": [
            {"type": {"text": "additional-content"}, "valueReference": {"reference": "MedicationAdministration/m1"}}
        ],
        "output": [{"type": {"text": "resulting-activity"}, "valueReference": {"reference": "Procedure/x1"}}],
    },
    f"{GRAVITY}SDOHCC-ServiceRequest": {
        "resourceType": "ServiceRequest",
        "id": "s0",
        "status": "active",
        "intent": "filler-order",
        "basedOn": [{"reference": "ServiceRequest/s1"}],
        "code": _concept(_SNOMED, "1254709001"),
        "subject": PATIENT,
        "authoredOn": "2026-01-02",
    },
    f"{US_CORE}servicerequest": {
        "resourceType": "ServiceRequest",
        "id": "s1",
        "status": "active",
        "intent": "order",
        "priority": "urgent",
        "category": [_concept(_SNOMED, "410606002")],
        "code": {"coding": [{"system": _SNOMED, "code": "1254709001"}, {"code": "local"}]},
        "subject": PATIENT,
        "occurrencePeriod": {"start": "2026-01-02"},
        "authoredOn": "2026-01-02T03:04:05-05:00",
        "requester": {"reference": "Organization/hospital"},
        "supportingInfo": [{"reference": "MedicationAdministration/m1"}, {"reference": "#c"}],
        "contained": [
            {
                "resourceType": "Coverage",
                "id": "c",
                "status": "active",
                "beneficiary": PATIENT,
                "payor": [{"display": "HTEST payer"}],
            }
        ],
    },
    f"{US_CORE}patient": {
        "resourceType": "Patient",
        "id": "p1",
        "extension": [
            {
                "url": f"{US_CORE}race",
                "extension": [
                    {
                        "url": "ombCategory",
                        "valueCoding": {"system": "urn:oid:2.16.840.1.113883.6.238", "code": "2106-3"},
                    },
                    {"url": "text", "valueString": "White"},
                ],
            }
        ],
        "identifier": [{"system": "urn:oid:2.16.840.1.113883.3.9999.1", "value": "HTEST0007"}],
        "name": [{"family": "Htest", "given": ["Sám", "Lee"]}],
        "telecom": [*_PHONE, {"system": "email", "value": "htest@example.org"}],
        "gender": "male",
        "birthDate": "1991-04-02",
        "communication": [{"language": _concept("urn:ietf:bcp:47", "en")}],
        "contact": [{"name": {"text": "Htest Contact"}}],
    },
    f"{US_CORE}encounter": {
        "resourceType": "Encounter",
        "id": "e1",
        "identifier": [{"system": "urn:oid:2.16.840.1.113883.3.9999.2", "value": "HTEST-V7"}],
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
        "type": [_concept(_SNOMED, "32485007")],
        "subject": PATIENT,
        "period": {"start": "2026-06-01T09:00:00-04:00", "end": "2026-06-05T14:00:00-04:00"},
        "location": [{"location": {"reference": "Location/l1"}}],
    },
    f"{US_CORE}condition-encounter-diagnosis": {
        "resourceType": "Condition",
        "id": "c1",
        "clinicalStatus": _concept("http://terminology.hl7.org/CodeSystem/condition-clinical", "active"),
        "category": [_concept(_CATEGORY, "encounter-diagnosis")],
        "code": _F11,
        "subject": PATIENT,
        "onsetPeriod": {"start": "2020"},
    },
    f"{US_CORE}condition-problems-health-concerns": {
        "resourceType": "Condition",
        "id": "c2",
        "clinicalStatus": _concept("http://terminology.hl7.org/CodeSystem/condition-clinical", "active"),
        "category": [_concept(_CATEGORY, "problem-list-item")],
        "code": _F11,
        "subject": PATIENT,
    },
    f"{US_CORE}medicationrequest": {
        "resourceType": "MedicationRequest",
        "id": "mr1",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": _METHADONE,
        "subject": PATIENT,
        "authoredOn": "2026-06-05",
        "requester": {"reference": "PractitionerRole/pr1"},
        "dosageInstruction": [{"timing": {"event": ["2026-06-05", "2026-06-06"], "repeat": {"count": 2}}}],
    },
    f"{US_CORE}medicationdispense": {
        "resourceType": "MedicationDispense",
        "id": "md1",
        "status": "completed",
        "medicationCodeableConcept": _METHADONE,
        "subject": PATIENT,
        "performer": [{"actor": {"reference": "Organization/hospital"}}],
        "daysSupply": {"value": 2, "unit": "d", "system": "http://unitsofmeasure.org", "code": "d"},
        "whenHandedOver": "2026-06-05T13:00:00-04:00",
    },
    f"{US_CORE}coverage": {
        "resourceType": "Coverage",
        "id": "cv1",
        "identifier": [
            {"type": _concept("http://terminology.hl7.org/CodeSystem/v2-0203", "MB"), "value": "HTEST-MEMBER"}
        ],
        "status": "active",
        "beneficiary": PATIENT,
        "relationship": _concept("http://terminology.hl7.org/CodeSystem/subscriber-relationship", "self"),
        "payor": [{"reference": "Organization/payer"}],
        "class": [{"type": _concept("http://terminology.hl7.org/CodeSystem/coverage-class", "plan"), "value": "HTEST"}],
    },
    f"{US_CORE}organization": {
        "resourceType": "Organization",
        "id": "hospital",
        "identifier": _NPI,
        "active": True,
        "name": "HTEST Hospital",
        "address": [{"line": ["1 Main St"], "city": "Northgate"}],
    },
    f"{US_CORE}practitioner": {
        "resourceType": "Practitioner",
        "id": "d1",
        "identifier": _NPI,
        "name": [{"family": "Htest", "given": ["Doc"]}],
        "address": [{"line": ["1 Main St"]}],
    },
    f"{US_CORE}practitionerrole": {
        "resourceType": "PractitionerRole",
        "id": "pr1",
        "practitioner": {"reference": "Practitioner/d1"},
        "organization": {"reference": "Organization/hospital"},
        "telecom": _PHONE,
    },
    f"{US_CORE}location": {"resourceType": "Location", "id": "l1", "status": "active", "name": "HTEST 4W"},
    f"{US_CORE}allergyintolerance": {
        "resourceType": "AllergyIntolerance",
        "id": "a1",
        "clinicalStatus": _concept("http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "active"),
        "code": {"text": "penicillin"},
        "patient": PATIENT,
        "reaction": [{"manifestation": [{"text": "hives"}], "severity": "mild"}],
    },
    f"{US_CORE}simple-observation": {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "category": [_concept("http://terminology.hl7.org/CodeSystem/observation-category", "social-history")],
        "code": {"text": "photo id"},
        "subject": PATIENT,
        "valueBoolean": True,
    },
    f"{US_CORE}observation-clinical-result": {
        "resourceType": "Observation",
        "id": "o2",
        "status": "final",
        "category": [_concept("http://terminology.hl7.org/CodeSystem/observation-category", "exam")],
        "code": _concept("http://loinc.org", "8633-0"),
        "subject": PATIENT,
        "effectiveDateTime": "2026-06-05",
        "valueQuantity": {"value": 430, "unit": "ms", "system": "http://unitsofmeasure.org", "code": "ms"},
    },
    f"{US_CORE}provenance": {
        "resourceType": "Provenance",
        "id": "v1",
        "target": [{"reference": "Task/t1"}, PATIENT],
        "recorded": "2026-06-05T14:10:00.000123Z",
        "agent": [{"who": {"reference": "Organization/hub"}, "onBehalfOf": {"reference": "Organization/hospital"}}],
        "entity": [{"role": "source", "what": {"display": "message"}}],
    },
    "MedicationAdministration": {
        "resourceType": "MedicationAdministration",
        "id": "m1",
        "status": "completed",
        "medicationCodeableConcept": _METHADONE,
        "subject": PATIENT,
        "context": {"reference": "Encounter/e1"},
        "effectiveDateTime": "2026-06-05T09:00:00-04:00",
        "dosage": {"dose": {"value": 80, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"}},
    },
    "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription": {
        "resourceType": "Subscription",
        "id": "s1",
        "status": "requested",
        "reason": "HTEST",
        "criteria": "http://hl7.org/fhir/us/sdoh-clinicalcare/SubscriptionTopic/Task",
        "channel": {"type": "rest-hook", "endpoint": "https://otp.test/hook", "payload": "application/fhir+json"},
    },
    "Consent": {
        "resourceType": "Consent",
        "id": "n1",
        "status": "active",
        "scope": _concept("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy"),
        "category": [_concept("http://terminology.hl7.org/CodeSystem/v3-ActCode", "IDSCL")],
        "patient": PATIENT,
        "dateTime": "2026-06-04",
        "policyRule": _concept("http://terminology.hl7.org/CodeSystem/v3-ActCode", "42CFRPart2"),
        "provision": {"actor": [{"role": {"text": "recipient"}, "reference": {"reference": "Organization/otp"}}]},
    },
}
for _url, _sample in SAMPLES.items():
    _sample["meta"] = _meta(_url) if ":" in _url else {"security": [HTEST]}
    # Through text, so that no two places share one object.
    SAMPLES[_url] = json.loads(json.dumps(_sample))


def sample(name: str) -> dict[str, Any]:
    """A fresh copy of the sample whose profile URL, or type, ends with ``name``."""
    return copy.deepcopy(next(value for url, value in SAMPLES.items() if url.endswith(name)))
