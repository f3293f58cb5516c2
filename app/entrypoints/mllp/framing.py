"""MLLP frames in a stream of bytes: ``VT message FS CR`` (HL7 v2 transport specification, MLLP release 1)."""

from collections.abc import Iterator

START = b"\x0b"
END = b"\x1c\r"
_RESTART = b"\x0bMSH"
_BETWEEN = b"\r\n"


class TooLong(Exception):
    """A frame is larger than the limit, or would be."""


def frame(message: bytes) -> bytes:
    """A message ready to be sent."""
    return START + message + END


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

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Messages that are complete with this data, in order.

        Raises:
            TooLong: The frame under way exceeds the limit; the stream can't be followed any more.
        """
        self._buffer += data
        while self._at_start():
            end = self._buffer.find(END, self._searched)
            if end < 0:
                self._searched = max(1, len(self._buffer) - 1)
                self._check(len(self._buffer) - 1)
                return
            self._check(end - 1)
            message = bytes(memoryview(self._buffer)[1:end])
            del self._buffer[: end + len(END)]
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
        restart = message.rfind(_RESTART)
        if restart < 0:
            return message
        self.torn += 1
        return message[restart + 1 :]

    def _check(self, length: int) -> None:
        if length > self._max_bytes:
            raise TooLong
