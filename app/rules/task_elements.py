"""The elements of a FHIR Task, as answers may name them (http://hl7.org/fhir/R4/task.html)."""

from typing import Final

NAMED: Final = frozenset(
    {
        "authoredOn",
        "basedOn",
        "businessStatus",
        "code",
        "contained",
        "description",
        "encounter",
        "executionPeriod",
        "extension",
        "focus",
        "for",
        "groupIdentifier",
        "identifier",
        "implicitRules",
        "input",
        "instantiatesCanonical",
        "instantiatesUri",
        "insurance",
        "intent",
        "language",
        "location",
        "meta.security",
        "modifierExtension",
        "note",
        "output",
        "owner",
        "partOf",
        "performerType",
        "priority",
        "reasonCode",
        "reasonReference",
        "relevantHistory",
        "requester",
        "resourceType",
        "restriction",
        "status",
        "statusReason",
    }
)
"""Elements that may be named in an answer although the stored Task lacks them."""
