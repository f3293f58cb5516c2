"""The literal references inside a resource: where they stand, and others put in their place."""

from collections.abc import Iterator, Mapping
from typing import Any

Resource = dict[str, Any]


def references(value: Any) -> list[str]:
    """Every literal reference below ``value``, in no order; those to contained resources are left out."""
    found: list[str] = []
    nodes = [value]
    for node in nodes:
        if type(node) is list:
            nodes += [inner for inner in node if type(inner) is dict or type(inner) is list]
            continue
        for name, inner in node.items():
            if type(inner) is dict or type(inner) is list:
                nodes.append(inner)
            elif name == "reference" and type(inner) is str and inner[:1] != "#":
                found.append(inner)
    return found


def walk(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """(path, reference) of each of ``references``; ``path`` is where ``value`` stands: the type of a whole resource."""
    if isinstance(value, dict):
        found = value.get("reference")
        if isinstance(found, str) and not found.startswith("#"):
            yield f"{path}.reference", found
        for name, inner in value.items():
            yield from walk(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from walk(inner, f"{path}[{index}]")


def local(reference: str) -> tuple[str, str] | None:
    """Type and id of a reference within one server (``Task/1``, a version cut off); None for any other."""
    kind, slash, name = reference.partition("/_history/")[0].partition("/")
    return (kind, name) if slash and kind.isalpha() and "/" not in name else None


def replaced(value: Any, new: Mapping[str, str]) -> Any:
    """``value`` with ``new[text]`` in place of every text that stands there (http.html#trules: all kinds of links)."""
    if not new:
        return value
    if type(value) is dict:
        return {
            name: new.get(inner, inner) if type(inner) is str else replaced(inner, new) for name, inner in value.items()
        }
    if type(value) is list:
        return [replaced(inner, new) for inner in value]
    return new.get(value, value) if type(value) is str else value
