"""What is done next for one Task at its partner's own server, and what becomes of a request that failed. Pure.

Times in microseconds. How often a server is asked follows Gravity SDOH Clinical Care 3.0.0 (checking_task_status.md):
not more often than every fifteen minutes, unless it is urgent. The other numbers are the hub's own.
"""

from dataclasses import dataclass
from typing import Final, Literal

from app.rules import lifecycle, notifying
from schemas.partner_server import CancelStyle

Step = Literal["create", "find", "update", "take-back", "rest", "end"]
Outcome = Literal["again", "parked"]
_MINUTE: Final = 60 * notifying.SECOND
ROUTINE_PAUSE: Final = 15 * _MINUTE
URGENT_PAUSE: Final = _MINUTE
_URGENT: Final = frozenset({"urgent", "asap", "stat"})
_LONGEST_WAIT: Final = 3600
_MAY_PASS: Final = {"status-401": 2, "status-403": 2, "status-404": 3, "status-409": 5, "status-412": 5}
"""Refusals that another attempt may cure (a token that has ended, a version that somebody else was quicker with), and
after how many attempts nobody believes that any more."""
_NO_TRANSACTION: Final = frozenset({f"status-{status}" for status in (400, 404, 405, 413, 422, 501)})
"""What servers answer to a transaction that they don't take: unknown, too long, or with conditions that they lack."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one Task stands, here and there."""

    ours: str
    """Status of the hub's Task."""
    theirs: str | None
    """Status of the Task there; None: none is known there."""
    begun: bool
    """A request that may have made it has left."""
    news: bool
    """What the partner may see is something else than what was given last."""
    taken_back: bool
    """It was told that the request is taken back."""


def next_step(at: Standing) -> Step:
    """What to do now. What nobody was given is not given any more once the request is over."""
    over = at.ours in lifecycle.TERMINAL
    if at.theirs is None:
        if not over:
            return "create"
        return "find" if at.begun else "end"
    if at.theirs in lifecycle.TERMINAL or at.ours in lifecycle.TERMINAL - {"cancelled", "entered-in-error"}:
        return "end"
    if over:
        return "rest" if at.taken_back else "take-back"
    return "update" if at.news else "rest"


def asks_to_abort(style: CancelStyle, theirs: str) -> bool:
    """Whether a Task of its own asks to abort: who has begun is asked, before that the Task itself is cancelled.

    Clinical Order Workflows 1.0.0-ballot, cancelling-and-modifying-requests.md.
    """
    return style == "abort" and theirs in {"in-progress", "on-hold"}


def pause_of(priority: str) -> int:
    """How long until the server is asked again."""
    return URGENT_PAUSE if priority in _URGENT else ROUTINE_PAUSE


def after_failure(reason: str, attempts: int, failing_since: int | None, now: int, *, refused: bool) -> Outcome:
    """Whether a request that failed for the ``attempts``-th time is made again, or a person must look."""
    if reason in _MAY_PASS:
        return "again" if attempts < _MAY_PASS[reason] else "parked"
    if refused or notifying.gives_up(now, failing_since):
        return "parked"
    return "again"


def part_by_part(reason: str) -> bool:
    """Whether a transaction that was refused may be taken one resource after the other: nothing of it was written."""
    return reason in _NO_TRANSACTION


def wait(attempts: int, chance: float, retry_after: int | None) -> int:
    """Until the next attempt: as ever, or as many seconds as the server asks for, at most an hour."""
    asked = min(retry_after or 0, _LONGEST_WAIT) * notifying.SECOND
    return max(notifying.pause(attempts, chance), asked)
