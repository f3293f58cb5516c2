"""Files and batches of HL7 v2, cut into their messages, whole or as a stream.

Source: HL7 v2.5.1 chapter 2, 2.10.3 (FHS, BHS, BTS, FTS), 2.15.2 (BHS), 2.15.3 (BTS), 2.15.6 (FHS), 2.15.7 (FTS).
A message begins at the start of a line, or after an MLLP byte, with MSH and a character that can be a delimiter. It
ends where the next one or an envelope begins. Cutting is linear in the number of bytes.
"""

import codecs
import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

BOM: Final = b"\xef\xbb\xbf"
EDGE: Final = " \t\x0b\x1c\x1d\x00\ufeff"
"""What may stand around a message or a line and belongs to neither: blanks, MLLP bytes, a byte order mark."""
EDGE_BYTES: Final = b" \t\x0b\x1c\x1d\x00" + BOM
LARGEST: Final = 64 * 1024 * 1024
"""Bytes of the largest message that is taken from a stream."""

_BLANK: Final = EDGE_BYTES + b"\r\n"
_FRAMING: Final = frozenset(b"\x0b\x1c")
_LINE_ENDS: Final = frozenset(b"\r\n")
_LINE_END: Final = re.compile(rb"[\r\n]")
_NAMES: Final = (b"MSH", b"FHS", b"BHS", b"BTS", b"FTS")
_BEGUN: Final = frozenset(name[:length] for name in _NAMES for length in (1, 2, 3))
_WIDE: Final = (
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
    *((bytes([first, 0, 0, 0]), "utf-32-le") for first in b"MFB"),
    *((bytes([0, 0, 0, first]), "utf-32-be") for first in b"MFB"),
    *((bytes([first, 0]), "utf-16-le") for first in b"MFB"),
    *((bytes([0, first]), "utf-16-be") for first in b"MFB"),
)
"""First bytes of a file or message in characters of two or four bytes, with or without a byte order mark."""
_WIDEST: Final = 4
_SMALLEST_LIMIT: Final = 64
_LONGEST_TRAILER: Final = 32


class TooLarge(NamedTuple):
    """Stands where a message was that is larger than the limit; nothing of it was kept."""

    limit: int


class EnvelopeFault(NamedTuple):
    """What is wrong with a batch or file envelope. Its messages are handed out all the same."""

    code: str
    """``bad-batch-count``, ``missing-batch-header`` or ``missing-batch-trailer``."""
    text: str


Cut = bytes | TooLarge | EnvelopeFault
"""One message as its own bytes, or what must be said about the file at this place."""


class _Start(NamedTuple):
    """Where a message or an envelope begins: first of the blanks before it, and its name."""

    blanks: int
    name: int


def split(data: bytes) -> Iterator[bytes]:
    """The messages of a file, a batch or a frame, each as its own bytes.

    Batch and file envelopes (FHS, BHS, BTS, FTS) are dropped. What stands before the first message
    or after a trailer and is not blank is handed out as a piece of its own, so that ``parse`` can
    refuse it by name: nothing that was sent disappears. What is wrong with envelopes tells ``split_stream``.
    """
    if data.startswith(b"MSH") and data.count(b"MSH") == 1 and not any(name in data for name in _NAMES[1:]):
        yield data
        return
    for cut in split_stream([data], limit=None):
        if isinstance(cut, bytes):
            yield cut


def split_stream(chunks: Iterable[bytes], *, limit: int | None = LARGEST) -> Iterator[Cut]:
    """The messages of a stream, in bounded memory: those of ``split``, wherever the chunks begin and end.

    UTF-16 and UTF-32, told by their first bytes, are cut by character; each message stays in the encoding it came in,
    without byte order mark.

    Args:
        chunks: The bytes in order.
        limit: Bytes of the largest message (at least 64; in UTF-16 and UTF-32 as if it were UTF-8); None = any.
    """
    cutter = _Cutter(max(limit, _SMALLEST_LIMIT) if limit is not None else None)
    source = iter(chunks)
    head = b""
    for chunk in source:
        head += chunk
        if len(head) >= _WIDEST:
            break
    codec = wide(head)
    if codec is None:
        yield from cutter.feed(head)
        for chunk in source:
            yield from cutter.feed(chunk)
        yield from cutter.close()
        return
    decoder = codecs.getincrementaldecoder(codec)("replace")
    for cut in _narrow(cutter, decoder, head, source):
        yield cut.decode().encode(codec) if isinstance(cut, bytes) else cut


