"""A ride follows the appointment that it is for: it waits for one, and ends when that does not take place."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from app.rules import lifecycle, spoken, steps
from app.rules.codings import codes_in
from app.rules.rides import TRANSPORT
from app.services.referral.appointments import Ride
from app.services.referral.referral_work import Work
from app.services.referral.situation import Reason
from app.services.writing import Resource
from schemas.codes.local import STATUS_REASON
from schemas.stub import Child, NeedLink

_NO_APPOINTMENT: Final[Reason] = (
    "ride-without-appointment",
    "A ride is wanted, and no appointment is known or can still be told by a partner: name it.",
)

_UNCONFIRMED: Final[Reason] = (
    "ride-unconfirmed",
    "A ride is at another time than the one for which it was accepted: ask whoever drives whether they still can.",
)


def end_cancelled(work: Work) -> None:
    """Who was asked to drive to an appointment that does not take place is told so."""
    if work.ride is None:
        work.apply_to_all(steps.on_appointment_cancelled, only=lambda source: _was_tied(work, source))


def _was_tied(work: Work, source: Resource) -> bool:
    need = next(one for one in work.link.needs if one.task == source["id"])
    request = work.task(need.service_request)
    return need.need == TRANSPORT and source["status"] not in lifecycle.TERMINAL and "occurrenceDateTime" in request


def opens(work: Work, kind: str) -> bool:
    """Whether a need that has no source gets one; after a ride that was called off, only for a new appointment."""
    return kind != TRANSPORT or work.ride is not None or not any(map(partial(_called_off, work), work.link.former))


def _called_off(work: Work, need: NeedLink) -> bool:
    codes = codes_in(work.task(need.task).get("statusReason"), STATUS_REASON)
    return need.need == TRANSPORT and "appointment-cancelled" in codes


def awaits(work: Work, need: NeedLink) -> bool:
    """Whether nobody is asked yet: it is a ride, and no appointment is ahead."""
    if need.need != TRANSPORT or any(work.task(one.task)["status"] in lifecycle.ENGAGED for one in need.children):
        return False
    return work.ride is None or work.ride.at <= work.now.now


def asked_again(work: Work) -> None:
    """Who has taken a ride that is at another time since is asked anew: silence is no yes."""
    ride = work.ride
    if ride is None:
        return
    for need in work.link.needs:
        for child in need.children if need.need == TRANSPORT else ():
            if work.task(child.task)["status"] in lifecycle.ENGAGED:
                _asked_again(work, child, ride)


def _asked_again(work: Work, child: Child, ride: Ride) -> None:
    if child.ride_at not in {None, ride.at}:
        work.put(spoken.with_mark(work.task(child.task), spoken.TIME_CHANGED))
    child.ride_at = ride.at
    if spoken.mark_of(work.task(child.task)) == spoken.TIME_CHANGED and ride.at > work.now.now:
        work.result.attention.append(_UNCONFIRMED)


def in_the_way(work: Work) -> Sequence[Reason]:
    """Why a person must look at a ride that waits; nothing while a partner can still tell an appointment."""
    others = (one for one in work.link.needs if one.need != TRANSPORT)
    expected = any(work.task(one.task)["status"] not in lifecycle.TERMINAL for one in others)
    return [] if expected or work.ride is not None else [_NO_APPOINTMENT]
