"""A hospital's Bundle read into the facts of one visit: what message and transaction have in common.

One Bundle tells of one person and one stay. Every resource must be about that person; one about another stay is noted
and left out. What a reference leads to may lie outside of the Bundle when it is known by an identifier, or by its
address on the hospital's own server, which then is its identifier.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from fhir_mappings.fhir_in.fhir_bundle import Graph, Logical, Node, refuse
from fhir_mappings.fhir_in.fhir_facts_consents import consents
from fhir_mappings.fhir_in.fhir_facts_drugs import drugs
from fhir_mappings.fhir_in.fhir_facts_observations import Observed, observed
from fhir_mappings.fhir_in.fhir_facts_people import allergies, contacts, coverage, patient, replaced
from fhir_mappings.fhir_in.fhir_facts_referral import Asked, asked
from fhir_mappings.fhir_in.fhir_facts_visit import Course, details, diagnoses, facility, goes_on, known_as
from fhir_mappings.fhir_in.fhir_values import V2_0203, Source, Unknown, Unread, code_of, needed
from fhir_mappings.labels import HTEST, Resource
from schemas.base import changed
from schemas.discharge import (
    Circumstances,
    Clinical,
    ConsentGiven,
    Disposition,
    Identifier,
    Need,
    Patient,
    VisitDetails,
)
from schemas.facts import Facts
from schemas.sender import Sender

UNTIMED: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Event time of a Bundle without any: older than all, so it never overrides another fact."""
CLINICAL: Final = frozenset(
    {
        "AllergyIntolerance",
        "Condition",
        "Consent",
        "Coverage",
        "Encounter",
        "Location",
        "Medication",
        "MedicationAdministration",
        "MedicationDispense",
        "MedicationRequest",
        "Observation",
        "Organization",
        "Patient",
        "Practitioner",
        "PractitionerRole",
        "RelatedPerson",
    }
)
"""The types that tell of a stay."""

_PERSON_ELEMENT: Final = {
    "AllergyIntolerance": "patient",
    "Condition": "subject",
    "Consent": "patient",
    "Coverage": "beneficiary",
    "Encounter": "subject",
    "MedicationAdministration": "subject",
    "MedicationDispense": "subject",
    "MedicationRequest": "subject",
    "Observation": "subject",
    "RelatedPerson": "patient",
    "ServiceRequest": "subject",
    "Task": "for",
}
"""The element that says whom a resource is about."""
_VISIT_ELEMENT: Final = {
    "Condition": "encounter",
    "MedicationAdministration": "context",
    "MedicationDispense": "context",
    "MedicationRequest": "encounter",
    "Observation": "encounter",
    "ServiceRequest": "encounter",
    "Task": "encounter",
}
"""The element that says to which stay it belongs."""
_DRUGS: Final = ("MedicationRequest", "MedicationAdministration", "MedicationDispense")


class Found(NamedTuple):
    """What one Bundle says, and what in it was not read."""

    facts: Facts
    notes: tuple[Unread, ...]
    unknown: tuple[Unknown, ...]
    sent_at: datetime | None


def read(graph: Graph, sender: Sender, *, trigger: str, encounter: Node | None, course: Course) -> Found:
    """The facts of one Bundle.

    Args:
        graph: the Bundle, checked.
        sender: whose it is.
        trigger: what the ledger calls it.
        encounter: the stay that it is about, where it holds one.
        course: what it says of the course of that stay.

    Raises:
        Refused: It tells of more than one person, or what it says can't be taken as a whole.
    """
    source = Source(graph, sender)
    for index in graph.left_out:
        source.note(f"Bundle.entry[{index}].resource", "a resource type that a referral doesn't need")
    person = _person(graph)
    known = _whose(source, person)
    at, sent_at = _times(source, encounter)
    nodes, numbers = _of_this_visit(source, encounter)
    request = asked(source)
    observations = observed(source, [node for node in nodes if node.type == "Observation"])
    standing, removed = diagnoses(source, [node for node in nodes if node.type == "Condition"], encounter)
    medication = drugs(source, [node for node in nodes if node.type in _DRUGS], at)
    course = _settled(source, encounter, course, request)
    visit = _visit(source, encounter, course, numbers, person)
    written = consents(source, encounter, visit.identifiers if visit is not None else ())
    facts = Facts(
        trigger=trigger,
        kind=course.kind,
        at=at,
        test=_is_test(graph),
        patient=_patient(source, person, known, observations),
        died=_died(person),
        merged_identifiers=replaced(source, person) if person is not None else [],
        facility=facility(source, encounter) if encounter is not None else None,
        visit=visit,
        visit_status_ended=course.ended,
        diagnoses=standing,
        removed_diagnoses=removed,
        orders=medication.orders,
        doses=medication.doses,
        supplies=medication.supplies,
        circumstances=_circumstances(source, person, observations, request, written),
    )
    return Found(facts, tuple(source.notes), tuple(source.unknown), sent_at)


def _settled(source: Source, encounter: Node | None, course: Course, request: Asked | None) -> Course:
    """A request by name outranks the course that is told beside it, but not that there never was a stay."""
    if course.kind == "cancel-visit":
        return course
    ended = False if encounter is not None and course.ended and goes_on(source, encounter) else course.ended
    return Course(request.kind if request is not None else course.kind, ended)


def _is_test(graph: Graph) -> bool:
    """The label HTEST (v3-ActReason) on the Bundle, its header or the person."""
    labelled = [graph.bundle, *(node.resource for node in graph.of_type("MessageHeader", "Patient"))]
    labels = (label for one in labelled for label in one.get("meta", {}).get("security", ()))
    return any((label.get("system"), label.get("code")) == (HTEST["system"], HTEST["code"]) for label in labels)


