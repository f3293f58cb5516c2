"""The characters of HL7 v2: delimiters, escapes, and the strict writer.

Source: HL7 v2.5.1 chapter 2 (delimiters 2.5.4, escapes 2.7).
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

_ABSENT = "\r"  # can't occur inside a segment, so a delimiter that was not declared never matches
STANDARD_ENCODING = "^~\\&"
SEGMENT_NAME = re.compile(r"[A-Z][A-Z0-9]{2}")


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

    @property
    def has_escape(self) -> bool:
        """Whether this message can escape at all."""
        return self.escape != _ABSENT


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
            char if char in encoding else _ABSENT for char in STANDARD_ENCODING
        )
        repetition = "~" if repetition == _ABSENT and field != "~" else repetition
        return _checked(Separators(field, component, repetition, escape, subcomponent))
    return _checked(Separators(field, *(encoding[:4] + _ABSENT * 4)[:4]))


def _checked(separators: Separators) -> Separators:
    if separators.field.isalnum() or separators.field.isspace():
        raise Unreadable("no-separators", segment="MSH", field=1)
    declared = [char for char in separators if char != _ABSENT]
    if len(set(declared)) != len(declared) or any(char.isalnum() or char.isspace() for char in declared):
        raise Unreadable("bad-separators", segment="MSH", field=2)
    return separators


@lru_cache(maxsize=256)
def _escapes(separators: Separators) -> re.Pattern[str]:
    esc = re.escape(separators.escape)
    return re.compile(rf"{esc}(?:([FSTREPHN])|(\.br|\.BR)|X((?:[0-9A-Fa-f]{{2}})+)){esc}")


def unescape(value: str, separators: Separators) -> str:
    r"""Text of a leaf: ``\F\ \S\ \T\ \R\ \E\ \P\``, ``\.br\`` (line feed), ``\H\ \N\`` (dropped), ``\Xnn\``.

    Escapes that are not known here stay as they are.
    """
    characters = {
        "F": separators.field,
        "S": separators.component,
        "T": separators.subcomponent,
        "R": separators.repetition,
        "E": separators.escape,
        "P": "#",
        "H": "",
        "N": "",
    }

    def replacement(match: re.Match[str]) -> str:
        letter, line_break, digits = match.groups()
        if letter is not None:
            return characters[letter]
        return "\n" if line_break is not None else _decode_any(bytes.fromhex(digits))

    return _escapes(separators).sub(replacement, value)


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
    written |= {char: letter for char, letter in zip(separators, "FSRET", strict=True) if char != _ABSENT}
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
