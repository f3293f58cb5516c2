"""Which elements of 42 CFR 2.31(a) a consent lacks. Pure; the day is an argument.

A consent arrives as a few facts about a paper that was signed. What the facts don't say, the paper may: a form that is
named, or a signed document that is known by its hash, states the elements of ``STATED_BY_FORM``. That a form is one
for Part 2 is declared by whoever names it; what it is known to want goes into ``lacks``, which beats all.
"""

from collections.abc import Callable
from datetime import date
from typing import Final

from schemas.discharge import ConsentGiven
from schemas.packs.wordings import class_of

__all__ = ["ELEMENTS", "STATED_BY_FORM", "class_of", "missing_elements"]

ELEMENTS: Final = {
    "1": "the name of the patient",
    "2": "who may disclose",
    "3": "what may be disclosed",
    "4": "who may receive it: a name, or a class of recipients",
    "5": "the purpose",
    "6": "the right to revoke, and how",
    "7": "the date or event on which it expires",
    "8": "the signature",
    "9": "the date of signature",
    "10": "what may become of the record, and the consequences of refusing to sign",
}
"""The paragraphs of 42 CFR 2.31(a), by number."""
STATED_BY_FORM: Final = frozenset({"3", "6", "7", "8", "10"})
"""What a signed form says by being that form: its printed text (3, 6, 10), an expiry that is an event or none (7), and
the signature on it (8). Whom it names, what for and when it was signed are filled in by hand, so it must be told."""
_TEN_FROM: Final = date(2026, 2, 16)
"""Compliance date of 89 FR 12472, which added (10): an older consent stands without it."""

_TOLD: Final[dict[str, Callable[[ConsentGiven], bool]]] = {
    # Who the patient is, and that the hospital discloses, is said by the message that brings the consent.
    "1": lambda _: True,
    "2": lambda _: True,
    "3": lambda consent: consent.information is not None,
    "4": lambda consent: bool(consent.recipients or consent.classes),
    # ConsentGiven: treatment where no purpose is told.
    "5": lambda _: True,
    "6": lambda _: False,
    "7": lambda consent: consent.expires_at is not None,
    "8": lambda consent: consent.signed_by is not None,
    "9": lambda consent: consent.signed_at is not None,
    "10": lambda _: False,
}


def missing_elements(consent: ConsentGiven, *, on: date) -> tuple[str, ...]:
    """The numbers of 42 CFR 2.31(a) that the consent lacks, in the order of the law; empty when it is whole.

    Args:
        consent: the consent as it was told.
        on: the day on which it was signed; where that is not known, the day on which one asks. An element that the law
            demands of newer consents only is demanded by it.
    """
    formed = consent.form is not None or consent.document_hash is not None
    return tuple(number for number in ELEMENTS if _demanded(number, on) and _lacks(consent, number, formed=formed))


def _demanded(number: str, on: date) -> bool:
    return number != "10" or on >= _TEN_FROM


def _lacks(consent: ConsentGiven, number: str, *, formed: bool) -> bool:
    if number in consent.lacks:
        return True
    return not (_TOLD[number](consent) or (formed and number in STATED_BY_FORM))
