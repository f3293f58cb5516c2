"""Derive which elements of the FHIR R4 types are mandatory, and which stand in a summary.

    python -m tools.derive_summary       writes schemas/r4/summary.json

Source: the field metadata of the R4B classes of fhir.resources (``summary_element_property``, ``element_required``,
``one_of_many``), as for the schema (``tools.derive_schema``), whose differences from R4 are left out here too. A test
derives it again and compares.
"""

import json
from pathlib import Path
from typing import Any

from fhir.resources.R4B import get_fhir_model_class
from fhir.resources.R4B.backboneelement import BackboneElement

from tools.derive_schema import OVERRIDES, R4, TYPES, classify

TARGET = R4 / "summary.json"
Summary = dict[str, "Summary | None"]
"""Element to what stands in the summary below it; None: all of it. What is mandatory stands in it too."""


def derived() -> str:
    """The file's text."""
    return json.dumps({name: _shape(name) for name in sorted(TYPES)}, indent=1, sort_keys=True) + "\n"


def _shape(name: str) -> dict[str, Any]:
    fields = _elements(get_fhir_model_class(name))
    choices: dict[str, list[str]] = {}
    for key, extra in fields.items():
        if "one_of_many" in extra:
            choices.setdefault(extra["one_of_many"], []).append(key)
    mandatory = [
        key for key, extra in fields.items() if extra.get("element_required") or extra.get("one_of_many_required")
    ]
    return {
        "elements": sorted(fields),
        "choices": {choice: sorted(keys) for choice, keys in choices.items()},
        "mandatory": sorted(mandatory),
        "summary": _summary(get_fhir_model_class(name), ()),
    }


def _elements(model: Any) -> dict[str, dict[str, Any]]:
    """JSON name to metadata of each element, sidecars and what the library adds left out."""
    found = {}
    for field in model.model_fields.values():
        extra = field.json_schema_extra or {}
        if not extra.get("element_property") or OVERRIDES.get(f"{model.__name__}.{field.alias}", {}).get("drop"):
            continue
        required = bool(extra.get("element_required") or field.is_required())
        found[field.alias] = {**extra, "element_required": required, "annotation": field.annotation}
    return found


def _summary(model: Any, above: tuple[Any, ...]) -> Summary:
    return {
        key: _below(extra["annotation"], (*above, model))
        for key, extra in _elements(model).items()
        if extra.get("summary_element_property") or extra.get("element_required") or extra.get("one_of_many_required")
    }


def _below(annotation: Any, above: tuple[Any, ...]) -> Summary | None:
    kind, _ = classify(annotation)
    if not isinstance(kind, type) or not issubclass(kind, BackboneElement) or kind in above:
        return None
    below = _summary(kind, above)
    return below or None


if __name__ == "__main__":
    Path(TARGET).write_text(derived(), encoding="utf-8")
