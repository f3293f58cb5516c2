"""Part of a resource, as ``_summary`` and ``_elements`` ask for it (https://hl7.org/fhir/R4/search.html#summary).

Mandatory elements always stay, and so do modifier extensions and contained resources: without them what is left could
mean something else. The result is tagged SUBSETTED, so that nobody takes it for the whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from schemas.summary import Summary, shape_of

Resource = dict[str, Any]
Mode = Literal["true", "text", "data", "elements"]
SUBSETTED: Final = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "SUBSETTED",
}
_ALWAYS: Final = frozenset({"resourceType", "id", "meta", "implicitRules", "modifierExtension", "contained"})


@dataclass(frozen=True, slots=True)
class Subset:
    """What of a resource is wanted."""

    mode: Mode
    elements: frozenset[str] = frozenset()
    """Of the mode ``elements``: what is wanted, by names in JSON."""

    @property
    def of_matches_only(self) -> bool:
        """R4: a list of elements does not apply to what is included."""
        return self.mode == "elements"


def is_subset(resource: Resource) -> bool:
    """Whether it says of itself that it is a part only."""
    tags = resource.get("meta", {}).get("tag", ())
    return any((tag.get("system"), tag.get("code")) == (SUBSETTED["system"], SUBSETTED["code"]) for tag in tags)


def reduced(resource: Resource, subset: Subset) -> Resource:
    """The part of ``resource`` that is wanted, with its tag."""
    shape = shape_of(resource["resourceType"])
    if subset.mode == "true":
        kept = _summarised(resource, shape.summary)
    elif subset.mode == "data":
        kept = {key: value for key, value in resource.items() if key != "text"}
    else:
        wanted = shape.mandatory | ({"text"} if subset.mode == "text" else subset.elements)
        kept = {key: value for key, value in resource.items() if _element(key) in wanted or key in _ALWAYS}
    return {**kept, "meta": _tagged(resource.get("meta", {}))}


def _summarised(item: Resource, summary: Summary) -> Resource:
    found: Resource = {}
    for key, value in item.items():
        name = _element(key)
        if key in _ALWAYS or name in summary:
            below = None if key in _ALWAYS else summary[name]
            found[key] = value if below is None or key != name else _below(value, below)
    return found


def _below(value: Any, summary: Summary) -> Any:
    if isinstance(value, list):
        return [_below(item, summary) for item in value]
    return _summarised(value, summary) if isinstance(value, dict) else value


def _element(key: str) -> str:
    """What stands beside an element (``_birthDate``) goes with it."""
    return key.removeprefix("_")


def _tagged(meta: Mapping[str, Any]) -> Resource:
    tags = list(meta.get("tag", ()))
    if not any((tag.get("system"), tag.get("code")) == (SUBSETTED["system"], SUBSETTED["code"]) for tag in tags):
        tags.append(dict(SUBSETTED))
    return {**meta, "tag": tags}
