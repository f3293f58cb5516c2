"""Appointment: when the person is expected (FHIR R4 12.16)."""

from schemas.resources.base import (
    AUTHORED,
    Invariant,
    Resource,
    ResourceSpec,
    any_of,
    code,
    date,
    has,
    reference,
    references_to,
    token,
)

_WITHOUT_TIME = frozenset({"proposed", "cancelled", "waitlist"})
_NOT_KEPT = frozenset({"noshow", "cancelled"})


def _both_or_neither(appointment: Resource) -> bool:
    return has(appointment, "start") == has(appointment, "end")


def _has_its_time(appointment: Resource) -> bool:
    timed = has(appointment, "start") and has(appointment, "end")
    return timed or appointment.get("status") in _WITHOUT_TIME


def _reason_of_one_not_kept(appointment: Resource) -> bool:
    return not has(appointment, "cancelationReason") or appointment.get("status") in _NOT_KEPT


SPEC = ResourceSpec(
    type="Appointment",
    interactions=AUTHORED,
    search=(
        token("identifier", "identifier"),
        code("status", "status", "http://hl7.org/fhir/appointmentstatus"),
        references_to("Patient", "patient", "participant.actor"),
        references_to("Practitioner", "practitioner", "participant.actor"),
        references_to("Location", "location", "participant.actor"),
        reference("actor", "participant.actor"),
        code("part-status", "participant.status", "http://hl7.org/fhir/participationstatus"),
        date("date", "start"),
        reference("based-on", "basedOn", targets=("ServiceRequest",)),
        token("appointment-type", "appointmentType"),
        token("service-category", "serviceCategory"),
        token("service-type", "serviceType"),
        token("specialty", "specialty"),
        token("reason-code", "reasonCode"),
        reference(
            "reason-reference",
            "reasonReference",
            targets=("Condition", "Observation", "Procedure", "ImmunizationRecommendation"),
        ),
        reference("supporting-info", "supportingInformation"),
    ),
    invariants=(
        Invariant("app-1", "a type or an actor", "Appointment.participant", any_of("type", "actor")),
        Invariant("app-2", "start and end, or neither", "Appointment", _both_or_neither, element="start"),
        Invariant(
            "app-3",
            "start and end, unless it is proposed, on the waiting list or cancelled",
            "Appointment",
            _has_its_time,
            element="start",
        ),
        Invariant(
            "app-4",
            "a reason for cancelling only where it is cancelled or the person did not come",
            "Appointment",
            _reason_of_one_not_kept,
            element="cancelationReason",
        ),
    ),
    indexed=frozenset({"identifier", "patient", "based-on"}),
)
