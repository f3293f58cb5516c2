"""The consent form that a patient signs, filled in with what is known: choice, alternates, both directions, the hub.

The words are data (``schemas.packs``), each with its source; what the hospital alone can say is left blank.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from html import escape
from typing import Any, Final

from app.core.errors import BadRequest
from app.rules.consent import kind_of
from app.rules.consent_flaws import Party
from app.services.hub import Hub
from app.services.referral.parties import party_of
from app.store.accounts import Directory
from schemas.packs.forms import FormSection, FormTexts, form_texts

PACK: Final = "us-part2-2024"
_BLANK: Final = "_" * 40
_TICK: Final = "[ ]"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the form is to say."""

    sender: str
    choice: str
    """Name of the partner that the patient chose."""
    alternates: Sequence[str] = ()
    """Names of those that may be asked instead, in order."""
    purposes: Sequence[str] = ("TREAT",)
    expires: str = ""
    """Date or event."""
    revoke_to: str = ""
    """To whom a revocation is written."""
    refusing: str = ""
    """The consequences of refusing to sign."""
    language: str = "en"


@dataclass(frozen=True, slots=True)
class ConsentForm:
    """A form that is ready to be signed."""

    form: str
    title: str
    language: str
    sections: tuple[FormSection, ...]
    consent: dict[str, Any]
    """What ``consent record`` takes once it is signed, the date of signature still to be told."""


async def filled(hub: Hub, wanted: Wanted) -> ConsentForm:
    """The form for one hospital, filled in.

    Raises BadRequest for a sender, a partner, a purpose or a language that is not known here.
    """
    directory = await hub.registry.current()
    sender = directory.senders.get(wanted.sender)
    if sender is None:
        raise BadRequest("No sender of this id is registered.", path="--sender")
    texts = form_texts(PACK, wanted.language)
    if texts is None:
        raise BadRequest("There is no form in this language.", path="--language")
    for purpose in wanted.purposes:
        if purpose not in texts.purposes:
            raise BadRequest(f"A purpose is one of {', '.join(texts.purposes)}.", path="--purpose")
    today = hub.clock.now().astimezone(sender.zone()).date()
    parties = [_party(directory, name, today) for name in (wanted.choice, *wanted.alternates)]
    words = {
        "hospital": directory.names[sender.organization],
        "hub": directory.names[directory.hub],
        "purposes": ", ".join(texts.purposes[one] for one in wanted.purposes),
        "expires": wanted.expires or _BLANK,
        "revoke_to": wanted.revoke_to or _BLANK,
        "refusing": wanted.refusing or _BLANK,
        "blank": _BLANK,
        "tick": _TICK,
    }
    consent = {
        "recipients": [one.name for one in parties],
        "both_directions": True,
        "purposes": list(wanted.purposes),
        "form": texts.form,
        "signed_at": None,
        "signed_by": "patient",
    }
    return ConsentForm(texts.form, texts.title, wanted.language, tuple(_sections(texts, words, parties)), consent)


def _party(directory: Directory, name: str, on: date) -> Party:
    found = (key for key, profile in directory.partners.items() if profile.name.casefold() == name.strip().casefold())
    organization = next(found, None)
    if organization is None:
        raise BadRequest("No partner of this name is registered.", path="--patient-choice, --alternate")
    return party_of(directory, organization, on)


def _sections(texts: FormTexts, words: Mapping[str, str], parties: Sequence[Party]) -> Iterator[FormSection]:
    for section in texts.sections:
        lines: list[str] = []
        for line in section.lines:
            lines += _recipients(texts, parties) if line == "{recipients}" else [line.format(**words)]
        yield FormSection(section.number, section.heading, section.source, tuple(lines))


def _recipients(texts: FormTexts, parties: Sequence[Party]) -> list[str]:
    told = [texts.choice]
    for rank, party in enumerate(parties, start=1):
        kind = kind_of(party)
        told.append(f"{_TICK} {rank}. {party.name}: {texts.kinds[kind]}. {texts.redisclosure[kind]}")
    return told


def as_text(form: ConsentForm) -> str:
    """The form for a printer that knows letters only."""
    parts = [f"{form.title}\n{form.form}"]
    for one in form.sections:
        lines = "\n".join(f"   {line}" for line in one.lines)
        parts.append(f"{one.number}. {one.heading} ({one.source})\n{lines}")
    return "\n\n".join(parts) + "\n"


def as_html(form: ConsentForm) -> str:
    """The form as one page without anything from elsewhere."""
    sections = "\n".join(
        f"<section><h2>{one.number}. {escape(one.heading)} <small>{escape(one.source)}</small></h2>"
        + "".join(f"<p>{escape(line)}</p>" for line in one.lines)
        + "</section>"
        for one in form.sections
    )
    return (
        f'<!doctype html>\n<html lang="{escape(form.language)}"><head><meta charset="utf-8">'
        f"<title>{escape(form.title)}</title></head>\n<body><h1>{escape(form.title)}</h1>\n{sections}\n"
        f"<footer><small>{escape(form.form)}</small></footer></body></html>\n"
    )


def as_json(form: ConsentForm) -> str:
    """The form for a program."""
    return json.dumps(asdict(form), ensure_ascii=False, indent=2) + "\n"
