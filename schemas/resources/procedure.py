"""Procedure: what was done for the person; how a partner reports a service (FHIR R4 9.3, SDOHCC Procedure)."""

from schemas.resources.base import AUTHORED, ResourceSpec, code, date, patient, reference, token, uri

SPEC = ResourceSpec(
    type="Procedure",
    interactions=AUTHORED,
    search=(
        token("identifier", "identifier"),
        code("status", "status", "http://hl7.org/fhir/event-status"),
        patient("subject"),
        reference("subject", "subject", targets=("Group", "Patient")),
        token("category", "category"),
        token("code", "code"),
        date("date", "performedDateTime", "performedPeriod"),
        reference("encounter", "encounter", targets=("Encounter",)),
        reference("based-on", "basedOn", targets=("CarePlan", "ServiceRequest")),
        reference("part-of", "partOf", targets=("Observation", "Procedure", "MedicationAdministration")),
        reference(
            "performer",
            "performer.actor",
            targets=("Practitioner", "Organization", "Device", "Patient", "PractitionerRole", "RelatedPerson"),
        ),
        reference("location", "location", targets=("Location",)),
        token("reason-code", "reasonCode"),
        reference(
            "reason-reference",
            "reasonReference",
            targets=("Condition", "Observation", "Procedure", "DiagnosticReport", "DocumentReference"),
        ),
        uri("instantiates-uri", "instantiatesUri"),
    ),
    indexed=frozenset({"identifier", "patient", "based-on"}),
)
