"""Large messages: reading takes time in proportion to the bytes. Bounds are wide, because the machine may be busy."""

import time

import pytest

from fhir_mappings.hl7v2 import Message, fingerprint, parse

HEADER = b"MSH|^~\\&|EPIC|NORTHGATE|HUB|TL|20260608142000||ORU^R01|1|P|2.5.1\rOBR|1\r"
SIXTEEN_MEGABYTES = 16 * 1024 * 1024
LINE = b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0\r\n"


def read(data: bytes) -> tuple[Message, float]:
    """The message, and the seconds of reading it with its last field."""
    start = time.process_time()
    message = parse(data)
    last = message.segments[-1]
    last.text(len(last))
    fingerprint(message)
    return message, time.process_time() - start


@pytest.mark.parametrize(
    "part",
    [b"QUJD", b"one two ", "José ".encode(), LINE, b"^", b"~", b"&", b"\\X0D0A\\" + b"A" * 80, b"\xe9\x92 "],
    ids=["base64", "words", "accents", "wrapped", "components", "repetitions", "subcomponents", "escapes", "cp1252"],
)
def test_a_message_of_sixteen_megabytes_is_read_in_less_than_a_second(part: bytes) -> None:
    message, seconds = read(HEADER + b"OBX|1|ED|x||" + part * (SIXTEEN_MEGABYTES // len(part)) + b"\r")
    assert [segment.name for segment in message.segments] == ["MSH", "OBR", "OBX"]
    assert seconds < 1


@pytest.mark.parametrize(
    "part",
    [b"A\r", b"\\E\\", b"\\", b"\\X41", b"\\.sp", b"\r", b"\r \r", b" ", b"\x1c\r", b"PID\r", b"AAA\r  ", b"\x0b"],
    ids=repr,
)
def test_no_content_takes_more_time_than_in_proportion(part: bytes) -> None:
    _, once = read(HEADER + b"OBX|1|ED|x||" + part * 50_000 + b"|")
    _, fourfold = read(HEADER + b"OBX|1|ED|x||" + part * 200_000 + b"|")
    assert fourfold < 12 * once + 0.1, "four times the bytes must not take sixteen times as long"
    assert fourfold < 5


def test_thousands_of_repetitions_are_cut_once() -> None:
    pid = parse(HEADER + b"PID|1||" + b"~".join(b"HTEST%d^^^A&1&ISO^MR" % n for n in range(20_000)))
    start = time.process_time()
    for segment in (pid.segments[2], pid.traced().segments[2]):
        assert segment.repetitions(3) == 20_000
        found = [(segment.text(3, repetition=n), segment.text(3, 5, repetition=n)) for n in range(20_000)]
        assert found[19_999] == ("HTEST19999", "MR")
        assert segment.text(3, 5, repetition=20_000) == ""
    assert time.process_time() - start < 2


def test_repetitions_of_two_fields_do_not_mix() -> None:
    segment = parse(HEADER + b"PID|1~2|a~b").segments[2]
    read = [segment.text(field, repetition=n) for field, n in ((1, 1), (2, 1), (1, 0), (2, 0))]
    assert read == ["2", "b", "1", "a"]


def test_thousands_of_segments_are_found_by_name() -> None:
    message, seconds = read(HEADER + b"".join(b"OBX|%d|ST|x||y\rZ%02d|1\r" % (n, n % 100) for n in range(30_000)))
    assert len(message.all("OBX")) == 30_000
    assert sum(message.z_segments.values()) == 30_000
    assert seconds < 2
