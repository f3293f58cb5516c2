"""A partner in eight questions: what is asked for first, read from short answers. The rest stays unknown."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple, get_args

from app.core import json
from app.core.errors import BadRequest, Issue
from app.services.hub import Hub
from app.services.partners import registration
from schemas.discharge import NeedKind
from schemas.facets import ATTESTATION_HOLDS
from schemas.hours import WEEKDAYS

Fields = dict[str, Any]
_DAYS: Final = "|".join(WEEKDAYS)
_SPAN: Final = re.compile(rf"({_DAYS})(?:-({_DAYS}))?\s+(\d\d:\d\d)\s*-\s*(\d\d:\d\d)")
_WAYS: Final = ("poll", "subscribe", "push", "portal", "manual", "sms", "fax", "email")
"""A text message or a fax is a person's work until somebody vouches for a number, see ``schemas.receiving``."""
_OF_A_PHONE: Final = re.compile(r"[-0-9+().x/#]+|phone:?|tel:?|ext\.?", re.IGNORECASE)
_TRI: Final = frozenset({"yes", "no", "unknown"})
_DRUGS: Final = frozenset({"methadone", "buprenorphine", "naltrexone"})


class Question(NamedTuple):
    """One question: the key of its answer in a file, what is asked, and what the answer becomes."""

    key: str
    text: str
    read: Callable[[str], Fields]


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[\s,;]+", text.strip()) if word]


def _takes(text: str) -> Fields:
    words = _words(text.lower())
    needs, products = ([word for word in words if word in known] for known in (frozenset(get_args(NeedKind)), _DRUGS))
    if not needs or len(needs) + len(products) < len(words):
        raise ValueError(f"needs of {', '.join(get_args(NeedKind))}; medications of {', '.join(sorted(_DRUGS))}")
    return {"needs": needs, "products": products}


def _legal(text: str) -> Fields:
    words = frozenset(_words(text.lower()))
    if not words <= {"covered-entity", "part2-program", "neither"}:
        raise ValueError("covered-entity, part2-program, both, or neither")
    return {"covered_entity": "covered-entity" in words, "part2_program": "part2-program" in words}


def _hours_of(text: str) -> list[Fields]:
    """``mon-fri 06:00-11:00, sat 06:00-09:00`` as entries of a profile."""
    found = []
    for span in (part.strip().lower() for part in re.split(r"[,;]", text) if part.strip()):
        match = _SPAN.fullmatch(span)
        if match is None:
            raise ValueError("hours such as: mon-fri 06:00-11:00, sat 06:00-09:00")
        first, last, opens, closes = match.groups()
        start, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
        if end < start:
            raise ValueError("days in the order of the week: mon to sun")
        found.append({"days": [*WEEKDAYS[start : end + 1]], "opens": opens, "closes": closes})
    return found


def _intake(text: str) -> Fields:
    zone, _, hours = text.strip().partition(" ")
    return {"time_zone": zone, **({"intake_hours": _hours_of(hours)} if hours.strip() else {})}


def _dosing(text: str) -> Fields:
    return {"dosing_hours": _hours_of(text)}


def _tri(facet: str) -> Callable[[str], Fields]:
    def read(text: str) -> Fields:
        if text.strip().lower() not in _TRI:
            raise ValueError("yes, no or unknown")
        return {"facets": {facet: text.strip().lower()}}

    return read


def _reached(text: str) -> Fields:
    words = _words(text)
    ways = [word.lower() for word in words if word.lower() in _WAYS]
    rest = [word for word in words if word.lower() not in _WAYS]
    if not any(character.isdigit() for character in "".join(rest)) or not all(
        _OF_A_PHONE.fullmatch(one) for one in rest
    ):
        raise ValueError(f"ways of {', '.join(_WAYS)}, and a phone number")
    return {"receives_by": ways, "phone": " ".join(rest)}


QUESTIONS: Final = (
    Question(
        "takes", "What do you take people for, and which medications do you have? (needs and medications)", _takes
    ),
    Question(
        "legal", "Are you a HIPAA covered entity, a Part 2 program? (covered-entity part2-program, neither)", _legal
    ),
    Question("intake", "Your time zone, and when can people come for an intake? (zone mon-fri 06:00-11:00)", _intake),
    Question("dosing", "When are doses given, weekends included? (mon-sat 05:30-11:30; empty: none)", _dosing),
    Question(
        "no_photo_id", "Do you take people without a photo identification? (yes, no)", _tri("no-photo-id-required")
    ),
    Question("benzodiazepines", "Do you take people who use benzodiazepines? (yes, no)", _tri("benzodiazepines")),
    Question("pregnancy", "Do you take pregnant people? (yes, no)", _tri("pregnancy")),
    Question("reached", "How do you learn of a referral, and on which phone? (portal 555-0100)", _reached),
)
"""In the order in which they are asked; an empty answer leaves it unknown."""


def answers_of(data: bytes) -> dict[str, str]:
    """Answers from a file: one JSON object of texts. Raises BadRequest, naming a key that is no question."""
    found = json.loads(data)
    known = {"name", "by", *(one.key for one in QUESTIONS)}
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise BadRequest("An answers file is one JSON object of texts.")
    unknown = sorted(set(found) - known)
    if unknown:
        raise BadRequest(f"No question is called {', '.join(unknown)}: there are {', '.join(sorted(known))}.")
    return found


def profile_of(answers: Mapping[str, str], now: datetime) -> Fields:
    """The profile that answers come to, as a partner file has it.

    Args:
        answers: of the eight questions by key, and ``name`` of the partner and ``by``, who answered.
        now: when.

    Raises:
        BadRequest: a name or who answered is missing, or an answer can't be read; each is named.
    """
    missing = [key for key in ("name", "by") if not answers.get(key, "").strip()]
    if missing:
        raise BadRequest(f"{' and '.join(missing)}: a partner has a name, and somebody answered.")
    profile: Fields = {"name": answers["name"].strip()}
    facets: dict[str, str] = {}
    issues = []
    for question in QUESTIONS:
        text = answers.get(question.key, "").strip()
        if not text:
            continue
        try:
            fields = question.read(text)
        except ValueError as error:
            issues.append(Issue("value", f"expected {error}", question.key))
            continue
        facets |= fields.pop("facets", {})
        profile |= fields
    if issues:
        raise BadRequest("; ".join(f"{one.path}: {one.text}" for one in issues), issues=tuple(issues))
    expires = (now + ATTESTATION_HOLDS).date().isoformat()
    attested = {"attested_by": answers["by"].strip(), "attested_at": now.isoformat(), "expires": expires}
    return {**profile, "facets": {name: {"value": value, **attested} for name, value in facets.items()}}


async def set_up(hub: Hub, answers: Mapping[str, str]) -> registration.Partner:
    """Register a partner by its answers, or change the one of that name; what it is not asked for stays as it is.

    Raises BadRequest as ``profile_of`` does.
    """
    fields = profile_of(answers, hub.clock.now())
    known = (await hub.store.accounts.directory()).partners.values()
    before = next((one for one in known if one.name == fields["name"]), None)
    kept = before.model_dump(mode="json") if before else {}
    merged = {**kept, **fields, "facets": {**kept.get("facets", {}), **fields["facets"]}}
    (made,) = await registration.import_partners(hub, json.dumps([merged]))
    return made
