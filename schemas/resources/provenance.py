"""Provenance: from which message a resource was made (FHIR R4 6.3)."""

from schemas.resources.base import ResourceSpec, date, patient, reference, token
from schemas.resources.profiles import PROFILES

SPEC = ResourceSpec(
    type="Provenance",
    search=(
        reference("target", "target", index_only=("Task", "ServiceRequest")),
        patient("target"),
        date("recorded", "recorded"),
        date("when", "occurredDateTime", "occurredPeriod"),
        reference(
            "agent",
            "agent.who",
            targets=("Practitioner", "PractitionerRole", "RelatedPerson", "Patient", "Device", "Organization"),
        ),
        token("agent-type", "agent.type"),
        token("agent-role", "agent.role"),
        reference("entity", "entity.what"),
        reference("location", "location", targets=("Location",)),
        token("signature-type", "signature.type"),
    ),
    indexed=frozenset({"target"}),
    profiles=PROFILES["Provenance"],
)
