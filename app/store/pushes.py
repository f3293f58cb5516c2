"""What partners' own FHIR servers have yet to be given, and how far each Task was pushed: one row for each.

A row is written in the same commit as each version of the Task (``push_writes``), and stays until both sides are over.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from app.core.actor import Actor
from app.store.database import Database
from app.store.leases import Leases

State = Literal["waiting", "parked", "ended"]
_COLUMNS: Final = "task, organization, at, wanted, looked, state, reason, known, attempts, failing_since, due_at"


@dataclass(frozen=True, slots=True)
class Push:
    """How far one partner's Task was pushed. Times in microseconds."""

    task: str
    organization: str
    at: int
    """When it was first asked for."""
    wanted: int
    """The Task's version that was written last."""
    looked: int
    """The one that was looked at last."""
    state: State
    reason: str | None
    """Why it waits, is parked or has ended: a code."""
    known: str | None
    """JSON of ``schemas.pushed.Pushed``."""
    attempts: int
    failing_since: int | None
    due_at: int


class PushQueue:
    """Leases what is to be done to ``holder`` and keeps what became of it."""

    def __init__(self, database: Database, holder: str) -> None:
        self._database = database
        self._leases = Leases(database, "push", ("task",), holder)

    async def due(self, now: int, limit: int) -> list[tuple[str, str]]:
        """(organisation, Task) of what is to be looked at ``now`` and nobody else holds; so many of each organisation.

        A version that came while attempts fail waits for the next of them.
        """
        rows = await self._database.fetch(
            "select organization, task from (select organization, task, "
            "row_number() over (partition by organization order by due_at, at, task) as n from push "
            "where state = 'waiting' and (due_at <= $1 or (wanted > looked and attempts = 0)) "
            "and (leased_until <= $1 or holder = $2)) q where n <= $3",
            now,
            self._leases.holder,
            limit,
        )
        return [(row[0], row[1]) for row in rows]

    async def claim(self, task: str, now: int, lease: int) -> Push | None:
        """One Task, held for ``lease`` microseconds; None where nothing is to be done for it now."""
        if not await self._leases.claim(task, now=now, lease=lease):
            return None
        rows = await self._database.fetch(f"select {_COLUMNS} from push where task = $1", task)
        push = Push(*rows[0])
        fresh = push.wanted > push.looked and push.attempts == 0
        if push.state != "waiting" or (push.due_at > now and not fresh):
            await self._leases.release(task)
            return None
        return push

    async def kept(self, push: Push, known: str) -> bool:
        """What is known from now on, before or after something leaves. False: no longer held."""
        written = await self._database.execute(
            "update push set known = $2 where task = $1 and holder = $3", push.task, known, self._leases.holder
        )
        return written > 0

    async def rested(self, push: Push, known: str, due_at: int) -> None:
        """All is done for now; it is looked at again at ``due_at``, or when there is a new version."""
        await self._done(push, "waiting", None, known, due_at)

    async def ended(self, push: Push, reason: str, known: str) -> None:
        """Nothing follows."""
        await self._done(push, "ended", reason, known, 0)

    async def parked(self, push: Push, reason: str, known: str) -> None:
        """A person must look; nothing leaves for this Task until then."""
        await self._done(push, "parked", reason, known, 0)

    async def failed(self, push: Push, reason: str, now: int, due_at: int) -> None:
        """It did not arrive, or nobody knows; it is tried again at ``due_at``."""
        await self._database.execute("update push set reason = $2 where task = $1", push.task, reason)
        await self._leases.failed(push.task, now=now, due_at=due_at)

    async def release(self, task: str) -> None:
        """It is free for whoever asks; nothing else has changed."""
        await self._leases.release(task)

    async def _done(self, push: Push, state: State, reason: str | None, known: str, due_at: int) -> None:
        await self._database.execute(
            "update push set state = $3, reason = $4, known = $5, looked = $6, due_at = $7, attempts = 0, "
            "failing_since = null, leased_until = 0 where task = $1 and holder = $2",
            push.task,
            self._leases.holder,
            state,
            reason,
            known,
            push.wanted,
            due_at,
        )


class Pushes:
    """What an operator sees and does, and what other parts of the hub must know; for the hub itself only."""

    def __init__(self, actor: Actor, database: Database) -> None:
        if not actor.is_system:
            raise PermissionError("pushes are looked after by the hub itself")
        self._database = database

    async def listed(self, state: State | None, limit: int) -> Sequence[Push]:
        """Those that are not over, or those in ``state``; oldest first."""
        rows = await self._database.fetch(
            f"select {_COLUMNS} from push where case when $1 = '' then state <> 'ended' else state = $1 end "
            "order by at, task limit $2",
            state or "",
            limit,
        )
        return [Push(*row) for row in rows]

    async def parked(self) -> dict[str, Push]:
        """Task to what stands of it, of those that wait for a person."""
        rows = await self._database.fetch(f"select {_COLUMNS} from push where state = 'parked'")
        return {row[0]: Push(*row) for row in rows}

    async def counts(self) -> dict[str, int]:
        """State -> number, of those that are not over."""
        rows = await self._database.fetch("select state, count(*) from push where state <> 'ended' group by state")
        return {row[0]: row[1] for row in rows}

    async def again(self, task: str) -> int:
        """What is parked, or waits for its next attempt, is tried at once; how many."""
        return await self._database.execute(
            "update push set state = 'waiting', reason = null, attempts = 0, failing_since = null, due_at = 0 "
            "where task = $1 and state <> 'ended'",
            task,
        )

    async def drop(self, task: str, now: int) -> int:
        """Never push it any more; how many. Not while it is being pushed."""
        return await self._database.execute(
            "update push set state = 'ended', reason = 'by-operator' "
            "where task = $1 and state <> 'ended' and leased_until <= $2",
            task,
            now,
        )
