"""Answers to hospitals as an operator looks after them: what waits, what is parked and why, again, or not at all."""

from dataclasses import dataclass
from typing import Any, Final

from app.core.actor import Actor
from app.core.clock import iso
from app.core.errors import NotFound
from app.services.hub import Hub
from app.store.answers import Answer, State

_SYSTEM: Final = Actor.system("answers")
_MOST: Final = 1000


@dataclass(frozen=True, slots=True)
class Listed:
    """One answer; nothing in it is of a person."""

    task: str
    """Id of the source Task: of the referral."""
    version: int
    """The version of it that is told of."""
    organization: str
    """Name of the hospital."""
    state: State
    progress: str | None
    """What it says: a code; None: not decided yet."""
    reason: str | None
    attempts: int
    since: str
    """When what it tells of was written."""
    failing_since: str | None
    next_attempt: str | None
    ended: str | None


async def listed(hub: Hub, state: State | None = None) -> list[Listed]:
    """What has not arrived yet, or what is in ``state``, oldest first; at most a thousand."""
    directory = await hub.registry.current()
    found = await hub.store.answers(_SYSTEM).listed(state, _MOST)
    return [_shown(one, directory.names.get(one.organization, "")) for one in found]


def _shown(one: Answer, name: str) -> Listed:
    return Listed(
        task=one.task,
        version=one.version,
        organization=name,
        state=one.state,
        progress=one.progress,
        reason=one.reason,
        attempts=one.attempts,
        since=iso(one.at),
        failing_since=None if one.failing_since is None else iso(one.failing_since),
        next_attempt=iso(one.due_at) if one.due_at and one.ended_at is None else None,
        ended=None if one.ended_at is None else iso(one.ended_at),
    )


async def retry(hub: Hub, task: str) -> dict[str, Any]:
    """Send the parked answer of a referral again, and what waits for its next attempt at once. Raises NotFound."""
    if not await hub.store.answers(_SYSTEM).again(task):
        raise NotFound("No answer of this referral is parked or waits for another attempt.")
    return {"task": task, "state": "waiting"}


async def drop(hub: Hub, task: str, version: int) -> dict[str, Any]:
    """Never send one answer; those after it may leave then. Raises NotFound, also while it is being sent."""
    if not await hub.store.answers(_SYSTEM).drop(task, version, hub.clock.now_us()):
        raise NotFound("No such answer waits, or it is being sent at this moment.")
    return {"task": task, "version": version, "state": "dropped"}


async def counts(hub: Hub) -> dict[str, dict[str, int]]:
    """Interface that is told -> state -> how many answers have not arrived."""
    directory = await hub.registry.current()
    found = await hub.store.answers(_SYSTEM).counts()
    told: dict[str, str] = {}
    for sender in sorted(directory.senders.values(), key=lambda one: one.id):
        if sender.answers is not None:
            told.setdefault(sender.organization, sender.id)
    return {
        sender: {state: number for (of, state), number in found.items() if of == organization}
        for organization, sender in told.items()
    }
