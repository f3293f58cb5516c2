"""Plain HL7 v2 as American hospitals send it: ADT, orders, doses, supplies, results and referrals.

The differences of a site stand in its ``maps``. No official map exists for A03, RDE^O11, RXE and REF^I12 (HL7
v2-to-FHIR, inventory of 2025-10): the reading here is ours.

Systems of identifiers: an OID or UUID of the assigning authority, else
``urn:throughline:authority:<organization>:<namespace>``; without any authority the field stands for it. Names of
code systems that no table knows become ``urn:throughline:system:<organization>:<name>``.
"""

from datetime import UTC, date, datetime
from typing import Final

from fhir_mappings.dialects.adt_generic import drugs, merging, people, referral, results, stay
from fhir_mappings.dialects.adt_generic.fields import Source, instant
from fhir_mappings.dialects.adt_generic.kinds import kind_of
from fhir_mappings.dialects.adt_generic.made import made
from fhir_mappings.dialects.adt_generic.parts import parts
from fhir_mappings.dialects.adt_generic.site import site_of
from fhir_mappings.dialects.adt_generic.targets import TARGETS, UNUSED
from fhir_mappings.dialects.base import Problem, Reading, identified
from fhir_mappings.hl7v2 import Message
from schemas.base import changed
from schemas.discharge import Circumstances, Clinical
from schemas.facts import FactKind, Facts
from schemas.sender import Sender

UNTIMED: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Event time of a message without any: older than all, so it never overrides another fact."""

_NOTHING_CLINICAL: Final = Clinical()
_CIRCUMSTANTIAL: Final = frozenset({"NK1", "IN1", "AL1", "OBX", "CON", "RF1"})
_FILED_CODES: Final = frozenset({"ADT", "RDE", "RAS", "RDS", "REF"})
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
        """The facts of one message; of one that tells of several persons, the facts of each.

        Other triggers than those of ``kinds``, and than those that the sender's file declares, are read too, with
        ``handled=False``: triage must see what they carry.
        """
        site = site_of(sender, message.separators)
        kind = kind_of(site, message)
        single, left_out = parts(message, kind or "other")
        facility = stay.facility(site, single[0])
        source = Source(site, facility)
        source.notes.extend(left_out)
        sent = source.when(message.header, 7)
        at = _event_time(source, single[0], sent)
        facts = _facts(source, single[0], kind, at, facility)
        more = [_facts(source, one, kind, at, stay.facility(site, one)) for one in single[1:]]
        sent_at = sent if isinstance(sent, datetime) else None
        return Reading(facts, tuple(source.notes), tuple(dict.fromkeys(source.unmapped)), sent_at, tuple(more))

    def filing(self, message: Message, facts: Facts) -> Problem | None:
        """No MSH-10, or neither a patient nor a visit identifier where one is needed.

        ADT, RDE, RAS, RDS, REF and every message with a drug or a diagnosis need one; the rest is only counted.
        """
        if not message.control_id.strip():
            return Problem("101", "message control id is missing", "MSH", 10)
        needed = message.code in _FILED_CODES or message.has(_FILED_SEGMENTS)
        if needed and not identified(facts):
            return Problem("101", "neither a patient identifier nor a visit identifier", "PID", 3)
        return None


DIALECT: Final = AdtGeneric()


def _facts(source: Source, message: Message, kind: FactKind | None, at: datetime, facility: str | None) -> Facts:
    known = kind or "other"
    pid = message.first("PID")
    patient = people.patient(source, pid) if pid is not None else None
    visit, ended = stay.visit(source, message, known)
    former = merging.merged(source, message, known, patient, visit)
    standing, removed = stay.diagnoses(source, message)
    medication = drugs.drugs(source, message, at)
    return made(
        Facts,
        trigger=message.type,
        kind=known,
        at=at,
        test=message.processing_id.strip().upper() in _TEST_IDS,
        patient=patient,
        died=people.died(source, pid) if pid is not None else None,
        merged_identifiers=former.persons,
        merged_visits=former.visits,
        facility=facility,
        visit=stay.numbered(visit, former.kept),
        visit_status_ended=ended,
        diagnoses=standing,
        removed_diagnoses=removed,
        orders=medication.orders,
        doses=medication.doses,
        supplies=medication.supplies,
        circumstances=_circumstances(source, message, known),
        handled=kind is not None,
    )


def _event_time(source: Source, message: Message, sent: date | datetime | None) -> datetime:
    """EVN-2, else MSH-7, else EVN-6; one with a time of day goes before a bare day."""
    evn = message.first("EVN")
    happened = source.when(evn, 2) if evn is not None else None
    for value in (happened, sent):
        if isinstance(value, datetime):
            return value
    planned = source.when(evn, 6) if evn is not None else None
    if isinstance(planned, datetime):
        return planned
    read = (instant(value, source.zone) for value in (happened, sent, planned))
    day = next((one for one in read if one is not None), None)
    if day is None:
        source.note(message.header, 7, "no time in the message: it overrides no other fact")
    return day or UNTIMED


def _circumstances(source: Source, message: Message, kind: FactKind) -> Circumstances | None:
    pregnant = stay.pregnant(message.first("PV1"))
    if not pregnant and not message.has(_CIRCUMSTANTIAL):
        return None
    contacts = people.contacts(source, message) if message.first("NK1") is not None else []
    allergies = people.allergies(source, message)
    clinical = _clinical(source, message, kind, pregnant=pregnant)
    coverage = people.coverage(source, message)
    needs = referral.needs(source, message) if kind == "referral" else []
    consents = referral.consents(source, message) if message.first("CON") is not None else []
    if not (contacts or allergies or clinical or coverage or needs or consents):
        return None
    return made(
        Circumstances,
        contacts=contacts,
        naloxone_given=None,
        supplies_given=[],
        allergies=allergies,
        clinical=clinical or _NOTHING_CLINICAL,
        photo_id=None,
        coverage=coverage,
        current_otp=None,
        needs=needs,
        continuation=None,
        guest_dosing=None,
        consents=consents,
        next_appointment=None,
    )


def _clinical(source: Source, message: Message, kind: FactKind, *, pregnant: bool) -> Clinical | None:
    """What results say; of a trigger that is not handled they are not looked at."""
    looked_at = message.first("OBX") is not None and kind != "other"
    if not (looked_at or pregnant):
        return None
    found = results.results(source, message) if looked_at else results.NO_RESULTS
    stated = {"pregnant": True if pregnant else found.pregnant, "qtc_ms": found.qtc_ms}
    if stated["pregnant"] is None and found.qtc_ms is None and not found.screens:
        return None
    return changed(_NOTHING_CLINICAL, {**stated, "urine_drug_screen": found.screens})
