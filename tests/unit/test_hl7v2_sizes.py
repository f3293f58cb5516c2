"""Large messages: reading takes time in proportion to the bytes. Bounds are wide, because the machine may be busy."""

import functools

import pytest

from fhir_mappings.hl7v2 import Message, fingerprint, parse
from tests.unit import cpu_time

HEADER = b"MSH|^~\\&|EPIC|NORTHGATE|HUB|TL|20260608142000||ORU^R01|1|P|2.5.1\rOBR|1\r"
SIXTEEN_MEGABYTES = 16 * 1024 * 1024
LINE = b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0\r\n"


def read(data: bytes) -> Message:
    """The message, read with its last field."""
    message = parse(data)
    last = message.segments[-1]
    last.text(len(last))
    fingerprint(message)
    return message


@pytest.mark.parametrize(
    "part",
    [b"QUJD", b"one two ", "José ".encode(), LINE, b"^", b"~", b"&", b"\\X0D0A\\" + b"A" * 80, b"\xe9\x92 "],
    ids=["base64", "words", "accents", "wrapped", "components", "repetitions", "subcomponents", "escapes", "cp1252"],
)
def test_a_message_of_sixteen_megabytes_is_read_in_less_than_a_second(part: bytes) -> None:
    data = HEADER + b"OBX|1|ED|x||" + part * (SIXTEEN_MEGABYTES // len(part)) + b"\r"
    messages: list[Message] = []
    assert cpu_time.within(1, lambda: messages.append(read(data)))
    assert [segment.name for segment in messages[0].segments] == ["MSH", "OBR", "OBX"]


@pytest.mark.parametrize(
    "part",
    [b"A\r", b"\\E\\", b"\\", b"\\X41", b"\\.sp", b"\r", b"\r \r", b" ", b"\x1c\r", b"PID\r", b"AAA\r  ", b"\x0b"],
    ids=repr,
)
def test_no_content_takes_more_time_than_in_proportion(part: bytes) -> None:
    once, fourfold = [
        functools.partial(read, HEADER + b"OBX|1|ED|x||" + part * times + b"|") for times in (50_000, 200_000)
    ]
    assert cpu_time.in_proportion(5, once, fourfold), "four times the bytes must not take sixteen times as long"


def test_thousands_of_repetitions_are_cut_once() -> None:
    data = HEADER + b"PID|1||" + b"~".join(b"HTEST%d^^^A&1&ISO^MR" % n for n in range(20_000))

    def cut() -> None:
        pid = parse(data)
        for segment in (pid.segments[2], pid.traced().segments[2]):
            assert segment.repetitions(3) == 20_000
            found = [(segment.text(3, repetition=n), segment.text(3, 5, repetition=n)) for n in range(20_000)]
            assert found[19_999] == ("HTEST19999", "MR")
            assert segment.text(3, 5, repetition=20_000) == ""

    assert cpu_time.within(2, cut)


def test_repetitions_of_two_fields_do_not_mix() -> None:
    segment = parse(HEADER + b"PID|1~2|a~b").segments[2]
    read = [segment.text(field, repetition=n) for field, n in ((1, 1), (2, 1), (1, 0), (2, 0))]
    assert read == ["2", "b", "1", "a"]


def test_thousands_of_segments_are_found_by_name() -> None:
    data = HEADER + b"".join(b"OBX|%d|ST|x||y\rZ%02d|1\r" % (n, n % 100) for n in range(30_000))

    def found() -> None:
        message = read(data)
        assert len(message.all("OBX")) == 30_000
        assert sum(message.z_segments.values()) == 30_000

    assert cpu_time.within(2, found)