def _narrow(
    cutter: "_Cutter", decoder: codecs.IncrementalDecoder, head: bytes, source: Iterator[bytes]
) -> Iterator[Cut]:
    yield from cutter.feed(decoder.decode(head).encode())
    for chunk in source:
        yield from cutter.feed(decoder.decode(chunk).encode())
    yield from cutter.feed(decoder.decode(b"", final=True).encode())
    yield from cutter.close()


def wide(data: bytes) -> str | None:
    """Codec of bytes that begin like UTF-16 or UTF-32; None for all others."""
    if data.startswith(b"MSH"):
        return None
    return next((codec for prefix, codec in _WIDE if data.startswith(prefix)), None)


def enveloped(data: bytes) -> bool:
    """Whether the bytes are a batch: they have an FHS or BHS segment before the first message."""
    codec = wide(data)
    if codec is not None:
        data = data.decode(codec, "replace").encode()
    first = next(_starts(data, opens=True), None)
    return first is not None and data[first.name : first.name + 3] != b"MSH"


def batches(data: bytes) -> list[bytes]:
    """The batches of a file, each from its BHS on; what stands before the first stays with it."""
    starts = [start.name for start in _starts(data, opens=True) if data.startswith(b"BHS", start.name)][1:]
    return [data[start:end] for start, end in zip([0, *starts], [*starts, len(data)], strict=True)]


def header_line(data: bytes, names: tuple[bytes, ...] = (b"MSH",)) -> bytes | None:
    """The first header of one of these names, as one line; None where there is none."""
    starts = [start.name for start in _starts(data, opens=True)]
    for name in names:
        for start in starts:
            if data.startswith(name, start):
                return data[start : _end_of_line(data, start)]
    return None


def _end_of_line(data: bytes, start: int) -> int:
    match = _LINE_END.search(data, start)
    return match.start() if match else len(data)


def _starts(block: bytes, *, opens: bool) -> Iterator[_Start]:
    """Where messages and envelopes begin in ``block``; ``opens``: its first byte is the first of a line."""
    past = 0
    for name in sorted(position for one in _NAMES for position in _positions(block, one)):
        before = block[past:name]
        text = before.rstrip(EDGE_BYTES)
        begins = text[-1] in _LINE_ENDS if text else opens and past == 0
        if _is_header(block, name) and (begins or not _FRAMING.isdisjoint(before[len(text) :])):
            yield _Start(past + len(text), name)
        past = name + 3


def _positions(block: bytes, name: bytes) -> Iterator[int]:
    position = block.find(name)
    while position >= 0:
        yield position
        position = block.find(name, position + 3)


def _is_header(block: bytes, start: int) -> bool:
    after = block[start + 3 : start + 4]
    if block.startswith(b"MSH", start):
        return after != b"" and not after.isalnum() and not after.isspace()
    return not after.isalnum()


