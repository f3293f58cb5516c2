"""``_summary`` and ``_elements`` of a request, for searches and reads alike."""

from collections.abc import Iterable, Sequence
from typing import Final, cast

from app.services.reading.search_asked import malformed, refused
from fhir_mappings.subsets import Mode, Subset
from schemas.summary import shape_of

_WHOLE: Final = frozenset({"false", "count"})
_SUMMARIES: Final = frozenset({"true", "text", "data"}) | _WHOLE
_OF_READ: Final = frozenset({"_summary", "_elements", "_format", "_pretty"})


def subset_of(resource_type: str, pairs: Iterable[tuple[str, str]]) -> Subset | None:
    """What of each resource is wanted; None: all of it. Raises BadRequest for a value that can't be read."""
    summary: Mode | None = None
    elements: frozenset[str] | None = None
    for name, value in pairs:
        if name == "_summary":
            if value not in _SUMMARIES:
                raise malformed(name, "true, text, data, count or false is expected.")
            summary = None if value in _WHOLE else cast("Mode", value)
        elif name == "_elements":
            elements = (elements or frozenset()) | _named(resource_type, value)
    if elements is not None and summary is not None:
        raise malformed("_elements", "it can't be combined with _summary.")
    if elements is not None:
        return Subset("elements", elements)
    return None if summary is None else Subset(summary)


def subset_of_read(resource_type: str, pairs: Sequence[tuple[str, str]]) -> Subset | None:
    """The same of a read, which takes nothing else. Raises NotSupported for what it does not take."""
    if not pairs:
        return None
    for name, value in pairs:
        if name not in _OF_READ:
            raise refused(name, "a read takes _summary, _elements and _format.")
        if (name, value) == ("_summary", "count"):
            raise malformed(name, "a read takes true, text, data or false.")
    return subset_of(resource_type, pairs)


def _named(resource_type: str, value: str) -> frozenset[str]:
    shape = shape_of(resource_type)
    found = [shape.named(name) for name in value.split(",")]
    if not all(found):
        raise malformed("_elements", f"names of elements of {resource_type} are expected, between commas.")
    return frozenset().union(*found)
