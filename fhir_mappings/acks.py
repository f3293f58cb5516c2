"""HL7 v2 acknowledgements: what goes back to the sender of a message.

Source: HL7 v2.5.1 chapter 2, 2.9.2 (original mode), 2.9.3 (enhanced mode), 2.10.3 (batches), 2.15.1 (MSA),
2.15.5 (ERR); tables 0008, 0155, 0357, 0516.
Pure functions: the time and our own control id are arguments. The sender's delimiters, version,
processing id and character set are mirrored, and its control id goes back character by character.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Literal, NamedTuple

from fhir_mappings.hl7v2 import Message, header_line, parse
from fhir_mappings.hl7v2_wire import (
    STANDARD_ENCODING,
    Component,
    Field,
    Raw,
    Separators,
    Unreadable,
    write,
)

ApplicationCode = Literal["AA", "AE", "AR"]
"""Table 0008: application accept, error, reject."""
AckCode = ApplicationCode | Literal["CA", "CE", "CR"]
"""Table 0008 with commit accept, error, reject."""
Mode = Literal["original", "enhanced", "always"]
"""What a sender's setting ``ack`` says; see ``due``."""

_COMMIT: dict[ApplicationCode, AckCode] = {"AA": "CA", "AE": "CE", "AR": "CR"}
_OWN_VERSION = "2.5.1"
_TEXTS = {
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "200": "Unsupported message type",
    "201": "Unsupported event code",
    "202": "Unsupported processing id",
    "203": "Unsupported version id",
    "204": "Unknown key identifier",
    "205": "Duplicate key identifier",
    "206": "Application record locked",
    "207": "Application internal error",
}


class Header(NamedTuple):
    """What an answer needs of the header it answers; every text is in the sender's wire form."""

    separators: Separators
    encoding_characters: str
    charset: str
    """Python codec."""
    sending: tuple[str, str]
    """MSH-3 and MSH-4."""
    receiving: tuple[str, str]
    """MSH-5 and MSH-6."""
    trigger: str
    control_id: str
    processing_id: str
    version: str
    charset_name: str
    """MSH-18."""
    accept: str = ""
    """MSH-15, table 0155: when a commit acknowledgement is asked for."""
    application: str = ""
    """MSH-16, table 0155: when an application acknowledgement is asked for."""

    @property
    def enhanced(self) -> bool:
        """Whether the sender states conditions at all; one that does not speaks original mode."""
        return bool(self.accept or self.application)

    @property
    def before_2_5(self) -> bool:
        """Whether this version of HL7 has the old ERR segment (only ERR-1)."""
        # No version is longer than this, and int() refuses a number of thousands of digits.
        return is_before(self.version.partition(self.separators.component)[0][:16], 2, 5)


@lru_cache(maxsize=64)
def is_before(version: str, *limit: int) -> bool:
    """Whether ``version`` of HL7 is older than ``limit``; what is not a version is not."""
    numbers = version.split(".")[: len(limit)]
    return all(part.isdecimal() for part in numbers) and [int(part) for part in numbers] < [*limit]


@dataclass(frozen=True, slots=True)
class AckError:
    """Why a message is not accepted. ``text`` names a rule or a path, never a value from the message."""

    code: str
    """Table 0357, such as ``101``."""
    text: str
    segment: str | None = None
    sequence: int = 1
    """Which of the segments of that name."""
    field: int | None = None


CONTROL_ID_CONFLICT = AckError("205", "this MSH-10 was already used for other content", "MSH", 1, 10)
"""For a sender that wants reused control ids held back."""


