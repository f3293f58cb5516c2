"""What must be said with records that are disclosed (42 CFR 2.32). The words are data (schemas.packs)."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Final

from fhir_mappings.labels import Resource
from schemas.packs import base as packs
from schemas.served import to_text

_NAMES: Final = "https://throughline.org/fhir/notice"


@dataclass(frozen=True, slots=True)
class Permit:
    """What a decision permits, as far as the recipient is told."""

    basis: str | None
    """Legal reason."""
    redisclosure: str | None
    """The rule that the recipient is under."""
    until: datetime | None = None
    """When it ends by itself."""


def issues(names: Sequence[str]) -> list[Resource]:
    """The notices ``names`` in full, each followed by where the scope of the consent stands (2.32(a)(1), (b))."""
    found = [packs.notice(name) for name in names]
    return [_issue(text) for one in found for text in (one.text, one.scope)]


def _issue(text: str) -> Resource:
    return {"severity": "information", "code": "informational", "details": {"text": text}}


def outcome_entry(found: Sequence[Resource], full_url: str) -> bytes:
    """The entry of a searchset that says something about it: R4 has one kind for that, an OperationOutcome."""
    outcome = {"resourceType": "OperationOutcome", "issue": [*found]}
    return to_text({"fullUrl": full_url, "resource": outcome, "search": {"mode": "outcome"}})


@cache
def notice_entry(names: tuple[str, ...]) -> bytes:
    """``outcome_entry`` of the notices ``names``; the same bytes each time."""
    url = uuid.uuid5(uuid.NAMESPACE_URL, f"{_NAMES}/{'+'.join(names)}").urn
    return outcome_entry(issues(names), url)


def scope(permits: Sequence[Permit], *, consent_goes: bool) -> list[str]:
    """What the recipient may do with records, in sentences, each once (2.32(b), 2.33(b)).

    Args:
        permits: of the decisions that the records go under.
        consent_goes: whether the consents go with them and speak for themselves.
    """
    said = [] if consent_goes else [text for one in permits for text in _ground(one)]
    said += [packs.redisclosure(one.redisclosure) for one in permits if one.redisclosure is not None]
    return list(dict.fromkeys(said))


def _ground(permit: Permit) -> list[str]:
    text = packs.ground(permit.basis) if permit.basis is not None else None
    if text is None:
        return []
    return [text, *([f"It permits that until {permit.until.isoformat()}."] if permit.until is not None else [])]
