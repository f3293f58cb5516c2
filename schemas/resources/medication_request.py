"""MedicationRequest: an order or prescription (FHIR R4 11.1)."""

from schemas.resources.base import ResourceSpec, code, date, patient, reference, token
from schemas.resources.profiles import PROFILES

SPEC = ResourceSpec(
    type="MedicationRequest",
    search=(
        token("identifier", "identifier"),
        patient("subject"),
        reference("subject", "subject", targets=("Patient", "Group")),
        reference("encounter", "encounter", targets=("Encounter",)),
        code("status", "status", "http://hl7.org/fhir/CodeSystem/medicationrequest-status"),
        code("intent", "intent", "http://hl7.org/fhir/CodeSystem/medicationrequest-intent"),
        code("priority", "priority", "http://hl7.org/fhir/request-priority"),
        token("category", "category"),
        token("code", "medicationCodeableConcept"),
        reference("medication", "medicationReference", targets=("Medication",)),
        date("authoredon", "authoredOn"),
        date("date", "dosageInstruction.timing.event"),
        reference(
            "requester",
            "requester",
            targets=("Practitioner", "PractitionerRole", "Organization", "Patient", "RelatedPerson", "Device"),
        ),
        reference(
            "intended-performer",
            "performer",
            targets=(
                "Practitioner",
                "PractitionerRole",
                "Organization",
                "Patient",
                "Device",
                "RelatedPerson",
                "CareTeam",
            ),
        ),
        token("intended-performertype", "performerType"),
        reference("intended-dispenser", "dispenseRequest.performer", targets=("Organization",)),
    ),
    profiles=PROFILES["MedicationRequest"],
)
