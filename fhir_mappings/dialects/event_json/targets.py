"""Which FHIR element each part of an event becomes; in parentheses what it decides or when it counts."""

from typing import Final

TARGETS: Final[dict[str, str]] = {
    "schema_version": "(how the event is read)",
    "event_id": "Provenance.entity",
    "kind": "(how the event is read)",
    "test": "(a test, not taken for real by a production sender)",
    "occurred_at": "Provenance.occurredDateTime (time of the fact)",
    "patient.identifiers": "Patient.identifier",
    "patient.name": "Patient.name",
    "patient.birth_date": "Patient.birthDate",
    "patient.sex": "Patient.gender",
    "patient.phones": "Patient.telecom",
    "patient.address": "Patient.address",
    "patient.language": "Patient.communication.language",
    "patient.interpreter": "Patient.extension",
    "patient.homeless": "Observation.valueBoolean",
    "contacts": "Patient.contact",
    "visit.identifiers": "Encounter.identifier",
    "visit.class": "Encounter.class",
    "visit.admitted_at": "Encounter.period.start",
    "visit.expected_discharge_at": "Encounter.extension (planned end, while the visit is open)",
    "visit.discharged_at": "Encounter.period.end",
    "visit.unit": "Encounter.location, Location.name (decides whether 42 CFR Part 2 holds)",
    "visit.disposition": "Encounter.hospitalization.dischargeDisposition",
    "visit.destination": "Encounter.hospitalization.destination",
    "visit.attending": "Encounter.participant, Practitioner.name, Practitioner.identifier",
    "diagnoses": "Condition.code, Condition.recordedDate, Encounter.diagnosis.rank",
    "medications.product": (
        "MedicationRequest.medicationCodeableConcept, "
        "MedicationAdministration.medicationCodeableConcept, "
        "MedicationDispense.medicationCodeableConcept"
    ),
    "medications.schedule": "MedicationRequest.dosageInstruction.timing",
    "medications.doses": (
        "MedicationAdministration.effectiveDateTime, MedicationAdministration.dosage, MedicationAdministration.status"
    ),
    "medications.bridges": "MedicationDispense.daysSupply, MedicationRequest.dispenseRequest",
    "medications.next_due_ordered": "MedicationRequest.dosageInstruction.timing.event",
    "medications.dose_number": "MedicationRequest.note",
    "naloxone_given": "Observation.valueBoolean",
    "supplies_given": "Observation.valueString",
    "allergies": "AllergyIntolerance.code",
    "clinical": "Observation.code",
    "photo_id": "Observation.code",
    "coverage": "Coverage.payor, Coverage.subscriberId",
    "current_otp": "Observation.valueString",
    "needs": "ServiceRequest.code, Task.priority",
    "continuation": "Observation.valueString",
    "guest_dosing": "(when a guest is dosed, and by when the order for it is needed)",
    "consents": (
        "Consent.status, Consent.dateTime, Consent.performer, Consent.organization, Consent.policy.uri, "
        "Consent.sourceAttachment, Consent.provision"
    ),
    "next_appointment": "Observation.code",
}
