"""An HL7 v2 message as a small read-only tree: a tolerant reader (the writer: ``hl7v2_wire``, files: ``hl7v2_files``).

Source: HL7 v2.5.1 chapter 2 (character sets 2.15.9.18, table 0211).
Reading is lazy, because of each message only some 25 of several hundred fields are ever asked for:
``parse`` cuts lines, a segment cuts its fields when the first is asked for, and a field is cut each
time. Nothing but ``Unreadable`` is raised, whatever the bytes, and no error text holds content.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

from fhir_mappings.hl7v2_charsets import Basis, decode
from fhir_mappings.hl7v2_files import (
    EDGE,
    LARGEST,
    EnvelopeFault,
    TooLarge,
    batches,
    enveloped,
    header_line,
    split,
    split_stream,
)
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
    "LARGEST",
    "Address",
    "Basis",
    "EnvelopeFault",
    "Field",
    "Message",
    "Raw",
    "Segment",
    "Separators",
    "TooLarge",
    "TracedMessage",
    "Unreadable",
    "batches",
    "enveloped",
    "escape",
    "fingerprint",
    "header_line",
    "parse",
    "separators_of",
    "split",
    "split_stream",
    "unescape",
    "write",
]

Address = tuple[int, int]
"""Position of the segment in the message (MSH = 0) and number of the field."""

_NULL = '""'
_EDGE: Final = "\r" + EDGE
_BLANK_LINE: Final = re.compile(rf"\r[{EDGE}]+(?=\r)")
_LONGEST_DECLARATION: Final = 64
_NOT_CUT: Final[tuple[int, list[str]]] = (0, [])


class Segment:
    """One line of a message. Fields, components and subcomponents count from 1, repetitions from 0.

    The first is MSH: its field 1 is the separator itself, and its field 2 is never cut.
    """

    __slots__ = ("_fields", "_line", "_repeated", "_separators", "index", "name")

    def __init__(self, name: str, index: int, line: str, separators: Separators) -> None:
        self.name = name
        self.index = index
        self._line = line
        self._separators = separators
        self._fields: list[str] | None = None
        self._repeated = _NOT_CUT

    def _split(self) -> list[str]:
        fields = self._fields = self._line.split(self._separators.field)
        if self.index == 0:
            fields.insert(1, self._separators.field)
        return fields

    def _repetitions(self, field: int, value: str) -> list[str]:
        """Cut once for all repetitions of a field: there may be thousands."""
        if self._repeated[0] != field:
            self._repeated = (field, value.split(self._separators.repetition))
        return self._repeated[1]

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
        _, between_components, between_repetitions, escape, between_subcomponents, _ = self._separators
        try:
            if repetition or between_repetitions in value:
                value = self._repetitions(field, value)[repetition]
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

    __slots__ = ("_code_and_trigger", "_named", "charset", "charset_basis", "header", "segments", "separators")

    def __init__(
        self, segments: tuple[Segment, ...], separators: Separators, charset: str, charset_basis: Basis = "declared"
    ) -> None:
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
        self.charset_basis = charset_basis
        """Why it is this one."""

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
    def declared_charset(self) -> str:
        """MSH-18 as it was sent, with all repetitions; "" when absent."""
        return self.header.raw(18)

    @property
    def z_segments(self) -> dict[str, int]:
        """Names of the segments that are the sender's own, in order of first appearance, and how many of each."""
        return {name: len(named) for name, named in self._named.items() if name[0] == "Z"}

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
        code, _, trigger = self.header.text(9).strip().partition("_")
        read = self._code_and_trigger = code, self.header.text(9, 2).strip() or trigger
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
        super().__init__(
            tuple(_Trace(s, self.used) for s in plain.segments), plain.separators, plain.charset, plain.charset_basis
        )

    def populated(self) -> Iterator[tuple[int, str, int]]:
        return self._plain.populated()


def parse(data: bytes, *, default_charset: str = "utf-8") -> Message:
    r"""Read one message.

    Line ends CR, LF, CRLF in any mixture, blank and indented lines, a byte order mark, MLLP bytes
    and a missing terminator are tolerated. A line that does not begin with a segment name and a separator belongs
    to the segment before it (wrapped line); so a line of wrapped text that by chance begins with three capitals and the
    separator is read as a segment: nothing in it tells the difference. Where the whole message is one line in which
    ``\r`` or ``\n`` stands as text before a segment name and the separator, that text ends the segment. Without
    any mark between segments the line is the header alone.

    Args:
        data: One message, as cut by ``split`` or taken from a frame.
        default_charset: Codec where MSH-18 says nothing.

    Raises:
        Unreadable: The bytes can't be read as one message.
    """
    text, charset, basis = decode(data, default_charset)
    if "\n" in text:
        text = text.replace("\n", "\r")
    text = text.strip(_EDGE)
    if not text:
        raise Unreadable("empty")
    if not text.startswith("MSH"):
        raise Unreadable("no-msh")
    field = text[3:4]
    if not field or field.isalnum() or field.isspace():
        raise Unreadable("no-separators", segment="MSH", field=1)
    if "\r" not in text:
        text = _spelt_out(text, field)
    header, *rest = _segment_start(field).split(text)
    header = _line(header)
    separators = separators_of(field, header[4:_LONGEST_DECLARATION].partition(field)[0])
    return Message(_segments(header, rest, separators), separators, charset, basis)


def _spelt_out(text: str, field: str) -> str:
    """A message of one line that was copied out of a program or a log, with its line ends put in."""
    if "\\r" not in text and "\\n" not in text:
        return text
    return re.sub(rf"(?:\\r\\n|\\r|\\n)(?={SEGMENT_NAME.pattern}{re.escape(field)})", "\r", text)


def _segments(header: str, rest: list[str], separators: Separators) -> tuple[Segment, ...]:
    """The segments of the header and of names and texts by turns."""
    segments = [Segment("MSH", 0, header, separators)]
    for index, name in enumerate(rest[::2], 1):
        if name == "MSH":
            raise Unreadable("second-msh", segment="MSH")
        line = rest[2 * index - 1].rstrip(_EDGE)
        segments.append(Segment(name, index, _line(line) if "\r" in line else line, separators))
    return tuple(segments)


@lru_cache(maxsize=256)
def _segment_start(field: str) -> re.Pattern[str]:
    """Before a line that begins with a name (which is group 1) and the separator, or is a name alone."""
    return re.compile(rf"\r[{EDGE}]*(?=({SEGMENT_NAME.pattern})(?:{re.escape(field)}|[{EDGE}]*(?:\r|\Z)))")


def _line(text: str) -> str:
    """One segment as one line: what was wrapped is put together again."""
    line = text.rstrip(_EDGE)
    return _BLANK_LINE.sub("", line).replace("\r", "") if "\r" in line else line


def fingerprint(message: Message) -> bytes:
    """The content that makes two messages the same: segments without line ends, trailing separators and MSH-7."""
    field = message.separators.field
    lines = [segment._line.rstrip(field) for segment in message.segments]  # noqa: SLF001 - same module
    header = lines[0].split(field)
    del header[6:7]
    lines[0] = field.join(header)
    return "\r".join(lines).encode("utf-8", "surrogatepass")
