import itertools

from hypothesis import example, given
from hypothesis import strategies as st

from fhir_mappings.hl7v2 import (
    DEFAULT_SEPARATORS,
    EnvelopeFault,
    Message,
    Unreadable,
    fingerprint,
    parse,
    split,
    split_stream,
    unescape,
    write,
)

HEADER = "MSH|^~\\&|EPIC|NORTHGATE|HUB|TL|20260608||ADT^A03^ADT_A03|NG1|P|2.5.1"
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
NAMES = st.from_regex(r"[A-Z][A-Z0-9]{2}", fullmatch=True).filter(lambda name: name not in {"MSH", "BHS", "FHS"})
SEGMENTS = st.lists(st.builds(lambda name, fields: [name, *fields], NAMES, st.lists(TEXT, max_size=6)), max_size=6)
PIECES = st.lists(
    st.sampled_from(
        [
            *(b"MSH|^~\\&|A", b"MSH", b"MS", b"M", b"PID|1", b"FHS|x", b"BHS", b"B", b"BTS|1", b"FTS|12", b"TS|"),
            *(b"\r", b"\n", b"\r\n", b"\x0b", b"\x1c", b" ", b"\x00", b"\xef\xbb\xbf", b"|", b"\xe9"),
            *(b"x" * 70, b" " * 80, b"\x1c" * 70),
        ]
    ),
    max_size=40,
).map(b"".join)
CUTS = st.lists(st.integers(0, 400), max_size=12)
ENDS = st.lists(st.sampled_from(["\r", "\n", "\r\n", "\r\r", "\n\r\n", "\r \t\r"]), min_size=8, max_size=8)


def shape(message: Message) -> list[tuple[str, list[str]]]:
    return [(s.name, [s.raw(n) for n in range(1, len(s) + 1)]) for s in message.segments]


def lines_of(segments: list[list[str]]) -> list[str]:
    return [HEADER, *write(segments).decode().split("\r")[:-1]]


@given(SEGMENTS, ENDS)
def test_a_message_reads_alike_with_any_mixture_of_line_ends(segments: list[list[str]], ends: list[str]) -> None:
    lines = lines_of(segments)
    plain = parse("\r".join(lines).encode())
    mixed = parse("".join(line + end for line, end in zip(lines, ends, strict=False)).encode())
    assert shape(mixed) == shape(plain)
    assert fingerprint(mixed) == fingerprint(plain)


@given(SEGMENTS)
def test_what_the_writer_wrote_the_reader_reads(segments: list[list[str]]) -> None:
    read = parse("\r".join(lines_of(segments)).encode())
    for segment, (name, *fields) in zip(read.segments[1:], segments, strict=True):
        assert segment.name == name
        for number, value in enumerate(fields, 1):
            # A line is stripped at its edges, and two double quotes are the null of HL7.
            assert segment.text(number).strip() == ("" if value == '""' else value.strip())


@given(st.binary(max_size=200))
@example(b"MSH|^~\\&|\x00\xff|\r\x00\rPID")
@example(b"MSH\x00\x00\rPID\x00")
def test_no_bytes_make_the_reader_raise_anything_but_unreadable(data: bytes) -> None:
    for whole in (data, b"MSH" + data, b"MSH|^~\\&|" + data):
        try:
            message = parse(whole)
        except Unreadable:
            continue
        for segment in message.segments:
            for field in range(len(segment) + 2):
                segment.text(field, 2, 2, 1)
        fingerprint(message)


@given(
    st.lists(st.sampled_from([b"MSH|^~\\&|A\r", b"PID|1\n", b"BHS|x\r", b"BTS|1\r", b"\x0b", b"\x1c\r", b" text\n"]))
)
def test_cutting_a_file_loses_nothing_but_envelopes_and_blanks(parts: list[bytes]) -> None:
    pieces = list(split(b"".join(parts)))
    for marker in (b"MSH|", b"PID|", b"text"):
        assert sum(piece.count(marker) for piece in pieces) == sum(part.count(marker) for part in parts)


def chunked(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


@given(PIECES | st.binary(max_size=300), CUTS)
@example(b"\x0bMSH|1\rMSH|2\r\nBTS|1\r", list(range(30)))
@example(b" " * 80 + b"BHSMSH", [65])
@example(b" " * 80 + b"BTS|1MSH", [65])
@example(b"BTS|1" + b" " * 80 + b"MSH|^~\\&|A", [70])
@example(b"BTS|" + b" " * 80 + b"1", [70])
@example(b"MSH|^~\\&|A" + b" " * 80, [75])
def test_a_stream_is_cut_alike_wherever_its_chunks_end(data: bytes, cuts: list[int]) -> None:
    whole = list(split(data))
    for limit in (None, 64, 100, 1000):
        at_once = list(split_stream([data], limit=limit))
        assert list(split_stream(chunked(data, cuts), limit=limit)) == at_once
        assert list(split_stream((data[n : n + 1] for n in range(len(data))), limit=limit)) == at_once
        if limit is None:
            assert [cut for cut in at_once if not isinstance(cut, EnvelopeFault)] == whole


@given(PIECES, st.sampled_from(["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]), CUTS)
def test_a_stream_of_wide_characters_is_cut_as_the_same_in_utf_8(data: bytes, codec: str, cuts: list[int]) -> None:
    text = "MSH|^~\\&|first\r" + data.decode("utf-8", "replace")
    found = split_stream(chunked(text.encode(codec), cuts))
    narrow = split_stream([text.encode()])
    assert [cut.decode(codec).encode() if isinstance(cut, bytes) else cut for cut in found] == list(narrow)


@given(st.text())
def test_text_without_an_escape_character_is_its_own_meaning(value: str) -> None:
    plain = value.replace("\\", "")
    assert unescape(plain, DEFAULT_SEPARATORS) == plain
