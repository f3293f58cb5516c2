import pytest

from app.core.mllp import Framer, TooLong, frame
from tests.journeys.mllp_door import ONE, TWO, framed


@pytest.mark.parametrize("between", [b"", b"\r\n", b"noise"])
def test_a_stream_split_at_any_byte_gives_the_same_messages(between: bytes) -> None:
    stream = framed(ONE) + between + framed(TWO)
    for position in range(1, len(stream)):
        framer = Framer(1000)
        assert [*framer.feed(stream[:position]), *framer.feed(stream[position:])] == [ONE, TWO]
        assert (framer.garbage, framer.unfinished) == (len(between.strip()), False)
    framer = Framer(1000)
    assert [message for byte in stream for message in framer.feed(bytes([byte]))] == [ONE, TWO]


def test_an_answer_cannot_end_its_own_frame() -> None:
    assert frame(b"MSA|AA|1\x1c\r\x0bMSH|") == b"\x0bMSA|AA|1\rMSH|\x1c\r"


STREAMS = {
    "a frame that lacks its CR before the next": (framed(ONE)[:-1] + framed(TWO), [ONE, TWO], 0),
    "two that lack it": (framed(ONE)[:-1] + framed(ONE)[:-1] + framed(TWO), [ONE, ONE, TWO], 0),
    "one that lacks it before a batch": (framed(ONE)[:-1] + framed(b"BHS|x"), [ONE, b"BHS|x"], 0),
    "a frame begun anew": (framed(ONE)[:20] + framed(TWO), [TWO], 1),
    "begun anew twice": (framed(ONE)[:20] + framed(TWO)[:30] + framed(ONE), [ONE], 2),
    "begun anew as a batch": (framed(ONE)[:20] + framed(b"BHS|x\r" + ONE), [b"BHS|x\r" + ONE], 1),
    "VT in a message": (framed(ONE + b"NTE|1||\x0bx\r"), [ONE + b"NTE|1||\x0bx\r"], 0),
    "VT VT": (b"\x0b" + framed(ONE), [ONE], 1),
    "FS in a message": (framed(ONE + b"NTE|1||\x1cx\r"), [ONE + b"NTE|1||\x1cx\r"], 0),
    "FS FS CR": (framed(ONE + b"\x1c"), [ONE + b"\x1c"], 0),
    "an empty frame": (framed(b"") + framed(ONE), [b"", ONE], 0),
    "no frame at all": (ONE + b"\x1c\r" + TWO.replace(b"\x0b", b""), [], 0),
    "line ends between": (b"\r\n" + framed(ONE) + b"\n\r" + framed(TWO) + b"\r", [ONE, TWO], 0),
}


@pytest.mark.parametrize("name", STREAMS)
def test_every_stream_gives_the_same_messages_however_it_is_cut(name: str) -> None:
    stream, messages, torn = STREAMS[name]
    for position in range(len(stream)):
        framer = Framer(1000)
        assert [*framer.feed(stream[:position]), *framer.feed(stream[position:])] == messages
        assert framer.torn == torn
    framer = Framer(1000)
    assert [message for byte in stream for message in framer.feed(bytes([byte]))] == messages
    assert framer.torn == torn


def test_a_frame_is_too_long_wherever_it_is_cut() -> None:
    stream = framed(ONE)
    assert list(Framer(len(ONE)).feed(stream)) == [ONE]
    for position in range(len(stream)):
        framer = Framer(len(ONE) - 1)
        with pytest.raises(TooLong):
            assert [*framer.feed(stream[:position]), *framer.feed(stream[position:])] == []
