import functools
from collections.abc import Iterator

import pytest

from fhir_mappings.hl7v2 import EnvelopeFault, TooLarge, batches, enveloped, header_line, parse, split, split_stream
from tests.unit import cpu_time

ONE = b"MSH|^~\\&|A||||||ADT^A01|1|P|2.5\rPID|1\r"
TWO = b"MSH|^~\\&|A||||||ADT^A03|2|P|2.5\rPID|2\r"


def stripped(data: bytes) -> list[bytes]:
    return [piece.strip() for piece in split(data)]


@pytest.mark.parametrize(
    "data",
    [
        ONE + TWO,
        ONE.replace(b"\r", b"\n") + b"\n\n" + TWO.replace(b"\r", b"\r\n"),
        b"\xef\xbb\xbf" + ONE + TWO,
        b"\x0b" + ONE + b"\x1c\r\x0b" + TWO + b"\x1c\r",
        b"FHS|^~\\&|A\rBHS|^~\\&|A\r" + ONE + TWO + b"BTS|2\rFTS|1\r",
        b"BHS|^~\\&|A\r" + ONE + b"BTS|1\rBHS|^~\\&|A\r" + TWO,
        ONE + b"BTS\r" + TWO + b"FTS",
        b"BHS|^~\\&|A\x0b" + ONE + b"BTS|1\x1c\x0b" + TWO + b"FTS",
        b"  " + ONE + b"  " + TWO,
    ],
)
def test_a_file_of_several_messages_is_cut_into_them(data: bytes) -> None:
    assert [parse(piece).control_id for piece in split(data)] == ["1", "2"]
    assert [len(parse(piece).segments) for piece in split(data)] == [2, 2]


def test_one_message_comes_back_as_it_is() -> None:
    assert list(split(ONE)) == [ONE]
    assert list(split(b"\n" + ONE + b"NTE|1||BTS\r")) == [ONE + b"NTE|1||BTS\r"]


def test_an_envelope_without_messages_holds_none() -> None:
    assert list(split(b"FHS|^~\\&|A\rBHS|^~\\&|A\rBTS|0\rFTS|1\r")) == []
    assert list(split(b"")) == []
    assert list(split(b"\xef\xbb\xbf\r\n\x1c\r")) == []


def test_what_is_no_message_is_handed_out_and_not_lost() -> None:
    assert stripped(b"hello") == [b"hello"]
    assert stripped(b"PID|0\r" + ONE) == [b"PID|0", ONE.strip()]
    assert stripped(b"BHS|^~\\&|A\r" + ONE + b"BTS|1\rPID|9\r") == [ONE.strip(), b"PID|9"]


def test_msh_inside_a_field_or_a_word_starts_no_message() -> None:
    odd = b"MSH|^~\\&|A\rPID|1|MSH|2148790^^^MSH_MRN\rNTE|1||see\rMSHA is text\rMSH\r"
    assert stripped(odd) == [odd.strip()]


def test_only_what_begins_with_an_envelope_is_a_batch() -> None:
    assert enveloped(b"\x0bFHS|^~\\&|A\r" + ONE)
    assert enveloped(b"BHS|^~\\&|A\r")
    assert not enveloped(ONE + b"BTS|1\r")
    assert not enveloped(b"hello")


BATCH = b"FHS|^~\\&|A\rBHS|^~\\&|A\r" + ONE + TWO + b"BTS|2\rFTS|1\r"


def faults(data: bytes) -> list[str]:
    return [cut.code for cut in split_stream([data]) if isinstance(cut, EnvelopeFault)]


def messages(data: bytes) -> list[str]:
    return [parse(cut).control_id for cut in split_stream([data]) if isinstance(cut, bytes)]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (BATCH, []),
        (ONE + TWO, []),
        (b"FHS|^~\\&\rBHS|^~\\&\rBTS|0\rFTS|1\r", []),
        (b"FHS|^~\\&\rFTS|0\r", []),
        (b"FHS|^~\\&\r" + ONE + TWO + b"FTS|1\r", []),
        (b"FHS|^~\\&\r" + (b"BHS|^~\\&\r" + ONE + b"BTS|1\r") * 2 + b"FTS|2\r", []),
        (b"BHS|^~\\&\r" + ONE + TWO + b"BTS\r", []),
        (b"BHS|^~\\&\r" + ONE + TWO + b"BTS||2\r", []),
        (b"BHS|^~\\&\r" + ONE + TWO + b"BTS| 2 |\x1c\r", []),
        (b"BHS:-+?*:A\r" + ONE + TWO + b"BTS:2:\r", []),
        (BATCH.replace(b"BTS|2", b"BTS|3"), ["bad-batch-count"]),
        (BATCH.replace(b"BTS|2", b"BTS|two"), ["bad-batch-count"]),
        (BATCH.replace(b"FTS|1", b"FTS|2"), ["bad-batch-count"]),
        (b"BHS|^~\\&\r" + ONE + TWO, ["missing-batch-trailer"]),
        (b"FHS|^~\\&\r" + ONE + TWO, ["missing-batch-trailer"]),
        (b"FHS|^~\\&\rBHS|^~\\&\r" + ONE + TWO, ["missing-batch-trailer"] * 2),
        (b"BHS|^~\\&\r" + ONE + b"BHS|^~\\&\r" + TWO + b"BTS|1\r", ["missing-batch-trailer"]),
        (b"FHS|^~\\&\rBHS|^~\\&\r" + ONE + TWO + b"FTS|1\r", ["missing-batch-trailer"]),
        (BATCH[: BATCH.index(b"FTS")] + BATCH, ["missing-batch-trailer"]),
        (ONE + TWO + b"BTS|2\r", ["missing-batch-header"]),
        (ONE + TWO + b"FTS|1\r", ["missing-batch-header"]),
        (ONE + TWO + b"BTS|1\rFTS|3\r", ["missing-batch-header", "bad-batch-count"] * 2),
        (b"BTS|5\r", ["missing-batch-header", "bad-batch-count"]),
    ],
)
def test_what_is_wrong_with_envelopes_is_told_and_nothing_is_lost(data: bytes, expected: list[str]) -> None:
    assert faults(data) == expected
    assert len(messages(data)) == data.count(b"MSH")


