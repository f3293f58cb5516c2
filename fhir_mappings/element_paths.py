"""Which elements of a resource hold something: their paths, never what they hold."""

from collections.abc import Iterator
from typing import Any

Resource = dict[str, Any]


def element_paths(resource: Resource) -> list[str]:
    """Paths of all elements with a value (``Patient.name.family``), each once, without positions, sorted."""
    kind = resource["resourceType"]
    found = {path for name, inner in resource.items() if name != "resourceType" for path in _below(inner, name)}
    return [f"{kind}.{path}" for path in sorted(found)]


def _below(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _below(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from _below(inner, path)
    elif value is not None:
        yield path
