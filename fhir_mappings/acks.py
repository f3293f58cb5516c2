"""HL7 v2 acknowledgements: what goes back to the sender of a message.

Source: HL7 v2.5.1 chapter 2, 2.9.2 (original mode), 2.15.1 (MSA), 2.15.5 (ERR); tables 0008, 0357, 0516.
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
    DEFAULT_SEPARATORS,
    STANDARD_ENCODING,
    Field,
    Raw,
    Separators,
    Unreadable,
    separators_of,
    write,
)

AckCode = Literal["AA", "AE", "AR", "CA", "CE", "CR"]
"""Table 0008: application or commit accept, error, reject."""

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

    @property
    def before_2_5(self) -> bool:
        """Whether this version of HL7 has the old ERR segment (only ERR-1)."""
        # No version is longer than this, and int() refuses a number of thousands of digits.
        return _is_before_2_5(self.version.partition(self.separators.component)[0][:16])


@lru_cache(maxsize=64)
def _is_before_2_5(version: str) -> bool:
    numbers = version.split(".")[:2]
    return all(part.isdecimal() for part in numbers) and [int(part) for part in numbers] < [2, 5]


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
    )


def rough_header(data: bytes) -> Header | None:
    """The header of content that can't be read as a message; None where there is none to answer to.

    Where MSH-2 contradicts itself, the answer uses the standard delimiters with the sender's field
    separator, so that an engine can still show what was wrong.
    """
    line = header_line(data)
    if line is None:
        return None
    try:
        return header_of(parse(line))
    except Unreadable:
        return _repaired(line)


def _repaired(line: bytes) -> Header | None:
    field = line[3:4].decode("latin-1")
    rest = line[4:].partition(line[3:4])[2]
    if field in STANDARD_ENCODING:
        field = "|"
    try:
        separators_of(field, STANDARD_ENCODING)
        message = parse(b"MSH" + field.encode() + STANDARD_ENCODING.encode() + field.encode() + rest)
    except Unreadable:
        return None
    return header_of(message)


def batch_header(data: bytes) -> Header | None:
    """The header of the batch (BHS, else FHS) that the bytes are; None where they are no batch.

    Fields 3 to 6 stand where they stand in MSH; ``control_id`` is BHS-11.
    """
    line = header_line(data, (b"BHS", b"FHS"))
    if line is None:
        return None
    rough = rough_header(b"MSH" + line[3:])
    if rough is None:
        return None
    fields = line.decode("latin-1").split(rough.separators.field)
    control_id = fields[10] if len(fields) > 10 else ""
    return rough._replace(charset="utf-8", trigger="", control_id=control_id, charset_name="")


def ack(
    header: Header | Message,
    code: AckCode,
    *,
    at: datetime,
    control_id: str,
    error: AckError | None = None,
) -> bytes:
    """One acknowledgement: MSH, MSA and, unless it accepts, ERR.

    Args:
        header: The message that is answered, or what could be read of it.
        code: MSA-1.
        at: MSH-7, an aware time; written with its offset.
        control_id: MSH-10 of the answer itself.
        error: Why not. Versions before 2.5 get the old ERR layout and the text in MSA-3.
    """
    if isinstance(header, Message):
        header = header_of(header)
    told = error if code[1] != "A" else None
    old = header.before_2_5
    segments: list[Sequence[Field]] = [_msh(header, at, control_id)]
    segments.append(["MSA", code, Raw(header.control_id), told.text if told and old else ""])
    if told:
        segments.append(_old_err(told) if old else _err(told))
    return write(
        segments,
        separators=header.separators,
        encoding_characters=header.encoding_characters,
        charset=header.charset,
    )


def _msh(header: Header, at: datetime, control_id: str) -> list[Field]:
    fields: list[Field] = [
        "MSH",
        *_swapped(header),
        _timestamp(at),
        "",
        ("ACK", header.trigger, "ACK") if header.trigger else "ACK",
        control_id,
        Raw(header.processing_id) or "P",
        Raw(header.version) or _OWN_VERSION,
    ]
    if header.charset_name:
        fields += ["", "", "", "", "", Raw(header.charset_name)]
    return fields


def _swapped(header: Header) -> list[Field]:
    return [Raw(text) for text in (*header.receiving, *header.sending)]


def _timestamp(at: datetime) -> str:
    # As strftime("%Y%m%d%H%M%S%z") has it, in a fifth of its time; a minus of the offset stays.
    return at.isoformat(timespec="seconds").replace("-", "", 2).replace(":", "").replace("T", "")


def _err(error: AckError) -> list[Field]:
    code = (error.code, _TEXTS.get(error.code, "Application error"), "HL70357")
    return ["ERR", "", _location(error), code, "E", "", "", error.text, error.text]


def _location(error: AckError) -> Field:
    if error.segment is None:
        return ""
    return (error.segment, str(error.sequence), "" if error.field is None else str(error.field))


def _old_err(error: AckError) -> list[Field]:
    code = (error.code, _TEXTS.get(error.code, "Application error"), "HL70357")
    segment, sequence = ("", "") if error.segment is None else (error.segment, str(error.sequence))
    return ["ERR", (segment, sequence, "" if error.field is None else str(error.field), code)]


def batch(
    acks: Sequence[bytes],
    header: Header | None = None,
    *,
    at: datetime | None = None,
    control_id: str = "",
) -> bytes:
    """The answers to a batch as a batch: BHS, every answer, BTS with their number.

    Args:
        acks: Answers in the order of the messages.
        header: ``batch_header`` of what came in; without it the envelope uses the standard delimiters.
        at: BHS-7, an aware time.
        control_id: BHS-11 of the answer itself; BHS-12 refers to that of the received batch.
    """
    addresses = _swapped(header) if header else [""] * 4
    bhs: list[Field] = ["BHS", *addresses, _timestamp(at) if at else "", "", "", "", control_id]
    bhs.append(Raw(header.control_id) if header else "")
    separators = header.separators if header else DEFAULT_SEPARATORS
    encoding = header.encoding_characters if header else STANDARD_ENCODING
    charset = header.charset if header else "utf-8"
    head, tail = (
        write([segment], separators=separators, encoding_characters=encoding, charset=charset)
        for segment in (bhs, ["BTS", str(len(acks))])
    )
    return b"".join([head, *acks, tail])
