"""The characters of HL7 v2: delimiters, escapes, and the strict writer.

Source: HL7 v2.5.1 chapter 2 (delimiters 2.5.4, escapes 2.7, formatted text 2.7.6); v2.7 for the truncation character.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

ABSENT = "\r"
"""A delimiter that was not declared: it can't occur inside a segment, so it never matches."""
STANDARD_ENCODING = "^~\\&"
SEGMENT_NAME = re.compile(r"[A-Z][A-Z0-9]{2}")
_FORMATTED = {"br": "\n", "sp": "\n", "ce": "\n", "sk": " ", "in": "", "ti": "", "fi": "", "nf": ""}
"""Formatting commands of FT: a new line, spaces, or nothing that plain text can show."""
_MOST_BLANKS = 99


class Unreadable(Exception):
    """These bytes are not a message that can be read; ``reason`` is a code, never content.

    Reasons: ``empty``, ``no-msh``, ``no-separators`` (nothing after MSH), ``bad-separators`` (MSH-2
    contradicts itself), ``second-msh`` (several messages where one was expected; see ``split``).
    """

    def __init__(self, reason: str, *, segment: str | None = None, field: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.segment = segment
        self.field = field


class Separators(NamedTuple):
    """The delimiters of one message. One that it does not have is a carriage return."""

    field: str
    component: str
    repetition: str
    escape: str
    subcomponent: str
    truncation: str = ABSENT
    """Ends a value that was cut off (v2.7); it stays in the text."""

    @property
    def has_escape(self) -> bool:
        """Whether this message can escape at all."""
        return self.escape != ABSENT


DEFAULT_SEPARATORS = Separators("|", "^", "~", "\\", "&")


class Raw(str):
    """Text that is in wire form already; the writer takes it as it is."""

    __slots__ = ()


@lru_cache(maxsize=256)
def separators_of(field: str, encoding: str) -> Separators:
    r"""The delimiters that MSH-1 and MSH-2 declare.

    Tolerated: ``^~\\&`` (doubled backslash), ``^~\&#`` (v2.7 truncation) and anything after it, fewer
    characters (standard ones keep their standard role, so ``^~&`` has no escape character; without a
    declared repetition it is ``~``), empty (the standard ones). Letters, digits, spaces, or the same
    character in two roles raise ``Unreadable``: guessing would move values between fields.
    """
    if not encoding:
        return _checked(Separators(field, *STANDARD_ENCODING))
    if encoding[2:3] == encoding[3:4] != "":
        encoding = encoding[:3] + encoding[4:]
    if len(encoding) > 6:
        raise Unreadable("bad-separators", segment="MSH", field=2)
    if (
        len(encoding) < 4
        and all(char in STANDARD_ENCODING for char in encoding)
        and len(set(encoding)) == len(encoding)
    ):
        component, repetition, escape, subcomponent = (
            char if char in encoding else ABSENT for char in STANDARD_ENCODING
        )
        repetition = "~" if repetition == ABSENT and field != "~" else repetition
        return _checked(Separators(field, component, repetition, escape, subcomponent))
    truncation = encoding[4:5]
    if not truncation or truncation.isalnum() or truncation.isspace() or truncation in field + encoding[:4]:
        truncation = ABSENT
    component, repetition, escape, subcomponent = [*encoding[:4], *ABSENT * 4][:4]
    return _checked(Separators(field, component, repetition, escape, subcomponent, truncation))


def _checked(separators: Separators) -> Separators:
    if separators.field.isalnum() or separators.field.isspace():
        raise Unreadable("no-separators", segment="MSH", field=1)
    declared = [char for char in separators if char != ABSENT]
    if len(set(declared)) != len(declared) or any(char.isalnum() or char.isspace() for char in declared):
        raise Unreadable("bad-separators", segment="MSH", field=2)
    return separators


@lru_cache(maxsize=256)
def _escapes(separators: Separators) -> re.Pattern[str]:
    esc = re.escape(separators.escape)
    commands = "|".join(_FORMATTED)
    return re.compile(
        rf"{esc}(?:[FSTREPHN]|\.(?i:({commands}))([+-]?[0-9]{{0,4}}+)|X((?:[0-9A-Fa-f]{{2}})++)){esc}",
    )


@lru_cache(maxsize=256)
def _plain(separators: Separators) -> dict[str, str]:
    """What the escapes without a number stand for; that of a delimiter that the message does not have stays."""
    esc = separators.escape
    meant = {"H": "", "N": "", "P": "#", ".br": "\n"}
    meant |= {letter: f"{esc}{letter}{esc}" for letter in "SRT"}
    meant |= {letter: char for letter, char in zip("FSRETP", separators, strict=True) if char != ABSENT}
    return {f"{esc}{name}{esc}": text for name, text in meant.items()}


def unescape(value: str, separators: Separators) -> str:
    r"""Text of a leaf.

    Delimiters (``\F\ \S\ \T\ \R\ \E\ \P\``), bytes (``\X41\``: UTF-8, else Latin-1), line breaks (``\.br\ \.sp2\
    \.ce\``) and spaces (``\.sk3\``) become what they stand for; highlighting (``\H\ \N\``), indents and wrapping
    (``\.in \.ti \.fi \.nf``) are dropped. All else stays as it was sent, because it may be a mere backslash: other
    character sets (``\C..\ \M..\``), local escapes (``\Z..\``), and what is unknown or has no end.
    """
    plain = _plain(separators)

    def replacement(match: re.Match[str]) -> str:
        text = plain.get(match[0])
        if text is not None:
            return text
        command, number, digits = match.groups()
        return _decode_any(bytes.fromhex(digits)) if digits else _formatted(command, number)

    return _escapes(separators).sub(replacement, value)


def _formatted(command: str, number: str) -> str:
    times = min(abs(int(number)), _MOST_BLANKS) if number.strip("+-") else 1
    return _FORMATTED[command.lower()] * max(times, 1)


def _decode_any(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


Component = str | tuple[str, ...]
"""One text, or its subcomponents."""
Repetition = str | tuple[Component, ...]
"""One text, or its components."""
Field = Repetition | list[Repetition]
"""One repetition, or several."""


def escape(value: str, separators: Separators) -> str:
    """Text in wire form. Where the message has no escape character, delimiters and controls become spaces."""
    if isinstance(value, Raw) or value.isalnum():
        return value  # a delimiter is never a letter or a digit
    return value.translate(_escape_table(separators))


@lru_cache(maxsize=256)
def _escape_table(separators: Separators) -> dict[int, str]:
    esc = separators.escape
    written = {chr(code): f"X{code:02X}" for code in range(0x20)} | {"\n": ".br"}
    written |= {char: letter for char, letter in zip(separators, "FSRETP", strict=True) if char != ABSENT}
    return {ord(char): f"{esc}{name}{esc}" if separators.has_escape else " " for char, name in written.items()}


def write(
    segments: Sequence[Sequence[Field]],
    *,
    separators: Separators = DEFAULT_SEPARATORS,
    encoding_characters: str = STANDARD_ENCODING,
    charset: str = "utf-8",
) -> bytes:
    """A message (or an envelope) in wire form: every segment ends with CR, every leaf is escaped.

    The first item of a segment is its name; in MSH, BHS and FHS the next is field 3, because the
    writer itself puts the separator and the encoding characters. Characters that the character set
    lacks become ``?``.

    Raises:
        ValueError: A segment has no valid name.
    """
    lines = []
    for name, *fields in segments:
        if not isinstance(name, str) or not SEGMENT_NAME.fullmatch(name):
            raise ValueError("a segment starts with its name of three characters")
        head = [name, encoding_characters] if name in {"MSH", "BHS", "FHS"} else [name]
        line = separators.field.join(head + [_written(field, separators) if field else "" for field in fields])
        lines.append(line.rstrip(separators.field) + "\r")
    return "".join(lines).encode(charset, errors="replace")


def _written(field: Field, separators: Separators) -> str:
    if isinstance(field, str):
        return escape(field, separators)
    if isinstance(field, list):
        return separators.repetition.join([_written(one, separators) for one in field])
    parts = [
        escape(part, separators)
        if isinstance(part, str)
        else separators.subcomponent.join([escape(leaf, separators) for leaf in part])
        for part in field
    ]
    return separators.component.join(parts).rstrip(separators.component)
