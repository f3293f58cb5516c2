"""Who is asked when, reminded, passed over, and when a person must be told: one need's requests against its gap. Pure.

One partner after another is the rule. What a partner promised counts in its own intake hours, so nobody is silent
while closed. Several are asked at once only where the gap (the moment at which the person's cover ends) leaves no
time for one after another. The numbers here (half the time to a reminder, three at once) are the hub's own choice.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from app.rules.hours import Calendar
from app.rules.lifecycle import ENGAGED
from app.rules.verdict import Reason, Verdict

PERSONAL: Final = frozenset({"patient-declined", "already-enrolled-elsewhere"})
"""Refusals that tell of the person, not of the place: to ask the next is no answer to them."""
_ENDED: Final = frozenset({"failed", "cancelled"})
AT_ONCE: Final = 3
"""So many partners wait for each other at most."""

_TEXTS: Final = {
    "nobody-left": "Everybody who can be asked has declined or was passed over: a person decides who is asked next.",
    "no-answer": "The time to answer has passed and nobody else can be asked: call, or choose somebody.",
    "no-slot-before-gap": "Nobody who is or can be asked has an intake hour before the cover ends: choose a fallback.",
    "not-seen-before-gap": "A place was accepted, the cover has ended, and nobody has said that the person was seen.",
    "patient-declined": "A partner says that the person does not want this: somebody must ask the person first.",
    "already-enrolled-elsewhere": "A partner says that the person is enrolled in another program: find out in which.",
    "did-not-come": "The place is gone, since the person did not come: find them before another place is asked for.",
    "left-care": "The person was seen, and the partner has ended it since: somebody must ask the person first.",
    "partner-closed": "The partner that has accepted has closed since: call it, or choose another.",
    "confirm-next": "The next partner is proposed and waits for a person to confirm it.",
}


@dataclass(frozen=True, slots=True)
class Answering:
    """Within what time a partner answers.

    Attributes:
        within: time of its intake hours.
        intake: those hours, of dosing for who is enrolled there; None = not known, and then all time counts.
        full_until: until when it has no intake left, as it says; it answers in that time all the same.
    """

    within: timedelta
    intake: Calendar | None = None
    full_until: datetime | None = None

    def due(self, asked_at: datetime) -> datetime:
        """By when it has answered; around the clock for one that never opens."""
        return self._after(asked_at, self.within)

    def reminder(self, asked_at: datetime) -> datetime:
        """When half of its time has passed."""
        return self._after(asked_at, self.within / 2)

    def _after(self, asked_at: datetime, duration: timedelta) -> datetime:
        found = self.intake.after(asked_at, duration) if self.intake else None
        return found or asked_at + duration

    def slot(self, start: datetime, end: datetime) -> bool | None:
        """Whether a person can come between; None where its hours are not known."""
        return self.intake.open_between(self._free_from(start), end) if self.intake else None

    def last_slot(self, now: datetime, gap: datetime) -> datetime | None:
        """When its last intake hour before the gap is over; None without one, or where its hours are not known."""
        last = None
        for opens, closes in self.intake.spans(self._free_from(now)) if self.intake else ():
            if opens >= gap:
                break
            last = min(closes, gap)
        return last

    def _free_from(self, start: datetime) -> datetime:
        return max(start, self.full_until) if self.full_until else start


@dataclass(frozen=True, slots=True)
class Asked:
    """A partner that was asked: its Task's status, since when it waits, and whether it was reminded."""

    organization: str
    status: str
    asked_at: datetime
    answering: Answering
    reminded: bool = False
    reason: str = ""
    """Code of its refusal, or of why it ended what it had accepted, where it gave one of ours."""
    came: bool | None = None
    """Whether the person came, as it last said; None: it has not said."""
    closed: bool = False
    """It takes no part any more."""
    answer_by: datetime | None = None
    """Until when its answer was asked for, as it was told; it is held to that, whatever changes afterwards."""

    @property
    def due(self) -> datetime:
        """By when it has answered."""
        return self.answer_by or self.answering.due(self.asked_at)

    def waits(self, now: datetime) -> bool:
        """Whether its answer may still come in time."""
        return self.status == "requested" and not self.closed and self.due > now


@dataclass(frozen=True, slots=True)
class Next:
    """A partner that can be asked: nothing excludes it, and consent permits at least an offer."""

    organization: str
    answering: Answering


@dataclass(frozen=True, slots=True)
class Plan(Verdict):
    """What is to be done now. The reasons are what a person must be told; none = nobody.

    Attributes:
        ask: who is asked now, in this order.
        together: they and those who wait are told that several are asked.
        remind: who is reminded.
        withdraw: whose request ends because no answer came.
        look_at: when this must be looked at again if nothing happens; None = never.
    """

    ask: tuple[str, ...] = ()
    together: bool = False
    remind: tuple[str, ...] = ()
    withdraw: tuple[str, ...] = ()
    look_at: datetime | None = None


