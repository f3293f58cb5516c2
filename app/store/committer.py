"""The one way to write: many ``Changes`` in one durable transaction, one result for each.

While a transaction is on its way to the disk the next batch gathers. Members that touch the same
visit or referral go into following rounds. When a batch misses a version the members are written
one by one, so only the one at fault fails.
"""

from collections.abc import Sequence

from app.core import log
from app.core.batch import Batcher
from app.core.clock import Clock
from app.core.errors import Conflict, Unavailable
from app.store.changes import Changes, Committed
from app.store.database import Database, Doubt, Gone, VersionMiss
from app.store.writes import disjoint, rows_of

Result = Committed | BaseException


class Committer:
    """Batches and writes changes."""

    def __init__(self, database: Database, clock: Clock, *, size: int = 64, runners: int = 2) -> None:
        self._database = database
        self._clock = clock
        self._batcher: Batcher[Changes, Committed] = Batcher(
            self.commit_all, size=size, runners=1 if database.name == "sqlite" else runners
        )

    async def commit(self, changes: Changes) -> Committed:
        """Write one member, together with whatever else is waiting.

        Raises Conflict when somebody else changed the same rows first, Unavailable when it is not
        durable or not known to be.
        """
        return await self._batcher.submit(changes)

    async def commit_all(self, members: Sequence[Changes]) -> list[Result]:
        """Write a caller's own batch; one result or exception per member, in order."""
        results: list[Result] = [Unavailable("Nothing was written.")] * len(members)
        for positions in disjoint(members):
            outcome = await self._round([members[p] for p in positions])
            for position, result in zip(positions, outcome, strict=True):
                results[position] = result
        return results

    async def _round(self, members: Sequence[Changes]) -> Sequence[Result]:
        try:
            return await self._write(members)
        except Gone:
            log.warning("commit.gone", rows=len(members))
            return [Unavailable("The database can't be reached or can't write; nothing was kept.")] * len(members)
        except Doubt:
            log.warning("commit.in-doubt", rows=len(members))
            return [await self._settle(member) for member in members]
        except Exception as error:  # noqa: BLE001 - one member may be at fault; the others must not suffer
            if len(members) == 1:
                return [self._blame(error)]
        return [(await self._round([member]))[0] for member in members]

    async def _write(self, members: Sequence[Changes]) -> list[Result]:
        stamps = await self._database.write(rows_of(members, self._clock.now_us()), self._clock.offset_us)
        return [Committed({r.id: stamps[r.id] for r in m.resources}) for m in members]

    @staticmethod
    def _blame(error: Exception) -> BaseException:
        if isinstance(error, VersionMiss):
            return Conflict("Somebody else changed the same record at the same time; read it again.")
        log.error("commit.failed", error)
        return error

    async def _settle(self, member: Changes) -> Result:
        """After a COMMIT of unknown outcome: the receipt, written with all the rest, tells."""
        unknown = Unavailable("It is not known whether this was kept; send it again.")
        if not member.receipts:
            return unknown
        mine = member.receipts[0]
        try:
            rows = await self._database.fetch(
                "select ledger from receipt where scope = $1 and key = $2 and mac = $3", mine.scope, mine.key, mine.mac
            )
        except Gone:
            return unknown
        return Committed({}) if rows and rows[0][0] == mine.ledger else unknown
