"""Whether the person came, as the partner that has accepted last said it. Pure: a FHIR Task in, a word out.

It says so by a Task.output of the local code system ``outcome``, appended while it goes on, by a business status of
its own (BSeR 5.1.2, Scheduled Event Unattended, or the local ``no-show``), or by the reason for which it ended the
Task. A place is not lost by it: the person may come later, and the last word counts.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from app.core.json_meaning import added, same
from app.rules.codings import codes_in
from schemas.codes.local import BUSINESS_STATUS, OUTCOME, STATUS_REASON
from schemas.partner_server import BSER_BUSINESS_STATUS

Task = dict[str, Any]

CAME: Final = frozenset({"first-dose-given", "arrived", "service-given"})
MISSED: Final = frozenset({"no-show", "not-reached"})
_ENDED_BY: Final = frozenset({"no-show", "patient-unreachable"})
"""Reasons for an end that say that the person did not come."""


def came(task: Task) -> bool | None:
    """Whether the person came, as was said last; None where nothing was said."""
    last = next(reversed([*_words(task)]), None)
    if last is not None:
        return last in CAME
    return False if _is_marked(task) or _is_ended_by(task) else None


def missed(task: Task) -> int:
    """How often it was said that the person did not come; 0 where the last word is another one."""
    return sum(word in MISSED for word in _words(task)) or 1 if came(task) is False else 0


def said_once(before: Task, after: Task) -> Task:
    """``after`` without what it says once more, in the same words, of who is missed already; itself where it does not.

    Another word counts as another: it says more than the first one did.
    """
    held, wanted = before.get("output", []), after.get("output")
    new = added(wanted, held) if isinstance(wanted, list) else []
    fresh = [one for one in new if not (_words_in(one) & MISSED and any(same(one, known) for known in held))]
    if len(fresh) == len(new) or came(before) is not False:
        return after
    return {**after, "output": [*held, *fresh]}


def _is_marked(task: Task) -> bool:
    said = task.get("businessStatus")
    return "5.1.2" in codes_in(said, BSER_BUSINESS_STATUS) or "no-show" in codes_in(said, BUSINESS_STATUS)


def _is_ended_by(task: Task) -> bool:
    ended = task.get("status") in {"failed", "cancelled"}
    return ended and not _ENDED_BY.isdisjoint(codes_in(task.get("statusReason"), STATUS_REASON))


def _words(task: Task) -> Iterator[str]:
    for output in task.get("output", ()):
        yield from sorted(_words_in(output))


def _words_in(output: Any) -> set[str]:
    if not isinstance(output, dict):
        return set()
    said = {*codes_in(output.get("type"), OUTCOME), *codes_in(output.get("valueCodeableConcept"), OUTCOME)}
    return said & (CAME | MISSED)


def due(now: datetime, covered_until: datetime | None, within: timedelta) -> datetime:
    """By when somebody has tried to reach the person: ``within`` from now, and before a cover ends that still holds."""
    wanted = now + within
    return min(wanted, covered_until) if covered_until is not None and covered_until > now else wanted
