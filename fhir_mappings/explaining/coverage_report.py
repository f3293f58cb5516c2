"""What a heap of messages holds and what became of it: the counts behind ``throughline coverage``.

Pure and streaming: one ``Judged`` after the other goes in, only counts stay. Every message is in exactly one cell of
``messages``, so its sum is the number of messages. Codes are kept where they have the shape of a code; of everything
else it is counted that it was there.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, get_args

from fhir_mappings import dialects, triage
from fhir_mappings.dialects.adt_generic.site import path_of
from fhir_mappings.dialects.base import Reading
from fhir_mappings.explaining import showing
from fhir_mappings.explaining.explain import FieldStatus, field_uses, wire_of
from fhir_mappings.hl7v2 import Message, TracedMessage
from schemas.codes import tables
from schemas.discharge import Coding, Product
from schemas.facts import Facts
from schemas.sender import Sender

CodeKind = Literal["drug", "diagnosis", "class", "disposition", "order class", "unit"]
CODE_KINDS: Final[tuple[CodeKind, ...]] = get_args(CodeKind)
STATUSES: Final[tuple[FieldStatus, ...]] = get_args(FieldStatus)
NO_TYPE: Final = "(no message type)"
UNKNOWN: Final = "unknown"
"""Standing of a code that somebody has to look at."""
UNKNOWN_SENDER: Final = "unknown-sender"
"""Reason of the ledger."""
DEFAULT_ORDER_CLASS: Final = "ORC-29.1"
_TYPE = re.compile(r"[A-Z][A-Z0-9]{2}(?:\^[A-Z0-9]{1,3})?|event:[a-z-]{1,32}", re.ASCII)


class CodeSeen(NamedTuple):
    """One code of a message, and what is known of it."""

    kind: CodeKind
    system: str
    code: str
    standing: str
    """What it means here (``IMP``, ``our drug``, ``part2``), or ``unknown``."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One message, read and judged by itself."""

    sender: Sender
    message_type: str | None
    state: str
    """Of the ledger, as a dry run has it."""
    reasons: tuple[str, ...]
    message: TracedMessage | None = None
    """None where it could not be read, or is no HL7 v2."""
    reading: Reading | None = None
    paths: tuple[str, ...] = ()
    """What was sent of an event."""
    place: str = ""
    """File and number of the message in it."""


@dataclass(slots=True)
class Tally:
    """The counts; each counts messages, however often one message has the thing."""

    files: int = 0
    messages: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(type, state): every message once."""
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(state, reason code)."""
    segments: Counter[str] = field(default_factory=Counter)
    fields: Counter[str] = field(default_factory=Counter)
    uses: Counter[tuple[str, FieldStatus, str]] = field(default_factory=Counter)
    """(field, what became of it, target or reason)."""
    codes: Counter[CodeSeen] = field(default_factory=Counter)
    charsets: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """(MSH-18, codec, why it was taken)."""
    versions: Counter[str] = field(default_factory=Counter)
    strangers: Counter[tuple[str, str]] = field(default_factory=Counter)
    """MSH-3.1 and MSH-4.1 of messages that no sender takes."""
    unhandled: Counter[str] = field(default_factory=Counter)
    """Types whose trigger is not handled and that carry a drug or a diagnosis."""

    def add(self, judged: Judged) -> None:
        """Count one message."""
        kind = shown_type(judged.message_type)
        self.messages[kind, judged.state] += 1
        self.reasons.update({(judged.state, reason) for reason in judged.reasons})
        if judged.reading is None:
            return
        self._count_fields(judged, judged.reading)
        if judged.message is not None and UNKNOWN_SENDER in judged.reasons:
            self.strangers[header_of(judged.message)] += 1
            return
        facts = judged.reading.facts
        if not facts.handled and (facts.diagnoses or facts.orders or facts.doses or facts.supplies):
            self.unhandled[kind] += 1
        self.codes.update(set(codes_of(judged)))

    @property
    def total(self) -> int:
        """How many messages there were."""
        return self.messages.total()

    def _count_fields(self, judged: Judged, reading: Reading) -> None:
        dialect = dialects.find(judged.sender.dialect)
        message = judged.message
        if message is None:
            uses = {(path, STATUSES[0], dialect.targets.get(path, "")) for path in judged.paths}
        else:
            found = field_uses(message, dialect, reading.notes, judged.sender)
            uses = {
                (use.path, use.status, use.target if use.used and use.target else use.reason or "") for use in found
            }
            wire = wire_of(message)
            self.charsets[wire.declared or "(empty)", wire.charset, wire.basis] += 1
            self.versions[wire.version or "(none)"] += 1
            self.segments.update({segment.name for segment in message.segments})
        self.uses.update(uses)
        self.fields.update({path for path, _, _ in uses})


