"""Questions whose answer is always the same in a sound database."""

from dataclasses import dataclass
from typing import get_args

from app.store.changes import LedgerState
from app.store.database import Database

_STATES = ", ".join(f"'{state}'" for state in get_args(LedgerState))


@dataclass(frozen=True, slots=True)
class LedgerFigures:
    """The ledger in numbers."""

    rows: int
    by_state: dict[str, int]
    other_states: int
    """Rows in a state that there is not."""
    without_raw: int
    """Rows whose received bytes should be there and are not."""
    lost_receipts: int
    """Receipts of a message that the ledger doesn't have."""


@dataclass(frozen=True, slots=True)
class ChangeFigures:
    """The order of changes in numbers; all but ``rows`` and ``last`` are 0."""

    rows: int
    last: int
    missing: int
    """Numbers between 1 and the last that no change has."""
    out_of_order: int
    """Changes whose instant is not later than that of the change before."""
    head_off: int
    """1 when the counter doesn't stand at the last change."""
    stale: int
    """Current rows that are not the last change of their resource."""


@dataclass(frozen=True, slots=True)
class ReviewFigures:
    """The review queue in numbers."""

    items: int
    visits: int


class Checks:
    """Counts; for the hub itself only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ledger(self) -> LedgerFigures:
        """Where every message went, counted twice."""
        by_state = await self._database.fetch(
            f"select state, count(*) from ledger where state in ({_STATES}) group by state"
        )
        kept = "'referral', 'updated', 'waiting', 'review', 'rejected'"
        return LedgerFigures(
            rows=await self._number("select count(*) from ledger"),
            by_state={row[0]: int(row[1]) for row in by_state},
            other_states=await self._number(f"select count(*) from ledger where state not in ({_STATES})"),
            without_raw=await self._number(f"select count(*) from ledger where raw is null and state in ({kept})"),
            lost_receipts=await self._number(
                "select count(*) from receipt r where not exists (select 1 from ledger l where l.id = r.ledger)"
            ),
        )

    async def changes(self) -> ChangeFigures:
        """Whether numbers and instants are in commit order, without gaps."""
        rows = await self._number("select count(*) from change")
        last = await self._number("select coalesce(max(seq), 0) from change")
        return ChangeFigures(
            rows=rows,
            last=last,
            missing=last - rows,
            out_of_order=await self._number(
                "select count(*) from (select last_updated, lag(last_updated) over (order by seq) as before "
                "from change) c where c.before >= c.last_updated"
            ),
            head_off=await self._number(
                "select count(*) from head where seq <> (select coalesce(max(seq), 0) from change)"
            ),
            stale=await self._number(
                "select count(*) from resource r where not exists (select 1 from change c "
                "where c.id = r.id and c.version = r.version and c.last_updated = r.last_updated) "
                "or exists (select 1 from change c where c.id = r.id and c.version > r.version)"
            ),
        )

    async def reviews(self) -> ReviewFigures:
        """Whether each visit has one item at most."""
        return ReviewFigures(
            items=await self._number("select count(*) from review"),
            visits=await self._number("select count(distinct visit) from review"),
        )

    async def _number(self, query: str) -> int:
        return int((await self._database.fetch(query))[0][0])
