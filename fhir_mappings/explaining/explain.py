"""A dry run of one message: what became of each field and why, and the verdict.

Pure: nothing is stored and nobody is matched, so the verdict is that of this message alone; a late dose whose
visit is known to the hub may be judged otherwise there. No value is shown but codes (``showing``): drugs, diagnoses,
class, disposition, unit. Names, numbers and times of the person stay in the operator's own file.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal

import orjson

from fhir_mappings import dialects, triage
from fhir_mappings.dialects.base import Dialect, Note, Problem, Reading, Unmapped
from fhir_mappings.dialects.event_json.dialect import Refused
from fhir_mappings.explaining import showing
from fhir_mappings.fhir_in import fhir_bundle
from fhir_mappings.hl7v2 import Basis, Message, TracedMessage, Unreadable, parse
from fhir_mappings.visits.visit import as_event
from fhir_mappings.visits.visit_merge import merge
from schemas.discharge import Circumstances, ConsentGiven, DischargeEvent, VisitDetails
from schemas.facts import Facts
from schemas.sender import Sender

FieldStatus = Literal["used", "ignored", "not-mapped", "unreadable", "z-segment"]

_FRAME: Final = {
    "MSH-3": "(which sender it is from)",
    "MSH-4": "(which sender it is from)",
    "MSH-5": "(mirrored in the acknowledgement)",
    "MSH-6": "(mirrored in the acknowledgement)",
    "MSH-12": "(mirrored in the acknowledgement)",
    "MSH-15": "(whether an acknowledgement is wanted)",
    "MSH-16": "(whether an acknowledgement is wanted)",
    "MSH-18": "(character set)",
}
"""Read by the door before any dialect is."""
_SENDERS_OWN: Final = "(by the sender's map)"
_NOT_MAPPED: Final = "nothing of a referral comes from it"
_Z_SEGMENT: Final = "local to the sender, and nothing in its file names it"
_OTHER_TRIGGER: Final = "not read for this trigger, or another field says it"
_RECURRING: Final = "its number is used for more than one visit (maps.recurring_accounts)"
_MOST_COMPONENTS: Final = 400
"""A message with more components than this is not read again for each of them."""


@dataclass(frozen=True, slots=True)
class FieldUse:
    """One populated field: what it becomes, or why it becomes nothing."""

    path: str
    segment: int | None
    status: FieldStatus
    target: str | None = None
    reason: str | None = None
    idle: tuple[int, ...] = ()
    """Components of a used field that are populated and make no difference to what was read here."""

    @property
    def used(self) -> bool:
        """Whether it was read and taken."""
        return self.status == "used"


@dataclass(frozen=True, slots=True)
class Wire:
    """How the bytes were read."""

    charset: str
    """Python codec that they were read with."""
    basis: Basis
    """Why it is this one."""
    declared: str | None
    """MSH-18, where it was sent; "(text only)" where it does not have the shape of a name."""
    separators: str
    """Field, component, repetition, escape, subcomponent; one that the message does not have is left out."""
    version: str | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the hub would make of one message."""

    sender: str
    dialect: str
    message_type: str | None
    handled: bool
    fields: tuple[FieldUse, ...]
    facts: tuple[str, ...]
    """One line per fact; of values only codes."""
    verdict: triage.Triage | None
    problems: tuple[str, ...]
    """Why it can't be read or filed, with the place; empty = it is accepted (AA)."""
    wire: Wire | None = None
    unmapped: tuple[Unmapped, ...] = ()
    event: DischargeEvent | None = None
    """What the resources are built from; not rendered, because it holds the person."""
    at: datetime | None = None
    """Time of the fact; not rendered."""


def explain(data: bytes, sender: Sender, *, now: datetime) -> Explanation:
    """Read, judge and describe one message.

    Args:
        data: One HL7 v2 message or one JSON event, whatever the sender's dialect takes.
        sender: Whose dialect, zone and maps hold.
        now: Stands in for the event time of the drawn event.
    """
    dialect = dialects.find(sender.dialect)
    read = {"hl7v2": _hl7v2, "json": _json, "fhir": _fhir}[dialect.source]
    try:
        return read(data, dialect, sender, now)
    except Unreadable as error:
        place = f"{error.segment or 'message'}{f'-{error.field}' if error.field else ''}"
        return _unread(dialect, sender, (f"{place}: {error.reason}",))
    except Refused as error:
        return _unread(dialect, sender, tuple(f"{fault.path or 'event'}: {fault.rule}" for fault in error.faults))
    except fhir_bundle.Refused as error:
        return _unread(dialect, sender, tuple(f"{fault.path or 'Bundle'}: {fault.rule}" for fault in error.faults))


