"""Communication: what was said to whom (FHIR R4 12.18)."""

from schemas.resources.base import AUTHORED, ResourceSpec, code, date, patient, reference, token, uri

SPEC = ResourceSpec(
    type="Communication",
    interactions=AUTHORED,
    search=(
        token("identifier", "identifier"),
        code("status", "status", "http://hl7.org/fhir/event-status"),
        patient("subject"),
        reference("subject", "subject", targets=("Group", "Patient")),
        token("category", "category"),
        token("medium", "medium"),
        date("sent", "sent"),
        date("received", "received"),
        reference(
            "sender",
            "sender",
            targets=(
                *("Practitioner", "Organization", "Device", "Patient"),
                *("HealthcareService", "PractitionerRole", "RelatedPerson"),
            ),
        ),
        reference("recipient", "recipient"),
        reference("encounter", "encounter", targets=("Encounter",)),
        reference("based-on", "basedOn"),
        reference("part-of", "partOf"),
        uri("instantiates-uri", "instantiatesUri"),
    ),
    indexed=frozenset({"identifier", "patient", "based-on"}),
)
