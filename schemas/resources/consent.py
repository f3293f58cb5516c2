"""Consent: a written permission to disclose (FHIR R4 6.2)."""

from schemas.resources.base import (
    AUTHORED,
    Invariant,
    Resource,
    ResourceSpec,
    any_of,
    code,
    coded,
    date,
    has,
    patient,
    reference,
    token,
)

_SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"


def _names_its_patient(consent: Resource) -> bool:
    scoped = coded(consent.get("scope"), _SCOPE, "patient-privacy", "research", "adr", "treatment")
    return not scoped or has(consent, "patient")


SPEC = ResourceSpec(
    type="Consent",
    interactions=AUTHORED - {"delete"},
    search=(
        token("identifier", "identifier"),
        patient("patient"),
        code("status", "status", "http://hl7.org/fhir/consent-state-codes"),
        token("scope", "scope"),
        token("category", "category"),
        date("date", "dateTime"),
        date("period", "provision.period"),
        reference("organization", "organization", targets=("Organization",)),
        reference(
            "consentor",
            "performer",
            targets=("Organization", "Patient", "Practitioner", "RelatedPerson", "PractitionerRole"),
        ),
        reference("actor", "provision.actor.reference"),
        reference("data", "provision.data.reference"),
        token("action", "provision.action"),
        token("purpose", "provision.purpose"),
        token("security-label", "provision.securityLabel"),
        reference("source-reference", "sourceReference"),
    ),
    invariants=(
        Invariant("ppc-1", "a policy or a policy rule", "Consent", any_of("policy", "policyRule")),
        Invariant(
            "ppc-2", "a patient, by the scope (ppc-2 to ppc-5)", "Consent", _names_its_patient, element="patient"
        ),
    ),
)