def field_uses(message: TracedMessage, dialect: Dialect, notes: tuple[Note, ...], sender: Sender) -> Iterator[FieldUse]:
    """What became of each populated field of a message that ``dialect`` has read for ``sender``."""
    by_file = _by_file(sender)
    targets = dialect.targets
    faulty = {(note.segment, note.path): note.rule for note in notes}
    for index, segment, field in message.populated():
        path = f"{segment}-{field}"
        rule = faulty.get((index, path))
        if rule is not None:
            yield FieldUse(path, index, "unreadable", target=targets.get(path), reason=rule)
        elif (index, field) in message.used:
            yield FieldUse(path, index, "used", target=targets.get(path, _SENDERS_OWN))
        elif path in _FRAME:
            yield FieldUse(path, index, "used", target=_FRAME[path])
        else:
            yield _unused(path, index, dialect, by_file)


def event_paths(event: dict[str, Any]) -> Iterator[str]:
    """The parts of an event that were sent, as deep as ``targets`` tells them apart."""
    for name, value in event.items():
        if name in ("patient", "visit"):
            yield from (f"{name}.{part}" for part in value)
        elif name == "medications":
            yield from (f"{name}.{part}" for part in dict.fromkeys(part for one in value for part in one))
        else:
            yield name


def bundle_paths(bundle: dict[str, Any]) -> Iterator[str]:
    """The elements that a Bundle and its resources have, each once: ``Encounter.period``."""
    entries = [one.get("resource") for one in bundle.get("entry", ()) if isinstance(one, dict)]
    resources = [bundle, *(one for one in entries if isinstance(one, dict))]
    yield from dict.fromkeys(
        f"{resource.get('resourceType')}.{name}"
        for resource in resources
        for name in resource
        if name not in ("resourceType", "entry")
    )


def wire_of(message: Message) -> Wire:
    """How the bytes of a message were read."""
    declared = message.header.raw(18)
    named = all(showing.code(part) for part in re.split(r"[ /~^]", declared) if part)
    shown = (declared if named else showing.TEXT_ONLY) if declared else None
    separators = " ".join(char for char in message.separators[:5] if char.isprintable())
    return Wire(message.charset, message.charset_basis, shown, separators, showing.code(message.version))


def _by_file(sender: Sender) -> dict[str, str]:
    """Fields that the sender's file names, and why one of them may be left out."""
    order_class = sender.maps.order_class
    places = (order_class.field if order_class is not None else None, sender.maps.days_supply)
    named = {re.split(r"[.\s]", place.strip())[0]: _OTHER_TRIGGER for place in places if place}
    return named | dict.fromkeys(sender.maps.recurring_accounts, _RECURRING)


def _unused(path: str, index: int, dialect: Dialect, by_file: dict[str, str]) -> FieldUse:
    known = by_file.get(path) or dialect.unused.get(path)
    if known is not None:
        return FieldUse(path, index, "ignored", reason=known)
    if path in dialect.targets:
        return FieldUse(path, index, "ignored", reason=_OTHER_TRIGGER)
    if path.startswith("Z"):
        return FieldUse(path, index, "z-segment", reason=_Z_SEGMENT)
    return FieldUse(path, index, "not-mapped", reason=_NOT_MAPPED)


def _unread(dialect: Dialect, sender: Sender, problems: tuple[str, ...]) -> Explanation:
    return Explanation(
        sender=sender.id,
        dialect=dialect.name,
        message_type=None,
        handled=False,
        fields=(),
        facts=(),
        verdict=None,
        problems=problems,
    )


def _hl7v2(data: bytes, dialect: Dialect, sender: Sender, now: datetime) -> Explanation:
    plain = parse(data)
    message = plain.traced()
    reading = dialect.read(message, sender)
    problem = dialect.filing(message, reading.facts)
    fields = list(field_uses(message, dialect, reading.notes, sender))
    told = _explanation(
        reading,
        problem,
        fields=tuple(_with_idle(fields, plain, dialect, sender, reading)),
        dialect=dialect,
        sender=sender,
        now=now,
    )
    return replace(told, wire=wire_of(plain), problems=(*_stranger(plain, sender), *told.problems))


