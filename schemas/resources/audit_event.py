"""AuditEvent: who was shown what, and what was decided (FHIR R4 6.4). Rendered when it is read, never written."""

from schemas.resources.base import Invariant, Resource, ResourceSpec, code, date, has, patient, reference, token, uri

_AGENTS = ("Practitioner", "PractitionerRole", "Organization", "Device", "Patient", "RelatedPerson")


def _named_or_asked(entity: Resource) -> bool:
    return not (has(entity, "name") and has(entity, "query"))


SPEC = ResourceSpec(
    type="AuditEvent",
    rendered=True,
    search=(
        patient("agent.who", "entity.what"),
        date("date", "recorded"),
        reference("agent", "agent.who", targets=_AGENTS),
        reference("entity", "entity.what"),
        token("entity-type", "entity.type"),
        token("entity-role", "entity.role"),
        code("action", "action", "http://hl7.org/fhir/audit-event-action"),
        code("outcome", "outcome", "http://terminology.hl7.org/CodeSystem/audit-event-outcome"),
        token("type", "type"),
        token("subtype", "subtype"),
        reference("source", "source.observer", targets=_AGENTS),
        uri("policy", "agent.policy"),
    ),
    indexed=frozenset(),
    invariants=(Invariant("sev-1", "a name or a query, not both", "AuditEvent.entity", _named_or_asked),),
)
