"""The FHIR types of the OpenAPI document, out of the schema that the hub validates with."""

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, Final

from app.entrypoints.fhir.openapi.parts import Json
from schemas.resources import ALL

_REF: Final = "#/$defs/"
_TARGET: Final = "to-"
_COMMENTS: Final = frozenset({"$comment"})


def schemas() -> dict[str, Json]:
    """The types that are sent and served, and what they need."""
    text = (files("schemas") / "r4" / "r4.schema.json").read_text(encoding="utf-8")
    known: dict[str, Json] = json.loads(text)["$defs"]
    known["AnyResource"] = {
        "oneOf": [{"$ref": f"{_REF}{name}"} for name in _SERVED],
        "discriminator": {"propertyName": "resourceType"},
    }
    found: dict[str, Json] = {}
    waiting = list(_SERVED)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = _plain(known[name])
            waiting += [ref.removeprefix("#/components/schemas/") for ref in _references(found[name])]
    return {name: found[name] for name in sorted(found)}


_SERVED: Final = sorted({*ALL, "Composition", "Medication", "MessageHeader", "Parameters", "RelatedPerson"})
"""Types that stand in answers, or in what hospitals send."""


def _plain(value: Any) -> Any:
    """A schema with references of this document; what a Reference may point to is said, not enforced."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    parts = value.get("allOf")
    if isinstance(parts, list):
        value = _without_targets(value, parts)
    out = {key: _plain(item) for key, item in value.items() if key not in _COMMENTS}
    if isinstance(out.get("$ref"), str):
        out["$ref"] = out["$ref"].replace(_REF, "#/components/schemas/")
    return out


def _without_targets(value: Json, parts: list[Any]) -> Json:
    targets = [part["$ref"].removeprefix(_REF + _TARGET) for part in parts if _is_target(part)]
    if not targets:
        return value
    others = [part for part in parts if not _is_target(part)]
    said = f"Reference({' | '.join(targets[0].split('-'))})"
    rest = {key: item for key, item in value.items() if key != "allOf"}
    return {**rest, **(others[0] if len(others) == 1 else {"allOf": others} if others else {}), "description": said}


def _is_target(part: Any) -> bool:
    return isinstance(part, dict) and part.get("$ref", "").startswith(_REF + _TARGET)


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "$ref":
                yield item
            else:
                yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)