def plan(
    asked: Sequence[Asked], candidates: Sequence[Next], *, gap: datetime | None, now: datetime, confirmed: bool = False
) -> Plan:
    """What one need asks for now.

    Args:
        asked: everybody who was asked, in any order.
        candidates: who can be asked yet, the best first.
        gap: when the cover ends; None = no clock runs, or it is not known.
        now: an aware instant.
        confirmed: each further partner waits for a person's word.
    """
    if any(one.status == "completed" or one.status in ENGAGED for one in asked):
        return _accepted(asked, gap, now)
    personal = next((code for one in asked if (code := _personal(one)) is not None), None)
    candidates = candidates if personal is None else []
    unanswered = [one for one in asked if one.status == "requested"]
    waiting = [one for one in unanswered if one.waits(now)]
    ask, together = _to_ask(waiting, candidates, gap, now)
    open_to_us = [one.answering for one in unanswered] + [one.answering for one in candidates]
    told = [personal] if personal and not waiting else [*_stuck(unanswered, waiting, candidates)]
    told += [*_closed(open_to_us, gap, now)]
    if confirmed and ask and asked:
        ask, together, told = [], False, [*told, "confirm-next"]
    silent = [one for one in unanswered if one not in waiting]
    return Plan(
        reasons=tuple(Reason(code, _TEXTS[code]) for code in told),
        ask=tuple(one.organization for one in ask),
        together=together,
        remind=tuple(one.organization for one in waiting if _reminder_due(one, now)),
        withdraw=tuple(one.organization for one in silent if one.closed or (ask and not together)),
        look_at=_look_at([*waiting, *_asked_now(ask, now)], candidates, gap, now),
    )


def _personal(one: Asked) -> str | None:
    """Why nobody else is asked before somebody has talked to the person."""
    if one.status in _ENDED and one.came is not None:
        return "left-care" if one.came else "did-not-come"
    return one.reason if one.reason in PERSONAL else None


def _accepted(asked: Sequence[Asked], gap: datetime | None, now: datetime) -> Plan:
    """Somebody has accepted: until the person is seen, the gap is watched."""
    expecting = [one for one in asked if one.status in {"accepted", "on-hold"}]
    codes = ["partner-closed"] if any(one.closed for one in asked if one.status in ENGAGED) else []
    moments: list[datetime] = []
    if gap is not None and expecting:
        codes += ["not-seen-before-gap"] if gap <= now else _closed([one.answering for one in expecting], gap, now)
        moments = [gap, *(end for one in expecting if (end := one.answering.last_slot(now, gap)) is not None)]
    look_at = min((moment for moment in moments if moment > now), default=None)
    return Plan(tuple(Reason(code, _TEXTS[code]) for code in codes), look_at=look_at)


def _to_ask(
    waiting: Sequence[Asked], candidates: Sequence[Next], gap: datetime | None, now: datetime
) -> tuple[list[Next], bool]:
    """Who is asked now, and whether that is beside others who wait."""
    ask: list[Next] = []
    open_now = [*waiting]
    for position, one in enumerate(candidates):
        if open_now and (len(open_now) >= AT_ONCE or not _hurry(open_now, candidates[position:], gap, now)):
            break
        ask.append(one)
        open_now += _asked_now([one], now)
    return ask, bool(ask) and len(open_now) > 1


def _asked_now(some: Sequence[Next], now: datetime) -> list[Asked]:
    return [Asked(one.organization, "requested", now, one.answering) for one in some]


def _hurry(waiting: Sequence[Asked], candidates: Sequence[Next], gap: datetime | None, now: datetime) -> bool:
    """Whether, once those who were asked have answered, the gap comes before the next intake hour of everybody else."""
    if gap is None:
        return False
    answered = max(one.due for one in waiting)
    if candidates[0].answering.slot(now, gap) is not True:
        # It can't keep the gap from coming. It may still be the quicker one where nobody who waits can, either.
        return answered >= gap or not any(one.answering.slot(now, gap) for one in waiting)
    return not any(one.answering.slot(one.answering.due(answered), gap) for one in candidates)


def _stuck(unanswered: Sequence[Asked], waiting: Sequence[Asked], candidates: Sequence[Next]) -> Iterator[str]:
    if not candidates and not waiting:
        yield "no-answer" if unanswered else "nobody-left"


def _closed(partners: Sequence[Answering], gap: datetime | None, now: datetime) -> Iterator[str]:
    """R8: all their hours are known, and none lies before a gap that is still to come."""
    if gap is not None and gap > now and partners and all(one.slot(now, gap) is False for one in partners):
        yield "no-slot-before-gap"


def _reminder_due(one: Asked, now: datetime) -> bool:
    return not one.reminded and one.answering.reminder(one.asked_at) <= now


def _look_at(
    waiting: Sequence[Asked], candidates: Sequence[Next], gap: datetime | None, now: datetime
) -> datetime | None:
    """The next answer that falls due, reminder, end of a last intake hour, or the gap."""
    moments = [one.due for one in waiting]
    moments += [one.answering.reminder(one.asked_at) for one in waiting if not one.reminded]
    if gap is not None:
        moments.append(gap)
        known = [one.answering for one in waiting] + [one.answering for one in candidates]
        moments += [end for one in known if (end := one.last_slot(now, gap)) is not None]
    return min((moment for moment in moments if moment > now), default=None)