def header_of(message: Message) -> tuple[str, str]:
    """MSH-3.1 and MSH-4.1."""
    return showing.header_name(message.sending_application), showing.header_name(message.sending_facility)


def shown_type(message_type: str | None) -> str:
    """A message type where it has the shape of one."""
    return message_type if message_type and _TYPE.fullmatch(message_type) else NO_TYPE


def codes_of(judged: Judged) -> Iterator[CodeSeen]:
    """The codes that decide: drugs, diagnoses, class, disposition, order class, unit."""
    reading, sender, message = judged.reading, judged.sender, judged.message
    if reading is None:
        return
    facts = reading.facts
    for product in products(facts):
        yield from _drug(product, sender)
    for diagnosis in (*facts.diagnoses, *facts.removed_diagnoses):
        yield CodeSeen("diagnosis", showing.system(diagnosis.system), _shown(diagnosis), _diagnosis(diagnosis))
    unit = facts.visit.unit if facts.visit is not None else None
    if unit is not None:
        yield CodeSeen("unit", "PV1-3", showing.word(unit) or showing.TEXT_ONLY, sender.unit_status(unit))
    if message is not None:
        unread = {note.path for note in reading.notes}
        yield from _visit(message, facts, unread)
        yield from order_classes(message, sender)


def products(facts: Facts) -> Iterator[Product]:
    """Every product that a message names."""
    yield from (order.product for order in facts.orders)
    yield from (dose.product for dose in facts.doses)
    yield from (supply.product for supply in facts.supplies)


def order_class_words(sender: Sender) -> Mapping[str, str]:
    """What the sender's file, else HL7 table 0482, says of the words in its order class field."""
    mapped = sender.maps.order_class
    return (mapped.model_extra if mapped is not None else None) or {"I": "inpatient", "O": "discharge"}


def order_class_path(sender: Sender) -> str:
    """Where the order class stands."""
    mapped = sender.maps.order_class
    return mapped.field if mapped is not None else DEFAULT_ORDER_CLASS


def order_classes(message: Message, sender: Sender) -> Iterator[CodeSeen]:
    """The words in the order class field."""
    where = order_class_path(sender)
    path = path_of(where)
    words = order_class_words(sender)
    for segment in message.all(path.segment) if path is not None else ():
        assert path is not None
        value = segment.text(path.field, path.component).strip()
        if value:
            yield CodeSeen("order class", where, _code(value), words.get(value, UNKNOWN))


def _drug(product: Product, sender: Sender) -> Iterator[CodeSeen]:
    sent = [coding for coding in (product, *product.alternates) if not _from_map(coding, product, sender)]
    public = any(tables.system_of(coding.system) in (tables.RXNORM, tables.NDC) for coding in sent)
    for coding in sent:
        standing = _public_drug(coding)
        if standing is None and coding.code in sender.maps.local_drugs:
            standing = "mapped"
        elif standing is None:
            standing = "beside a public code" if public else _by_text(product)
        yield CodeSeen("drug", showing.system(coding.system), _shown(coding), standing)


def _from_map(coding: Coding, product: Product, sender: Sender) -> bool:
    """Whether the hospital never sent this code: its file put it in the place of one of its own."""
    mapped = (sender.maps.local_drugs.get(other.code) for other in product.alternates)
    return coding is product and any(drug is not None and drug.code == coding.code for drug in mapped)


def _public_drug(coding: Coding) -> str | None:
    system = tables.system_of(coding.system)
    if system == tables.RXNORM:
        return "our drug" if tables.drug(coding.system, coding.code) else "another drug"
    if system == tables.NDC:
        return "hint at our drug" if tables.ndc_hint(coding.system, coding.code) else "another drug"
    return None


def _by_text(product: Product) -> str:
    """A local code is told apart by its text; without one nobody knows."""
    if not any(coding.display for coding in (product, *product.alternates)):
        return UNKNOWN
    known = triage.classify(product)
    return "another drug, by its text" if known is None else f"{UNKNOWN}, reads like {known.drug}"


def _diagnosis(diagnosis: Coding) -> str:
    if tables.diagnosis(diagnosis.system, diagnosis.code) is not None:
        return "our diagnosis"
    return "another diagnosis" if tables.system_of(diagnosis.system) is not None else UNKNOWN