class _Cutter:
    """Takes a stream in, line by line, and hands out what is complete."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._line: list[bytes] = []
        self._line_size = 0
        self._opens = True
        self._dropped = 0  # of the blanks that ``_line`` begins with
        self._piece: list[bytes] = []
        self._piece_size = 0
        self._envelope: bytes | None = None
        self._audit = _Audit()

    def feed(self, chunk: bytes) -> Iterator[Cut]:
        end = max(chunk.rfind(b"\r"), chunk.rfind(b"\n")) + 1
        if end:
            block = b"".join((*self._line, chunk[:end]))
            yield from self._take(block, len(block))
            self._line, self._line_size, self._opens = [], 0, True
        self._line.append(chunk[end:])
        self._line_size += len(chunk) - end
        if self._limit is not None and self._line_size > self._limit:
            yield from self._take_unfinished()

    def close(self) -> Iterator[Cut]:
        block = b"".join(self._line)
        yield from self._take(block, len(block))
        yield from self._end_of_envelope()
        yield from self._flush()
        yield from self._audit.close()

    def _take_unfinished(self) -> Iterator[Cut]:
        """Of a line without end, all but what the next bytes could make the beginning of a message."""
        assert self._limit is not None
        line = b"".join(self._line)
        name = next(len(line) - length for length in (3, 2, 1, 0) if not length or line[-length:] in _BEGUN)
        safe = len(line[:name].rstrip(EDGE_BYTES))
        if safe:
            yield from self._take(line, safe)
            self._opens = False
        blanks = line[safe:name]
        if len(blanks) > self._limit:
            self._dropped += len(blanks) - 1
            blanks = b" " if _FRAMING.isdisjoint(blanks) else b"\x0b"
        self._line = [blanks + line[name:]]
        self._line_size = len(self._line[0])

    def _take(self, block: bytes, until: int) -> Iterator[Cut]:
        """Cut ``block`` as far as ``until``; what follows is there to see where a name ends."""
        position = 0
        dropped, self._dropped = self._dropped if self._envelope is None else 0, 0
        for start in _starts(block, opens=self._opens):
            if start.name >= until:
                break
            self._piece_size += dropped if start.blanks else 0
            dropped = 0
            yield from self._text(block[position : start.blanks])
            yield from self._end_of_envelope()
            yield from self._flush()
            position = start.name
            if block.startswith(b"MSH", position):
                self._audit.message()
            else:
                self._envelope = b""
        self._piece_size += dropped
        yield from self._text(block[position:until])

    def _text(self, part: bytes) -> Iterator[EnvelopeFault]:
        """More of the present message, or of the present envelope as far as its line goes."""
        if self._envelope is not None:
            end = _end_of_line(part, 0)
            self._envelope = (self._envelope + part[:end].translate(None, EDGE_BYTES))[:_LONGEST_TRAILER]
            if end == len(part):
                return
            yield from self._end_of_envelope()
            part = part[end:]
        self._keep(part)

    def _end_of_envelope(self) -> Iterator[EnvelopeFault]:
        if self._envelope is not None:
            yield from self._audit.envelope(self._envelope)
            self._envelope = None

    def _keep(self, part: bytes) -> None:
        self._piece_size += len(part)
        if self._limit is not None and self._piece_size > self._limit:
            self._piece.clear()
        elif part:
            self._piece.append(part)

    def _flush(self) -> Iterator[Cut]:
        if self._limit is not None and self._piece_size > self._limit:
            yield TooLarge(self._limit)
        else:
            piece = b"".join(self._piece)
            if piece.strip(_BLANK):
                yield piece
        self._piece.clear()
        self._piece_size = 0


class _Audit:
    """Whether envelopes come in pairs and count right."""

    def __init__(self) -> None:
        self._file_open = False
        self._batch_open = False
        self._messages = 0
        self._batches = 0

    def message(self) -> None:
        self._messages += 1

    def envelope(self, line: bytes) -> Iterator[EnvelopeFault]:
        name = line[:3]
        if name == b"FHS":
            yield from self.close()
            self._file_open = True
        elif name == b"BHS":
            yield from self._unfinished_batch()
            self._end_of_batch()
            self._batch_open = True
        elif name == b"BTS":
            if not self._batch_open:
                yield EnvelopeFault("missing-batch-header", "BTS without BHS before it.")
            yield from _count(line, self._messages, "messages")
            self._batch_open = True
            self._end_of_batch()
        else:
            yield from self._end_of_file(line)

    def close(self) -> Iterator[EnvelopeFault]:
        """The end of the bytes, or of what came before another file header."""
        yield from self._unfinished_batch()
        if self._file_open:
            yield EnvelopeFault("missing-batch-trailer", "FHS without FTS: the file may have been cut off.")
        self._file_open = self._batch_open = False
        self._messages = self._batches = 0

    def _unfinished_batch(self) -> Iterator[EnvelopeFault]:
        if self._batch_open:
            yield EnvelopeFault("missing-batch-trailer", "BHS without BTS: the batch may have been cut off.")

    def _end_of_batch(self) -> None:
        # Messages outside of any batch count as one.
        self._batches += self._batch_open or self._messages > 0
        self._batch_open = False
        self._messages = 0

    def _end_of_file(self, line: bytes) -> Iterator[EnvelopeFault]:
        yield from self._unfinished_batch()
        self._end_of_batch()
        if not self._file_open:
            yield EnvelopeFault("missing-batch-header", "FTS without FHS before it.")
        yield from _count(line, self._batches, "batches")
        self._file_open = False
        self._batches = 0


def _count(trailer: bytes, found: int, what: str) -> Iterator[EnvelopeFault]:
    """Whether field 1 of a trailer says how many came; empty says nothing."""
    said = trailer[4:].partition(trailer[3:4] or b"|")[0]
    place = f"{trailer[:3].decode()}-1"
    if not said:
        return
    if not said.isdigit():
        yield EnvelopeFault("bad-batch-count", f"{place} is no number; {found} {what} came.")
    elif int(said) != found:
        yield EnvelopeFault("bad-batch-count", f"{place} says {int(said)} {what}, {found} came.")
