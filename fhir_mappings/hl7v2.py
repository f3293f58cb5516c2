"""An HL7 v2 message as a small read-only tree: a tolerant reader (the writer: ``hl7v2_wire``).

Source: HL7 v2.5.1 chapter 2 (character sets 2.15.9.18, batches 2.10.3).
Reading is lazy, because of each message only some 25 of several hundred fields are ever asked for:
``parse`` cuts lines, a segment cuts its fields when the first is asked for, and a field is cut each
time. Nothing but ``Unreadable`` is raised, whatever the bytes, and no error text holds content.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from fhir_mappings.hl7v2_wire import (
    DEFAULT_SEPARATORS,
    SEGMENT_NAME,
    Field,
    Raw,
    Separators,
    Unreadable,
    escape,
    separators_of,
    unescape,
    write,
)

__all__ = [
    "DEFAULT_SEPARATORS",
    "Address",
    "Field",
    "Message",
    "Raw",
    "Segment",
    "Separators",
    "TracedMessage",
    "Unreadable",
    "enveloped",
    "escape",
    "fingerprint",
    "header_line",
    "parse",
    "separators_of",
    "split",
    "unescape",
    "write",
]

Address = tuple[int, int]
"""Position of the segment in the message (MSH = 0) and number of the field."""

_BOM = b"\xef\xbb\xbf"
_NULL = '""'
_EDGE = " \t\x0b\x1c\x1d\x00"
_EDGE_BYTES = _EDGE.encode() + b"\r\n" + _BOM
_COMMON = frozenset({"MSH", "EVN", "PID", "PD1", "NK1", "PV1", "PV2", "DG1", "AL1", "OBX", "OBR", "NTE", "ORC", "RXE"})
_COMMON |= {"RXO", "RXR", "RXC", "RXA", "RXD", "IN1", "IN2", "IN3", "GT1", "PR1", "ROL", "PRT", "CON"}
_CODECS = {
    "ASCII": "ascii",
    "UNICODE UTF-8": "utf-8",
    "UNICODE": "utf-8",
    "UTF-8": "utf-8",
    "UTF8": "utf-8",
    "ISO IR87": "iso2022_jp",
    "ISO IR159": "iso2022_jp_1",
    "GB 18030-2000": "gb18030",
    "KS X 1001": "euc_kr",
    "BIG-5": "big5",
    "WINDOWS-1252": "cp1252",
    "CP1252": "cp1252",
    **{f"8859/{part}": f"iso8859-{part}" for part in (*range(1, 10), 13, 14, 15)},
}
"""MSH-18 (table 0211) to codec, with the spellings that are met in the field."""

_PIECE = re.compile(
    rb"(?:\A|[\r\n\x0b\x1c])[ \t\x0b\x1c\xef\xbb\xbf]*(?:(MSH)(?=[^A-Za-z0-9\s])|[FB](?:HS|TS)(?![A-Za-z0-9]))"
)
_LINE_END = re.compile(rb"[\r\n]")
_ENVELOPES = (b"FHS", b"BHS", b"BTS", b"FTS")


class Segment:
    """One line of a message. Fields, components and subcomponents count from 1, repetitions from 0.

    The first is MSH: its field 1 is the separator itself, and its field 2 is never cut.
    """

    __slots__ = ("_fields", "_line", "_separators", "index", "name")

    def __init__(self, name: str, index: int, line: str, separators: Separators) -> None:
        self.name = name
        self.index = index
        self._line = line
        self._separators = separators
        self._fields: list[str] | None = None

    def _split(self) -> list[str]:
        fields = self._fields = self._line.split(self._separators.field)
        if self.index == 0:
            fields.insert(1, self._separators.field)
        return fields

    def extend(self, line: str) -> None:
        """Add a wrapped line, while the message is being read."""
        self._line += line

    def __len__(self) -> int:
        """Highest field number that is present, empty or not."""
        return len(self._fields or self._split()) - 1

    def raw(self, field: int) -> str:
        """The field as it was sent, with delimiters and escapes; "" when absent."""
        fields = self._fields or self._split()
        return fields[field] if field < len(fields) else ""

    def is_null(self, field: int) -> bool:
        """Whether the sender says "delete what you have" (two double quotes), which is not the same as empty."""
        return self.raw(field) == _NULL

    def repetitions(self, field: int) -> int:
        """How often the field repeats; 0 when it is empty or absent."""
        if self.index == 0 and field <= 2:
            return 1
        value = self.raw(field)
        return value.count(self._separators.repetition) + 1 if value else 0

    def text(self, field: int, component: int = 1, subcomponent: int = 1, repetition: int = 0) -> str:
        """One leaf, unescaped; "" when absent or null."""
        fields = self._fields or self._split()
        value = fields[field] if field < len(fields) else ""
        if not value:
            return ""
        if component == subcomponent == 1 and not repetition and value.isalnum():
            return value  # most values; a delimiter is never a letter or a digit
        if field == 2 and self.index == 0:
            return value if component == subcomponent == 1 and not repetition else ""
        _, between_components, between_repetitions, escape, between_subcomponents = self._separators
        try:
            if repetition or between_repetitions in value:
                value = value.split(between_repetitions)[repetition]
            if component > 1 or between_components in value:
                value = value.split(between_components)[component - 1]
            if subcomponent > 1 or between_subcomponents in value:
                value = value.split(between_subcomponents)[subcomponent - 1]
        except IndexError:
            return ""
        if value == _NULL:
            return ""
        return unescape(value, self._separators) if escape in value else value


class Message:
    """One message: its segments in order, MSH first."""

    __slots__ = ("_code_and_trigger", "_named", "charset", "header", "segments", "separators")

    def __init__(self, segments: tuple[Segment, ...], separators: Separators, charset: str) -> None:
        self.segments = segments
        self.header = segments[0]
        self.separators = separators
        named: dict[str, list[Segment]] = {}
        for segment in segments:
            named.setdefault(segment.name, []).append(segment)
        self._named = named
        self._code_and_trigger: tuple[str, str] | None = None
        self.charset = charset
        """Python codec that the bytes were read with; answers are written with the same."""

    def first(self, name: str) -> Segment | None:
        """The first segment of that name."""
        named = self._named.get(name)
        return named[0] if named else None

    def all(self, name: str) -> Sequence[Segment]:
        """Every segment of that name, in order."""
        return self._named.get(name, ())

    def has(self, names: frozenset[str]) -> bool:
        """Whether there is a segment of one of these names."""
        return not names.isdisjoint(self._named)

    @property
    def control_id(self) -> str:
        """MSH-10."""
        return self.header.text(10)

    @property
    def code(self) -> str:
        """Message code, ``ADT``."""
        return (self._code_and_trigger or self._read_type())[0]

    @property
    def trigger(self) -> str:
        """Trigger event, ``A03``; "" when the sender gives none."""
        return (self._code_and_trigger or self._read_type())[1]

    def _read_type(self) -> tuple[str, str]:
        code, _, trigger = self.header.text(9).partition("_")
        read = self._code_and_trigger = code, self.header.text(9, 2) or trigger
        return read

    @property
    def type(self) -> str:
        """``ADT^A03``, whatever the delimiters, and also where ``ADT_A03`` was sent; ``ORU`` without trigger."""
        code, trigger = self._code_and_trigger or self._read_type()
        return f"{code}^{trigger}" if trigger else code

    @property
    def structure(self) -> str:
        """MSH-9.3; where it is not sent, code and trigger (``ADT_A08``, not the structure it shares)."""
        return self.header.text(9, 3) or self.type.replace("^", "_")

    @property
    def version(self) -> str:
        """MSH-12.1, ``2.5.1``."""
        return self.header.text(12)

    @property
    def processing_id(self) -> str:
        """MSH-11.1: P, T or D."""
        return self.header.text(11)

    @property
    def sending_application(self) -> str:
        """MSH-3.1."""
        return self.header.text(3)

    @property
    def sending_facility(self) -> str:
        """MSH-4.1."""
        return self.header.text(4)

    def populated(self) -> Iterator[tuple[int, str, int]]:
        """Each field that holds something: position of its segment, name of the segment, number of the field."""
        for segment in self.segments:
            for field in range(1, len(segment) + 1):
                if segment.raw(field):
                    yield segment.index, segment.name, field

    def traced(self) -> "TracedMessage":
        """The same tree, which notes what is read from it."""
        return TracedMessage(self)


class _Trace(Segment):
    """A segment that notes which of its fields are asked for."""

    __slots__ = ("_of", "_used")

    def __init__(self, of: Segment, used: set[Address]) -> None:
        super().__init__(of.name, of.index, of._line, of._separators)  # noqa: SLF001 - same class family
        self._of = of
        self._used = used

    def __len__(self) -> int:
        return len(self._of)

    def raw(self, field: int) -> str:
        self._used.add((self.index, field))
        return self._of.raw(field)

    def repetitions(self, field: int) -> int:
        self._used.add((self.index, field))
        return self._of.repetitions(field)

    def text(self, field: int, component: int = 1, subcomponent: int = 1, repetition: int = 0) -> str:
        self._used.add((self.index, field))
        return self._of.text(field, component, subcomponent, repetition)


class TracedMessage(Message):
    """For ``explain``: ``used`` collects (segment position, field number) of all that was read."""

    __slots__ = ("_plain", "used")

    def __init__(self, plain: Message) -> None:
        self.used: set[Address] = {(0, 1), (0, 2)}  # without the delimiters nothing else could be read
        self._plain = plain
        super().__init__(tuple(_Trace(s, self.used) for s in plain.segments), plain.separators, plain.charset)

    def populated(self) -> Iterator[tuple[int, str, int]]:
        return self._plain.populated()


def parse(data: bytes, *, default_charset: str = "utf-8") -> Message:
    """Read one message.

    Line ends CR, LF, CRLF in any mixture, blank and indented lines, a byte order mark, MLLP bytes
    and a missing terminator are tolerated. A line that does not begin with a segment name belongs
    to the segment before it (wrapped line).

    Args:
        data: One message, as cut by ``split`` or taken from a frame.
        default_charset: Codec where MSH-18 says nothing.

    Raises:
        Unreadable: The bytes can't be read as one message.
    """
    text, charset = _decode(data.removeprefix(_BOM), default_charset)
    if "\n" in text:
        text = text.replace("\n", "\r")
    text = text.strip("\r" + _EDGE)
    if not text:
        raise Unreadable("empty")
    if not text.startswith("MSH"):
        raise Unreadable("no-msh")
    lines = text.split("\r")
    separators = _declared(lines[0])
    return Message(_segments(lines, separators), separators, charset)


def _declared(header: str) -> Separators:
    field = header[3:4]
    if not field:
        raise Unreadable("no-separators", segment="MSH", field=1)
    return separators_of(field, header[4:].partition(field)[0])


def _segments(lines: list[str], separators: Separators) -> tuple[Segment, ...]:
    segments: list[Segment] = []
    after_name = (separators.field, "")
    for line in lines:
        stripped = line.strip(_EDGE)
        name = stripped[:3]
        if stripped[3:4] in after_name and (name in _COMMON or SEGMENT_NAME.fullmatch(name)):
            if name == "MSH" and segments:
                raise Unreadable("second-msh", segment="MSH")
            segments.append(Segment(name, len(segments), stripped, separators))
        elif stripped:
            segments[-1].extend(line)
    return tuple(segments)


def _decode(data: bytes, default_charset: str) -> tuple[str, str]:
    charset = _declared_charset(data) or default_charset
    for codec in (charset, "utf-8"):
        try:
            return data.decode(codec), codec
        except (UnicodeDecodeError, LookupError):
            continue
    return data.decode("latin-1"), "latin-1"


def _declared_charset(data: bytes) -> str | None:
    """Codec that MSH-18 names; None where it says nothing that is known here."""
    header = data[data.find(b"MSH") :].partition(b"\r")[0].partition(b"\n")[0]
    fields = header.split(header[3:4] or b"|", 18)
    return _codec(fields[17]) if len(fields) > 17 else None


@lru_cache(maxsize=64)
def _codec(declared: bytes) -> str | None:
    names = re.split(r"[~^]", declared.decode("latin-1").upper())
    known = [codec for codec in (_CODECS.get(name.strip()) for name in names) if codec]
    # Japanese senders name the set that they switch to by escape sequence second; its codec reads both.
    return next((codec for codec in known if codec.startswith("iso2022")), known[0] if known else None)


def split(data: bytes) -> Iterator[bytes]:
    """The messages of a file, a batch or a frame, each as its own bytes.

    Batch and file envelopes (FHS, BHS, BTS, FTS) are dropped. What stands before the first message
    or after a trailer and is not blank is handed out as a piece of its own, so that ``parse`` can
    refuse it by name: nothing that was sent disappears.
    """
    if data.startswith(b"MSH") and data.count(b"MSH") == 1 and not any(name in data for name in _ENVELOPES):
        yield data
        return
    cuts = list(_PIECE.finditer(data))
    leading = data[: cuts[0].start()] if cuts else data
    if leading.strip(_EDGE_BYTES):
        yield leading
    for position, match in enumerate(cuts, 1):
        end = cuts[position].start() if position < len(cuts) else len(data)
        start = match.start(1) if match[1] else _end_of_line(data, match.end())
        piece = data[start:end]
        if piece.strip(_EDGE_BYTES):
            yield piece


def enveloped(data: bytes) -> bool:
    """Whether the bytes are a batch: they have an FHS or BHS segment before the first message."""
    first = _PIECE.search(data)
    return first is not None and first[1] is None


def header_line(data: bytes, names: tuple[bytes, ...] = (b"MSH",)) -> bytes | None:
    """The first header of one of these names, as one line; None where there is none."""
    for name in names:
        for match in _PIECE.finditer(data):
            start = match.end() - 3
            if data[start : match.end()] == name:
                return data[start : _end_of_line(data, start)]
    return None


def _end_of_line(data: bytes, start: int) -> int:
    match = _LINE_END.search(data, start)
    return match.start() if match else len(data)


def fingerprint(message: Message) -> bytes:
    """The content that makes two messages the same: segments without line ends, trailing separators and MSH-7."""
    field = message.separators.field
    lines = [segment._line.rstrip(field) for segment in message.segments]  # noqa: SLF001 - same module
    header = lines[0].split(field)
    del header[6:7]
    lines[0] = field.join(header)
    return "\r".join(lines).encode()
