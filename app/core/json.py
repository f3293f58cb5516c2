"""A strict JSON reader and a writer that keeps decimals as they were written.

The reader refuses what readers disagree about (RFC 8259 sections 4, 6, 8): a name twice in one object, NaN and
Infinity, lone surrogates, U+0000, invalid UTF-8, numbers that many programs can't hold, deep nesting. Its errors give
a path or a position, never a value.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from json import JSONDecodeError, JSONDecoder
from typing import Any

import orjson

from app.core.errors import BadRequest, TooLarge

MAX_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 64
MAX_INTEGER_DIGITS = 18
"""Every 18-digit number fits 64 bits."""
MAX_NUMBER_LENGTH = 256
MAX_EXPONENT = 307
"""The range of a double: what any other program can read."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{},]|[^\s\[\]{},:"]++', re.DOTALL)
_UNSAFE_NAME = re.compile(r"[^A-Za-z0-9_.\-]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SUSPECT = re.compile(r"\\u(?:[dD][89a-fA-F]|0000)")


class _RefusedError(ValueError):
    """A hook refused a token; the message is the rule."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        raise _RefusedError("duplicate")
    return out


def _integer(text: str) -> int:
    if len(text) > MAX_INTEGER_DIGITS and len(text.lstrip("-")) > MAX_INTEGER_DIGITS:
        raise _RefusedError("number")
    return int(text)


def _decimal(text: str) -> Decimal:
    if len(text) > MAX_NUMBER_LENGTH:
        raise _RefusedError("number")
    if "e" in text or "E" in text:
        # The mantissa is short, so a short exponent bounds the whole.
        exponent = text.lower().partition("e")[2].lstrip("+-").lstrip("0") or "0"
        if len(exponent) > 3 or int(exponent) > MAX_EXPONENT:
            raise _RefusedError("number")
    return Decimal(text)


def _constant(_text: str) -> Any:
    raise _RefusedError("number")


_DECODER = JSONDecoder(
    object_pairs_hook=_object, parse_float=_decimal, parse_int=_integer, parse_constant=_constant, strict=True
)


def loads(data: bytes, *, max_depth: int = MAX_DEPTH, max_bytes: int = MAX_BYTES) -> Any:
    """The value of a JSON text in UTF-8; numbers with fraction or exponent become Decimal.

    Raises TooLarge when the text is longer than ``max_bytes``, BadRequest for anything that is not strict JSON.
    """
    if len(data) > max_bytes:
        raise TooLarge(f"the body is larger than {max_bytes} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise BadRequest(f"not valid UTF-8 at byte {error.start}", path="$") from None
    text = text.removeprefix("\ufeff")
    deep = BadRequest(f"nested deeper than {max_depth} levels", path="$")
    try:
        value = _DECODER.decode(text)
    except RecursionError:
        raise deep from None
    except _RefusedError as refusal:
        raise _RULES[str(refusal)].error(text) from None
    except JSONDecodeError as error:
        raise BadRequest(f"not JSON at line {error.lineno}, column {error.colno}: {error.msg}", path="$") from None
    if data.count(b"[") + data.count(b"{") > max_depth and _too_deep(value, max_depth):
        raise deep
    if "\\u" in text and _SUSPECT.search(text):
        _refuse_bad_text(text)
    return value


def dumps(value: Any) -> bytes:
    """Compact JSON; a Decimal keeps its digits (``1.10`` stays ``1.10``). Raises TypeError for other types."""
    return orjson.dumps(value, default=_fragment)


def canonical(value: Any) -> bytes:
    """JSON with sorted names: the same bytes for the same value, to compare contents by."""
    return orjson.dumps(value, default=_fragment, option=orjson.OPT_SORT_KEYS)


def _fragment(value: Any) -> orjson.Fragment:
    if isinstance(value, Decimal) and value.is_finite():
        return orjson.Fragment(str(value))
    raise TypeError(type(value).__name__)


def _too_deep(value: Any, limit: int) -> bool:
    """Whether arrays and objects nest deeper than the limit."""
    level = [value] if type(value) is dict or type(value) is list else []
    for _ in range(limit):
        if not level:
            return False
        level = [
            inner
            for node in level
            for inner in (node.values() if type(node) is dict else node)
            if type(inner) is dict or type(inner) is list
        ]
    return bool(level)


# ---- slow path, after a refusal: where is it?


@dataclass(slots=True)
class _Level:
    """One open object or array of the walk."""

    names: set[str] | None
    """Names seen so far; None in an array."""
    step: str = ""
    index: int = 0
    at_name: bool = True


def _literals(text: str) -> Iterator[tuple[str, str, bool]]:
    """(path, literal, name twice) of every name and scalar."""
    levels: list[_Level] = []
    for found in _TOKEN.finditer(text):
        mark = found.group()
        here = levels[-1] if levels else None
        if mark in "{[":
            levels.append(_Level(set()) if mark == "{" else _Level(None, "[0]"))
        elif mark in "}]":
            levels = levels[:-1]
        elif mark == ",":
            _next(here)
        elif here and here.names is not None and here.at_name:
            yield _name(levels, here, here.names, mark)
        else:
            yield _path(levels), mark, False


def _next(level: _Level | None) -> None:
    if level is None:
        return
    if level.names is None:
        level.index += 1
        level.step = f"[{level.index}]"
    else:
        level.at_name = True


def _name(levels: list[_Level], level: _Level, names: set[str], mark: str) -> tuple[str, str, bool]:
    name = _text(mark)
    level.step = "." + _UNSAFE_NAME.sub("?", name)[:64]
    level.at_name = False
    twice = name in names
    names.add(name)
    return _path(levels), mark, twice


def _path(levels: list[_Level]) -> str:
    return "$" + "".join(level.step for level in levels)


def _text(literal: str) -> str:
    """The text of a string literal; empty for any other literal or an unreadable one."""
    try:
        return str(_PLAIN.decode(literal)) if literal[:1] == '"' else ""
    except JSONDecodeError:
        return ""


_PLAIN = JSONDecoder()


@dataclass(frozen=True, slots=True)
class _Rule:
    """What a refusal says, and how its place is found again."""

    text: str
    breaks: Callable[[str, bool], bool]
    """(literal, name twice) -> whether this is the place."""

    def place(self, text: str) -> str | None:
        return next((path for path, literal, twice in _literals(text) if self.breaks(literal, twice)), None)

    def error(self, text: str) -> BadRequest:
        return BadRequest(self.text, path=self.place(text))


def _bad_number(literal: str, _twice: bool) -> bool:  # noqa: FBT001 - the signature of a rule
    if literal[:1] == '"' or literal in {"true", "false", "null"}:
        return False
    try:
        _DECODER.decode(literal)
    except _RefusedError:
        return True
    except JSONDecodeError:
        return False
    return False


_RULES = {
    "duplicate": _Rule("a name stands twice in one object", lambda _literal, twice: twice),
    "number": _Rule(
        f"not a number that is read here: no NaN or Infinity, integers up to {MAX_INTEGER_DIGITS} digits, "
        f"decimals up to {MAX_NUMBER_LENGTH} characters and exponent {MAX_EXPONENT}",
        _bad_number,
    ),
}
_BAD_TEXT = (
    _Rule("a surrogate without its pair", lambda literal, _twice: bool(_SURROGATE.search(_text(literal)))),
    _Rule("the character U+0000 is not allowed", lambda literal, _twice: "\0" in _text(literal)),
)


def _refuse_bad_text(text: str) -> None:
    for rule in _BAD_TEXT:
        place = rule.place(text)
        if place:
            raise BadRequest(rule.text, path=place)
