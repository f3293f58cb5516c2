"""What a hospital and a partner have agreed, as decisions about a referral ask for it."""

from collections.abc import Iterator
from datetime import date

from app.rules.consent import ConsentDecision
from app.rules.consent_flaws import Direction
from app.rules.working_agreement import holding, narrowed, turns
from app.store.accounts import Directory
from app.store.working_agreements import Pair
from schemas.discharge import Priority


def answer_minutes(directory: Directory, pair: Pair, need: str, priority: Priority, on: date) -> int | None:
    """Within how many minutes of its intake hours the partner has agreed to answer; None: nothing is agreed of that."""
    found = holding(directory.agreed.get(pair, ()), on)
    return found.minutes_for(need, priority) if found else None


def as_agreed(
    directory: Directory, pair: Pair, direction: Direction, decision: ConsentDecision, on: date
) -> ConsentDecision:
    """A decision of consent, made less where the two have agreed on less."""
    found = holding(directory.agreed.get(pair, ()), on)
    if found is None:
        return decision
    return narrowed(decision, found.disclosure.to_hospital if direction == "back" else found.disclosure.to_partner)


def turning_points(directory: Directory, pair: Pair, on: date) -> Iterator[date]:
    """Days after a day on which agreements of the two, with each other or with the hub, may permit something else."""
    yield from turns(directory.agreed.get(pair, ()), on)
    if directory.agreements_required:
        for organization in pair:
            for one in directory.agreements.get(organization, ()):
                yield from (day for day in (one.signed_on, one.ends_on) if day is not None and day > on)
