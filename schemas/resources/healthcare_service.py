"""HealthcareService: what a partner offers (FHIR R4 8.6, SDOHCC HealthcareService)."""

from schemas.resources.base import AUTHORED, ResourceSpec, reference, string, token

SPEC = ResourceSpec(
    type="HealthcareService",
    interactions=AUTHORED,
    search=(
        token("identifier", "identifier"),
        token("active", "active"),
        string("name", "name"),
        reference("organization", "providedBy", targets=("Organization",)),
        reference("location", "location", targets=("Location",)),
        reference("coverage-area", "coverageArea", targets=("Location",)),
        token("service-category", "category"),
        token("service-type", "type"),
        token("specialty", "specialty"),
        token("program", "program"),
        token("characteristic", "characteristic"),
    ),
    indexed=frozenset({"identifier", "organization"}),
)
