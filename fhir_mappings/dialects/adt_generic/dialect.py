"""Plain HL7 v2 as American hospitals send it: ADT, RDE, RAS, RDS, with the differences of a site in its ``maps``.

No official map exists for A03, RDE^O11 and RXE (HL7 v2-to-FHIR, inventory of 2025-10): the reading here is ours.

Systems of identifiers: an OID or UUID of the assigning authority, else
``urn:throughline:authority:<organization>:<namespace>``; without any authority the field stands for it. Names of
code systems that no table knows become ``urn:throughline:system:<organization>:<name>``.
"""

from datetime import UTC, date, datetime
from typing import Final

from fhir_mappings.dialects.adt_generic import drugs, people, stay
from fhir_mappings.dialects.adt_generic.fields import Source, instant
from fhir_mappings.dialects.adt_generic.targets import TARGETS, UNUSED
from fhir_mappings.dialects.base import Problem, Reading
from fhir_mappings.hl7v2 import Message
from schemas.discharge import Circumstances, Clinical
from schemas.facts import FactKind, Facts
from schemas.sender import Sender

UNTIMED: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Event time of a message without any: older than all, so it never overrides another fact."""

_KINDS: Final[dict[str, FactKind]] = {
    "ADT^A01": "admit",
    "ADT^A03": "discharge",
    "ADT^A04": "admit",
    "ADT^A08": "update",
    "ADT^A11": "cancel-visit",
    "ADT^A13": "cancel-discharge",
    "ADT^A40": "merge",
    "RDE^O11": "order",
    "RDE^O01": "order",
    "RAS^O17": "dose",
    "RAS^O01": "dose",
    "RDS^O13": "supply",
    "RDS^O01": "supply",
}
_PREGNANT: Final = Clinical(pregnant=True)
_NOTHING_CLINICAL: Final = Clinical()
_FILED_CODES: Final = frozenset({"ADT", "RDE", "RAS", "RDS"})
_FILED_SEGMENTS: Final = drugs.DRUG_SEGMENTS | {"DG1"}
_TEST_IDS: Final = frozenset({"T", "D"})
"""MSH-11, table 0103: training and debugging."""


class AdtGeneric:
    """The dialect ``adt_generic``."""

    name: Final = "adt_generic"
    source: Final = "hl7v2"
    targets: Final = TARGETS
    unused: Final = UNUSED

    def read(self, message: Message, sender: Sender) -> Reading:
        """The facts of one message.

        Other triggers than those above, and than those that the sender's file declares, are read too, with
        ``handled=False``: triage must see what they carry.
        """
        source = Source(sender, message.separators)
        kind = _kind(message.type, sender)
        known = kind or "other"
        at = _event_time(source, message)
        pid, mrg = message.first("PID"), message.first("MRG")
        visit, ended = stay.visit(source, message, known)
        standing, removed = stay.diagnoses(source, message)
        medication = drugs.drugs(source, message, at)
        facts = Facts(
            trigger=message.type,
            kind=known,
            at=at,
            test=message.processing_id.strip().upper() in _TEST_IDS,
            patient=people.patient(source, pid) if pid is not None else None,
            merged_identifiers=people.merged(source, mrg) if mrg is not None else [],
            visit=visit,
            visit_status_ended=ended,
            diagnoses=standing,
            removed_diagnoses=removed,
            orders=medication.orders,
            doses=medication.doses,
            supplies=medication.supplies,
            circumstances=_circumstances(source, message),
            handled=kind is not None,
        )
        return Reading(facts, tuple(source.notes))

    def filing(self, message: Message, facts: Facts) -> Problem | None:
        """No MSH-10, or neither PID-3 nor a visit identifier where one is needed.

        ADT, RDE, RAS, RDS and every message with a drug or a diagnosis need one; the rest is only counted.
        """
        if not message.control_id.strip():
            return Problem("101", "message control id is missing", "MSH", 10)
        needed = message.code in _FILED_CODES or message.has(_FILED_SEGMENTS)
        if needed and not _identified(facts):
            return Problem("101", "neither a patient identifier nor a visit identifier", "PID", 3)
        return None


DIALECT: Final = AdtGeneric()


def _identified(facts: Facts) -> bool:
    visit, patient = facts.visit, facts.patient
    return bool((visit is not None and visit.identifiers) or (patient is not None and patient.identifiers))


def _kind(trigger: str, sender: Sender) -> FactKind | None:
    maps = sender.maps
    if trigger in maps.order_triggers:
        return "order"
    if trigger in maps.dose_triggers:
        return "dose"
    if trigger in maps.dispense_triggers:
        return "supply"
    return _KINDS.get(trigger)


def _event_time(source: Source, message: Message) -> datetime:
    """EVN-2, else MSH-7, else EVN-6; one with a time of day goes before a bare day."""
    evn = message.first("EVN")
    candidates: list[date | datetime | None] = []
    for segment, field in ((evn, 2), (message.header, 7), (evn, 6)):
        value = source.when(segment, field) if segment is not None else None
        if isinstance(value, datetime):
            return value
        candidates.append(value)
    day = next((instant(value, source.zone) for value in candidates if value is not None), None)
    if day is None:
        source.note(message.header, 7, "no time in the message: it overrides no other fact")
    return day or UNTIMED


def _circumstances(source: Source, message: Message) -> Circumstances | None:
    contacts = people.contacts(source, message)
    coverage = people.coverage(source, message)
    allergies = people.allergies(source, message)
    pregnant = stay.pregnant(message.first("PV1"))
    if not (contacts or coverage or allergies or pregnant):
        return None
    return Circumstances(
        contacts=contacts,
        coverage=coverage,
        allergies=allergies,
        clinical=_PREGNANT if pregnant else _NOTHING_CLINICAL,
    )