def _stranger(message: Message, sender: Sender) -> Iterator[str]:
    said = f"{message.sending_application}|{message.sending_facility}"
    if sender.match_msh and said not in sender.match_msh:
        yield "MSH-3: with MSH-4 it is not in match_msh of this sender, so the answer would be AR"


def _json(data: bytes, dialect: Dialect, sender: Sender, now: datetime) -> Explanation:
    reading = dialect.read(data, sender)
    problem = dialect.filing(data, reading.facts)
    paths = event_paths(orjson.loads(data))
    fields = tuple(FieldUse(path, None, "used", target=dialect.targets[path]) for path in paths)
    return _explanation(reading, problem, fields=fields, dialect=dialect, sender=sender, now=now)


def _fhir(data: bytes, dialect: Dialect, sender: Sender, now: datetime) -> Explanation:
    bundle = fhir_bundle.loads(data)
    reading = dialect.read(bundle, sender)
    problem = dialect.filing(bundle, reading.facts)
    noted = tuple(FieldUse(note.path, None, "unreadable", reason=note.rule) for note in reading.notes)
    fields = (*noted, *(_element_use(path, dialect) for path in bundle_paths(bundle)))
    return _explanation(reading, problem, fields=fields, dialect=dialect, sender=sender, now=now)


def _element_use(path: str, dialect: Dialect) -> FieldUse:
    """``Observation.value[x]`` stands for whichever value was sent, ``RelatedPerson`` for all of its elements."""
    kind, _, name = path.partition(".")
    choice = next((one for one in dialect.targets if one.endswith("[x]") and path.startswith(one[:-3])), None)
    known = path if path in dialect.targets else choice or (kind if kind in dialect.targets else None)
    if known is not None:
        return FieldUse(path, None, "used", target=dialect.targets[known])
    if path in dialect.unused:
        return FieldUse(path, None, "ignored", reason=dialect.unused[path])
    return FieldUse(path, None, "not-mapped", reason=_NOT_MAPPED if name else None)


def _explanation(
    reading: Reading,
    problem: Problem | None,
    *,
    fields: tuple[FieldUse, ...],
    dialect: Dialect,
    sender: Sender,
    now: datetime,
) -> Explanation:
    facts = reading.facts
    record = merge(None, facts)
    return Explanation(
        sender=sender.id,
        dialect=dialect.name,
        message_type=facts.trigger,
        handled=facts.handled,
        fields=fields,
        facts=tuple(line for one in (facts, *reading.more) for line in _facts(one, sender)),
        verdict=triage.judge(record),
        problems=() if problem is None else (f"{_place(problem)}: {problem.rule}",),
        unmapped=reading.unmapped,
        event=as_event(record, event_id="explain", occurred_at=now),
        at=facts.at,
    )


def _place(problem: Problem) -> str:
    return f"{problem.segment}-{problem.field}" if problem.field else problem.segment


# ---- which components count


def _with_idle(
    fields: list[FieldUse], message: Message, dialect: Dialect, sender: Sender, reading: Reading
) -> Iterator[FieldUse]:
    """Name the components that could be left out of each used field: the message is read again without each."""
    populated = {
        id(use): list(_populated(message, use)) for use in fields if use.used and not use.path.startswith("MSH-")
    }
    affordable = sum(map(len, populated.values())) <= _MOST_COMPONENTS
    for use in fields:
        components = populated.get(id(use), [])
        if len(components) < 2 or not affordable:
            yield use
            continue
        readings = [(c, dialect.read(_without(message, use, c), sender)) for c in components]
        idle = [c for c, other in readings if (other.facts, other.more) == (reading.facts, reading.more)]
        # Where none counts alone (a code that is sent twice), the field does: nothing is said.
        yield use if len(idle) == len(components) else replace(use, idle=tuple(idle))


def _populated(message: Message, use: FieldUse) -> Iterator[int]:
    assert use.segment is not None
    value = message.segments[use.segment].raw(_number(use))
    component, repetition = message.separators.component, message.separators.repetition
    repeated = [one.split(component) for one in value.split(repetition)]
    for number in range(1, max(map(len, repeated)) + 1):
        if any(len(parts) >= number and parts[number - 1] for parts in repeated):
            yield number


