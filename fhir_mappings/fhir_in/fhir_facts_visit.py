"""The stay as a Bundle tells it: Encounter with its locations and people, and Condition."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, Final, Literal, NamedTuple, get_args

from fhir_mappings.fhir_in.fhir_bundle import Logical, Node
from fhir_mappings.fhir_in.fhir_values import Source, Triplet, code_of, codes_of
from fhir_mappings.labels import Resource
from schemas.codes import tables
from schemas.discharge import Clinician, Diagnosis, Disposition, Identifier, VisitClass, VisitDetails
from schemas.facts import FactKind

PLANNED_END: Final = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Encounter.plannedEndDate"
ATTENDER: Final = "ATND"
_CLASSES: Final[dict[str, VisitClass]] = {**{one: one for one in get_args(VisitClass)}, "ACUTE": "IMP", "NONAC": "IMP"}
"""v3-ActCode. Inpatient acute and non-acute are kinds of inpatient."""
_DISPOSITIONS: Final[dict[str, Disposition]] = {one: one for one in get_args(Disposition) if one != "custody"}
_NUBC: Final = "nubc"
"""In the names of the code systems for the UB-04 patient discharge status."""
_VERIFICATION: Final = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_CLINICAL: Final = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_CATEGORY: Final = "http://terminology.hl7.org/CodeSystem/condition-category"
_GONE: Final = frozenset({"refuted", "entered-in-error"})
_OVER: Final = frozenset({"inactive", "resolved"})
_HERE: Final = frozenset({"arrived", "triaged", "in-progress", "onleave"})
_NEVER: Final = frozenset({"cancelled", "entered-in-error"})
_VISIT_TYPES: Final = frozenset({None, "VN", "AN"})
_UNITS: Final = frozenset({"wa", "lvl", "wi"})
"""Location.physicalType of what may be a unit: ward, level, wing; a bed or room lies in one, a building is none."""


class Course(NamedTuple):
    """What a Bundle says of the course of the stay."""

    kind: FactKind
    ended: bool | None


def course_of(encounter: Resource, *, planned: bool) -> Course:
    """The course by the state of the Encounter (FHIR R4, encounter-status).

    ``finished`` is a discharge, ``planned`` an announcement; ``cancelled`` and ``entered-in-error`` take the visit
    back. One that goes on although its statusHistory says that it was finished takes a discharge back. ``planned``
    says whether a time of leaving is known.
    """
    status = encounter.get("status", "unknown")
    if status == "finished":
        return Course("discharge", ended=True)
    if status in _NEVER:
        return Course("cancel-visit", ended=None)
    if status == "planned":
        return Course("pre-admit", ended=None)
    if status not in _HERE:
        return Course("update", ended=None)
    if any(one.get("status") == "finished" for one in encounter.get("statusHistory", ())):
        return Course("cancel-discharge", ended=None)
    return Course("expected-discharge" if planned else "admit", ended=None)


def planned_end(source: Source, node: Node) -> date | datetime | None:
    """When the person is expected to leave: the R5 element as extension, since in R4 a stay that goes on has no end."""
    for extension in node.resource.get("extension", ()):
        if extension["url"] == PLANNED_END:
            return source.when(extension.get("valueDateTime"), node.at("extension"))
    if node.status in _HERE and "end" in node.resource.get("period", {}):
        source.note(node.at("period.end"), "the stay goes on: a planned end is said by the extension plannedEndDate")
    return None


def details(source: Source, node: Node, course: Course) -> VisitDetails:
    """The stay: numbers, class, times, unit, disposition, destination, attending clinician."""
    stated = node.resource
    period: Resource = stated.get("period", {})
    left = course.ended is True
    leaving: Resource = stated.get("hospitalization", {}) if course.kind != "cancel-discharge" else {}
    return VisitDetails(
        identifiers=identifiers(source, node)[:64],
        class_=_class(source, node),
        admitted_at=source.when(period.get("start"), node.at("period.start")),
        expected_discharge_at=None if left else planned_end(source, node),
        discharged_at=source.when(period.get("end"), node.at("period.end")) if left else None,
        unit=unit(source, node),
        disposition=_disposition(source, node, leaving),
        destination=_destination(source, node, leaving),
        attending=_attending(source, node),
    )


def goes_on(source: Source, node: Node) -> bool:
    """Whether the hospital's own word for the disposition says that this is no discharge."""
    concept = node.resource.get("hospitalization", {}).get("dischargeDisposition")
    maps = source.sender.maps.disposition
    return any(maps.get(coding.code) == "not-a-discharge" for coding in source.codings(concept, node.path))


