"""Which FHIR element each field becomes that this dialect reads; in parentheses what it decides or when it counts.

``explain`` prints it. Tests hold it against what the dialect reads and what is built from that.
"""

from typing import Final

TARGETS: Final[dict[str, str]] = {
    "MSH-1": "(delimiters)",
    "MSH-2": "(delimiters)",
    "MSH-7": "Provenance.occurredDateTime (time of the fact, where EVN-2 is empty)",
    "MSH-9": "(how the message is read)",
    "MSH-10": "Provenance.entity",
    "MSH-11": "(T and D: a test, not taken for real by a production sender)",
    "EVN-2": "Provenance.occurredDateTime (time of the fact)",
    "EVN-6": "Encounter.period.end (of a discharge, where PV1-45 is empty)",
    "PID-3": "Patient.identifier",
    "PID-5": "Patient.name",
    "PID-7": "Patient.birthDate",
    "PID-8": "Patient.gender",
    "PID-11": "Patient.address",
    "PID-13": "Patient.telecom",
    "PID-14": "Patient.telecom",
    "PID-15": "Patient.communication.language",
    "PID-18": "Encounter.identifier (AN)",
    "MRG-1": "(number that no longer stands for the person)",
    "NK1-2": "Patient.contact.name",
    "NK1-3": "Patient.contact.relationship",
    "NK1-5": "Patient.contact.telecom",
    "NK1-6": "Patient.contact.telecom",
    "PV1-2": "Encounter.class",
    "PV1-3": "Encounter.location, Location.name (decides whether 42 CFR Part 2 holds)",
    "PV1-7": "Encounter.participant, Practitioner.name, Practitioner.identifier",
    "PV1-15": "Observation.valueCodeableConcept (B6: pregnant)",
    "PV1-19": "Encounter.identifier (VN)",
    "PV1-36": "Encounter.hospitalization.dischargeDisposition",
    "PV1-37": "Encounter.hospitalization.destination",
    "PV1-44": "Encounter.period.start",
    "PV1-45": "Encounter.period.end",
    "PV1-50": "Encounter.identifier (VN)",
    "PV2-9": "Encounter.extension (planned end, while the visit is open)",
    "DG1-2": "Condition.code (its system, old layout)",
    "DG1-3": "Condition.code",
    "DG1-4": "Condition.code (its text)",
    "DG1-5": "Condition.recordedDate (where DG1-19 is empty)",
    "DG1-15": "Encounter.diagnosis.rank",
    "DG1-19": "Condition.recordedDate",
    "DG1-21": "(diagnosis taken back)",
    "AL1-3": "AllergyIntolerance.code",
    "IN1-2": "Coverage.class",
    "IN1-3": "Coverage.payor (where IN1-4 is empty)",
    "IN1-4": "Coverage.payor",
    "IN1-15": "Coverage.type",
    "IN1-36": "Coverage.subscriberId",
    "IN1-49": "Coverage.subscriberId (where IN1-36 is empty)",
    "ORC-1": "(CA, DC, OC, OD: the order counts for nothing)",
    "ORC-2": "(identity of the order)",
    "ORC-3": "(identity of the order, where ORC-2 is empty)",
    "ORC-7": (
        "MedicationRequest.dosageInstruction.timing, "
        "MedicationRequest.dispenseRequest.expectedSupplyDuration, "
        "MedicationDispense.daysSupply (layout before v2.5)"
    ),
    "ORC-9": "(when the order was stated: the newest holds)",
    "ORC-12": "(kept with the order)",
    "ORC-16": "MedicationRequest.category (to take home, by the sender's map)",
    "ORC-29": "MedicationRequest.category (to take home)",
    "TQ1-3": "MedicationRequest.dosageInstruction.timing",
    "TQ1-6": "MedicationRequest.dispenseRequest.expectedSupplyDuration, MedicationDispense.daysSupply",
    "TQ1-7": "MedicationRequest.dispenseRequest.validityPeriod.start, MedicationDispense.dosageInstruction.timing",
    "RXE-1": (
        "MedicationRequest.dosageInstruction.timing, "
        "MedicationRequest.dispenseRequest.expectedSupplyDuration, "
        "MedicationDispense.daysSupply (layout before v2.5)"
    ),
    "RXE-2": "MedicationRequest.medicationCodeableConcept",
    "RXE-3": "(kept with the order; no dose is computed)",
    "RXE-5": "(kept with the order; no dose is computed)",
    "RXO-1": "MedicationRequest.medicationCodeableConcept",
    "RXO-2": "(kept with the order; no dose is computed)",
    "RXO-4": "(kept with the order; no dose is computed)",
    "RXR-1": "MedicationAdministration.dosage.route (of a dose)",
    "RXA-3": "MedicationAdministration.effectiveDateTime",
    "RXA-5": "MedicationAdministration.medicationCodeableConcept",
    "RXA-6": "MedicationAdministration.dosage.dose",
    "RXA-7": "MedicationAdministration.dosage.dose.unit",
    "RXA-10": "MedicationAdministration.performer",
    "RXA-18": "(refused: not a dose)",
    "RXA-20": "MedicationAdministration.status (RE and NA: not a dose)",
    "RXA-21": "(D: taken back)",
    "RXD-1": "(identity of the supply, where RXD-7 is empty)",
    "RXD-2": "MedicationDispense.medicationCodeableConcept",
    "RXD-3": "MedicationDispense.dosageInstruction.timing (where TQ1-7 is empty)",
    "RXD-4": "MedicationDispense.quantity (where RXD-5 counts doses)",
    "RXD-5": "MedicationDispense.quantity (DOSE: a number of doses)",
    "RXD-7": "(identity of the supply)",
}

_NUMBER_OF_SEGMENT: Final = "number of the segment"
_QUANTITY: Final = "a quantity of units is never days of supply"

UNUSED: Final[dict[str, str]] = {
    **{f"{name}-1": _NUMBER_OF_SEGMENT for name in ("PID", "PV1", "DG1", "NK1", "AL1", "IN1", "TQ1", "OBX", "OBR")},
    "EVN-1": "MSH-9 says the same",
    "EVN-6": "PV1-45 or the trigger says more; only a discharge without PV1-45 takes its time from here",
    "MSH-7": "EVN-2 is the time of the fact",
    "RXE-10": _QUANTITY,
    "RXE-11": _QUANTITY,
    "RXO-11": _QUANTITY,
    "RXD-4": f"{_QUANTITY}; only RXD-5 DOSE makes it a number of doses",
}
"""Why a field is left out, where "not mapped" would leave the reader wondering."""
