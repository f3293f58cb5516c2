"""What every message goes through, and what must hold of it whatever its bytes."""

import itertools
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson

from fhir_mappings import acks, dialects, triage
from fhir_mappings.dialects.base import Reading
from fhir_mappings.hl7v2 import Message, Separators, Unreadable, batches, fingerprint, parse, split, split_stream
from fhir_mappings.visits import visit_merge
from schemas.facts import Facts, VisitRecord
from schemas.sender import Sender

FOLDER: Final = Path(dialects.__file__).parent
AT: Final = datetime(2026, 6, 8, 14, 20, tzinfo=UTC)
SENDER: Final = Sender.model_validate_json((FOLDER / "adt_generic" / "sender.json").read_bytes())
SLOWEST: Final = 1.0
"""Seconds of one message."""
_MOST_PIECES: Final = 4
_MOST_SEGMENTS: Final = 8
_MOST_FIELDS: Final = 16


class TooSlow(Exception):
    """One message took longer than any may."""


def read_all(data: bytes) -> None:
    """Everything that the hub does with the bytes before it writes; raises on what must not be."""
    start = time.thread_time()
    pieces = list(split(data))
    batches(data)
    if time.thread_time() - start > SLOWEST:
        raise TooSlow("split")
    chunked = split_stream(data[at : at + 1000] for at in range(0, len(data), 1000))
    assert [cut for cut in chunked if isinstance(cut, bytes)] == pieces, "cut in chunks it is cut otherwise"
    for piece in dict.fromkeys([*pieces[:_MOST_PIECES], data]):
        _one(piece)


def _one(piece: bytes) -> None:
    start = time.thread_time()
    try:
        message = parse(piece)
    except Unreadable:
        header = acks.rough_header(piece)
        if header is not None:
            _answered(header)
        return
    reading = _interpreted(message)
    _answered(acks.header_of(message))
    mark = fingerprint(message)
    if time.thread_time() - start > SLOWEST:
        raise TooSlow("read")
    traced = parse(piece).traced()
    assert fingerprint(traced) == mark
    assert dialects.find("adt_generic").read(traced, SENDER).facts == reading.facts, "traced it reads otherwise"
    for facts in (reading.facts, *reading.more[:_MOST_PIECES]):
        _kept(facts)
    _walk(message, _MOST_SEGMENTS)
    _walk(traced, 2)


def _walk(message: Message, most: int) -> None:
    told: tuple[str, ...] = (
        message.type,
        message.code,
        message.trigger,
        message.structure,
        message.version,
        message.processing_id,
    )
    told += (message.control_id, message.sending_application, message.sending_facility, message.declared_charset)
    assert all(isinstance(text, str) for text in told)
    assert message.charset_basis in {"declared", "default", "bytes", "fallback"}
    assert sum(message.z_segments.values()) <= len(message.segments)
    for segment in [*message.segments[:most], *message.segments[-2:]]:
        for field in (*range(min(len(segment), _MOST_FIELDS) + 2), len(segment)):
            segment.is_null(field)
            for repetition in {0, segment.repetitions(field)}:
                segment.text(field, repetition=repetition)
                segment.text(field, 2, 2, repetition)
    for index, name, field in itertools.islice(message.populated(), 200):
        assert message.segments[index].name == name
        assert message.segments[index].raw(field)


def _interpreted(message: Message) -> Reading:
    dialect = dialects.find("adt_generic")
    reading: Reading = dialect.read(message, SENDER)
    dialect.filing(message, reading.facts)
    for facts in (reading.facts, *reading.more):
        triage.message_signal(facts)
        triage.judge(visit_merge.merge(None, facts))
    return reading


def _kept(facts: Facts) -> None:
    assert Facts.model_validate_json(_stored(facts)) == facts, "facts change on the way to the disk and back"
    record = visit_merge.merge(None, facts)
    assert VisitRecord.model_validate_json(_stored(record)) == record, "a visit changes on the way to the disk"


def _stored(content: Facts | VisitRecord) -> bytes:
    return orjson.dumps(content, default=vars)


def _on_the_wire(separators: Separators, charset: str) -> bytes:
    return "".join(separators).encode(charset)


def _answered(header: acks.Header) -> None:
    for code in ("AA", "AE"):
        error = acks.AckError("101", "MSH-10 message control id is missing", "MSH", 1, 10)
        answer = acks.ack(header, "AA" if code == "AA" else "AE", at=AT, control_id="HTEST1", error=error)
        if not "".join(header.separators).isascii():
            # Delimiters outside ASCII under a character set that is not the true one can't be said again.
            answer.decode(header.charset)
            continue
        read = parse(answer)
        assert _on_the_wire(read.separators, read.charset) == _on_the_wire(header.separators, header.charset), (
            "the answer has other delimiters"
        )
        assert [segment.name for segment in read.segments] == ["MSH", "MSA", "ERR"][: 2 if code == "AA" else 3]
        assert read.segments[1].text(1) == code
        answered = answer.decode(header.charset).split("\r")[1].split(header.separators.field)
        assert "".join(answered[2:3]) == header.control_id.rstrip(header.separators.field), "the answer is to another"
