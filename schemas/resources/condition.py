"""Condition: a diagnosis (FHIR R4 9.2)."""

from schemas.resources.base import (
    Invariant,
    Resource,
    ResourceSpec,
    any_of,
    coded,
    date,
    has,
    has_choice,
    patient,
    reference,
    token,
)
from schemas.resources.profiles import PROFILES, bound

_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


def _abated_is_not_active(condition: Resource) -> bool:
    return not has_choice(condition, "abatement") or coded(
        condition.get("clinicalStatus"), _CLINICAL, "resolved", "remission", "inactive"
    )


def _error_has_no_status(condition: Resource) -> bool:
    in_error = coded(condition.get("verificationStatus"), _VERIFICATION, "entered-in-error")
    return not in_error or not has(condition, "clinicalStatus")


SPEC = ResourceSpec(
    type="Condition",
    search=(
        token("identifier", "identifier"),
        patient("subject"),
        reference("subject", "subject", targets=("Patient", "Group")),
        reference("encounter", "encounter", targets=("Encounter",)),
        token("code", "code"),
        token("category", "category"),
        token("clinical-status", "clinicalStatus"),
        token("verification-status", "verificationStatus"),
        token("severity", "severity"),
        token("body-site", "bodySite"),
        date("onset-date", "onsetDateTime", "onsetPeriod"),
        date("abatement-date", "abatementDateTime", "abatementPeriod"),
        date("recorded-date", "recordedDate"),
        reference("asserter", "asserter", targets=("Practitioner", "PractitionerRole", "Patient", "RelatedPerson")),
        reference("evidence-detail", "evidence.detail"),
    ),
    invariants=(
        bound(
            "Condition.clinicalStatus",
            _CLINICAL,
            *("active", "recurrence", "relapse", "inactive", "remission", "resolved"),
        ),
        bound(
            "Condition.verificationStatus",
            _VERIFICATION,
            *("unconfirmed", "provisional", "differential", "confirmed", "refuted", "entered-in-error"),
        ),
        Invariant("con-1", "a summary or an assessment", "Condition.stage", any_of("summary", "assessment")),
        Invariant("con-2", "a code or a detail", "Condition.evidence", any_of("code", "detail")),
        Invariant(
            "con-4",
            "resolved, remission or inactive where it is abated",
            "Condition",
            _abated_is_not_active,
            element="clinicalStatus",
        ),
        Invariant(
            "con-5",
            "no clinical status where it was entered in error",
            "Condition",
            _error_has_no_status,
            element="clinicalStatus",
        ),
    ),
    profiles=PROFILES["Condition"],
)
