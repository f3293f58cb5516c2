"""Observation: one measured or stated fact (FHIR R4 10.1)."""

from schemas.resources.base import (
    AUTHORED,
    Invariant,
    Resource,
    ResourceSpec,
    any_of,
    code,
    date,
    has,
    has_choice,
    patient,
    reference,
    string,
    token,
    tokens_of,
)
from schemas.resources.profiles import PROFILES


def _value_or_reason(observation: Resource) -> bool:
    return not (has(observation, "dataAbsentReason") and has_choice(observation, "value"))


def _component_differs(observation: Resource) -> bool:
    if "component" not in observation or not has_choice(observation, "value"):
        return True
    own = set(tokens_of(observation["code"]))
    return not any(own.intersection(tokens_of(part["code"])) for part in observation["component"])


SPEC = ResourceSpec(
    type="Observation",
    interactions=AUTHORED,
    search=(
        token("identifier", "identifier"),
        patient("subject"),
        reference("subject", "subject", targets=("Patient", "Group", "Device", "Location")),
        reference("encounter", "encounter", targets=("Encounter",)),
        code("status", "status", "http://hl7.org/fhir/observation-status"),
        token("code", "code"),
        token("combo-code", "code", "component.code"),
        token("component-code", "component.code"),
        token("category", "category"),
        date("date", "effectiveDateTime", "effectivePeriod", "effectiveTiming", "effectiveInstant"),
        token("value-concept", "valueCodeableConcept"),
        string("value-string", "valueString", "valueCodeableConcept.text"),
        date("value-date", "valueDateTime", "valuePeriod"),
        token("data-absent-reason", "dataAbsentReason"),
        token("method", "method"),
        reference(
            "performer",
            "performer",
            targets=("Practitioner", "PractitionerRole", "Organization", "CareTeam", "Patient", "RelatedPerson"),
        ),
        reference("based-on", "basedOn"),
        reference("derived-from", "derivedFrom"),
        reference("has-member", "hasMember"),
        reference("part-of", "partOf"),
        reference("focus", "focus"),
        reference("specimen", "specimen", targets=("Specimen",)),
        reference("device", "device", targets=("Device", "DeviceMetric")),
    ),
    invariants=(
        Invariant("obs-3", "low, high or text", "Observation.referenceRange", any_of("low", "high", "text")),
        Invariant(
            "obs-6",
            "a value or a reason for its absence, not both",
            "Observation",
            _value_or_reason,
            element="dataAbsentReason",
        ),
        Invariant(
            "obs-7",
            "no component with the code of the observation itself where that has a value",
            "Observation",
            _component_differs,
            element="component",
        ),
    ),
    profiles=PROFILES["Observation"],
)
