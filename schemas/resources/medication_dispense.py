"""MedicationDispense: medication handed over for the way home (FHIR R4 11.2)."""

from schemas.resources.base import Invariant, Resource, ResourceSpec, code, date, patient, reference, token
from schemas.resources.profiles import PROFILES
from schemas.resources.times import date_range


def _prepared_before_handed_over(dispense: Resource) -> bool:
    prepared, handed = date_range(dispense.get("whenPrepared", "")), date_range(dispense.get("whenHandedOver", ""))
    return not prepared or not handed or handed[1] > prepared[0]


SPEC = ResourceSpec(
    type="MedicationDispense",
    search=(
        token("identifier", "identifier"),
        patient("subject"),
        reference("subject", "subject", targets=("Patient", "Group")),
        reference("context", "context", targets=("Encounter", "EpisodeOfCare")),
        code("status", "status", "http://terminology.hl7.org/CodeSystem/medicationdispense-status"),
        token("code", "medicationCodeableConcept"),
        reference("medication", "medicationReference", targets=("Medication",)),
        token("type", "type"),
        date("whenhandedover", "whenHandedOver"),
        date("whenprepared", "whenPrepared"),
        reference("prescription", "authorizingPrescription", targets=("MedicationRequest",)),
        reference(
            "performer",
            "performer.actor",
            targets=("Practitioner", "PractitionerRole", "Organization", "Patient", "Device", "RelatedPerson"),
        ),
        reference("receiver", "receiver", targets=("Patient", "Practitioner")),
        reference("destination", "destination", targets=("Location",)),
    ),
    invariants=(
        Invariant(
            "mdd-1",
            "not before whenPrepared",
            "MedicationDispense",
            _prepared_before_handed_over,
            element="whenHandedOver",
        ),
    ),
    profiles=PROFILES["MedicationDispense"],
)
