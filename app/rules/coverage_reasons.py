"""Why the clock shows what it shows: codes, each with one sentence."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

from app.rules.coverage_inputs import METHADONE, CoverageInput, implausible_schedule
from app.rules.verdict import Reason

TIMED: Final = ("more-than-7-days", "within-7-days", "within-72-hours", "within-24-hours")
"""By the thresholds that are reached."""
_TEXTS: Final[Mapping[str, str]] = {
    "no-last-dose": "no usable last dose: at least asap, stat for methadone",
    "more-than-7-days": "covered for more than 7 days",
    "within-7-days": "the cover ends within 7 days",
    "within-72-hours": "the cover ends within 72 hours",
    "within-24-hours": "the cover ends within 24 hours or has ended",
    "escalated": "raised by one level by the flags that escalate",
    "left-against-advice": "left against advice is stat",
    "date-only": "only the day of the last dose is known: counted from 00:00 local",
    "unverified-dose": "the last dose is told, not confirmed",
    "unfilled-prescription": "a prescription that is not known to be filled counts as no supply",
    "schedule-implausible": "the stated time between doses can't be that of a daily medication: counted as once a day",
    "bridge-size-unknown": "a supply of unknown size counts as none",
    "supply-starts-late": "a supply that begins after a day without any counts as none",
    "methadone-not-prescribable": "methadone for opioid use disorder can't be prescribed (21 CFR 1306.07(a))",
    "ordered-date": "the date that the prescriber ordered outranks the window of the label",
    "first-dose": "after a first injection no tolerance is added to the due date",
    "tolerance-not-relied-on": "which injection it was is not known: from the due date on a gap is possible",
    "earlier-dose-used": "the newest dose can't have been given yet: the one before it counts",
    "implausible-last-dose": "a last dose is told that can't have been given yet, or too long before the person left",
    "conflicting-last-dose": "two sources tell different times of the last dose: the cover ends by the earlier one",
    "dose-after-discharge": "a dose after the discharge is charted: the cover ends by the dose before it",
    "interleaved-products": "two products are given in turn: the cover ends by the one that ends first",
    "supply-contradicted": "a supply was handed over and is said not to be in hand: it counts as none",
    "dosing-owner-unknown": "nobody is named who gives the next doses",
}
CODES: Final = frozenset(_TEXTS)
"""Every code that ``reasons`` gives."""


def reasons(
    inputs: CoverageInput, first: str, *, closed: bool, raised: bool, late: bool, more: Iterable[str]
) -> tuple[Reason, ...]:
    """The reasons, beginning with ``first``; each code once.

    Args:
        inputs: what was read.
        first: the code of the threshold, or ``no-last-dose``.
        closed: no open hour is left.
        raised: some circumstance escalates.
        late: a supply begins too late to count.
        more: codes of what the windows and readings came to.
    """
    codes = (
        first,
        *_circumstances(inputs, raised=raised or closed),
        *(_supply(inputs, late=late)),
        *more,
        *inputs.doubts,
    )
    return tuple(Reason(code, _TEXTS[code]) for code in dict.fromkeys(codes))


def _circumstances(inputs: CoverageInput, *, raised: bool) -> Iterator[str]:
    from_day = inputs.last_dose is not None and not isinstance(inputs.last_dose, datetime)
    if inputs.disposition == "aadvice":
        yield "left-against-advice"
    elif raised:
        yield "escalated"
    if from_day:
        yield "date-only"
    elif inputs.last_dose is not None and not inputs.verified:
        yield "unverified-dose"


def _supply(inputs: CoverageInput, *, late: bool) -> Iterator[str]:
    if not inputs.daily:
        return
    if implausible_schedule(inputs):
        yield "schedule-implausible"
    methadone = inputs.product_class == METHADONE
    if any(bridge.kind == "prescribed" and (methadone or bridge.filled != "yes") for bridge in inputs.in_hand):
        yield "methadone-not-prescribable" if methadone else "unfilled-prescription"
    if any(bridge.days is None and bridge.doses is None for bridge in inputs.in_hand):
        yield "bridge-size-unknown"
    if late:
        yield "supply-starts-late"
