"""MLLP frames in a stream of bytes: ``VT message FS CR`` (HL7 v2 transport specification, MLLP release 1)."""

import re
from collections.abc import Iterator

START = b"\x0b"
END = b"\x1c\r"
_HALF_AN_END = b"\x1c"
_CONTROLS = START + _HALF_AN_END
_ENDS = re.compile(rb"\x1c(?:\r|(?=\x0b(?:MSH|[BF]HS)))")
"""The end of a frame, also of one that lacks its CR where the next one begins."""
_LONGEST_END = 5
_RESTART = re.compile(rb"\x0b(?=MSH|[BF]HS)")
_BETWEEN = b"\r\n"


class TooLong(Exception):
    """A frame is larger than the limit, or would be."""


def frame(message: bytes) -> bytes:
    """A message ready to be sent; the two bytes that make frames are taken out of it."""
    return START + message.translate(None, _CONTROLS) + END


class Framer:
    """Cuts one connection's stream into messages; holds at most one unfinished frame."""

    __slots__ = ("_buffer", "_max_bytes", "_searched", "garbage", "torn")

    def __init__(self, max_bytes: int) -> None:
        self._buffer = bytearray()
        self._max_bytes = max_bytes
        self._searched = 0
        self.garbage = 0
        """Bytes outside of frames; line ends between frames do not count."""
        self.torn = 0
        """Frames that were begun and never ended."""

    @property
    def unfinished(self) -> bool:
        """Whether a frame was begun and has not ended yet."""
        return bool(self._buffer)

    @property
    def lacks_cr(self) -> bool:
        """Whether the frame under way would be whole with a CR."""
        return self._buffer.endswith(_HALF_AN_END)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Messages that are complete with this data, in order.

        Raises:
            TooLong: The frame under way exceeds the limit; the stream can't be followed any more.
        """
        self._buffer += data
        while self._at_start():
            found = _ENDS.search(self._buffer, self._searched)
            if found is None:
                self._searched = max(1, len(self._buffer) - _LONGEST_END)
                self._check(len(self._buffer) - 1)
                return
            end, after = found.span()
            del found  # it holds the buffer, which is about to shrink
            self._check(end - 1)
            message = bytes(memoryview(self._buffer)[1:end])
            del self._buffer[:after]
            self._searched = 0
            yield self._whole(message)

    def _at_start(self) -> bool:
        """Drop what stands before the next frame; False where no frame begins."""
        start = self._buffer.find(START)
        outside = self._buffer if start < 0 else self._buffer[:start]
        if outside:
            self.garbage += len(outside.strip(_BETWEEN))
            del self._buffer[: len(outside)]
        return start >= 0

    def _whole(self, message: bytes) -> bytes:
        # A sender that broke off and began again without a new connection: two patients in one frame.
        *torn, last = _RESTART.split(message) if START in message else (message,)
        self.torn += len(torn)
        return last

    def _check(self, length: int) -> None:
        if length > self._max_bytes:
            raise TooLong
