"""Security labels of what clients send: they may be added where an author adds them, and never taken away. Pure.

(42 CFR 2.32: who has a record carries its protection on. HL7 DS4P: the recipient carries the labels forward.)
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

Resource = dict[str, Any]
CARRIED_ON: Final = "security labels are never taken away (42 CFR 2.32, HL7 DS4P)"
_OF_THE_SERVER: Final = frozenset({"versionId", "lastUpdated"})


def held(resource: Any) -> list[Resource]:
    """The labels of a resource; what a client sends need not be one."""
    meta = resource.get("meta") if isinstance(resource, dict) else None
    found: Any = meta.get("security") if isinstance(meta, dict) else None
    return found or []


def stated(resource: Mapping[str, Any]) -> Any:
    """The labels that a client says a resource has; None where it says nothing of them.

    A client that leaves meta out, or names no more of it than the version that it read, leaves all of it to the server:
    what it had is carried forward. One that sends its meta back without the labels takes them away.
    """
    meta = resource.get("meta")
    if not isinstance(meta, dict) or _OF_THE_SERVER.issuperset(meta):
        return None
    return meta.get("security", [])


def lost(before: Resource, after: Any) -> bool:
    """Whether ``after``, which is whole, lacks a label of ``before``, by its code."""
    return not {_code(one) for one in held(before)} <= {_code(one) for one in held(after)}


def united(*sets: Iterable[Resource]) -> list[Resource]:
    """Each label once, in order; of two alike the one that says on which ground it stands (DS4P)."""
    found: dict[tuple[Any, Any], Resource] = {}
    for label in (label for one in sets for label in one):
        known = found.setdefault(_code(label), label)
        if "extension" in label and "extension" not in known:
            found[_code(label)] = label
    return list(found.values())


def labelled(resource: Resource, *sets: Sequence[Resource]) -> Resource:
    """``resource`` with its own labels and at least those of ``sets`` (the high-water mark)."""
    own = held(resource)
    found = united(own, *sets)
    if found == own:
        return resource
    return {**resource, "meta": {**resource.get("meta", {}), "security": found}}


def _code(label: Resource) -> tuple[Any, Any]:
    return label.get("system"), label.get("code")