def due(mode: Mode, accept: str, application: str, outcome: ApplicationCode) -> tuple[AckCode, ...]:
    """Which acknowledgements one message gets, in the order in which they are sent; () is silence.

    Source: HL7 v2.5.1 chapter 2, 2.9.2, 2.9.3 and table 0155. With ``original`` the conditions are not looked at,
    and where both are blank they mean original mode: one application acknowledgement. Otherwise the commit
    acknowledgement is sent if ``accept`` (MSH-15) asks for it, then the application acknowledgement if
    ``application`` (MSH-16) does; one that is blank beside the other asks for nothing. ``always`` gives the
    application acknowledgement where this would be silence. A condition that table 0155 lacks is taken for AL:
    an answer too many finds its message by MSA-2, one too few stops an interface.

    Args:
        mode: The setting of the sender; ``original`` for a sender that is not known.
        accept: MSH-15 in capitals.
        application: MSH-16 in capitals.
        outcome: How the message is answered at the application level.
    """
    if mode == "original" or not (accept or application):
        return (outcome,)
    codes = (
        *([_COMMIT[outcome]] if _asked(accept, outcome) else []),
        *([outcome] if _asked(application, outcome) else []),
    )
    return codes or ((outcome,) if mode == "always" else ())


def _asked(condition: str, outcome: ApplicationCode) -> bool:
    if condition in {"ER", "SU"}:
        return (outcome == "AA") == (condition == "SU")
    return condition not in {"", "NE"}


def header_of(message: Message) -> Header:
    """The header of a message that was read."""
    msh = message.header
    return Header(
        separators=message.separators,
        encoding_characters=msh.raw(2) or STANDARD_ENCODING,
        charset=message.charset,
        sending=(msh.raw(3), msh.raw(4)),
        receiving=(msh.raw(5), msh.raw(6)),
        trigger=message.trigger,
        control_id=msh.raw(10),
        processing_id=msh.raw(11),
        version=msh.raw(12),
        charset_name=msh.raw(18),
        accept=msh.text(15).strip().upper(),
        application=msh.text(16).strip().upper(),
    )


def rough_header(data: bytes) -> Header | None:
    """The header of content that can't be read as a message; None where there is none to answer to.

    Where MSH-2 contradicts itself, the answer uses the standard delimiters with the sender's field
    separator, so that an engine can still show what was wrong.
    """
    message = _rough(header_line(data))
    return None if message is None else header_of(message)


def _rough(line: bytes | None) -> Message | None:
    if line is None:
        return None
    try:
        return parse(line)
    except Unreadable:
        return _repaired(line)


def _repaired(line: bytes) -> Message | None:
    separator = line[3:4]
    if not separator:
        return None
    rest = line[4:].partition(separator)[2]
    if separator.decode("latin-1") in STANDARD_ENCODING:
        rest = rest.replace(separator, b"|")
        separator = b"|"
    try:
        return parse(b"MSH" + separator + STANDARD_ENCODING.encode() + separator + rest)
    except Unreadable:
        return None


def batch_header(data: bytes) -> Header | None:
    """The header of a batch, BHS; None where the bytes have none that can be read.

    Fields 3 to 6 stand where they stand in MSH; ``control_id`` is BHS-11. Where there is only an FHS it gives the
    addresses, and no control id.
    """
    header = _envelope(data, b"BHS")
    if header is None and (header := file_header(data)):
        return header._replace(control_id="")
    return header


def file_header(data: bytes) -> Header | None:
    """The header of a file of batches, FHS; ``control_id`` is FHS-11. None where there is none that can be read."""
    return _envelope(data, b"FHS")


def _envelope(data: bytes, name: bytes) -> Header | None:
    line = header_line(data, (name,))
    message = None if line is None else _rough(b"MSH" + line[3:])
    if message is None:
        return None
    return header_of(message)._replace(trigger="", control_id=message.header.raw(11), charset_name="")


def ack(
    header: Header | Message,
    code: AckCode,
    *,
    at: datetime,
    control_id: str,
    error: AckError | None = None,
) -> bytes:
    """One acknowledgement: MSH, MSA and, unless it accepts, ERR.

    To a sender that states conditions it says that it asks for no acknowledgement itself (MSH-15 and MSH-16 NE).

    Args:
        header: The message that is answered, or what could be read of it.
        code: MSA-1; see ``due``.
        at: MSH-7, an aware time; written with its offset.
        control_id: MSH-10 of the answer itself.
        error: Why not. Versions before 2.5 get the old ERR layout and the text in MSA-3.
    """
    if isinstance(header, Message):
        header = header_of(header)
    told = error if code[1] != "A" else None
    old = header.before_2_5
    separators = header.separators
    segments: list[Sequence[Field]] = [_msh(header, at, control_id)]
    segments.append(["MSA", code, Raw(header.control_id), told.text if told and old else ""])
    if told:
        segments.append(_old_err(told, separators) if old else _err(told, separators))
    return write(
        segments,
        separators=separators,
        encoding_characters=header.encoding_characters,
        charset=header.charset,
    )


