"""The page that lies on top of what a person faxes or hands over. It names nobody: a fax may come out anywhere.

It says who asks whom for what, by when, how to answer, and what must be said with records under 42 CFR Part 2.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

_STYLE: Final = (
    "body{font:12pt/1.4 sans-serif;margin:2rem;max-width:42rem}h1{font-size:18pt}dl{display:grid;"
    "grid-template-columns:12rem 1fr;gap:.4rem}dt{font-weight:bold}dd{margin:0}p.notice{border:2px solid;padding:.6rem}"
    "p.fill{border-bottom:1px solid #777;height:1.6rem}@media print{body{margin:0}}"
)
_WRONG: Final = (
    "If this reached you by mistake: do not read on, do not copy it, call the number above, and destroy all pages."
)


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
    notices: Sequence[str] = ()
    """What must be said with records that follow."""


def page(cover: Cover) -> str:
    """One HTML page, whole in itself: no script, nothing fetched."""
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
    told = "".join(f"<dt>{name}</dt><dd>{escape(text) or '________________'}</dd>" for name, text in rows)
    notices = "".join(f'<p class="notice">{escape(text)}</p>' for text in cover.notices)
    answers = "".join(f"<p>&#9744; {text}</p>" for text in ("We take the person", "We can't, because", "Call us"))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>Cover sheet</title><style>{_STYLE}</style></head><body><h1>Confidential: referral</h1>"
        f"<dl>{told}</dl>{notices}<h2>Your answer</h2>{answers}"
        '<p>Name, number and time:</p><p class="fill"></p>'
        f"<p>{_WRONG}</p></body></html>\n"
    )
