"""The review queue as it is read: what is open, what waits for a unit, and the counts of a time."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.store import statements as sql
from app.store.database import Database
from app.store.lookups import StoredVisit
from app.store.statements import Statement
from app.store.writes import Batch, Row

_ITEM = (
    "visit, sender, opened_at, reasons, referral, kind, unit, suggested, closed_at, later_until, "
    "answer, answered_at, answered_by"
)
_MINE = "{column} = {visit} and l.state <> 'not-ours' and l.state in ('waiting', 'review', 'referral', 'updated')"


def _history(column: str) -> Statement:
    """Keeps the states that messages are about to leave: all of a visit, or the one that has such an id."""
    insert = (
        "insert into ledger_state (ledger, until, state, reasons) select l.id, {at}, l.state, l.reasons from ledger l"
    )
    return Statement(
        name="ledger_state",
        columns=(("visit", "text"), ("at", "big")),
        template=f"{insert.format(at='u.at')} join {{rows}} on {_MINE.format(column=column, visit='u.visit')} "
        "on conflict do nothing",
        sqlite=f"{insert.format(at='?2')} where {_MINE.format(column=column, visit='?1')} on conflict do nothing",
    )


def _not_ours(column: str) -> Statement:
    """Received bytes are not kept of what is not ours, whoever says so."""
    change = "set state = 'not-ours', raw = null, reasons ="
    return Statement(
        name="ledger",
        columns=(("visit", "text"), ("reasons", "text")),
        template=f"update ledger l {change} u.reasons from {{rows}} "
        f"where {_MINE.format(column=column, visit='u.visit')}",
        sqlite=f"update ledger as l {change} ?2 where {_MINE.format(column=column, visit='?1')}",
    )


_HISTORIES = (_history("l.visit"), _history("l.id"))
_NOT_OURS = (_not_ours("l.visit"), _not_ours("l.id"))


@dataclass(frozen=True, slots=True)
class StoredReview:
    """One item of the queue or line of the daily list; times in microseconds."""

    visit: str
    sender: str
    opened_at: int
    reasons: str
    referral: str | None
    kind: str
    unit: str | None
    suggested: str | None
    """Needs, separated by blanks."""
    closed_at: int | None
    later_until: int | None
    answer: str | None
    answered_at: int | None
    answered_by: str | None


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """One answer that was given."""

    sender: str
    at: int
    answer: str


@dataclass(frozen=True, slots=True)
class Opened:
    """When an item was opened, and whether it stands."""

    sender: str
    kind: str
    opened_at: int
    closed_at: int | None
    suggested: str | None


class Reviews:
    """Reads the queue; for the hub itself only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, sender: str | None = None) -> list[StoredReview]:
        """Items that nobody has settled, oldest first."""
        condition, args = ("", []) if sender is None else ("and sender = $1", [sender])
        rows = await self._database.fetch(
            f"select {_ITEM} from review where closed_at is null {condition} order by opened_at, visit", *args
        )
        return [StoredReview(*row) for row in rows]

    async def item(self, visit: str) -> StoredReview | None:
        """The item of one visit, open or not."""
        rows = await self._database.fetch(f"select {_ITEM} from review where visit = $1", visit)
        return StoredReview(*rows[0]) if rows else None

    async def waiting_for_units(self) -> dict[tuple[str, str], list[str]]:
        """(sender, unit) to the visits whose open item waits for that unit to be classified."""
        rows = await self._database.fetch(
            "select sender, unit, visit from review where closed_at is null and unit is not null order by opened_at"
        )
        waiting: dict[tuple[str, str], list[str]] = {}
        for sender, unit, visit in rows:
            waiting.setdefault((sender, unit), []).append(visit)
        return waiting

    async def open_counts(self) -> dict[tuple[str, str], int]:
        """(sender, kind) to the number of open items."""
        rows = await self._database.fetch(
            "select sender, kind, count(*) from review where closed_at is null group by sender, kind"
        )
        return {(row[0], row[1]): int(row[2]) for row in rows}

    async def opened_since(self, since: int) -> list[Opened]:
        """Items that were opened at ``since`` (microseconds) or later."""
        rows = await self._database.fetch(
            "select sender, kind, opened_at, closed_at, suggested from review where opened_at >= $1", since
        )
        return [Opened(*row) for row in rows]

    async def answers_since(self, since: int) -> list[StoredAnswer]:
        """Answers that were given at ``since`` (microseconds) or later."""
        rows = await self._database.fetch("select sender, at, answer from review_answer where at >= $1", since)
        return [StoredAnswer(*row) for row in rows]

    async def answers_of(self, visit: str) -> Sequence[tuple[int, str, str, int | None]]:
        """Every answer about one visit, oldest first: when, what, by whom, until when."""
        rows = await self._database.fetch(
            "select at, answer, answered_by, until from review_answer where visit = $1 order by at, id", visit
        )
        return [(row[0], row[1], row[2], row[3]) for row in rows]

    async def newest_message(self, visit: str) -> str | None:
        """The kept message from which a visit can be decided again: the newest that waits for a human, else of all."""
        rows = await self._database.fetch(
            "select id from ledger where visit = $1 and state <> 'not-ours' and raw is not null "
            "order by case when state = 'review' then 0 else 1 end, received_at desc, id desc limit 1",
            visit,
        )
        return rows[0][0] if rows else None

    async def stubs(self, visits: Sequence[str]) -> dict[str, StoredVisit]:
        """The stubs of some visits, by id, where they are still kept."""
        condition = self._database.any_of("id", "$1")
        rows = await self._database.fetch(
            f"select '', id, version, key, content, expires_at from visit where {condition}",
            self._database.array(visits),
        )
        return {row[1]: StoredVisit(*row) for row in rows}

    async def not_ours(self, visit: str, at: int, reasons: str) -> None:
        """All messages of a visit (or the one message that is called so) become not ours, and its item is closed."""
        writes: list[tuple[Statement, list[Row]]] = [
            *((statement, [(visit, at)]) for statement in _HISTORIES),
            *((statement, [(visit, reasons)]) for statement in _NOT_OURS),
            (sql.REVIEWS_CLOSED, [(visit, at)]),
        ]
        await self._database.write(Batch(writes, [], []), 0)

    async def close(self, visit: str, at: int) -> None:
        """The item goes off the queue; nothing else changes."""
        await self._database.write(Batch([(sql.REVIEWS_CLOSED, [(visit, at)])], [], []), 0)