def _times(source: Source, encounter: Node | None) -> tuple[datetime, datetime | None]:
    """The time of the Bundle: when it was put together, else when the hospital last changed what it holds."""
    sent = source.instant(source.graph.bundle.get("timestamp"), "Bundle.timestamp")
    if sent is not None:
        return sent, sent
    changes = [node.resource.get("meta", {}).get("lastUpdated") for node in source.graph.nodes]
    instants = [one for text in changes if (one := source.instant(text, "Bundle.entry.resource.meta")) is not None]
    if instants:
        return max(instants), None
    period: Resource = encounter.resource.get("period", {}) if encounter is not None else {}
    own = source.instant(period.get("end") or period.get("start"), "Encounter.period")
    if own is None:
        source.note("Bundle.timestamp", "no time in the Bundle: it overrides no other fact")
    return own or UNTIMED, None


# ---- the person


def _person(graph: Graph) -> Node | None:
    people = graph.of_type("Patient")
    for other in people[1:]:
        refuse(other.path, "one Bundle tells of one person")
    return people[0] if people else None


def _whose(source: Source, person: Node | None) -> list[Identifier]:
    """Checks that all is about one person; by what that person is known where the Bundle holds no Patient."""
    known: dict[str, Identifier] = {}
    first: Node | None = None
    for node in source.graph.nodes:
        element = _PERSON_ELEMENT.get(node.type)
        reference = node.resource.get(element) if element is not None else None
        if element is None or (reference is None and node.type == "Observation"):
            continue
        link = source.follow(node, reference)
        path = node.at(element)
        if link.node is not None and link.node is person:
            continue
        if link.node is not None or link.logical is None or link.logical.kind not in (None, "Patient"):
            refuse(path, "a Patient of this Bundle, or an identifier of the person")
        if person is not None:
            refuse(path, "one Bundle tells of one person: this is not its Patient")
        found = _by_number(source, link.logical, path)
        if first is not None and f"{found.system}|{found.value}" not in known:
            refuse(path, "one Bundle tells of one person: another identifier than before")
        first = first or node
        known[f"{found.system}|{found.value}"] = found
    return list(known.values())


def _by_number(source: Source, logical: Logical, path: str) -> Identifier:
    found = source.identifier(logical, path, code_of(logical.type, V2_0203))
    if found is None:
        refuse(path, "an identifier of at most 256 characters")
    return found


def _patient(source: Source, person: Node | None, known: list[Identifier], found: Observed) -> Patient | None:
    if person is None:
        kept = [one for one in known if needed(one.type)]
        return Patient(identifiers=kept) if kept else None
    read_person = patient(source, person)
    return changed(read_person, {"homeless": found.homeless}) if found.homeless is not None else read_person


# ---- the stay


def _of_this_visit(source: Source, encounter: Node | None) -> tuple[list[Node], list[Identifier]]:
    """The resources of this stay; and its numbers, where the Bundle holds no Encounter."""
    kept: list[Node] = []
    numbers: dict[str, Identifier] = {}
    for node in source.graph.nodes:
        element = _VISIT_ELEMENT.get(node.type)
        if element is None:
            continue
        reference = node.resource.get(element)
        if reference is not None and not _belongs(source, node, element, encounter, numbers):
            source.note(node.at(element), "of another stay: left out")
            continue
        kept.append(node)
    return kept, list(numbers.values())


def _belongs(source: Source, node: Node, element: str, encounter: Node | None, numbers: dict[str, Identifier]) -> bool:
    path = node.at(element)
    link = source.follow(node, node.resource[element])
    kind = link.node.type if link.node is not None else link.logical.kind if link.logical is not None else None
    if kind == "EpisodeOfCare":
        return True
    if link.node is not None:
        return link.node is encounter
    if link.logical is None or kind not in (None, "Encounter"):
        refuse(path, "an Encounter of this Bundle, or an identifier of the visit")
    if encounter is not None:
        return False
    known = {f"{one.system}|{one.value}": one for one in known_as(source, link.logical, path)}
    if numbers and not numbers.keys() & known.keys():
        refuse(path, "one Bundle tells of one visit: another identifier than before")
    numbers |= known
    return True


def _visit(
    source: Source, encounter: Node | None, course: Course, numbers: Sequence[Identifier], person: Node | None
) -> VisitDetails | None:
    if encounter is None:
        return VisitDetails(identifiers=list(numbers)) if numbers else None
    found = details(source, encounter, course)
    died = person is not None and course.ended is True and _died(person)
    expired: Disposition = "exp"
    return changed(found, {"disposition": expired}) if died and found.disposition is None else found


def _died(person: Node | None) -> bool | None:
    """Whether the person has died; None where the Patient says nothing of it."""
    if person is None:
        return None
    said = person.resource.get("deceasedBoolean")
    return True if "deceasedDateTime" in person.resource else said if isinstance(said, bool) else None


# ---- all the rest


def _circumstances(
    source: Source, person: Node | None, found: Observed, request: Asked | None, written: list[ConsentGiven]
) -> Circumstances | None:
    stated = {
        "contacts": contacts(source, person),
        "coverage": coverage(source),
        "allergies": allergies(source),
        "consents": written,
        "needs": _distinct(request.needs) if request is not None else [],
        **found.circumstances,
    }
    said = {name: value for name, value in stated.items() if value not in (None, [])}
    if found.clinical:
        said["clinical"] = Clinical(**found.clinical)
    return Circumstances(**said) if said else None


def _distinct(needs: Iterable[Need]) -> list[Need]:
    """Each kind of need once: one referral has one source for it."""
    return list({need.kind: need for need in needs}.values())[:32]
