"""Encounter: the stay that ends (FHIR R4 8.11)."""

from schemas.resources.base import ResourceSpec, code, date, patient, reference, token
from schemas.resources.profiles import PROFILES

SPEC = ResourceSpec(
    type="Encounter",
    search=(
        token("identifier", "identifier"),
        code("status", "status", "http://hl7.org/fhir/encounter-status"),
        token("class", "class"),
        token("type", "type"),
        patient("subject"),
        reference("subject", "subject", targets=("Patient", "Group")),
        date("date", "period"),
        reference("location", "location.location", targets=("Location",)),
        date("location-period", "location.period"),
        reference(
            "participant", "participant.individual", targets=("Practitioner", "PractitionerRole", "RelatedPerson")
        ),
        token("participant-type", "participant.type"),
        reference("service-provider", "serviceProvider", targets=("Organization",)),
        reference("part-of", "partOf", targets=("Encounter",)),
        reference("based-on", "basedOn", targets=("ServiceRequest",)),
        reference("diagnosis", "diagnosis.condition", targets=("Condition", "Procedure")),
        token("reason-code", "reasonCode"),
        reference("reason-reference", "reasonReference"),
    ),
    indexed=frozenset({"patient", "identifier"}),
    profiles=PROFILES["Encounter"],
)
