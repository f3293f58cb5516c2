"""What a hospital and a partner have agreed, as decisions about a referral ask for it."""

from datetime import date

from app.rules.consent import ConsentDecision
from app.rules.consent_flaws import Direction
from app.rules.working_agreement import narrowed
from app.store.accounts import Directory
from app.store.working_agreements import Pair
from schemas.discharge import Priority
from schemas.working_agreement import WorkingAgreement


def between(directory: Directory, hospital: str, partner: str, on: date) -> WorkingAgreement | None:
    """What the two have agreed that holds on a day; None where nothing does."""
    found = directory.agreed.get((hospital, partner))
    return found if found is not None and found.in_force(on) else None


def answer_minutes(directory: Directory, pair: Pair, need: str, priority: Priority, on: date) -> int | None:
    """Within how many minutes of its intake hours the partner has agreed to answer; None: nothing is agreed of that."""
    found = between(directory, *pair, on)
    return found.minutes_for(need, priority) if found else None


def as_agreed(
    directory: Directory, pair: Pair, direction: Direction, decision: ConsentDecision, on: date
) -> ConsentDecision:
    """A decision of consent, made less where the two have agreed on less."""
    found = between(directory, *pair, on)
    if found is None:
        return decision
    return narrowed(decision, found.disclosure.to_hospital if direction == "back" else found.disclosure.to_partner)
