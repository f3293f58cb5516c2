"""Patient: the person who leaves (FHIR R4 8.1)."""

from schemas.resources.base import Invariant, ResourceSpec, any_of, code, contact, date, reference, string, token
from schemas.resources.profiles import PROFILES

SPEC = ResourceSpec(
    type="Patient",
    search=(
        token("identifier", "identifier"),
        string("name", "name"),
        string("family", "name.family"),
        string("given", "name.given"),
        date("birthdate", "birthDate"),
        date("death-date", "deceasedDateTime"),
        code("gender", "gender", "http://hl7.org/fhir/administrative-gender"),
        contact("phone", "telecom", "phone"),
        contact("email", "telecom", "email"),
        contact("telecom", "telecom"),
        string("address", "address"),
        string("address-city", "address.city"),
        string("address-state", "address.state"),
        string("address-postalcode", "address.postalCode"),
        token("language", "communication.language"),
        token("active", "active"),
        reference(
            "general-practitioner", "generalPractitioner", targets=("Organization", "Practitioner", "PractitionerRole")
        ),
        reference("organization", "managingOrganization", targets=("Organization",)),
        reference("link", "link.other", targets=("Patient", "RelatedPerson")),
    ),
    invariants=(
        Invariant(
            "pat-1",
            "a name, telecom, address or organization",
            "Patient.contact",
            any_of("name", "telecom", "address", "organization"),
        ),
    ),
    indexed=frozenset({"identifier"}),
    profiles=PROFILES["Patient"],
)
