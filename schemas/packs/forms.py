"""Consent forms as data: ``form.<language>.json`` of each policy pack. A language is a file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from schemas.packs.base import RecipientKind

_HERE: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class FormSection:
    """One element of the form; its lines hold the names of what is filled in, in braces."""

    number: str
    heading: str
    source: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FormTexts:
    """The words of one form in one language."""

    form: str
    """URI by which a consent names it."""
    title: str
    choice: str
    """What the patient does with the list of recipients."""
    sections: tuple[FormSection, ...]
    purposes: Mapping[str, str]
    """v3-ActReason code to its words."""
    kinds: Mapping[RecipientKind, str]
    redisclosure: Mapping[RecipientKind, str]


def form_texts(pack: str, language: str) -> FormTexts | None:
    """The form of a pack in a language (``en``); None where nobody has written it."""
    path = _HERE / pack / f"form.{language}.json"
    if not (language.isalnum() and path.is_file()):
        return None
    held: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    sections = tuple(FormSection(**{**one, "lines": tuple(one["lines"])}) for one in held.pop("sections"))
    return FormTexts(sections=sections, **held)
