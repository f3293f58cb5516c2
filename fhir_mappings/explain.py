"""A dry run of one message: which field became which element, what was not used and why, and the verdict.

Pure: nothing is stored and nobody is matched, so the verdict is that of this message alone; a late dose whose
visit is known to the hub may be judged otherwise there. No value is shown but codes: drugs, diagnoses, class and
disposition. Names, numbers and times of the person stay in the operator's own file.
"""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from fhir_mappings import dialects, triage
from fhir_mappings.dialects.base import Dialect, Note, Problem, Reading
from fhir_mappings.dialects.event_json.dialect import Refused
from fhir_mappings.hl7v2 import TracedMessage, Unreadable, parse
from fhir_mappings.visit import as_event
from fhir_mappings.visit_merge import merge
from schemas.discharge import Coding, DischargeEvent
from schemas.facts import Facts
from schemas.sender import Sender

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
_NOT_MAPPED: Final = "not mapped"
_Z_SEGMENT: Final = "Z-segment, local to the sender"
_OTHER_TRIGGER: Final = "not read for this trigger, or another field says it"


@dataclass(frozen=True, slots=True)
class FieldUse:
    """One populated field: what it becomes, or why it becomes nothing."""

    path: str
    segment: int | None
    used: bool
    target: str | None = None
    reason: str | None = None


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
    event: DischargeEvent | None = None
    """What the resources are built from; not rendered, because it holds the person."""


def explain(data: bytes, sender: Sender, *, now: datetime) -> Explanation:
    """Read, judge and describe one message.

    Args:
        data: One HL7 v2 message or one JSON event, whatever the sender's dialect takes.
        sender: Whose dialect, zone and maps hold.
        now: Stands in for the event time of the drawn event.
    """
    dialect = dialects.find(sender.dialect)
    try:
        return _hl7v2(data, dialect, sender, now) if dialect.source == "hl7v2" else _json(data, dialect, sender, now)
    except Unreadable as error:
        place = f"{error.segment or 'message'}{f'-{error.field}' if error.field else ''}"
        return _unread(dialect, sender, (f"{place}: {error.reason}",))
    except Refused as error:
        return _unread(dialect, sender, tuple(f"{fault.path or 'event'}: {fault.rule}" for fault in error.faults))


def render_text(explanation: Explanation) -> str:
    """Aligned plain text, for a terminal."""
    head = [
        f"sender   {explanation.sender} ({explanation.dialect})",
        f"message  {explanation.message_type or 'unknown'}{'' if explanation.handled else ' (trigger not handled)'}",
    ]
    sections = [head, *_rendered(explanation)]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def to_json(explanation: Explanation) -> bytes:
    """The same for a program: one JSON object."""
    verdict = explanation.verdict
    body: dict[str, Any] = {
        "sender": explanation.sender,
        "dialect": explanation.dialect,
        "message_type": explanation.message_type,
        "handled": explanation.handled,
        "problems": list(explanation.problems),
        "fields": [asdict(field) for field in explanation.fields],
        "facts": list(explanation.facts),
        "verdict": None
        if verdict is None
        else {
            "outcome": verdict.outcome,
            "pending": verdict.pending,
            "reasons": [{"code": reason.code, "text": reason.text} for reason in verdict.reasons],
        },
    }
    return orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


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
    message = parse(data).traced()
    reading = dialect.read(message, sender)
    problem = dialect.filing(message, reading.facts)
    fields = tuple(_fields(message, dialect, reading.notes))
    return _explanation(reading, problem, fields=fields, dialect=dialect, sender=sender, now=now)


def _json(data: bytes, dialect: Dialect, sender: Sender, now: datetime) -> Explanation:
    reading = dialect.read(data, sender)
    problem = dialect.filing(data, reading.facts)
    paths = _paths(orjson.loads(data))
    fields = tuple(FieldUse(path, None, used=True, target=dialect.targets[path]) for path in paths)
    return _explanation(reading, problem, fields=fields, dialect=dialect, sender=sender, now=now)


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
        facts=tuple(_facts(facts)),
        verdict=triage.judge(record),
        problems=() if problem is None else (f"{_place(problem)}: {problem.rule}",),
        event=as_event(record, event_id="explain", occurred_at=now),
    )


def _place(problem: Problem) -> str:
    return f"{problem.segment}-{problem.field}" if problem.field else problem.segment


