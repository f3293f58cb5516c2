import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from fhir_mappings.hl7v2 import Message, Unreadable, fingerprint, parse, split, split_stream

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus" / "hl7v2"
# Independent of the reader's own pattern: a line that begins with MSH and something that can be a delimiter.
STARTS = re.compile(rb"^[ \t\x0b\x1c]*(?:\xef\xbb\xbf)?[ \t\x0b\x1c]*MSH[^A-Za-z0-9\s]")
MARKED = re.compile(rb"^MSH\|\^~\\&#?\|[^\r\n]*", re.MULTILINE)

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="the shared corpus of HL7 v2 messages is not here")


def files() -> Iterator[Path]:
    return (path for path in sorted(CORPUS.rglob("*")) if path.is_file())


def read(piece: bytes) -> Message | None:
    try:
        return parse(piece)
    except Unreadable:
        return None


def walk(message: Message) -> int:
    """Ask for everything in the message."""
    asked = 0
    for segment in message.segments:
        for field in range(1, len(segment) + 2):
            for repetition in range(segment.repetitions(field) + 1):
                segment.text(field, 2, 2, repetition)
                asked += len(segment.text(field, repetition=repetition))
    return asked


@pytest.fixture(scope="module")
def corpus() -> list[tuple[Path, bytes]]:
    found = [(path, path.read_bytes()) for path in files()]
    assert len(found) > 1000
    return found


def test_every_file_is_read_or_refused_by_name(corpus: list[tuple[Path, bytes]]) -> None:
    for _, data in corpus:
        for piece in [*split(data), data]:
            message = read(piece)
            if message is not None:
                walk(message)
                assert fingerprint(message)


def test_no_message_is_lost(corpus: list[tuple[Path, bytes]]) -> None:
    for path, data in corpus:
        starts = sum(1 for line in re.split(rb"[\r\n]", data) if STARTS.match(line))
        pieces = sum(1 for piece in split(data) if STARTS.match(piece))
        assert pieces == starts, path.name


@pytest.mark.parametrize("size", [1, 13, 4096])
def test_a_file_that_comes_in_chunks_is_cut_alike(corpus: list[tuple[Path, bytes]], size: int) -> None:
    for path, data in corpus:
        if len(data) < 10_000 or size > 1:
            cuts = split_stream(data[start : start + size] for start in range(0, len(data), size))
            assert [cut for cut in cuts if isinstance(cut, bytes)] == list(split(data)), path.name


def test_what_carries_segments_of_a_message_is_handed_out(corpus: list[tuple[Path, bytes]]) -> None:
    for path, data in corpus:
        pieces = b"\r" + b"\r".join(split(data)).replace(b"\n", b"\r")
        whole = b"\r" + data.replace(b"\n", b"\r")
        for name in (b"\rPID|", b"\rPV1|", b"\rOBX|", b"\rORC|"):
            assert pieces.count(name) == whole.count(name), (path.name, name)


def test_the_header_of_every_well_formed_message_is_read(corpus: list[tuple[Path, bytes]]) -> None:
    read_headers = 0
    for path, data in corpus:
        for piece in split(data):
            match = MARKED.match(piece)
            message = read(piece)
            if match is None or message is None:
                continue
            fields = match[0].decode(message.charset).rstrip(" \t\x0b\x1c\x00").split("|") + [""] * 12
            assert message.header.raw(10) == fields[9], path.name
            assert message.type.replace("^", "_") == "_".join(fields[8].split("~")[0].split("^")[:2]).rstrip("_")
            assert message.version == fields[11].split("^")[0]
            assert message.processing_id == fields[10].split("^")[0]
            assert message.sending_facility == fields[3].split("^")[0].split("&")[0]
            read_headers += 1
    assert read_headers > 1200


def test_a_message_with_ordinary_delimiters_is_never_refused(corpus: list[tuple[Path, bytes]]) -> None:
    for path, data in corpus:
        for piece in split(data):
            if MARKED.match(piece):
                assert read(piece) is not None, path.name
