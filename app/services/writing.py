"""From resources as dictionaries to what the store writes, and back."""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

import orjson

from app.core import json
from app.core.clock import iso
from app.store.changes import OFFER_PATIENT, ResourceChange
from app.store.queries import Row, notices_of
from schemas.resources import ALL
from schemas.resources.base import fold
from schemas.served import cut_body, from_body, to_body, to_text

Resource = dict[str, Any]


_DECIMAL = re.compile(rb'[:,\[](?<![^"]:)-?\d+[.eE]')
"""A number whose digits orjson would not keep. It also finds some texts, which costs time and nothing else.

It begins with one set of characters: a search for those skips what lies between, and so takes half the time.
"""


class Draft(NamedTuple):
    """A new version of a resource that has yet to pass the gate; encoded once, for the gate and for the store."""

    resource: Resource
    version: int
    text: bytes
    """All of it as JSON."""
    body: bytes
    """What of the text is stored."""
    before: Resource | None = None
    """The version that it replaces, where that is at hand."""
    offer: Resource | None = None
    """Its offer rendition, where somebody may see no more."""

    @classmethod
    def of(
        cls, resource: Resource, version: int, before: Resource | None = None, offer: Resource | None = None
    ) -> "Draft":
        """``resource`` as version ``version``. Raises TypeError where JSON can't hold it."""
        text = to_text(resource)
        return cls(resource, version, text, cut_body(resource, text), before, offer)

    def change(self) -> ResourceChange:
        """As it is written."""
        return change_of(self.resource, self.version, content=self.body, before=self.before, offer=self.offer)


def change_of(
    resource: Resource,
    version: int,
    *,
    content: bytes | None = None,
    before: Resource | None = None,
    offer: Resource | None = None,
) -> ResourceChange:
    """``resource`` as version ``version``, with its search values.

    Coded values are kept as ``code|system``, so that a bare code is a prefix of it. Where ``before``, the
    version that it replaces, is given and is found by the same values, the index is left alone. ``offer`` is what
    of it those may see who may not see it whole.
    """
    resource_type = resource["resourceType"]
    tokens, stored_as = _plan(resource_type)
    spec = ALL[resource_type]
    columns = spec.columns(resource)
    for column in tokens:
        if column in columns:
            columns[column] = turned(str(columns[column]))
    found = spec.index(resource)
    same = before is not None and offer is None and spec.index(before) == found
    rows = [] if same else [(name, stored_as[name](str(value))) for name, value in found]
    if offer is not None:
        subject = offer["for" if resource_type == "Task" else "subject"]
        rows.append((OFFER_PATIENT, subject["reference"]))
    return ResourceChange(
        id=resource["id"],
        type=resource_type,
        version=version,
        content=to_body(resource) if content is None else content,
        columns=columns,
        found_by=None if same else tuple(rows),
        offer=None if offer is None else to_body(offer),
    )


@cache
def _plan(resource_type: str) -> tuple[tuple[str, ...], dict[str, Callable[[str], str]]]:
    """Columns that hold ``code|system``, and how a value of each parameter stands in the index."""
    spec = ALL[resource_type]
    tokens = tuple(p.column for p in spec.search if p.column and p.kind == "token" and not p.system)
    return tokens, {name: _INDEXED[param.kind] for name, param in spec.params.items() if param.kind in _INDEXED}


def turned(token: str) -> str:
    """``system|code`` as ``code|system``."""
    system, _, code = token.partition("|")
    return f"{code}|{system}"


_INDEXED: dict[str, Callable[[str], str]] = {"token": turned, "string": fold, "reference": str, "uri": str}
"""How a value of each kind of parameter stands in the index."""


def digest(content: bytes) -> str:
    """Short fingerprint of a body, to see whether it changed."""
    return hashlib.blake2b(content, digest_size=9).hexdigest()


@dataclass(frozen=True, slots=True)
class Rendition:
    """One version of a resource, ready to leave."""

    version: int
    last_updated: int
    body: bytes
    notices: tuple[str, ...] = ()
    """Those that must travel with it."""

    @classmethod
    def of(cls, row: Row) -> "Rendition":
        """The rendition of a stored version."""
        return cls(row.version, row.last_updated, served(row), notices_of((row,)))


class Disclosed(NamedTuple):
    """A Bundle, ready to leave."""

    body: bytes
    notices: tuple[str, ...]
    """Those that must travel with it."""


def served(row: Row) -> bytes:
    """The whole resource as bytes."""
    return from_body(row.type, row.id, row.version, iso(row.last_updated), row.content)


def decoded(row: Row) -> Resource:
    """The whole resource as a dictionary; only where it must be changed or looked into. Decimals keep their digits."""
    whole = served(row)
    found: Resource = json.loads(whole) if _DECIMAL.search(row.content) else orjson.loads(whole)
    return found


def without_server_meta(resource: Mapping[str, Any]) -> Resource:
    """``resource`` without versionId and lastUpdated, which are the store's."""
    meta = {k: v for k, v in resource.get("meta", {}).items() if k not in {"versionId", "lastUpdated"}}
    return {**resource, "meta": meta}


def last_modified(task: Mapping[str, Any], now: str) -> str:
    """``now``; or when ``task`` was authored, where a clock or a message in a queue was behind (Task inv-1)."""
    authored = task.get("authoredOn", "")
    if authored == now:
        return now
    behind = len(authored) > len("2026-06-05") and datetime.fromisoformat(now) < datetime.fromisoformat(authored)
    return authored if behind else now
