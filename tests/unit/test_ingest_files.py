"""How files are cut into messages, whatever their size; what then becomes of each is in tests/journeys/test_cli.py."""

import json
import tracemalloc
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from app.services.intake.ingest_files import Fault, Piece, Result, _batches, cut, cut_stream, pieces

MEGABYTE = 1024 * 1024
MESSAGE = (
    b"MSH|^~\\&|EPIC|NORTHGATE|HUB|TL|20260608||ADT^A03|%08d|P|2.5.1\r"
    b"PID|1||HTEST%08d^^^NGMRN^MR||HTESTALDER^Sam\rNTE|1||" + b"x" * 300 + b"\r"
)
EVENT = json.dumps({"event_id": "htest-1", "text": "x" * 300}).encode()


def told(found: Iterable[Piece]) -> list[tuple[int, str, list[str]]]:
    return [(piece.index, piece.kind, [fault.code for fault in piece.faults]) for piece in found]


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.hl7", MESSAGE % (1, 1), [(1, "hl7v2", [])]),
        ("a.hl7", b"\n\n" + MESSAGE % (1, 1) + MESSAGE % (2, 2), [(1, "hl7v2", []), (2, "hl7v2", [])]),
        ("a.txt", b"hello", [(1, "hl7v2", [])]),
        ("a.hl7", b"", []),
        ("a.hl7", b"\xef\xbb\xbf\r\n ", []),
        ("a.xml", b"\xef\xbb\xbf <x/>", [(1, "unsupported", ["unsupported-format"])]),
        ("a.json", b"[1]", [(1, "unsupported", ["unsupported-format"])]),
        ("a.json", b'{"resourceType" : "Bundle"}', [(1, "fhir", [])]),
        ("a.json", b'\n{\n "event_id": "1",\n "x": {\n }\n}\n', [(1, "event", [])]),
        ("a.json", b'{"event_id": "1"}', [(1, "event", [])]),
        ("a.json", b'{"event_id": "1"}\n\n{"event_id": "2"}\r\n', [(1, "event", []), (2, "event", [])]),
        ("a.json", b'{"x": {}\n, "y": {}}\n', [(1, "event", [])]),
        ("a.json", b'{"x": {"y": 1}\n, "z": 1}\n', [(1, "event", [])]),
        ("a.ndjson", b'{"x": 1\n{"x": 2}\n', [(1, "event", []), (2, "event", [])]),
        ("a.jsonl", b'{"x": 1}\n{"resourceType": "x"}', [(1, "event", []), (2, "fhir", [])]),
    ],
)
def test_a_file_is_cut_by_what_it_holds(name: str, data: bytes, expected: list[tuple[int, str, list[str]]]) -> None:
    whole = list(cut(name, data))
    assert told(whole) == expected
    assert list(cut_stream(name, (data[n : n + 1] for n in range(len(data))))) == whole
    assert {piece.file for piece in whole} <= {name}


def test_an_event_is_handed_out_without_what_is_blank_around_it() -> None:
    assert [piece.data for piece in cut("a.ndjson", b'\xef\xbb\xbf {"x": 1} \r\n\t{"x": 2}')] == [
        b'{"x": 1}',
        b'{"x": 2}',
    ]


def test_what_is_wrong_with_an_envelope_is_told_of_its_last_message() -> None:
    batch = b"BHS|^~\\&\r" + MESSAGE % (1, 1) + MESSAGE % (2, 2) + b"BTS|3\r"
    assert told(cut("a.hl7", batch + MESSAGE % (3, 3))) == [
        (1, "hl7v2", []),
        (2, "hl7v2", ["bad-batch-count"]),
        (3, "hl7v2", []),
    ]
    assert told(cut("a.hl7", b"BHS|^~\\&\r" + batch)) == [
        (1, "hl7v2", ["missing-batch-trailer"]),
        (2, "hl7v2", ["bad-batch-count"]),
    ]


