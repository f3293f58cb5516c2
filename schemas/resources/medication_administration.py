"""MedicationAdministration: one dose that was given (FHIR R4 11.3)."""

from schemas.resources.base import (
    Invariant,
    Resource,
    ResourceSpec,
    code,
    date,
    has,
    has_choice,
    patient,
    reference,
    token,
)


def _dose_or_rate(dosage: Resource) -> bool:
    return has(dosage, "dose") or has_choice(dosage, "rate")


SPEC = ResourceSpec(
    type="MedicationAdministration",
    search=(
        token("identifier", "identifier"),
        patient("subject"),
        reference("subject", "subject", targets=("Patient", "Group")),
        reference("context", "context", targets=("Encounter", "EpisodeOfCare")),
        code("status", "status", "http://terminology.hl7.org/CodeSystem/medication-admin-status"),
        token("code", "medicationCodeableConcept"),
        reference("medication", "medicationReference", targets=("Medication",)),
        date("effective-time", "effectiveDateTime", "effectivePeriod"),
        reference(
            "performer",
            "performer.actor",
            targets=("Practitioner", "PractitionerRole", "Patient", "RelatedPerson", "Device"),
        ),
        reference("request", "request", targets=("MedicationRequest",)),
        reference("device", "device", targets=("Device",)),
        token("reason-given", "reasonCode"),
        token("reason-not-given", "statusReason"),
    ),
    invariants=(
        Invariant("mad-1", "a dose or a rate", "MedicationAdministration.dosage", _dose_or_rate, element="dose"),
    ),
)