def identifiers(source: Source, node: Node) -> list[Identifier]:
    """Numbers of the visit, and its place on the hospital's server."""
    return source.identifiers(node, "VN", lambda kind: kind in _VISIT_TYPES)


def known_as(source: Source, logical: Logical, path: str) -> list[Identifier]:
    """The number of a visit that is not in the Bundle."""
    found = source.identifier(
        logical, path, code_of(logical.type, "http://terminology.hl7.org/CodeSystem/v2-0203") or "VN"
    )
    return [found] if found is not None else []


def _class(source: Source, node: Node) -> VisitClass | None:
    stated: Resource = node.resource["class"]
    code = stated.get("code", "")
    found = source.sender.maps.class_.get(code) or _CLASSES.get(code)
    if found is None and code:
        source.note(node.at("class"), "neither in the sender's map nor a v3-ActCode with a meaning here")
        source.miss("class", node.at("class"), code)
    return found


def _disposition(source: Source, node: Node, leaving: Resource) -> Disposition | None:
    path = node.at("hospitalization.dischargeDisposition")
    codings = source.codings(leaving.get("dischargeDisposition"), path)
    for coding in codings:
        found = source.sender.maps.disposition.get(coding.code) or _known_disposition(coding)
        if found == "not-a-discharge":
            return None
        if found is not None:
            return found
    for coding in codings[:1]:
        source.note(path, "neither in the sender's map nor a discharge disposition known here")
        source.miss("disposition", path, coding.code)
    return None


def _known_disposition(coding: Triplet) -> Disposition | None:
    if coding.system is not None and _NUBC in coding.system.lower():
        row = tables.ub04().get(coding.code.rjust(2, "0"))
        return _DISPOSITIONS.get(row.disposition) if row is not None else None
    return _DISPOSITIONS.get(coding.code) if coding.system in (tables.DISCHARGE_DISPOSITION, None) else None


def _destination(source: Source, node: Node, leaving: Resource) -> str | None:
    return source.organization_name(node, leaving.get("destination"), node.at("hospitalization.destination"))


# ---- where


def unit(source: Source, node: Node) -> str | None:
    """The unit that the person is in, or left: what the sender's file knows, else the name of the ward.

    Of several locations the last that was active or ended; of a bed or room the ward that it is in.
    """
    placed = list(enumerate(node.resource.get("location", ())))
    was_there = [(index, one) for index, one in placed if one.get("status") not in ("planned", "reserved")]
    ranked = sorted(was_there, key=lambda pair: _presence(pair[1]))
    for index, one in reversed(ranked):
        found = _unit(source, node, one["location"], node.at(f"location[{index}].location"))
        if found is not None:
            return found
    return None


def _presence(placed: Resource) -> tuple[bool, bool, str]:
    """Where somebody is now comes after where they were; later after earlier."""
    ended = "end" in placed.get("period", {})
    return placed.get("status") == "active", not ended, placed.get("period", {}).get("start", "")


def _unit(source: Source, node: Node, reference: Resource, path: str) -> str | None:
    chain = list(_chain(source, node, reference))
    names = [name for place in chain for name in _names(source, place)]
    shown = source.token(reference.get("display"), f"{path}.display")
    logical = source.follow(node, reference).logical
    names += [text for text in (source.token(logical.value, path) if logical else None, shown) if text]
    known = source.sender.units.keys() | set(source.sender.part2_units)
    found = next((name for name in names if name in known), None)
    if found is not None:
        return found
    wards = [place for place in chain if not _UNITS.isdisjoint(codes_of(place.resource.get("physicalType")))]
    own = [name for place in wards or chain[:1] for name in _names(source, place)]
    return own[0] if own else shown


