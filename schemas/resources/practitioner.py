"""Practitioner: a clinician (FHIR R4 8.4)."""

from schemas.resources.base import ResourceSpec, code, contact, string, token
from schemas.resources.profiles import PROFILES

SPEC = ResourceSpec(
    type="Practitioner",
    search=(
        token("identifier", "identifier"),
        string("name", "name"),
        string("family", "name.family"),
        string("given", "name.given"),
        token("active", "active"),
        code("gender", "gender", "http://hl7.org/fhir/administrative-gender"),
        contact("phone", "telecom", "phone"),
        contact("email", "telecom", "email"),
        contact("telecom", "telecom"),
        token("communication", "communication"),
        string("address", "address"),
    ),
    profiles=PROFILES["Practitioner"],
)
