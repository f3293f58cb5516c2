"""What one subscriber is sent next, when a failed attempt is made again, and when that ends.

Times in microseconds unless said otherwise; the present moment is an argument.
"""

from dataclasses import dataclass
from typing import Final, Literal

Step = Literal["handshake", "events", "heartbeat", "rest"]
SECOND: Final = 1_000_000
PATIENCE: Final = 72 * 3600 * SECOND
"""For so long attempts that fail are made again; then the Subscription is in error, and its owner must act."""
_FIRST_PAUSE: Final = 1
_LONGEST_PAUSE: Final = 3600
_SPREAD: Final = 0.25
"""A pause is up to a quarter longer, so that receivers of one dead server are not asked in step."""


@dataclass(frozen=True, slots=True)
class Situation:
    """Where one Subscription stands."""

    status: str
    events: int
    """The number of the last event."""
    delivered: int
    """The number of the last event that arrived."""
    due_at: int
    """Not before; 0 = at once."""
    sent_at: int
    """When anything last arrived."""
    heartbeat: int
    """Seconds; 0 = none."""


def next_step(now: int, at: Situation) -> Step:
    """What to send now. A new Subscription is greeted first; in ``error`` and ``off`` nothing is sent."""
    if at.due_at > now:
        return "rest"
    if at.status == "requested":
        return "handshake"
    if at.status != "active":
        return "rest"
    if at.events > at.delivered:
        return "events"
    beats = at.heartbeat > 0 and at.sent_at + at.heartbeat * SECOND <= now
    return "heartbeat" if beats else "rest"


def pause(attempts: int, chance: float) -> int:
    """Microseconds until the next attempt after ``attempts`` that failed: 1, 2, 4 ... seconds, at most an hour.

    ``chance`` from 0 to 1 lengthens it by up to a quarter.
    """
    seconds = min(_FIRST_PAUSE << min(attempts - 1, 16), _LONGEST_PAUSE)
    return int(seconds * (1 + _SPREAD * chance) * SECOND)


def gives_up(now: int, failing_since: int | None) -> bool:
    """Whether attempts have failed for long enough."""
    return failing_since is not None and now - failing_since >= PATIENCE


def asked_status(said: str) -> str | None:
    """The status that a Subscription has after its owner says ``said``; None = only the server says that.

    Whoever wants notifications, for the first time or again, is greeted first, so ``active`` means ``requested``.
    """
    return {"requested": "requested", "active": "requested", "off": "off"}.get(said)
