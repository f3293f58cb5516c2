"""What fhir.resources, a library of others, thinks of a resource: a second opinion beside the gate.

It reads R4B (4.3.0), whose elements are those of R4 for the types here but for a few, and it knows neither invariants
nor most codes; so it doubts, and the gate decides. Of its errors only kind and place are read: its words hold values.
The library is loaded when it is first asked, and each type of it when that is asked for.
"""

import re
from importlib import import_module
from importlib.metadata import version
from typing import Any, Final

from pydantic import ValidationError

from fhir_mappings.gate import Problem, expression

SOURCE: Final = f"fhir.resources {version('fhir.resources')} (R4B)"
MAX_BYTES: Final = 256 * 1024
"""JSON up to which it is asked: it takes some hundred times as long as the gate."""
_MAX_DOUBTS: Final = 50
_NAME: Final = re.compile(r"_?[a-z][A-Za-z0-9]{0,63}")
_UNEXPECTED: Final = "extra_forbidden"
_KINDS: Final = {
    "missing": ("required", "a required element"),
    _UNEXPECTED: ("structure", "only elements that FHIR R4B has here"),
}
_OTHER: Final = ("value", "what FHIR R4B defines here")


def second_opinion(resource_type: str, text: bytes) -> list[Problem]:
    """What the library would not take in the JSON of one resource; empty = it takes it.

    Args:
        resource_type: the FHIR type that it should be.
        text: its JSON.
    """
    try:
        _model(resource_type).model_validate_json(text)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        return list(dict.fromkeys(_doubt(resource_type, one["type"], one["loc"]) for one in found))[:_MAX_DOUBTS]
    except Exception:  # noqa: BLE001 - the library stumbles over some input in ways that it does not name
        return [Problem(resource_type, "unreadable", "a resource that this library can read", "processing")]
    return []


def beside(doubts: list[Problem], problems: list[Problem]) -> list[Problem]:
    """The doubts where the gate found nothing: neither there, nor above, nor below."""
    known = [problem.path for problem in problems]
    return [doubt for doubt in doubts if not any(_on_one_line(doubt.path, path) for path in known)]


def _on_one_line(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return long.startswith(short) and long[len(short) : len(short) + 1] in {"", ".", "["}


def _model(resource_type: str) -> Any:
    return import_module("fhir.resources.R4B").get_fhir_model_class(resource_type)


def _doubt(resource_type: str, kind: str, place: tuple[str | int, ...]) -> Problem:
    # The name of an element that is not FHIR's is the client's own text: its parent is told.
    steps = place[:-1] if kind == _UNEXPECTED else place
    known = [step for step in steps if isinstance(step, int) or _NAME.fullmatch(step)]
    rule = kind.rpartition(".")[2]
    code, expected = _KINDS.get(rule, _OTHER)
    return Problem(expression(resource_type, known), rule.replace("_", "-"), expected, code)