def _msh(header: Header, at: datetime, control_id: str) -> list[Field]:
    fields: list[Field] = [
        "MSH",
        *_swapped(header),
        timestamp(at),
        "",
        _composed(("ACK", header.trigger, "ACK"), header.separators) if header.trigger else "ACK",
        control_id,
        Raw(header.processing_id) or "P",
        Raw(header.version) or _OWN_VERSION,
    ]
    if header.enhanced or header.charset_name:
        never = "NE" if header.enhanced else ""
        fields += ["", "", never, never, "", Raw(header.charset_name)]
    return fields


def _composed(parts: tuple[Component, ...], separators: Separators) -> Field:
    """A field of components; to a sender that has no component separator, the first alone."""
    return parts if _has(separators.component) else parts[0]


def _swapped(header: Header) -> list[Field]:
    return [Raw(text) for text in (*header.receiving, *header.sending)]


def timestamp(at: datetime) -> str:
    """A moment as DTM, to the second, with its offset."""
    # As strftime("%Y%m%d%H%M%S%z") has it, in a fifth of its time; a minus of the offset stays.
    return at.isoformat(timespec="seconds").replace("-", "", 2).replace(":", "").replace("T", "")


def _err(error: AckError, separators: Separators) -> list[Field]:
    code = _composed((error.code, _TEXTS.get(error.code, "Application error"), "HL70357"), separators)
    return ["ERR", "", _location(error, separators), code, "E", "", "", error.text, error.text]


def _location(error: AckError, separators: Separators) -> Field:
    return "" if error.segment is None else _composed(_place(error), separators)


def _place(error: AckError) -> tuple[str, str, str]:
    if error.segment is None:
        return "", "", ""
    return error.segment, str(error.sequence), "" if error.field is None else str(error.field)


def _old_err(error: AckError, separators: Separators) -> list[Field]:
    code = (error.code, _TEXTS.get(error.code, "Application error"), "HL70357")
    return ["ERR", _composed((*_place(error), code if _has(separators.subcomponent) else error.code), separators)]


def _has(separator: str) -> bool:
    return separator != "\r"


def batch(acks: Sequence[bytes], header: Header, *, at: datetime, control_id: str) -> bytes:
    """The answers to a batch as a batch: BHS, every answer, BTS with their number.

    Args:
        acks: Answers in the order of the messages. None says that every message of the batch was accepted (2.10.3).
        header: ``batch_header`` of what came in.
        at: BHS-7, an aware time.
        control_id: BHS-11 of the answer itself; BHS-12 refers to that of the received batch.
    """
    return _enclosed(("BHS", "BTS"), acks, header, at, control_id)


def file(batches: Sequence[bytes], header: Header, *, at: datetime, control_id: str) -> bytes:
    """The answers to a file: FHS, the answer to every batch, FTS with their number.

    Args:
        batches: What ``batch`` gave, in the order of the batches.
        header: ``file_header`` of what came in.
        at: FHS-7, an aware time.
        control_id: FHS-11 of the answer itself; FHS-12 refers to that of the received file.
    """
    return _enclosed(("FHS", "FTS"), batches, header, at, control_id)


def _enclosed(names: tuple[str, str], content: Sequence[bytes], header: Header, at: datetime, control_id: str) -> bytes:
    start, end = names
    first: list[Field] = [start, *_swapped(header), timestamp(at), "", "", "", control_id, Raw(header.control_id)]
    head, tail = (
        write(
            [segment],
            separators=header.separators,
            encoding_characters=header.encoding_characters,
            charset=header.charset,
        )
        for segment in (first, [end, str(len(content))])
    )
    return b"".join([head, *content, tail])
