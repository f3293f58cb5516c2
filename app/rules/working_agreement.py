"""What an agreement between two organisations does to a decision of consent: it may make it less, never more. Pure."""

from typing import Final

from app.rules.consent import ConsentDecision, Level
from app.rules.verdict import Reason

NARROWS: Final = "agreement-narrows"
_LEVELS: Final[tuple[Level, ...]] = ("nothing", "offer", "packet")
_TEXT: Final = "the two organisations have agreed that less is shown than could be"
_CURE: Final = "agree on more, and put the new version on file: throughline agreement keep"


def narrowed(decision: ConsentDecision, most: Level) -> ConsentDecision:
    """The decision, or where it permits more than ``most``, a refusal of the rest with its reason."""
    if _LEVELS.index(decision.level) <= _LEVELS.index(most):
        return decision
    return ConsentDecision((Reason(NARROWS, _TEXT),), most, None, cure=(_CURE,))
