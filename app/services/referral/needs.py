"""What each need of a transition but the medication runs by: its own time, and a ride the appointment that it is for.

The medication has the coverage clock, and of a guest the days. A ride must be found before its appointment; of the
others the sender says how many days after the discharge they are to be met (``need_days``), else they have no time.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, cast

from app.rules import lifecycle, rides
from app.rules.guests import ORDER
from app.rules.rides import RIDE_HOURS, TRANSPORT
from app.services.referral import guests
from app.services.referral.appointments import Ride
from app.services.referral.situation import Reason, Situation
from fhir_mappings import build
from schemas.discharge import MOUD, DischargeEvent, NeedKind

_TEXTS: Final = {
    "ride-not-found": "Nobody has taken the ride and the appointment is near: find another way to get there.",
    "ride-place-unknown": "The ride has a time, and no address is known of where to: tell whoever drives.",
    "need-overdue": "Nobody has taken it by the time that the hospital set for this need.",
}


def tied(situation: Situation, event: DischargeEvent, need: str, ride: Ride | None) -> build.Tied | None:
    """What a need runs by; None where nothing says a time."""
    if need in {ORDER, MOUD}:
        return guests.tied(situation, need)
    if need == TRANSPORT:
        if ride is None:
            return None
        hours = situation.sender.ride_hours
        by = ride.at - timedelta(hours=RIDE_HOURS if hours is None else hours)
        return build.Tied(by, rides.priority(by, situation.now), ride.stated.at, ride.place)
    days = situation.sender.need_days.get(cast("NeedKind", need))
    left = event.visit.discharged_at or situation.file.content.record.ended_at
    if days is None or not isinstance(left, datetime):
        return None
    return build.Tied(left + timedelta(days=days))


def answered_by(due: datetime, latest: datetime | None, now: datetime) -> datetime:
    """By when a partner is to answer: not after an answer would be no help any more."""
    return min(due, latest) if latest is not None and latest > now else due


def told(tied: build.Tied | None, need: str, statuses: Sequence[str], now: datetime) -> list[Reason]:
    """What a person must be told of one need.

    Args:
        tied: what it runs by.
        need: its kind.
        statuses: of everybody who was asked.
        now: an aware instant.
    """
    if tied is None or need in {ORDER, MOUD} or "completed" in statuses:
        return []
    taken = any(one in lifecycle.ENGAGED for one in statuses)
    codes = []
    if not taken and tied.by <= now:
        codes.append("ride-not-found" if need == TRANSPORT else "need-overdue")
    elif need == TRANSPORT and tied.place is None:
        codes.append("ride-place-unknown")
    return [(code, _TEXTS[code]) for code in codes]
