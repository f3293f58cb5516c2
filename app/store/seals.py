"""Sealed disclosures: which rows belong to a segment, and the chain of their roots."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from app.store.database import Database
from app.store.statements import Statement
from app.store.writes import Batch

_COLUMNS = "id, at, organization, client, purpose, entries"
_SEAL = Statement(
    name="seal",
    columns=(("segment", "int"), ("rows", "int"), ("root", "bytes"), ("chain", "bytes"), ("sealed_at", "big")),
    template="insert into seal ({names}) select {names} from {rows}",
    sqlite="insert into seal (segment, rows, root, chain, sealed_at) values (?1, ?2, ?3, ?4, ?5)",
    guarded=True,
)
_SEALED = Statement(
    name="disclosure",
    columns=(("id", "text"), ("segment", "int")),
    template=(
        "update disclosure set segment = u.segment from {rows} "
        "where disclosure.id = u.id and disclosure.segment is null"
    ),
    sqlite="update disclosure set segment = ?2 where id = ?1 and segment is null",
    guarded=True,
)


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
    """One disclosure: its id, and the bytes that are sealed."""

    id: str
    canonical: bytes


class Seals:
    """Reads and writes seals; for the hub itself only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def unsealed(self, limit: int) -> list[SealedRow]:
        """Disclosures that no segment holds yet, oldest first."""
        rows = await self._database.fetch(
            f"select {_COLUMNS} from disclosure where segment is null order by id limit $1", limit
        )
        return [_sealed(row) for row in rows]

    async def rows_of(self, segment: int) -> list[SealedRow]:
        """What now stands in a segment, in the order of its tree."""
        rows = await self._database.fetch(f"select {_COLUMNS} from disclosure where segment = $1 order by id", segment)
        return [_sealed(row) for row in rows]

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
        """Disclosures that claim a segment without a seal."""
        rows = await self._database.fetch(
            "select count(*) from disclosure d where d.segment is not null "
            "and not exists (select 1 from seal s where s.segment = d.segment)"
        )
        return int(rows[0][0])

    async def write(self, seal: Seal, rows: Sequence[SealedRow]) -> None:
        """Close a segment. Raises VersionMiss when somebody else sealed first."""
        batch = Batch(
            [
                (_SEAL, [(seal.segment, seal.rows, seal.root, seal.chain, seal.sealed_at)]),
                (_SEALED, [(row.id, seal.segment) for row in rows]),
            ],
            [],
            [],
        )
        await self._database.write(batch, 0)


def _sealed(row: Sequence[object]) -> SealedRow:
    return SealedRow(str(row[0]), json.dumps(list(row), separators=(",", ":"), ensure_ascii=False).encode())
