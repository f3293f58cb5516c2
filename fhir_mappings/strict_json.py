"""JSON as a program may rely on: UTF-8, no NaN, no name twice in one object (RFC 8259, sections 4 and 6)."""

import json
from typing import Any, Final

RULE: Final = "not valid JSON (UTF-8, no NaN, no name twice in one object)"


def loads(data: bytes) -> Any:
    """The value of a JSON text; ValueError, without any of it, where it is none."""
    try:
        return json.loads(data, parse_constant=_not_a_number, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        raise ValueError(RULE) from None


def _not_a_number(_: str) -> None:
    raise ValueError("NaN and Infinity are not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found
