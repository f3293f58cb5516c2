"""Coverage: insurance (FHIR R4 13.1)."""

from schemas.resources.base import ResourceSpec, code, patient, reference, string, token
from schemas.resources.profiles import PROFILES

SPEC = ResourceSpec(
    type="Coverage",
    search=(
        token("identifier", "identifier"),
        reference("beneficiary", "beneficiary", targets=("Patient",)),
        patient("beneficiary"),
        reference("payor", "payor", targets=("Organization", "Patient", "RelatedPerson")),
        code("status", "status", "http://hl7.org/fhir/fm-status"),
        token("type", "type"),
        reference("subscriber", "subscriber", targets=("Patient", "RelatedPerson")),
        reference("policy-holder", "policyHolder", targets=("Patient", "RelatedPerson", "Organization")),
        token("class-type", "class.type"),
        string("class-value", "class.value"),
        string("dependent", "dependent"),
    ),
    profiles=PROFILES["Coverage"],
)
