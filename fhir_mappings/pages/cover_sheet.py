"""The page that lies on top of what is faxed or handed over. It names nobody: a fax may come out anywhere.

It says who asks whom for what, by when, how to answer, and what must be said with records under 42 CFR Part 2.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fhir_mappings.pages.paper import Block, Lines, Pairs, Paper, Sheet, plain

_BLANK: Final = "________________"
_WRONG: Final = (
    "If this reached you by mistake: do not read on, do not copy it, call the number above, and destroy all pages."
)
_ANSWERS: Final = ("[  ]  We take the person", "[  ]  We can't, because", "[  ]  Call us")


@dataclass(frozen=True, slots=True)
class Cover:
    """What stands on it."""

    partner: str
    """Name of the organisation that is asked."""
    number: str
    """Where it is sent or called; empty: not known."""
    hospital: str
    call_back: str
    """Phone number for the answer; empty: filled in by hand."""
    need: str
    """What is asked for, in words."""
    due_by: str
    """Local time by which an answer is needed."""
    reference: str
    """By which the hospital finds the referral."""
    packet_follows: bool
    made: str
    """When, as FHIR instant."""
    notices: Sequence[str] = ()
    """What must be said with records that follow."""


def cover_paper(cover: Cover) -> Paper:
    """The cover sheet, whole in itself."""
    follows = "The referral follows." if cover.packet_follows else "No record follows. Call for what you need to know."
    rows = (
        ("To", cover.partner),
        ("Number", cover.number),
        ("From", cover.hospital),
        ("Call back", cover.call_back),
        ("Asked for", cover.need),
        ("Answer by", cover.due_by),
        ("Reference", cover.reference),
        ("Pages", follows),
    )
    asked: list[Block] = [Pairs(tuple((name, plain(text) or _BLANK) for name, text in rows))]
    asked += [Lines((plain(text),), strong=True) for text in cover.notices]
    answer = (Lines(_ANSWERS), Pairs((("Name, number and time", _BLANK),)), Lines((_WRONG,)))
    return Paper(
        "Confidential: referral", (Sheet("Cover sheet", tuple(asked)), Sheet("Your answer", answer)), cover.made
    )
