"""What the hub says of its own extensions and operations, by the name under which it is served."""

from functools import cache
from typing import Any

from fhir_mappings import definitions


def definition(name: str) -> dict[str, Any] | None:
    """A StructureDefinition or OperationDefinition (``StructureDefinition-capacity``); None where there is none."""
    return _all().get(name)


def names() -> list[str]:
    """Those that there are."""
    return [*_all()]


@cache
def _all() -> dict[str, dict[str, Any]]:
    return dict(definitions.definitions())