def test_an_empty_batch_that_should_not_be_empty_is_told_too() -> None:
    (piece,) = cut("a.hl7", b"BHS|^~\\&\rBTS|2\r")
    assert (piece.kind, piece.faults) == (
        "unsupported",
        (Fault("unsupported-format", "No message is in it. BTS-1 says 2 messages, 0 came."),),
    )
    assert list(cut("a.hl7", b"BHS|^~\\&\rBTS|0\r")) == []


def test_a_message_or_event_that_is_too_large_is_refused_and_the_others_are_not() -> None:
    large = MESSAGE % (1, 1) + b"NTE|2||" + b"x" * 2000 + b"\r"
    found = cut_stream("a.hl7", [MESSAGE % (1, 1) + large + MESSAGE % (2, 2)], limit=1000)
    assert told(found) == [(1, "hl7v2", []), (2, "unsupported", ["too-large"]), (3, "hl7v2", [])]
    lines = EVENT + b"\n" + b'{"x":"' + b"x" * 2000 + b'"}\n' + EVENT
    assert told(cut_stream("a.ndjson", [lines], limit=1000)) == [
        (1, "event", []),
        (2, "unsupported", ["too-large"]),
        (3, "event", []),
    ]
    pretty = b'{\n"x": "' + b"x" * 600 + b'",\n"y": "' + b"x" * 600 + b'"\n}'
    assert told(cut_stream("a.json", [pretty], limit=1000)) == [(1, "unsupported", ["too-large"])]
    assert told(cut_stream("a.json", [pretty], limit=2000)) == [(1, "event", [])]


def write(path: Path, parts: Iterator[bytes], size: int) -> Path:
    with path.open("wb") as file:
        while file.tell() < size:
            file.write(next(parts))
    return path


def numbered() -> Iterator[bytes]:
    yield b"FHS|^~\\&|A\rBHS|^~\\&|A\r"
    number = 0
    while True:
        number += 1
        yield MESSAGE % (number, number)


def lines() -> Iterator[bytes]:
    while True:
        yield EVENT + b"\n"


def one_line() -> Iterator[bytes]:
    yield b"MSH|^~\\&|A\r"
    while True:
        yield b"x" * 65_536


def peak_of(found: Iterator[object]) -> tuple[int, int]:
    """How many there were, and the most bytes that Python held meanwhile."""
    tracemalloc.start()
    try:
        count = sum(1 for _ in found)
        return count, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("name", "parts"), [("a.hl7", numbered), ("a.ndjson", lines)])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, name: str, parts: type[Iterator[bytes]]) -> None:
    few, small = peak_of(pieces(write(tmp_path / f"small-{name}", parts(), MEGABYTE)))
    many, large = peak_of(pieces(write(tmp_path / f"large-{name}", parts(), 12 * MEGABYTE)))
    assert many > 9 * few > 9 * 2000
    assert large < small + MEGABYTE
    assert large < 4 * MEGABYTE


def test_memory_is_bounded_where_one_message_has_no_end(tmp_path: Path) -> None:
    path = write(tmp_path / "endless.hl7", one_line(), 48 * MEGABYTE)
    with path.open("rb") as file:
        chunks = iter(lambda: file.read(65_536), b"")
        found, peak = peak_of(cut_stream("endless.hl7", chunks, limit=MEGABYTE))
    assert found == 1
    assert peak < 8 * MEGABYTE


def test_messages_that_are_taken_in_together_are_few_in_number_and_in_bytes(tmp_path: Path) -> None:
    small = write(tmp_path / "1.hl7", numbered(), MEGABYTE)
    large = tmp_path / "2.hl7"
    large.write_bytes((MESSAGE % (1, 1) + b"NTE|2||" + b"x" * 6 * MEGABYTE + b"\r") * 6)
    batches = list(_batches([small, large, tmp_path / "none.hl7"]))
    sizes = [sum(len(found.data) for found in batch if isinstance(found, Piece)) for batch in batches]
    assert max(map(len, batches)) == 64
    assert max(sizes) < 16 * MEGABYTE + 7 * MEGABYTE
    last = batches[-1][-1]
    assert isinstance(last, Result)
    assert (last.index, last.state, [reason["code"] for reason in last.reasons]) == (
        1,
        "rejected",
        ["unreadable-file"],
    )
