"""Messages that tell of more than one person, or of more than one pair of numbers: each is read by itself.

Source: HL7 v2.5.1, the structures ADT_A39 and ADT_A43 ({PID [PD1] MRG [PV1]}), ADT_A45 (PID {MRG PV1}), ADT_A37
(PID [PV1] PID [PV1]), ORU_R01 ({[PID [PV1]] {OBR {OBX}}}).
"""

from collections.abc import Iterator
from typing import Final

from fhir_mappings.dialects.base import Note
from fhir_mappings.hl7v2 import Message, Segment
from schemas.facts import FactKind

_REPEATING: Final[frozenset[FactKind]] = frozenset({"merge", "move", "unlink", "result", "other"})
"""Kinds whose messages may name several persons. Of a trigger that is not handled only the signal counts, and none of
it must be taken for another person's."""
_COMMON: Final = ("MSH", "EVN")
_PAIR: Final = frozenset({"PID", "MRG"})
_PERSON: Final = frozenset({"PID", "PD1"})
_SAME: Final = "the same person again: only the first PID is read"
_ANOTHER: Final = "another person, which this trigger has no place for: not read, with all that follows"


def parts(message: Message, kind: FactKind) -> tuple[tuple[Message, ...], tuple[Note, ...]]:
    """The messages that one message stands for, at least one, and what of it is not read."""
    if len(message.all("PID")) < 2 and len(message.all("MRG")) < 2:
        return (message,), ()
    if kind in _REPEATING:
        common = _common(message)
        return tuple(_message(message, common, segments) for segments in _groups(message)), ()
    return _first(message)


def _groups(message: Message) -> Iterator[list[Segment]]:
    """Cut at each PID, and at each further MRG of one PID."""
    group: list[Segment] = []
    named: set[str] = set()
    for segment in message.segments:
        if segment.name in _PAIR and segment.name in named:
            yield group
            group = [] if segment.name == "PID" else [other for other in group if other.name in _PERSON]
            named = {other.name for other in group}
        if segment.name not in _COMMON:
            group.append(segment)
            named.add(segment.name)
    yield group


def _first(message: Message) -> tuple[tuple[Message, ...], tuple[Note, ...]]:
    pids = message.all("PID")
    for pid in pids[1:]:
        if pid.raw(3) != pids[0].raw(3):
            before = [s for s in message.segments if s.index < pid.index and s.name not in _COMMON]
            return (_message(message, _common(message), before),), (Note("PID-3", _ANOTHER, pid.index),)
    return (message,), tuple(Note("PID-3", _SAME, pid.index) for pid in pids[1:])


def _common(whole: Message) -> list[Segment]:
    """One of each: a message that repeats them would be copied as often as it has groups."""
    return [segment for name in _COMMON if (segment := whole.first(name)) is not None]


def _message(whole: Message, common: list[Segment], segments: list[Segment]) -> Message:
    return Message((*common, *segments), whole.separators, whole.charset)
