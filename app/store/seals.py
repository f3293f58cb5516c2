"""Sealed disclosures and decisions: which rows belong to a segment, and the chain of their roots."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.store.changes import Decision
from app.store.database import Database
from app.store.statements import Statement
from app.store.writes import Batch

_TABLES: Final = {
    # What was added later stands at the end, and is left out where it is empty: earlier seals hold.
    "disclosure": ("id, at, organization, client, purpose, entries", "user_id"),
    "decision": (", ".join(Decision._fields), ""),
}
"""Table to the columns that are sealed, always and where they hold something. In the order of a segment's tree."""
_SEAL = Statement(
    name="seal",
    columns=(("segment", "int"), ("rows", "int"), ("root", "bytes"), ("chain", "bytes"), ("sealed_at", "big")),
    template="insert into seal ({names}) select {names} from {rows}",
    sqlite="insert into seal (segment, rows, root, chain, sealed_at) values (?1, ?2, ?3, ?4, ?5)",
    guarded=True,
)


def _sealing(table: str) -> Statement:
    return Statement(
        name=table,
        columns=(("id", "text"), ("segment", "int")),
        template=(
            f"update {table} set segment = u.segment from {{rows}} where {table}.id = u.id and {table}.segment is null"
        ),
        sqlite=f"update {table} set segment = ?2 where id = ?1 and segment is null",
        guarded=True,
    )


_SEALED: Final = {table: _sealing(table) for table in _TABLES}


@dataclass(frozen=True, slots=True)
class Seal:
    """One sealed segment; the first is 1."""

    segment: int
    rows: int
    root: bytes
    chain: bytes
    sealed_at: int


@dataclass(frozen=True, slots=True)
class SealedRow:
    """One disclosure or decision: its id, and the bytes that are sealed."""

    id: str
    canonical: bytes
    table: str = "disclosure"


class Seals:
    """Reads and writes seals; for the hub itself only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def unsealed(self, limit: int) -> list[SealedRow]:
        """Rows that no segment holds yet: disclosures before decisions, of each the oldest first."""
        found: list[SealedRow] = []
        for table in _TABLES:
            found += await self._rows(table, "segment is null", "order by id limit $1", limit - len(found))
        return found

    async def rows_of(self, segment: int) -> list[SealedRow]:
        """What now stands in a segment, in the order of its tree."""
        return [row for table in _TABLES for row in await self._rows(table, "segment = $1", "order by id", segment)]

    async def _rows(self, table: str, condition: str, order: str, value: int) -> list[SealedRow]:
        always, later = _TABLES[table]
        columns = f"{always}, {later}" if later else always
        rows = await self._database.fetch(f"select {columns} from {table} where {condition} {order}", value)
        return [_sealed(table, row[:-1] if later and row[-1] is None else row) for row in rows]

    async def after(self, segment: int, limit: int) -> list[Seal]:
        """Seals that follow ``segment``, in order."""
        rows = await self._database.fetch(
            "select segment, rows, root, chain, sealed_at from seal where segment > $1 order by segment limit $2",
            segment,
            limit,
        )
        return [Seal(*row) for row in rows]

    async def last(self) -> Seal | None:
        """The newest seal."""
        rows = await self._database.fetch(
            "select segment, rows, root, chain, sealed_at from seal order by segment desc limit 1"
        )
        return Seal(*rows[0]) if rows else None

    async def strays(self) -> int:
        """Rows that claim a segment without a seal."""
        counts = [
            await self._database.fetch(
                f"select count(*) from {table} d where d.segment is not null "
                "and not exists (select 1 from seal s where s.segment = d.segment)"
            )
            for table in _TABLES
        ]
        return sum(int(rows[0][0]) for rows in counts)

    async def write(self, seal: Seal, rows: Sequence[SealedRow]) -> None:
        """Close a segment. Raises VersionMiss when somebody else sealed first."""
        sealed = [
            (statement, [(row.id, seal.segment) for row in rows if row.table == table])
            for table, statement in _SEALED.items()
        ]
        batch = Batch(
            [
                (_SEAL, [(seal.segment, seal.rows, seal.root, seal.chain, seal.sealed_at)]),
                *((statement, found) for statement, found in sealed if found),
            ],
            [],
            [],
        )
        await self._database.write(batch, 0)


def _sealed(table: str, row: Sequence[object]) -> SealedRow:
    canonical = json.dumps(list(row), separators=(",", ":"), ensure_ascii=False).encode()
    return SealedRow(str(row[0]), canonical, table)
