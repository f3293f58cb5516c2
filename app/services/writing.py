"""From resources as dictionaries to what the store writes, and back."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from app.core import json
from app.core.clock import from_micros, iso
from app.store.changes import ResourceChange
from app.store.reader import Row
from schemas.resources import ALL
from schemas.resources.base import ResourceSpec, Value, fold
from schemas.served import from_body, to_body

Resource = dict[str, Any]


def change_of(resource: Resource, version: int, *, content: bytes | None = None) -> ResourceChange:
    """``resource`` as version ``version``, with its search values.

    Coded values are kept as ``code|system``, so that a bare code is a prefix of it.
    """
    spec = ALL[resource["resourceType"]]
    fixed = {p.column for p in spec.search if p.system}
    tokens = {p.column for p in spec.search if p.kind == "token"} - fixed
    return ResourceChange(
        id=resource["id"],
        type=spec.type,
        version=version,
        content=to_body(resource) if content is None else content,
        columns={
            column: turned(value) if column in tokens and isinstance(value, str) else value
            for column, value in spec.columns(resource).items()
        },
        index=tuple(_index_rows(spec, resource)),
    )


def _index_rows(spec: ResourceSpec, resource: Resource) -> Iterable[tuple[str, str]]:
    for name, value in spec.index(resource):
        kind = spec.params[name].kind
        if kind == "token":
            yield name, turned(value)
        else:
            yield name, fold(str(value)) if kind == "string" else str(value)


def turned(token: Value) -> str:
    """``system|code`` as ``code|system``."""
    system, _, code = str(token).partition("|")
    return f"{code}|{system}"


def digest(content: bytes) -> str:
    """Short fingerprint of a body, to see whether it changed."""
    return hashlib.blake2b(content, digest_size=9).hexdigest()


@dataclass(frozen=True, slots=True)
class Rendition:
    """One version of a resource, ready to leave."""

    version: int
    last_updated: int
    body: bytes

    @classmethod
    def of(cls, row: Row) -> "Rendition":
        """The rendition of a stored version."""
        return cls(row.version, row.last_updated, served(row))


def served(row: Row) -> bytes:
    """The whole resource as bytes."""
    return from_body(row.type, row.id, row.version, iso(row.last_updated), row.content)


def decoded(row: Row) -> Resource:
    """The whole resource as a dictionary; only where it must be changed or looked into. Decimals keep their digits."""
    whole = served(row)
    found: Resource = orjson.loads(whole) if b"." not in row.content else json.loads(whole)
    return found


def without_server_meta(resource: Mapping[str, Any]) -> Resource:
    """``resource`` without versionId and lastUpdated, which are the store's."""
    meta = {k: v for k, v in resource.get("meta", {}).items() if k not in {"versionId", "lastUpdated"}}
    return {**resource, "meta": meta}


def stamp_text(micros: int) -> str:
    """A FHIR instant in UTC for elements that the hub itself dates."""
    return from_micros(micros).isoformat(timespec="milliseconds").replace("+00:00", "Z")
