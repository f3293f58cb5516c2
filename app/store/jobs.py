"""Due work: claimed for a while, done, and moved out of the way.

A claim is a lease: when its holder dies the job is due again once the lease ends, so each handler
must bear being run twice. Finished jobs leave the table, or every claim would walk over them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.store import statements as sql
from app.store.database import Database
from app.store.statements import Statement
from app.store.writes import Batch, Row

_LIMIT: Final = 20
_LEASE_US: Final = 300 * 1_000_000
_SWEEP_US: Final = 60 * 1_000_000
"""So often everything is looked at, from the first entry on: leases that ended, jobs that came in late."""

_DONE = Statement(
    name="job_done",
    columns=(("id", "text"), ("kind", "text"), ("subject", "text"), ("finished_at", "big"), ("outcome", "text")),
    template=(
        "insert into job_done ({names}) select {names} from {rows} on conflict (id) do update set "
        "kind = excluded.kind, subject = excluded.subject, finished_at = excluded.finished_at, "
        "outcome = excluded.outcome"
    ),
    sqlite=(
        "insert into job_done (id, kind, subject, finished_at, outcome) values (?1, ?2, ?3, ?4, ?5) "
        "on conflict (id) do update set kind = excluded.kind, subject = excluded.subject, "
        "finished_at = excluded.finished_at, outcome = excluded.outcome"
    ),
)
_REMOVED = Statement(
    name="job",
    columns=(("id", "text"),),
    template="delete from job where id in (select id from {rows})",
    sqlite="delete from job where id = ?1",
)
_LAPSED = Statement(
    name="visit",
    columns=(("id", "text"), ("at", "big")),
    template="delete from visit using {rows} where visit.id = u.id and visit.expires_at <= u.at",
    sqlite="delete from visit where id = ?1 and expires_at <= ?2",
    guarded=True,
)
_NUMBERS = Statement(
    name="visit_number",
    columns=(("visit", "text"),),
    template="delete from visit_number where visit in (select visit from {rows})",
    sqlite="delete from visit_number where visit = ?1",
)
_PERSONS = Statement(
    name="visit_person",
    columns=(("visit", "text"),),
    template="delete from visit_person where visit in (select visit from {rows})",
    sqlite="delete from visit_person where visit = ?1",
)
_REVIEW = Statement(
    name="review",
    columns=(("visit", "text"), ("at", "big"), ("reasons", "text")),
    template=(
        "insert into review (visit, sender, opened_at, reasons) select l.visit, min(l.sender), u.at, u.reasons "
        "from ledger l join {rows} on l.visit = u.visit where l.state = 'waiting' group by l.visit, u.at, u.reasons "
        "on conflict (visit) do update set reasons = excluded.reasons, closed_at = null"
    ),
    sqlite=(
        "insert into review (visit, sender, opened_at, reasons) select visit, min(sender), ?2, ?3 "
        "from ledger where visit = ?1 and state = 'waiting' group by visit "
        "on conflict (visit) do update set reasons = excluded.reasons, closed_at = null"
    ),
)


@dataclass(frozen=True, slots=True)
class DueJob:
    """One claimed job. ``attempts`` counts this one."""

    id: str
    kind: str
    subject: str
    due_at: int
    attempts: int


class Jobs:
    """Claims and finishes jobs. One per process: it remembers where the due ones begin."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._low = 0
        self._swept_at = 0

    async def claim(self, now: int) -> list[DueJob]:
        """Up to twenty jobs that are due at ``now`` (microseconds) and that nobody else holds."""
        if now - self._swept_at >= _SWEEP_US or now < self._swept_at:
            self._low, self._swept_at = 0, now
        first = await self._database.fetch(
            "select due_at from job where due_at >= $1 and due_at <= $2 and claimed_until <= $2 "
            "order by due_at limit 1",
            self._low,
            now,
        )
        if not first:
            return []
        self._low = int(first[0][0])
        skip = " for update skip locked" if self._database.name == "postgresql" else ""
        rows = await self._database.fetch(
            "update job set claimed_until = $3, attempts = attempts + 1 where id in (select id from job "
            f"where due_at >= $1 and due_at <= $2 and claimed_until <= $2 order by due_at limit $4{skip}) "
            "returning id, kind, subject, due_at, attempts",
            self._low,
            now,
            now + _LEASE_US,
            _LIMIT,
        )
        return sorted((DueJob(*row) for row in rows), key=lambda job: (job.due_at, job.id))

    async def outcomes(self, kinds: Sequence[str], subjects: Sequence[str]) -> dict[tuple[str, str], str]:
        """(kind, subject) to what came of the jobs of these kinds and subjects that are done."""
        if not subjects:
            return {}
        rows = await self._database.fetch(
            f"select kind, subject, outcome from job_done where {self._database.any_of('kind', '$1')} "
            f"and {self._database.any_of('id', '$2')}",
            self._database.array(kinds),
            self._database.array([f"{kind}:{subject}" for kind in kinds for subject in subjects]),
        )
        return {(row[0], row[1]): row[2] for row in rows}

    async def finish(self, job: DueJob, outcome: str, now: int) -> None:
        """The job is done."""
        await self._write(*_finished(job, outcome, now))

    async def postpone(self, job: DueJob, due_at: int) -> None:
        """The job is due later; it has not failed."""
        await self._database.execute(
            "update job set due_at = $2, claimed_until = 0, attempts = 0 where id = $1", job.id, due_at
        )

    async def retry(self, job: DueJob, due_at: int) -> None:
        """The job failed and is tried again at ``due_at``."""
        await self._database.execute("update job set due_at = $2, claimed_until = 0 where id = $1", job.id, due_at)

    async def destroy_visit(self, job: DueJob, now: int, reasons: str) -> None:
        """Finish ``job`` together with its visit: the stub, its key and all that finds it are gone.

        Messages that still wait for what can't come any more go to a human, with ``reasons`` (JSON).
        Raises VersionMiss when the visit has changed so that it has not lapsed at ``now``.
        """
        visit = job.subject
        await self._write(
            (_LAPSED, (visit, now)),
            (_NUMBERS, (visit,)),
            (_PERSONS, (visit,)),
            (_REVIEW, (visit, now, reasons)),
            (sql.VISIT_MOVES_HISTORY, (visit, now, "waiting")),
            (sql.VISIT_MOVES, (visit, "review", reasons, None, "waiting")),
            *_finished(job, "destroyed", now),
        )

    async def _write(self, *writes: tuple[Statement, Row]) -> None:
        batch = Batch([(statement, [row]) for statement, row in writes], [], [])
        await self._database.write(batch, 0)


def _finished(job: DueJob, outcome: str, now: int) -> list[tuple[Statement, Row]]:
    return [(_DONE, (job.id, job.kind, job.subject, now, outcome)), (_REMOVED, (job.id,))]
