"""PractitionerRole: a clinician at an organisation (FHIR R4 8.5)."""

from schemas.resources.base import ResourceSpec, contact, date, reference, token
from schemas.resources.profiles import PROFILES

SPEC = ResourceSpec(
    type="PractitionerRole",
    search=(
        token("identifier", "identifier"),
        reference("practitioner", "practitioner", targets=("Practitioner",)),
        reference("organization", "organization", targets=("Organization",)),
        reference("location", "location", targets=("Location",)),
        reference("service", "healthcareService", targets=("HealthcareService",)),
        token("role", "code"),
        token("specialty", "specialty"),
        token("active", "active"),
        date("date", "period"),
        contact("phone", "telecom", "phone"),
        contact("email", "telecom", "email"),
        contact("telecom", "telecom"),
        reference("endpoint", "endpoint", targets=("Endpoint",)),
    ),
    profiles=PROFILES["PractitionerRole"],
)