def _visit(message: Message, facts: Facts, unread: set[str]) -> Iterator[CodeSeen]:
    pv1 = message.first("PV1")
    if pv1 is None:
        return
    visit = facts.visit
    disposition: str | None = visit.disposition if visit is not None else None
    if facts.visit_status_ended is False:
        disposition = "not-a-discharge"
    meanings: tuple[tuple[CodeKind, int, str | None], ...] = (
        ("class", 2, visit.class_ if visit is not None else None),
        ("disposition", 36, disposition),
    )
    for kind, number, meaning in meanings:
        sent = pv1.text(number).strip()
        if sent:
            standing = UNKNOWN if f"PV1-{number}" in unread else meaning or "not used here"
            yield CodeSeen(kind, f"PV1-{number}", showing.word(sent) or showing.TEXT_ONLY, standing)


def _code(value: str) -> str:
    return showing.code(value) or showing.TEXT_ONLY


def _shown(coding: Coding) -> str:
    return (
        showing.coding(coding).partition(" ")[0] if showing.coding(coding) != showing.TEXT_ONLY else showing.TEXT_ONLY
    )


# ---- what is left to do


class Task(NamedTuple):
    """One thing that the person who maps can do."""

    messages: int
    """How many have it."""
    what: str
    how: str


def to_do(tally: Tally) -> list[Task]:
    """What to map, by how often it occurs."""
    tasks = [*_codes_to_map(tally), *_fields_to_map(tally)]
    tasks += [
        Task(count, f"{application}|{facility} is nobody's: rejected, and no code of it is counted", "match_msh")
        for (application, facility), count in tally.strangers.items()
    ]
    tasks += [
        Task(
            count,
            f"{kind} carries drugs or diagnoses and its trigger is not handled",
            "maps.*_triggers, else report it",
        )
        for kind, count in tally.unhandled.items()
    ]
    return sorted(tasks, key=lambda task: (-task.messages, task.what))


_HOW: Final[dict[CodeKind, str]] = {
    "drug": "maps.local_drugs, or maps.drug_systems for the whole system",
    "diagnosis": "ask for ICD-10-CM or SNOMED CT, with its system",
    "class": "maps.class",
    "disposition": "maps.disposition",
    "order class": "maps.order_class",
    "unit": "units",
}


def _codes_to_map(tally: Tally) -> Iterator[Task]:
    for seen, count in tally.codes.items():
        if seen.standing.startswith(UNKNOWN):
            note = seen.standing.removeprefix(UNKNOWN)
            yield Task(count, f"{seen.kind} {seen.code} ({seen.system}{note})", _HOW[seen.kind])


def _fields_to_map(tally: Tally) -> Iterator[Task]:
    mapped = {"PV1-2", "PV1-36"}
    for (path, status, reason), count in tally.uses.items():
        if status == "unreadable" and path not in mapped:
            yield Task(count, f"{path} can't be read: {reason}", "ask the sender, or leave it")
    for (declared, codec, basis), count in tally.charsets.items():
        if basis == "fallback":
            yield Task(count, f"MSH-18 {declared}, and the bytes are not that: read as {codec}", "ask the sender")
    for name, count in local_segments(tally).items():
        yield Task(count, f"{name} is local and not read", "maps.order_class or maps.days_supply, if it says that")


def local_segments(tally: Tally) -> dict[str, int]:
    """Z-segments of which no field is read, with the number of messages that have them."""
    read = {path.partition("-")[0] for path, status, _ in tally.uses if status == "used"}
    found: dict[str, int] = {}
    for (path, status, _), count in sorted(tally.uses.items()):
        name = path.partition("-")[0]
        if status == "z-segment" and name not in read:
            found[name] = max(found.get(name, 0), count)
    return found


def by_type(tally: Tally) -> dict[str, Counter[str]]:
    """Type to its states, the most frequent type first."""
    found: dict[str, Counter[str]] = {}
    for (kind, state), count in tally.messages.items():
        found.setdefault(kind, Counter())[state] += count
    return dict(sorted(found.items(), key=lambda item: (-item[1].total(), item[0])))


def states(tally: Tally) -> Counter[str]:
    """How many messages ended where."""
    found: Counter[str] = Counter()
    for (_, state), count in tally.messages.items():
        found[state] += count
    return found


def ordered(names: Iterable[str]) -> list[str]:
    """Fields as they stand in a message: segment by segment, by number."""

    def place(path: str) -> tuple[str, int, str]:
        segment, _, number = path.partition("-")
        return segment, int(number) if number.isdigit() else 0, path

    return sorted(names, key=place)
