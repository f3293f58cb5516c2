"""Whether a person whom a partner has taken is still in care: what the partner is asked, when, and when no more. Pure.

Asked is whether the person came, who doses is asked for the first dose, then whether the person is in care 7, 30, 90
and 180 days after the first dose, or after the arrival where the partner gives none. There is one list a week. A
person stands on it at most once, with the first thing that isn't known; of several days that are due, the latest. An
answer that the person is gone, or that nobody knows, ends it. Silence is nobody's word that somebody is in care:
after four lists a day counts as unknown. These numbers, but for the days, are the hub's own.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final, Literal, get_args

from app.rules.codings import codes_in
from app.rules.verdict import Reason, Verdict
from schemas.codes.local import OUTCOME, RETENTION, STATUS_REASON, concept
from schemas.hours import WEEKDAYS, Weekday

Task = dict[str, Any]
Point = Literal["arrival", "first-dose", "day-7", "day-30", "day-90", "day-180"]
POINTS: Final[tuple[Point, ...]] = get_args(Point)
DAYS: Final[Mapping[Point, int]] = {"day-7": 7, "day-30": 30, "day-90": 90, "day-180": 180}
"""Days after the first dose, or the arrival."""
LISTS: Final = 4
"""So often something is asked for."""
HORIZON: Final = timedelta(days=180 + 7 * LISTS + 60)
"""After it nothing is asked of a referral any more: the last day, its lists, and sixty days to come."""
GONE: Final = frozenset({"left", "transferred", "died", "custody", "not-known"})
"""Answers to anything, after which nothing is asked."""
_PRESENT: Final[Mapping[Point, str]] = {"arrival": "arrived", "first-dose": "first-dose-given"}
_NOT_COME: Final = frozenset({"no-show", "not-reached", "declined-by-person"})
_OUTCOMES: Final[Mapping[str, Point]] = {
    "arrived": "arrival",
    "service-given": "arrival",
    "first-dose-given": "first-dose",
    **dict.fromkeys(_NOT_COME, "arrival"),
}
"""Codes of the outcomes that partners report anyway, to what they answer."""
_WEEK: Final = timedelta(days=7)
_TEXTS: Final = {
    "gone": "the partner has said what became of the person, or that it does not know",
    "asked-this-week": "the person stood on the list of this week",
    "nothing-due": "nothing that is not known is due yet",
    "due": "it is due and not known",
}


@dataclass(frozen=True, slots=True)
class Said:
    """One answer of a partner.

    Attributes:
        point: what it answers.
        answer: a code of the local code systems ``outcome`` or ``retention``.
        day: of the arrival or the first dose; else the one on which it was said. In the partner's zone.
        week: day of the list that held when it was said, in answer to that or an older one; None: told otherwise.
    """

    point: Point
    answer: str
    day: date
    week: date | None = None


@dataclass(frozen=True, slots=True)
class Followed:
    """One person with one partner that has taken the referral.

    Attributes:
        asked_on: day on which the partner was asked, in its zone.
        doses: whether the partner is one that doses, and was asked for that.
        said: what it has said, the newest last.
    """

    asked_on: date
    doses: bool
    said: Sequence[Said] = ()


@dataclass(frozen=True, slots=True)
class Standing(Verdict):
    """What is to be asked.

    Attributes:
        point: what stands on the list of this week; None: nothing.
        due: since which day it does.
        unknown: what was due four lists ago, and nobody has said. Never "in care".
    """

    point: Point | None = None
    due: date | None = None
    unknown: tuple[Point, ...] = ()


def asked_on(weekday: Weekday, today: date) -> date:
    """Day of the list that holds: the last such weekday, today included."""
    return today - timedelta(days=(today.weekday() - WEEKDAYS.index(weekday)) % 7)


def who_doses(need: str, needs: Iterable[str]) -> bool:
    """Whether a partner that lists ``needs`` is asked about doses of somebody for whom it was asked for ``need``."""
    return need == "moud-continuation" and need in needs


def standing(followed: Followed, week: date) -> Standing:
    """What is asked about one person on the list of the day ``week``."""
    due = _due(followed)
    ends = followed.said[-1] if is_over(followed.said) else None
    unknown = tuple(p for p, day in due.items() if day + LISTS * _WEEK <= (min(week, ends.day) if ends else week))
    if ends:
        return Standing(_why("gone"), unknown=unknown)
    if any(one.week == week for one in followed.said):
        return Standing(_why("asked-this-week"), unknown=unknown)
    last = max((POINTS.index(one.point) for one in followed.said), default=-1)
    passed = [p for p, day in due.items() if day <= week and (p not in DAYS or POINTS.index(p) > last)]
    found = passed[-1] if passed else None
    if found is None or week >= due[found] + LISTS * _WEEK:
        return Standing(_why("nothing-due"), unknown=unknown)
    return Standing(_why("due"), found, due[found], unknown)


def is_over(said: Sequence[Said]) -> bool:
    """Whether the last word of a person, of several the newest, is that they did not come or are gone."""
    return bool(said) and said[-1].answer in GONE | _NOT_COME


def is_known(said: Sequence[Said], point: Point, answer: str | None = None) -> bool:
    """Whether an answer says nothing new: that very one, or (None) any to this or to what comes after it."""
    if answer is not None:
        return next((one.answer for one in reversed(said) if one.point == point), None) == answer
    return is_over(said) or any(POINTS.index(one.point) >= POINTS.index(point) for one in said)


def _why(code: str) -> tuple[Reason, ...]:
    return (Reason(code, _TEXTS[code]),)


def _due(followed: Followed) -> dict[Point, date]:
    """What is not known, to the day from which on it can be; without what waits for another."""
    known = {one.point for one in followed.said}
    there = [one for one in followed.said if one.answer not in GONE | _NOT_COME]
    if not there:
        return {} if "arrival" in known else {"arrival": followed.asked_on}
    counted = next((one for one in there if one.point == "arrival"), there[0])
    if followed.doses:
        dosed = next((one for one in there if one.point == "first-dose"), None)
        if dosed is None:
            return {"first-dose": counted.day}
        counted = dosed
    days: dict[Point, date] = {point: counted.day + timedelta(days=days) for point, days in DAYS.items()}
    return {point: day for point, day in days.items() if point not in known}


def weekly(people: Iterable[tuple[str, str, Followed]], week: date) -> dict[str, Standing]:
    """The list of one partner: (person, Task, what is known) to the Tasks that stand on it; each person once.

    A person who was answered for this week, of whichever Task, is not asked for again.
    """
    standings = [(person, task, standing(followed, week)) for person, task, followed in people]
    done = {person for person, _, one in standings if "asked-this-week" in one.codes}
    found: dict[str, Standing] = {}
    for person, task, one in sorted(standings, key=_order):
        if one.point is not None and person not in done:
            done.add(person)
            found[task] = one
    return found


def _order(entry: tuple[str, str, Standing]) -> tuple[date, str]:
    _, task, one = entry
    return one.due or date.max, task


def answers(point: Point) -> tuple[str, ...]:
    """What may be answered; the first is that the person is there."""
    present = _PRESENT.get(point, "in-care")
    return (present, *sorted(_NOT_COME if point == "arrival" else ()), *sorted(GONE))


def still_here(point: Point) -> str | None:
    """What one word for all of a list answers; None: a dose is given by somebody, and asked for alone."""
    return None if point == "first-dose" else answers(point)[0]


# ---- as a Task has it


def output_of(point: Point, answer: str) -> Task:
    """The Task.output that says so."""
    if answer in _OUTCOMES:
        return {"type": concept(OUTCOME, "outcome"), "valueCodeableConcept": concept(OUTCOME, answer)}
    return {"type": concept(RETENTION, point), "valueCodeableConcept": concept(RETENTION, answer)}


def said_in(output: Any) -> tuple[Point, str] | None:
    """What an output answers; None where it answers nothing of this."""
    if not isinstance(output, dict):
        return None
    value = codes_in(output.get("valueCodeableConcept"), OUTCOME) + codes_in(output.get("type"), OUTCOME)
    outcome = next((one for one in value if one in _OUTCOMES), None)
    if outcome is not None:
        return _OUTCOMES[outcome], outcome
    kinds = codes_in(output.get("type"), RETENTION)
    said = codes_in(output.get("valueCodeableConcept"), RETENTION)
    point = next((one for one in POINTS if one in kinds), None)
    answer = next((one for one in said if point is not None and one in answers(point)), None)
    return None if point is None or answer is None else (point, answer)


def is_asked(output: Any) -> bool:
    """Whether an output is of a type that answers what is asked here, rightly or not."""
    return isinstance(output, dict) and any(one in POINTS for one in codes_in(output.get("type"), RETENTION))


def answered(task: Task, point: Point, answer: str) -> Task:
    """A partner's Task as it becomes by an answer: a word of the person moves what waits for it.

    Who came is worked with (``in-progress``); who was given the first dose has been given what was asked for
    (``completed``); who does not want the place ends it (``failed``); for who did not come it is kept, and somebody
    looks for them (``rules.no_show``). A Task that is over stays so.
    """
    after = {**task, "output": [*task.get("output", ()), output_of(point, answer)]}
    moved = _MOVES.get(answer)
    if moved is None or task["status"] not in moved[1]:
        return after
    reason = {"statusReason": concept(STATUS_REASON, "patient-declined")} if moved[0] == "failed" else {}
    return {**after, **reason, "status": moved[0]}


_MOVES: Final[Mapping[str, tuple[str, frozenset[str]]]] = {
    "arrived": ("in-progress", frozenset({"accepted"})),
    "first-dose-given": ("completed", frozenset({"accepted", "in-progress", "on-hold"})),
    "declined-by-person": ("failed", frozenset({"accepted"})),
}
"""Answer to the status that it brings about, and from which."""
