"""Answers to hospitals that have yet to leave: one queue for each referral, kept until its last answer has arrived.

Rows are written in the same commit as the version of the source Task that they tell of (``answer_writes``). Of what
an answer says a row holds nothing but a word for the progress; the message itself is sealed, and gone once it arrived.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from app.core.actor import Actor
from app.store.database import Database
from app.store.leases import Leases

State = Literal["waiting", "parked", "delivered", "dropped"]
_COLUMNS: Final = (
    "task, version, organization, at, state, progress, reason, rendition, attempts, failing_since, due_at, ended_at"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One row of the queue of a referral. Times in microseconds."""

    task: str
    version: int
    organization: str
    at: int
    state: State
    progress: str | None
    """What it says, once that is decided: a code of ``progress``."""
    reason: str | None
    """Why it waits, is parked or was dropped: a code."""
    rendition: int
    """How often it was written anew, because less may be told than before."""
    attempts: int
    failing_since: int | None
    due_at: int
    ended_at: int | None


@dataclass(frozen=True, slots=True)
class Head:
    """The first answer of a referral that has not ended, held by who asked for it."""

    answer: Answer
    content: bytes | None = field(repr=False)
    """The sealed message as it was sent before; None where it was never written."""
    told: str | None
    """What the hospital was last told of this referral."""


class AnswerQueue:
    """Leases what is next of each referral to ``holder`` and keeps what became of it."""

    def __init__(self, database: Database, holder: str) -> None:
        self._database = database
        self._leases = Leases(database, "answer", ("task", "version"), holder)

    async def due(self, now: int, limit: int) -> list[tuple[str, str]]:
        """(organisation, Task) of referrals whose next answer may be sent at ``now`` and that nobody else holds.

        At most ``limit`` of each organisation: one that is not reached keeps no other from being told.
        """
        rows = await self._database.fetch(
            "select organization, task from (select a.organization, a.task, "
            "row_number() over (partition by a.organization order by a.due_at, a.at, a.task) as n from answer a "
            "where a.ended_at is null and a.state = 'waiting' and a.due_at <= $1 "
            "and (a.leased_until <= $1 or a.holder = $2) and not exists (select 1 from answer b "
            "where b.task = a.task and b.ended_at is null and b.version < a.version)) q where n <= $3",
            now,
            self._leases.holder,
            limit,
        )
        return [(row[0], row[1]) for row in rows]

    async def claim(self, task: str, now: int, lease: int) -> Head | None:
        """The next answer of a referral, held for ``lease`` microseconds; None where there is none to be sent now."""
        first = await self._first(task)
        if first is None or not await self._leases.claim(task, first, now=now, lease=lease):
            return None
        rows = await self._database.fetch(
            f"select content, {_COLUMNS} from answer where task = $1 and version = $2", task, first
        )
        answer = Answer(*rows[0][1:])
        # It may have been sent, parked or put off between the two questions.
        if answer.ended_at is not None or answer.state != "waiting" or answer.due_at > now:
            await self._leases.release(task, first)
            return None
        return Head(answer, rows[0][0], await self._told(task))

    async def written(self, answer: Answer, progress: str, rendition: int, content: bytes) -> bool:
        """The message as it will be sent, and sent again; kept before its first byte leaves. False: no longer held."""
        kept = await self._database.execute(
            "update answer set progress = $3, rendition = $4, content = $5 "
            "where task = $1 and version = $2 and holder = $6",
            answer.task,
            answer.version,
            progress,
            rendition,
            content,
            self._leases.holder,
        )
        return kept > 0

    async def delivered(self, answer: Answer, now: int) -> None:
        """The hospital has acknowledged it; the next one may leave."""
        await self._leases.done(answer.task, answer.version, state="delivered", reason=None, content=None, ended_at=now)

    async def dropped(self, answer: Answer, reason: str, now: int) -> None:
        """It is not sent: what it said may not be told any more, or nobody is there to tell."""
        await self._leases.done(answer.task, answer.version, state="dropped", reason=reason, content=None, ended_at=now)

    async def nothing_new(self, answer: Answer) -> None:
        """The version says nothing that the hospital was not told; nobody needs to read that later."""
        await self._database.execute(
            "delete from answer where task = $1 and version = $2 and holder = $3",
            answer.task,
            answer.version,
            self._leases.holder,
        )

    async def parked(self, answer: Answer, reason: str) -> None:
        """A person must look; what follows in this referral waits."""
        await self._leases.done(answer.task, answer.version, state="parked", reason=reason)

    async def failed(self, answer: Answer, reason: str, now: int, due_at: int) -> None:
        """Nobody took it; it is sent again at ``due_at``."""
        await self._database.execute(
            "update answer set reason = $3 where task = $1 and version = $2", answer.task, answer.version, reason
        )
        await self._leases.failed(answer.task, answer.version, now=now, due_at=due_at)

    async def release(self, task: str) -> None:
        """The next answer of a referral is free for whoever asks; nothing else has changed."""
        first = await self._first(task)
        if first is not None:
            await self._leases.release(task, first)

    async def sweep(self, before: int) -> None:
        """Drop the notes of what ended before ``before``, but of each referral what arrived last.

        What is news is judged by that one. What was disclosed is on record elsewhere, for good.
        """
        await self._database.execute(
            "delete from answer where ended_at < $1 and exists (select 1 from answer b where b.task = answer.task "
            "and b.state = 'delivered' and b.version > answer.version)",
            before,
        )

    async def _first(self, task: str) -> int | None:
        rows = await self._database.fetch("select min(version) from answer where task = $1 and ended_at is null", task)
        return None if rows[0][0] is None else int(rows[0][0])

    async def _told(self, task: str) -> str | None:
        rows = await self._database.fetch(
            "select progress from answer where task = $1 and state = 'delivered' order by version desc limit 1", task
        )
        return rows[0][0] if rows else None


class Answers:
    """What an operator sees and does; for the hub itself only."""

    def __init__(self, actor: Actor, database: Database) -> None:
        if not actor.is_system:
            raise PermissionError("answers are looked after by the hub itself")
        self._database = database

    async def listed(self, state: State | None, limit: int) -> Sequence[Answer]:
        """Those that wait or are parked, or those in ``state``; oldest first."""
        rows = await self._database.fetch(
            f"select {_COLUMNS} from answer where case when $1 = '' then ended_at is null else state = $1 end "
            "order by at, task, version limit $2",
            state or "",
            limit,
        )
        return [Answer(*row) for row in rows]

    async def again(self, task: str) -> int:
        """The parked answer of a referral is sent again, and one that waits for its next try at once; how many."""
        return await self._database.execute(
            "update answer set state = 'waiting', reason = null, attempts = 0, failing_since = null, due_at = 0 "
            "where task = $1 and ended_at is null and (state = 'parked' or due_at > 0)",
            task,
        )

    async def drop(self, task: str, version: int, now: int) -> int:
        """One answer that has not arrived is not sent any more; how many. Not while it is being sent."""
        return await self._database.execute(
            "update answer set state = 'dropped', reason = 'by-operator', content = null, ended_at = $3 "
            "where task = $1 and version = $2 and ended_at is null and leased_until <= $3",
            task,
            version,
            now,
        )

    async def counts(self) -> dict[tuple[str, str], int]:
        """(organisation, state) -> number, of those that have not ended."""
        rows = await self._database.fetch(
            "select organization, state, count(*) from answer where ended_at is null group by organization, state"
        )
        return {(row[0], row[1]): row[2] for row in rows}
