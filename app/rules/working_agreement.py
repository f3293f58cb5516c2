"""What an agreement between two organisations does to a decision of consent: it may make it less, never more. Pure."""

from collections.abc import Sequence
from datetime import date
from typing import Final

from app.rules.consent import ConsentDecision, Level
from app.rules.verdict import Reason
from schemas.working_agreement import WorkingAgreement

NARROWS: Final = "agreement-narrows"
_LEVELS: Final[tuple[Level, ...]] = ("nothing", "offer", "packet")
_TEXT: Final = "the two organisations have agreed that less is shown than could be"
_CURE: Final = "agree on more, and put the new version on file: throughline agreement keep"


def holding(versions: Sequence[WorkingAgreement], on: date) -> WorkingAgreement | None:
    """The version that holds on a day, of those of one pair, the newest last; None where none does.

    A version replaces the one before it on its first day, not on the day on which it is put on file: until then less
    is shown where the two have agreed on less. What was replaced does not come back.
    """
    begun = next((one for one in reversed(versions) if one.starts_on <= on), None)
    return begun if begun is not None and begun.in_force(on) else None


def turns(versions: Sequence[WorkingAgreement], after: date) -> list[date]:
    """The days after a day on which another version may hold, or none any more; the first first."""
    days = {day for one in versions for day in (one.starts_on, one.ends_on) if day is not None and day > after}
    return sorted(days)


def narrowed(decision: ConsentDecision, most: Level) -> ConsentDecision:
    """The decision, or where it permits more than ``most``, a refusal of the rest with its reason."""
    if _LEVELS.index(decision.level) <= _LEVELS.index(most):
        return decision
    return ConsentDecision((Reason(NARROWS, _TEXT),), most, None, cure=(_CURE,))
