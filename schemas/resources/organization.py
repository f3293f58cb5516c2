"""Organization: a hospital, a partner or the hub itself (FHIR R4 8.6)."""

from schemas.resources.base import Invariant, Resource, ResourceSpec, any_of, reference, string, token
from schemas.resources.profiles import PROFILES


def _not_home(item: Resource) -> bool:
    return item.get("use") != "home"


SPEC = ResourceSpec(
    type="Organization",
    search=(
        token("identifier", "identifier"),
        string("name", "name", "alias"),
        token("type", "type"),
        token("active", "active"),
        string("address", "address"),
        string("address-city", "address.city"),
        string("address-state", "address.state"),
        string("address-postalcode", "address.postalCode"),
        reference("partof", "partOf", targets=("Organization",)),
        reference("endpoint", "endpoint", targets=("Endpoint",)),
    ),
    invariants=(
        Invariant("org-1", "an identifier or a name", "Organization", any_of("identifier", "name")),
        Invariant("org-2", "no home address", "Organization.address", _not_home, element="use"),
        Invariant("org-3", "no home contact", "Organization.telecom", _not_home, element="use"),
    ),
    indexed=frozenset({"identifier", "name"}),
    profiles=PROFILES["Organization"],
)
