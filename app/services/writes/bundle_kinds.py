"""What a Bundle at the base address is: requests, or the story of a visit (https://hl7.org/fhir/R4/http.html#transaction)."""

from dataclasses import dataclass, field
from typing import Any, Final, TypeGuard

from app.core import json
from app.core.actor import Actor
from app.core.errors import BadRequest, Forbidden, HubError
from app.services.scopes import INGEST, allows
from app.services.writing import Resource
from schemas.resources import ALL

_LETTER: Final = {"POST": "c", "PUT": "u"}
_BY_NAME: Final = frozenset({"ServiceRequest", "Task"})
"""Created in a transaction, they ask for a referral by name."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How a Bundle is taken."""

    intake: bool
    bundle: Resource = field(default_factory=dict)
    """The Bundle, where it is not intake."""


def is_intake(actor: Actor, data: bytes, fhir_base: str) -> Kind:
    """How this caller's Bundle is taken; what a hospital sends and nobody can read is filed like every message.

    Raises BadRequest where it is neither a batch nor a transaction, Forbidden where it tells of a visit and the caller
    may not.
    """
    sends = actor.is_system or INGEST in actor.scopes
    try:
        bundle = _bundle(data)
    except HubError:
        if sends:
            return Kind(intake=True)
        raise
    if bundle["type"] == "transaction":
        entries = bundle.get("entry")
        if sends and not (_well_formed(entries) and all(_may_write(actor, entry) for entry in entries)):
            return Kind(intake=True)
        if _well_formed(entries) and any(map(_tells_of_a_visit, entries)):
            if not sends:
                raise Forbidden("A transaction that tells of a visit needs the scope ingest.")
            return Kind(intake=True)
    # Relative, so that a fullUrl and a reference to it are the same text, whichever way a client writes them.
    base = f"{fhir_base}/"
    return Kind(intake=False, bundle=_relative(bundle, base) if base.encode() in data else bundle)


def _bundle(data: bytes) -> Resource:
    found: Any = json.loads(data)
    if not isinstance(found, dict) or found.get("resourceType") != "Bundle":
        raise BadRequest("A Bundle is expected.", path="Bundle.resourceType")
    if found.get("type") not in {"batch", "transaction"}:
        raise BadRequest("A batch or a transaction is expected.", path="Bundle.type")
    return found


def _well_formed(entries: Any) -> TypeGuard[list[Resource]]:
    """Whether there are entries, and each says what is asked."""
    return bool(entries) and isinstance(entries, list) and all(map(_is_request, entries))


def _is_request(entry: Any) -> bool:
    parts = (entry, entry.get("request"), entry.get("resource", {})) if isinstance(entry, dict) else (None,)
    return all(isinstance(part, dict) for part in parts)


def _may_write(actor: Actor, entry: Resource) -> bool:
    """Whether the caller could write the entry as it is; a sender that could not has something to tell."""
    kind = entry.get("resource", {}).get("resourceType")
    letter = _LETTER.get(entry["request"].get("method"))
    return letter is None or kind not in ALL or allows(actor, kind, letter)


def _tells_of_a_visit(entry: Resource) -> bool:
    """Whether an entry writes what only the hub itself writes, from what a hospital tells."""
    method = entry["request"].get("method")
    kind = entry.get("resource", {}).get("resourceType")
    spec = ALL.get(kind) if isinstance(kind, str) else None
    if method not in _LETTER:
        return False
    if kind in _BY_NAME:
        return bool(method == "POST")
    return spec is None or "create" not in spec.interactions


def _relative(value: Any, base: str) -> Any:
    if isinstance(value, dict):
        return {name: _relative(inner, base) for name, inner in value.items()}
    if isinstance(value, list):
        return [_relative(inner, base) for inner in value]
    return value.removeprefix(base) if isinstance(value, str) else value
