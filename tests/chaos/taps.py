"""Databases that tell of each step of a write, to whoever kills the process or breaks the connection there.

The seam is outside the product: the real database classes run, only their connections are watched.
"""

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import asyncpg

from app.core.clock import Clock
from app.store.postgres import PostgresDatabase
from app.store.sqlite import SqliteDatabase
from app.store.store import Store
from app.store.writes import Batch

Tap = Callable[[str], None]
"""Called with the name of the step: ``before commit``, ``after insert into ledger``; it may raise or kill."""
_UNDER_WAY_SECONDS = 0.0005
"""After that a statement is with the server, which has hardly answered yet."""
_ENDS = frozenset({"begin", "begin immediate", "commit"})
_WRITES = re.compile(r"\binsert into\b|\bupdate \w+ set\b|\bdelete from\b")


def step(statement: str) -> str:
    """The first words of a statement: what it does to which table."""
    return " ".join(statement.split()[:3])


class _TappedSqlite:
    def __init__(self, real: sqlite3.Connection, tap: Tap) -> None:
        self._real = real
        self._tap = tap

    @property
    def in_transaction(self) -> bool:
        return self._real.in_transaction

    def execute(self, statement: str, args: Sequence[Any] = ()) -> sqlite3.Cursor:
        return self._watched(statement, lambda: self._real.execute(statement, args))

    def executemany(self, statement: str, rows: Sequence[Sequence[Any]]) -> sqlite3.Cursor:
        return self._watched(statement, lambda: self._real.executemany(statement, rows))

    def _watched(self, statement: str, run: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
        told = (self._real.in_transaction or statement in _ENDS) and statement != "rollback"
        if statement in _ENDS:
            self._tap(f"before {step(statement)}")
        cursor = run()
        if told:
            self._tap(f"after {step(statement)}")
        return cursor


class TappedSqlite(SqliteDatabase):
    """SQLite, watched."""

    def __init__(self, path: Path, tap: Tap) -> None:
        super().__init__(path)
        self._tap = tap

    def _connection(self) -> sqlite3.Connection:
        return cast("sqlite3.Connection", _TappedSqlite(super()._connection(), self._tap))

    async def write(self, batch: Batch, offset_us: int) -> dict[str, int]:
        stamps = await super().write(batch, offset_us)
        self._tap("written")
        return stamps


class _TappedPostgres:
    """A statement that writes outside of a transaction is one, and is its own commit."""

    def __init__(self, real: "asyncpg.Connection[asyncpg.Record]", tap: Tap) -> None:
        self._real = real
        self._tap = tap

    def is_in_transaction(self) -> bool:
        return self._real.is_in_transaction()

    async def execute(self, statement: str, *args: Any) -> str:
        if self._is_commit(statement):
            return cast("str", await self._committed(lambda: self._real.execute(statement, *args)))
        told = (self._real.is_in_transaction() or statement in _ENDS) and statement != "rollback"
        if statement in _ENDS:
            self._tap(f"before {step(statement)}")
        status: str = await self._real.execute(statement, *args)
        if told:
            self._tap(f"after {step(statement)}")
        return status

    async def fetch(self, statement: str, *args: Any) -> Any:
        if self._is_commit(statement):
            return await self._committed(lambda: self._real.fetch(statement, *args))
        told = self._real.is_in_transaction()
        rows = await self._real.fetch(statement, *args)
        if told:
            self._tap(f"after {step(statement)}")
        return rows

    def _is_commit(self, statement: str) -> bool:
        return not self._real.is_in_transaction() and _WRITES.search(statement) is not None

    async def _committed(self, ask: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        self._tap("before commit")
        asked = asyncio.create_task(ask())
        await asyncio.sleep(_UNDER_WAY_SECONDS)
        self._tap("during commit")
        answer = await asked
        self._tap("after commit")
        return answer

    def terminate(self) -> None:
        self._real.terminate()


class TappedPostgres(PostgresDatabase):
    """PostgreSQL, watched."""

    def __init__(self, url: str, tap: Tap) -> None:
        super().__init__(url)
        self._tap = tap

    @asynccontextmanager
    async def _connection(self) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
        async with super()._connection() as real:
            yield cast("asyncpg.Connection[asyncpg.Record]", _TappedPostgres(real, self._tap))

    async def write(self, batch: Batch, offset_us: int) -> dict[str, int]:
        stamps = await super().write(batch, offset_us)
        self._tap("written")
        return stamps


def tapped(url: str, tap: Tap, clock: Clock | None = None) -> Store:
    """A store over ``url`` whose writes are watched; ``clock``: the real one where none is given."""
    clock = clock or Clock()
    if url.startswith("sqlite:///"):
        return Store(TappedSqlite(Path(url.removeprefix("sqlite:///")), tap), clock)
    return Store(TappedPostgres(url, tap), clock)