def _chain(source: Source, node: Node, reference: Resource) -> Iterator[Node]:
    """A Location and those that it is part of."""
    seen: set[int] = set()
    link = source.follow(node, reference)
    while link.node is not None and link.node.type == "Location" and id(link.node.resource) not in seen:
        seen.add(id(link.node.resource))
        yield link.node
        link = source.follow(link.node, link.node.resource.get("partOf"))


def _names(source: Source, place: Node) -> list[str]:
    stated = place.resource
    values = [stated.get("name"), *(one.get("value") for one in stated.get("identifier", ())), *stated.get("alias", ())]
    return [text for value in values if (text := source.token(value, place.path)) is not None]


def facility(source: Source, node: Node) -> str | None:
    """The name or number of the hospital's site that the sender's file gives a time zone of its own."""
    reference = node.resource.get("serviceProvider")
    link = source.follow(node, reference)
    stated: Resource = link.node.resource if link.node is not None else {}
    numbers = [one.get("value") for one in stated.get("identifier", ())]
    names = [*numbers, stated.get("name"), link.display, (reference or {}).get("display")]
    return next((name for name in names if name in source.sender.zones), None)


def _attending(source: Source, node: Node) -> Clinician | None:
    """The attender; without any the only one who takes part."""
    people: list[Resource] = [one for one in node.resource.get("participant", ()) if "individual" in one]
    attending = [one for one in people if ATTENDER in codes_of(one.get("type", []))]
    chosen = attending[:1] or (people if len(people) == 1 and "type" not in people[0] else [])
    return source.clinician(node, chosen[0]["individual"], node.at("participant.individual")) if chosen else None


# ---- diagnoses

Standing = Literal["stands", "removed", "left-out"]


def diagnoses(source: Source, nodes: list[Node], encounter: Node | None) -> tuple[list[Diagnosis], list[Diagnosis]]:
    """Diagnoses that stand, and those that were taken back."""
    ranks = _ranks(source, encounter)
    standing: list[Diagnosis] = []
    removed: list[Diagnosis] = []
    for node in nodes[:500]:
        found = _diagnosis(source, node, ranks)
        how = _stands(source, node, of_visit=node in ranks)
        if found is not None and how != "left-out":
            (standing if how == "stands" else removed).append(found)
    return standing, removed


def _ranks(source: Source, encounter: Node | None) -> dict[Node, int | None]:
    """The diagnoses that the Encounter lists, with their rank."""
    listed = encounter.resource.get("diagnosis", ()) if encounter is not None else ()
    links = ((source.follow(encounter, one["condition"]).node, one.get("rank")) for one in listed if encounter)
    return {node: rank for node, rank in links if node is not None}


def _stands(source: Source, node: Node, *, of_visit: bool) -> Standing:
    """A problem that is over says nothing of now; a diagnosis of this visit does, although the visit is over."""
    stated = node.resource
    if code_of(stated.get("verificationStatus"), _VERIFICATION) in _GONE:
        return "removed"
    of_visit = of_visit or any(code_of(one, _CATEGORY) == "encounter-diagnosis" for one in stated.get("category", ()))
    if not of_visit and code_of(stated.get("clinicalStatus"), _CLINICAL) in _OVER:
        source.note(node.at("clinicalStatus"), "a problem that is over is left out")
        return "left-out"
    return "stands"


def _diagnosis(source: Source, node: Node, ranks: dict[Node, int | None]) -> Diagnosis | None:
    """The ICD-10-CM code, else SNOMED CT, else the first."""
    codings = source.codings(node.resource.get("code"), node.at("code"))
    if not codings:
        source.note(node.at("code"), "a diagnosis needs a code or a text")
        return None
    preferred = (coding for system in (tables.ICD10CM, tables.SNOMED) for coding in codings if coding.system == system)
    chosen = next(preferred, codings[0])
    rank: Any = ranks.get(node)
    return Diagnosis(
        system=chosen.system,
        code=tables.dotted(chosen.code) if chosen.system == tables.ICD10CM else chosen.code,
        display=chosen.display,
        rank=rank if isinstance(rank, int) and rank < 1000 else None,
        recorded_at=source.when(node.resource.get("recordedDate"), node.at("recordedDate")),
    )
