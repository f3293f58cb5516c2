"""What senders send, counted by the hour, and which of them are silent.

Counts are added up in memory and written together every few seconds (``app.services.intake.sender_counts``): no message
pays a write for them. What a process that is killed had not written yet is missing from them, and from nothing else.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from app.store.database import Database
from app.store.statements import Statement
from app.store.writes import Batch

NOBODY: Final = "-"
"""Stands for the sender of a message that is nobody's; no sender can be called so."""
PLAIN: Final = "-"
"""Stands for the code where there is nothing to tell apart."""

_ADDED = Statement(
    name="sender_count",
    columns=(("sender", "text"), ("what", "text"), ("hour", "big"), ("code", "text"), ("number", "big")),
    template=(
        "insert into sender_count ({names}) select {names} from {rows} "
        "on conflict (sender, what, hour, code) do update set number = sender_count.number + excluded.number"
    ),
    sqlite=(
        "insert into sender_count (sender, what, hour, code, number) values (?1, ?2, ?3, ?4, ?5) "
        "on conflict (sender, what, hour, code) do update set number = sender_count.number + excluded.number"
    ),
)


Tally = tuple[str, str, int, str]
"""What is counted: sender, what, start of the hour (of codes: of the day) in microseconds, UTC, and code.

Plain, since each message makes some.
"""


class Span(NamedTuple):
    """From one instant to before another, in microseconds."""

    start: int
    end: int


class SenderHealth:
    """Reads and writes the counts; for the hub itself only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, counts: Mapping[Tally, int]) -> None:
        """Add to what is counted already. Raises Gone, Doubt."""
        rows = [(*tally, number) for tally, number in sorted(counts.items())]
        await self._database.write(Batch([(_ADDED, rows)], [], []), 0)

    async def totals(self, since: int, whats: Sequence[str]) -> dict[tuple[str, str], dict[str, int]]:
        """(sender, what) to the number of each code, of the hours that began at ``since`` or later."""
        condition = self._database.any_of("what", "$2")
        rows = await self._database.fetch(
            "select sender, what, code, sum(number) from sender_count "
            f"where hour >= $1 and {condition} group by sender, what, code",
            since,
            self._database.array(whats),
        )
        found: dict[tuple[str, str], dict[str, int]] = {}
        for sender, what, code, number in rows:
            found.setdefault((sender, what), {})[code] = int(number)
        return found

    async def hours(self, sender: str, what: str, spans: Sequence[Span]) -> dict[int, int]:
        """Start of an hour to its number, of the hours that begin in any of ``spans``."""
        places = " or ".join(f"(hour >= ${n} and hour < ${n + 1})" for n in range(3, 3 + 2 * len(spans), 2))
        rows = await self._database.fetch(
            f"select hour, sum(number) from sender_count where sender = $1 and what = $2 and ({places}) group by hour",
            sender,
            what,
            *(instant for span in spans for instant in span),
        )
        return {row[0]: int(row[1]) for row in rows}

    async def first_hour(self, sender: str, what: str) -> int | None:
        """The first hour in which something was counted."""
        rows = await self._database.fetch(
            "select min(hour) from sender_count where sender = $1 and what = $2", sender, what
        )
        return rows[0][0] if rows else None

    async def last_message(self, sender: str) -> int | None:
        """When the newest message of a sender was received."""
        rows = await self._database.fetch("select max(received_at) from ledger where sender = $1", sender)
        return rows[0][0] if rows else None

    async def forget(self, before: int, kept: str, others_before: int) -> int:
        """Drop what is too old: ``kept`` before one instant, all else before another; how many rows."""
        return await self._database.execute(
            "delete from sender_count where hour < $1 or (hour < $3 and what <> $2)", before, kept, others_before
        )

    async def silences(self) -> dict[str, int]:
        """Senders that are known to be silent: since when, in microseconds."""
        rows = await self._database.fetch("select sender, since from sender_silence")
        return {row[0]: row[1] for row in rows}

    async def begin_silence(self, sender: str, since: int, now: int) -> bool:
        """Remember that a sender is silent; False when that was known already."""
        touched = await self._database.execute(
            "insert into sender_silence (sender, since, raised_at) values ($1, $2, $3) on conflict do nothing",
            sender,
            since,
            now,
        )
        return touched == 1

    async def end_silence(self, sender: str) -> bool:
        """Remember that a sender is heard again; False when that was known already."""
        return await self._database.execute("delete from sender_silence where sender = $1", sender) == 1
