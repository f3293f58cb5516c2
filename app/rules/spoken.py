"""Answers that were spoken, by phone, fax or in person, and are recorded by somebody else for who gave them. Pure.

What is recorded is the owner's own transition (``lifecycle`` judges it as such). The Task carries a tag that says how
it came, until the owner confirms it, or answers itself.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from app.rules.lifecycle import ENGAGED, Role, Task
from app.rules.verdict import Reason
from schemas.codes.local import SPOKEN, coding

How = Literal["phone", "fax", "in-person"]
Outcome = Literal["talked", "left-message", "no-answer", "busy", "wrong-number"]
MARKS: Final[Mapping[How, str]] = {
    "phone": "recorded-by-phone",
    "fax": "recorded-by-fax",
    "in-person": "recorded-in-person",
}
"""How it was said to the code of the tag."""
DISPUTED: Final = "answer-disputed"
TIME_CHANGED: Final = "time-changed"
"""What was accepted is at another time since: the answer stands for the time before, until its owner says it again."""
OUTCOMES: Final[tuple[Outcome, ...]] = ("talked", "left-message", "no-answer", "busy", "wrong-number")
"""What may come of a call."""
ANSWERS: Final = ("accepted", "rejected", "in-progress", "on-hold", "completed", "failed", "cancelled")
"""What an owner may say of its Task."""
_ALL: Final = frozenset({*MARKS.values(), DISPUTED, TIME_CHANGED})
_FOLLOWED: Final = ENGAGED | {"completed", "failed", "cancelled"}
_NUMBER: Final = re.compile(r"\+?[0-9][0-9 ().x/-]{4,31}")


@dataclass(frozen=True, slots=True)
class Exchange:
    """Something that was said outside the hub, or a call by which nothing was.

    Whoever writes it down gives the minute: what lies within the minute of another instant is not before it.
    """

    at: datetime
    how: How
    number: str
    """Where the organisation was reached or called from; empty: not said."""
    by: str
    """Who wrote it down."""


def faults(exchange: Exchange, *, asked: datetime | None, now: datetime) -> Iterator[Reason]:
    """What can't be as it is told. A ``path`` is the name of a parameter.

    Args:
        exchange: what is told.
        asked: when the organisation was asked; None: a call may come first.
        now: the hub's clock.
    """
    if not exchange.by.strip():
        yield Reason("required", "who records it, by name", "recorded-by")
    if exchange.how != "in-person" and not _NUMBER.fullmatch(exchange.number):
        yield Reason("required", "the number, with its digits: +1 555 0100", "number")
    if exchange.at > now:
        yield Reason("future", "not in the future", "at")
    if asked is not None and exchange.at < asked.replace(second=0, microsecond=0):
        yield Reason("before-asked", "not before the organisation was asked", "at")
    if exchange.at < now - timedelta(days=400):
        yield Reason("too-old", "within the last 400 days", "at")


# ---- the tag


def _is_ours(tag: Any) -> bool:
    return isinstance(tag, dict) and tag.get("system") == SPOKEN and tag.get("code") in _ALL


def mark_of(task: Task) -> str | None:
    """What a Task says of how its answer came."""
    return next((str(tag["code"]) for tag in task.get("meta", {}).get("tag", ()) if _is_ours(tag)), None)


def with_mark(task: Task, code: str | None) -> Task:
    """A Task that says so; None: that its owner answered itself."""
    if mark_of(task) == code:
        return task
    meta = task.get("meta", {})
    tags = [tag for tag in meta.get("tag", ()) if not _is_ours(tag)]
    tags += [coding(SPOKEN, code)] if code is not None else []
    kept = {name: value for name, value in meta.items() if name != "tag"}
    return {**task, "meta": {**kept, "tag": tags} if tags else kept}


def next_mark(before: Task, effect: Mapping[str, Any], *, role: Role, wanted: str | None) -> str | None:
    """What a Task says after a change.

    Args:
        before: the Task.
        effect: what changes, see ``lifecycle.effect_of``.
        role: whose change it is.
        wanted: what the hub was told of how the answer came; None: whoever changes the Task speaks for itself.
    """
    held = mark_of(before)
    if wanted is not None:
        return wanted if effect or wanted == DISPUTED else held
    says_so = role == "owner" and (not effect or not effect.keys().isdisjoint({"status", "output"}))
    return None if says_so or "status" in effect else held


def on_source(source: Task, before: Task, after: Task, *, follows: bool) -> Task:
    """The hospital's Task with what it says of the answer of a child.

    Args:
        source: the hospital's Task as it becomes.
        before: the child.
        after: the child as it becomes.
        follows: whether the source takes its status from the child by this change.
    """
    own = before["status"] in _FOLLOWED and mark_of(before) is not None and mark_of(source) == mark_of(before)
    return with_mark(source, mark_of(after)) if follows or own or mark_of(after) == DISPUTED else source