def _without(message: Message, use: FieldUse, component: int) -> Message:
    """The message, with one component of one field left empty in every repetition."""
    between, again = message.separators.component, message.separators.repetition
    lines = []
    for segment in message.segments:
        values = [segment.raw(field) for field in range(1, len(segment) + 1)]
        if segment.index == use.segment:
            repetitions = [one.split(between) for one in values[_number(use) - 1].split(again)]
            emptied = [[*parts[: component - 1], "", *parts[component:]] for parts in repetitions]
            values[_number(use) - 1] = again.join(between.join(parts) for parts in emptied)
        lines.append(message.separators.field.join([segment.name, *(values[1:] if segment.index == 0 else values)]))
    return parse("\r".join(lines).encode(message.charset), default_charset=message.charset)


def _number(use: FieldUse) -> int:
    return int(use.path.partition("-")[2])


# ---- facts


def _facts(facts: Facts, sender: Sender) -> Iterator[str]:
    yield f"kind {facts.kind}{', a test' if facts.test else ''}"
    if facts.merged_identifiers or facts.merged_visits:
        persons, visits = len(facts.merged_identifiers), len(facts.merged_visits)
        yield f"numbers that no longer stand: {persons} of persons, {visits} of visits"
    if facts.visit is not None:
        yield from _visit(facts.visit, facts.visit_status_ended, sender)
    yield from (f"diagnosis {showing.coding(diagnosis)}" for diagnosis in facts.diagnoses)
    yield from (f"diagnosis taken back {showing.coding(diagnosis)}" for diagnosis in facts.removed_diagnoses)
    for order in facts.orders:
        state = "withdrawn" if order.withdrawn else "for the way home" if order.discharge else "in the hospital"
        details = (("", state), ("every", order.interval), ("days", order.days))
        yield _line("order", showing.coding(order.product), *details)
    for dose in facts.doses:
        outcome = "taken back" if dose.deleted else "held" if dose.held else dose.outcome
        yield _line("dose", showing.coding(dose.product), ("", outcome))
    for supply in facts.supplies:
        amount = (("days", supply.days), ("doses", supply.doses))
        state = "withdrawn" if supply.withdrawn else supply.kind
        yield _line("supply", showing.coding(supply.product), ("", state), *amount, ("filled", supply.filled))
    if facts.circumstances is not None:
        yield from _circumstances(facts.circumstances)


def _visit(visit: VisitDetails, status_ended: bool | None, sender: Sender) -> Iterator[str]:  # noqa: FBT001 - as in Facts
    ended = {True: "ends", False: "goes on", None: "is not ended by this"}[status_ended]
    numbers = ", ".join(identifier.type or "number" for identifier in visit.identifiers) or "none"
    yield _line("visit", ended, ("class", visit.class_), ("disposition", visit.disposition), ("numbers", numbers))
    if visit.unit is not None:
        standing = {"unknown": "not classified, counts as Part 2"}.get(sender.unit_status(visit.unit))
        yield f"unit {showing.word(visit.unit) or showing.TEXT_ONLY}: {standing or sender.unit_status(visit.unit)}"


def _circumstances(said: Circumstances) -> Iterator[str]:
    yield from (_line("need", need.kind, ("priority", need.priority)) for need in said.needs)
    yield from map(_consent, said.consents)
    counted = (
        ("contacts", said.contacts),
        ("coverage", said.coverage),
        ("allergies", said.allergies),
        ("drug screens", said.clinical.urine_drug_screen),
    )
    told = [f"{len(value)} {name}" for name, value in counted if isinstance(value, list) and value]
    told += [name.replace("_", " ") for name in ("pregnant", "qtc_ms") if getattr(said.clinical, name) is not None]
    if told:
        yield f"also {', '.join(told)}"


def _consent(consent: ConsentGiven) -> str:
    """What it says in numbers: names of recipients are the person's own affair."""
    counted = (
        ("recipients", consent.recipients),
        ("classes", consent.classes),
        ("excluded", consent.not_recipients),
        ("other disclosers", consent.disclosers),
    )
    details = [(f"{len(names)} {what}", "") for what, names in counted if names]
    details += [("both directions", "")] if consent.both_directions else []
    details += [("form", "known")] if consent.form or consent.document_hash else []
    details += [("lacks", "2.31(a) " + " ".join(f"({number})" for number in consent.lacks))] if consent.lacks else []
    return _line("consent", consent.status, *details)


def _line(what: str, code: str, *details: tuple[str, str | int | None]) -> str:
    told = [f"{name} {value}".strip() for name, value in details if value is not None]
    return f"{what} {', '.join([code, *told])}"
