"""The codes in a FHIR CodeableConcept, whatever the shape of what was sent. Pure."""

from collections.abc import Mapping
from typing import Any

from schemas.codes.local import NEED


def codes_in(concept: Any, system: str) -> list[str]:
    """The codes of one system, in their order; none where it is no CodeableConcept."""
    codings = concept.get("coding") if isinstance(concept, Mapping) else None
    if not isinstance(codings, list):
        return []
    found = (one.get("code") for one in codings if isinstance(one, Mapping) and one.get("system") == system)
    return [code for code in found if isinstance(code, str)]


def need_in(request: Mapping[str, Any]) -> str:
    """What a ServiceRequest asks for: a code of the local code system ``need``; empty where it has none."""
    return next((code for one in request.get("category", ()) for code in codes_in(one, NEED)), "")
