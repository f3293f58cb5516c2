"""When a partner that is told by a person must have answered, and how often a machine tries to tell one. Pure."""

from datetime import datetime, timedelta
from typing import Final

from app.rules.hours import Calendar
from schemas.partner import PartnerProfile

_WAITS: Final = (30, 60, 120, 240, 480)
"""Seconds between attempts: after a quarter of an hour a person does it, since the medication does not wait."""


def due_by(profile: PartnerProfile | None, asked: datetime, minutes: int) -> datetime:
    """By when somebody who is not told by a machine must have been reached, UTC where hours count.

    Args:
        profile: of the partner; its promised minutes are counted within its intake hours, as far as both are known.
        asked: when it was asked.
        minutes: where it promises none.
    """
    if profile is None:
        return asked + timedelta(minutes=minutes)
    left = timedelta(minutes=profile.response_minutes or minutes)
    if profile.intake_hours is None or profile.zone is None:
        return asked + left
    calendar = Calendar.of(profile.intake_hours, profile.zone, profile.closed_on)
    return calendar.after(asked, left) or asked + left


def wait_after(attempts: int) -> int | None:
    """Seconds until the next attempt, after so many; None: no more, a person must do it."""
    return _WAITS[attempts - 1] if 0 < attempts <= len(_WAITS) else None