def test_a_fault_of_an_envelope_says_what_was_announced_and_what_came() -> None:
    told = [cut.text for cut in split_stream([BATCH.replace(b"BTS|2", b"BTS|3")]) if isinstance(cut, EnvelopeFault)]
    assert told == ["BTS-1 says 3 messages, 2 came."]


def test_what_is_not_a_number_in_a_trailer_is_not_repeated() -> None:
    told = [cut for cut in split_stream([BATCH.replace(b"BTS|2", b"BTS|HTESTALDER")]) if isinstance(cut, EnvelopeFault)]
    assert [fault.text for fault in told] == ["BTS-1 is no number; 2 messages came."]


def by_size(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def test_a_message_that_is_too_large_is_refused_and_the_others_are_not() -> None:
    large = ONE + b"OBX|1|TX|||" + b"x" * 300 + b"\r"
    for size in (1, 7, 5000):
        cuts = list(split_stream(by_size(ONE + large + TWO, size), limit=200))
        assert [cut.strip() if isinstance(cut, bytes) else cut for cut in cuts] == [
            ONE.strip(),
            TooLarge(200),
            TWO.strip(),
        ]


def test_a_large_line_without_end_is_refused_up_to_the_next_message() -> None:
    for blanks in (b"\x0b", b"\x0b" + b" " * 500, b"\x1c" * 300):
        data = ONE.strip() + b"x" * 900 + blanks + TWO
        for size in (1, 100, 5000):
            cuts = list(split_stream(by_size(data, size), limit=100))
            assert [cut.strip() if isinstance(cut, bytes) else cut for cut in cuts] == [TooLarge(100), TWO.strip()]


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_file_of_wide_characters_is_cut_and_stays_wide(codec: str, mark: str) -> None:
    data = (mark + BATCH.decode()).encode(codec)
    pieces = list(split(data))
    assert [parse(piece).control_id for piece in pieces] == ["1", "2"]
    assert [parse(piece).charset for piece in pieces] == [codec] * 2
    assert list(split_stream(by_size(data, 1))) == pieces
    assert enveloped(data)


def test_a_file_is_cut_into_its_batches() -> None:
    batch = b"BHS|^~\\&|A\r" + ONE + b"BTS|1\r"
    assert batches(batch) == [batch]
    assert batches(b"FHS|^~\\&\r" + batch + b"  " + batch + b"FTS|2\r") == [
        b"FHS|^~\\&\r" + batch + b"  ",
        batch + b"FTS|2\r",
    ]
    assert batches(ONE + TWO) == [ONE + TWO]
    assert batches(b"") == [b""]


def test_the_first_header_of_a_name_is_found() -> None:
    assert header_line(BATCH) == ONE.split(b"\r")[0]
    assert header_line(b"\x0b  " + BATCH, (b"BTS", b"BHS")) == b"BTS|2"
    assert header_line(BATCH, (b"BHS",)) == b"BHS|^~\\&|A"
    assert header_line(b"PID|1\rNTE|1|MSH|^~\\&|") is None


def cut(data: bytes) -> None:
    list(split(data))
    batches(data)


@pytest.mark.parametrize(
    ("part", "times"),
    [
        (b"\x0b", 400_000),
        (b"\x1c\r", 200_000),
        (b" \x0b", 200_000),
        (b"MSH", 100_000),
        (b"\x0bMSH", 100_000),
        (b"BTS|", 100_000),
        (b"\xef\xbb\xbf", 100_000),
        (ONE, 5_000),
    ],
)
def test_cutting_takes_no_longer_than_there_are_bytes(part: bytes, times: int) -> None:
    once, fourfold = [functools.partial(cut, part * number) for number in (times, times * 4)]
    assert cpu_time.in_proportion(5, once, fourfold), "four times the bytes must not take sixteen times as long"


def test_a_batch_of_a_thousand_messages_is_cut_in_a_moment() -> None:
    message = ONE + b"OBX|1|TX|||" + b"x" * 600 + b"\r"
    data = b"FHS|^~\\&|A\rBHS|^~\\&|A\r" + message * 1000 + b"BTS|1000\rFTS|1\r"
    assert len(messages(data)) == 1000
    assert cpu_time.within(0.1, functools.partial(cut, data)), "6 ms where nothing else runs"
