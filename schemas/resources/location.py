"""Location: a unit of a hospital, a site of a partner (FHIR R4 8.7)."""

from schemas.resources.base import ResourceSpec, code, reference, string, token
from schemas.resources.profiles import PROFILES

SPEC = ResourceSpec(
    type="Location",
    search=(
        token("identifier", "identifier"),
        string("name", "name", "alias"),
        code("status", "status", "http://hl7.org/fhir/location-status"),
        token("operational-status", "operationalStatus"),
        token("type", "type"),
        string("address", "address"),
        string("address-city", "address.city"),
        string("address-state", "address.state"),
        string("address-postalcode", "address.postalCode"),
        reference("organization", "managingOrganization", targets=("Organization",)),
        reference("partof", "partOf", targets=("Location",)),
        reference("endpoint", "endpoint", targets=("Endpoint",)),
    ),
    profiles=PROFILES["Location"],
)
