"""AllergyIntolerance: an allergy (FHIR R4 9.1)."""

from schemas.resources.base import Invariant, Resource, ResourceSpec, code, coded, date, has, patient, reference, token
from schemas.resources.profiles import PROFILES, bound

_CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"


def _in_error(allergy: Resource) -> bool:
    return coded(allergy.get("verificationStatus"), _VERIFICATION, "entered-in-error")


SPEC = ResourceSpec(
    type="AllergyIntolerance",
    search=(
        token("identifier", "identifier"),
        patient("patient"),
        token("code", "code", "reaction.substance"),
        token("clinical-status", "clinicalStatus"),
        token("verification-status", "verificationStatus"),
        code("category", "category", "http://hl7.org/fhir/allergy-intolerance-category"),
        code("criticality", "criticality", "http://hl7.org/fhir/allergy-intolerance-criticality"),
        code("type", "type", "http://hl7.org/fhir/allergy-intolerance-type"),
        code("severity", "reaction.severity", "http://hl7.org/fhir/reaction-event-severity"),
        token("manifestation", "reaction.manifestation"),
        token("route", "reaction.exposureRoute"),
        date("date", "recordedDate"),
        date("onset", "reaction.onset"),
        date("last-date", "lastOccurrence"),
        reference("recorder", "recorder", targets=("Practitioner", "PractitionerRole", "Patient", "RelatedPerson")),
        reference("asserter", "asserter", targets=("Patient", "RelatedPerson", "Practitioner", "PractitionerRole")),
    ),
    invariants=(
        bound("AllergyIntolerance.clinicalStatus", _CLINICAL, "active", "inactive", "resolved"),
        bound(
            "AllergyIntolerance.verificationStatus",
            _VERIFICATION,
            *("unconfirmed", "confirmed", "refuted", "entered-in-error"),
        ),
        Invariant(
            "ait-1",
            "a clinical status, unless it was entered in error",
            "AllergyIntolerance",
            lambda allergy: has(allergy, "clinicalStatus") or _in_error(allergy),
            element="clinicalStatus",
        ),
        Invariant(
            "ait-2",
            "no clinical status where it was entered in error",
            "AllergyIntolerance",
            lambda allergy: not (has(allergy, "clinicalStatus") and _in_error(allergy)),
            element="clinicalStatus",
        ),
    ),
    profiles=PROFILES["AllergyIntolerance"],
)
