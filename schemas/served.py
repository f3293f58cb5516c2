"""Served bytes: how a resource is stored, so that a read neither decodes nor encodes.

The stored *body* is what follows the value of ``meta.lastUpdated``; resourceType, id, versionId and
lastUpdated are columns of the store and are joined in front of it on the way out. Numbers and
instants keep their text, because the body is never parsed again.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import orjson

_IN_PREFIX = frozenset({"resourceType", "id", "meta"})
_META_IN_PREFIX = frozenset({"versionId", "lastUpdated"})
NOTHING: Final = b"}"
"""The body of a version that says that the resource is no more; no resource has it."""


def _number(value: Any) -> orjson.Fragment:
    if isinstance(value, Decimal) and value.is_finite():
        return orjson.Fragment(str(value).encode())
    raise TypeError("a resource holds only what JSON knows: text, finite numbers, booleans, lists and objects")


def to_text(resource: Mapping[str, Any]) -> bytes:
    """The whole resource as JSON; a Decimal keeps its own digits (1.10 stays 1.10).

    Raises:
        TypeError: the resource holds a value that JSON doesn't know (NaN, a date object ...).
    """
    return orjson.dumps(resource, default=_number)


def cut_body(resource: Mapping[str, Any], text: bytes) -> bytes:
    """``to_body`` of a resource whose ``to_text`` is known: where nothing stands between, the body is a part of it.

    Args:
        resource: a FHIR resource as a dict.
        text: what ``to_text`` gave for it.
    """
    meta = resource.get("meta")
    if meta and _META_IN_PREFIX.isdisjoint(meta):
        start = f'{{"resourceType":"{resource.get("resourceType")}","id":"{resource.get("id")}","meta":{{'.encode()
        if text.startswith(start):
            return b"," + text[len(start) :]
    return to_body(resource)


def to_body(resource: Mapping[str, Any]) -> bytes:
    """The stored body of a resource: its JSON without resourceType, id, versionId and lastUpdated.

    ``prefix + body`` is the whole resource, where prefix ends with the value of meta.lastUpdated; so a
    body starts with ``,"profile":`` (a comma and the rest of meta) or with ``}`` where meta has no more.

    Args:
        resource: a FHIR resource as a dict; a Decimal keeps its own digits (1.10 stays 1.10).

    Raises:
        TypeError: the resource holds a value that JSON doesn't know (NaN, a date object ...).
    """
    meta = {key: value for key, value in resource.get("meta", {}).items() if key not in _META_IN_PREFIX}
    rest = {key: value for key, value in resource.items() if key not in _IN_PREFIX}
    head = b"," + orjson.dumps(meta, default=_number)[1:] if meta else b"}"
    tail = b"," + orjson.dumps(rest, default=_number)[1:] if rest else b"}"
    return head + tail


def from_body(resource_type: str, resource_id: str, version: int | str, last_updated: str, body: bytes) -> bytes:
    """The whole resource as UTF-8 JSON bytes, from its columns and its stored body.

    Args:
        resource_type: FHIR type name, e.g. ``Task``.
        resource_id: FHIR id (letters, digits, ``-`` and ``.`` only, so it needs no escaping).
        version: meta.versionId.
        last_updated: meta.lastUpdated as text (an instant with offset).
        body: what ``to_body`` gave.
    """
    return prefix_of(resource_type, resource_id, version, last_updated).encode() + body


def prefix_of(resource_type: str, resource_id: str, version: int | str, last_updated: str) -> str:
    """What stands in front of a body; see ``from_body``."""
    return (
        f'{{"resourceType":"{resource_type}","id":"{resource_id}",'
        f'"meta":{{"versionId":"{version}","lastUpdated":"{last_updated}"'
    )