def _fields(message: TracedMessage, dialect: Dialect, notes: tuple[Note, ...]) -> Iterator[FieldUse]:
    targets = dialect.targets
    faulty = {(note.segment, note.path): note.rule for note in notes}
    for index, segment, field in message.populated():
        path = f"{segment}-{field}"
        rule = faulty.get((index, path))
        if rule is not None:
            yield FieldUse(path, index, used=False, target=targets.get(path), reason=rule)
        elif (index, field) in message.used:
            yield FieldUse(path, index, used=True, target=targets.get(path, _SENDERS_OWN))
        elif path in _FRAME:
            yield FieldUse(path, index, used=True, target=_FRAME[path])
        else:
            yield FieldUse(path, index, used=False, reason=_unused(path, dialect))


def _unused(path: str, dialect: Dialect) -> str:
    known = dialect.unused.get(path)
    if known is not None:
        return known
    if path in dialect.targets:
        return _OTHER_TRIGGER
    return _Z_SEGMENT if path.startswith("Z") else _NOT_MAPPED


def _paths(event: dict[str, Any]) -> Iterator[str]:
    """The parts of an event that were sent, as deep as ``targets`` tells them apart."""
    for name, value in event.items():
        if name in ("patient", "visit"):
            yield from (f"{name}.{part}" for part in value)
        elif name == "medications":
            yield from (f"{name}.{part}" for part in dict.fromkeys(part for one in value for part in one))
        else:
            yield name


def _facts(facts: Facts) -> Iterator[str]:
    yield f"kind {facts.kind}{', a test' if facts.test else ''}"
    if facts.visit is not None:
        ended = {True: "ends", False: "goes on", None: "is not ended by this"}[facts.visit_status_ended]
        yield _line("visit", f"{ended}", ("class", facts.visit.class_), ("disposition", facts.visit.disposition))
    for diagnosis in facts.diagnoses:
        yield f"diagnosis {_code(diagnosis)}"
    for diagnosis in facts.removed_diagnoses:
        yield f"diagnosis taken back {_code(diagnosis)}"
    for order in facts.orders:
        state = "withdrawn" if order.withdrawn else "for the way home" if order.discharge else "in the hospital"
        yield _line("order", _code(order.product), ("", state), ("every", order.interval), ("days", order.days))
    for dose in facts.doses:
        outcome = "taken back" if dose.deleted else "held" if dose.held else dose.outcome
        yield _line("dose", _code(dose.product), ("", outcome))
    for supply in facts.supplies:
        amount = (("days", supply.days), ("doses", supply.doses))
        yield _line("supply", _code(supply.product), ("", supply.kind), *amount, ("filled", supply.filled))


def _line(what: str, code: str, *details: tuple[str, str | int | None]) -> str:
    told = [f"{name} {value}".strip() for name, value in details if value is not None]
    return f"{what} {', '.join([code, *told])}"


_CODE = re.compile(r"[A-Za-z0-9._-]{1,32}")
"""What a code looks like. Where a text had to stand for a missing code, it is not shown: it is free text."""


def _code(coding: Coding) -> str:
    if _CODE.fullmatch(coding.code) is None or (coding.system is None and coding.code == coding.display):
        return "(text only)"
    return f"{coding.code} ({coding.system})" if coding.system else f"{coding.code} (no system)"


def _rendered(explanation: Explanation) -> Iterator[list[str]]:
    if explanation.problems:
        yield ["not accepted", *(f"  {problem}" for problem in explanation.problems)]
    used = [field for field in explanation.fields if field.used]
    if used:
        yield ["used", *_aligned([(field.path, field.target or "") for field in used])]
    unused = [field for field in explanation.fields if not field.used]
    if unused:
        yield ["not used", *_aligned([(field.path, field.reason or "") for field in unused])]
    if explanation.facts:
        yield ["facts", *(f"  {fact}" for fact in explanation.facts)]
    verdict = explanation.verdict
    if verdict is not None:
        waits = ", waits while the visit is open" if verdict.pending else ""
        reasons = _aligned([(reason.code, reason.text) for reason in verdict.reasons])
        yield [f"verdict  {verdict.outcome}{waits}", *reasons]


def _aligned(rows: list[tuple[str, str]]) -> list[str]:
    width = max((len(name) for name, _ in rows), default=0)
    return [f"  {name:<{width}}  {text}" for name, text in rows]
