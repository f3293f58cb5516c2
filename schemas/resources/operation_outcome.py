"""OperationOutcome: what was wrong, or what else there is to say (FHIR R4 2.30). Never stored."""

from schemas.resources.base import ResourceSpec

SPEC = ResourceSpec(
    type="OperationOutcome",
    interactions=frozenset(),
)
