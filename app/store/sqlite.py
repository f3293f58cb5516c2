"""SQLite: one writing thread, a few reading threads, durable at each commit.

WAL with ``synchronous=FULL``; every write starts with BEGIN IMMEDIATE, so two processes queue
instead of failing half-way. ``serve`` and ``worker`` hold a file lock beside the database: one
serving process only.
"""

import asyncio
import fcntl
import json
import os
import re
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from app.store import statements as sql
from app.store.database import Gone, Record, VersionMiss
from app.store.subscription_writes import COUNT_EVENTS_SQLITE, NUMBER_EVENTS_SQLITE, SUBSCRIBED_SQLITE
from app.store.writes import Batch, stamp_rows

T = TypeVar("T")
_READERS = 3
_BUSY_SECONDS = 20


class AlreadyServed(Exception):
    """Another process serves this database."""


@lru_cache(maxsize=512)
def _numbered(text: str) -> str:
    """``$1`` is SQLite's ``?1``."""
    return re.sub(r"\$(\d+)", r"?\1", text)


def private_file(path: Path) -> None:
    """Make the file and its folder where they are missing; others on the machine can't read what SQLite keeps in it.

    What SQLite puts beside the file has the mode of the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def _connect(path: str, busy_seconds: float) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    connection.execute("pragma foreign_keys = on")
    connection.execute("pragma cache_size = -16000")
    return connection


class SqliteDatabase:
    """The embedded default."""

    name = "sqlite"

    def __init__(self, path: Path, *, busy_seconds: float = _BUSY_SECONDS) -> None:
        private_file(path)
        self._path = str(path)
        self._busy_seconds = busy_seconds
        self._lock_path = path.with_name(path.name + ".lock")
        self._lock: int | None = None
        self._writer = ThreadPoolExecutor(1, "sqlite-writer")
        self._readers = ThreadPoolExecutor(_READERS, "sqlite-reader")
        self._local = threading.local()
        self._connecting = threading.Lock()
        self._open: list[sqlite3.Connection] = []
        self._told: list[Callable[[], None]] = []

    def serve_alone(self) -> None:
        """Take the file lock of the serving process; AlreadyServed when another holds it."""
        descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise AlreadyServed from error
        self._lock = descriptor

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            # The first connection may have to turn the file to WAL, which nobody else may hold open meanwhile.
            with self._connecting:
                connection = _connect(self._path, self._busy_seconds)
            self._local.connection = connection
            self._open.append(connection)
        return connection

    async def _run(self, pool: ThreadPoolExecutor, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, lambda: work(self._connection()))
        except sqlite3.IntegrityError as error:
            raise VersionMiss from error
        except sqlite3.Error as error:
            raise Gone from error

    async def fetch(self, sql_text: str, *args: Any) -> Sequence[Record]:
        """Rows of a query, from a reading thread."""
        statement = _numbered(sql_text)
        return await self._run(self._readers, lambda c: c.execute(statement, args).fetchall())

    async def fetch_fenced(self, sql_text: str, *args: Any) -> Sequence[Record]:
        """The same: there is one fence here."""
        return await self.fetch(sql_text, *args)

    async def execute(self, sql_text: str, *args: Any) -> int:
        """One statement in its own transaction."""
        statement = _numbered(sql_text)

        def work(connection: sqlite3.Connection) -> int:
            return _in_transaction(connection, lambda: connection.execute(statement, args).rowcount)

        return await self._run(self._writer, work)

    async def write(self, batch: Batch, offset_us: int) -> dict[str, int]:
        """One durable transaction."""
        written = await self._run(self._writer, lambda c: _in_transaction(c, lambda: _write_batch(c, batch, offset_us)))
        if written.events or batch.subscribes:
            for tell in self._told:
                tell()
        return written.stamps

    def when_subscribers_wait(self, tell: Callable[[], None]) -> None:
        """Call ``tell`` after each commit of this process with events of a subscription, or a Subscription itself."""
        self._told.append(tell)

    def any_of(self, expression: str, parameter: str) -> str:
        """Membership through json_each."""
        return f"{expression} in (select value from json_each({parameter}))"

    def pairs(self, first: str, second: str) -> str:
        """Two JSON arrays, joined by position; the limit has them joined before anything else."""
        return (
            "(select a.value as one, b.value as two "
            f"from json_each({first}) a join json_each({second}) b on b.key = a.key limit -1) as pair"
        )

    def array(self, values: Sequence[str]) -> Any:
        """A JSON array."""
        return json.dumps(list(values))

    async def close(self) -> None:
        """Close every connection and release the serving lock."""
        self._writer.shutdown()
        self._readers.shutdown()
        for connection in self._open:
            connection.close()
        self._open.clear()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _in_transaction(connection: sqlite3.Connection, work: Callable[[], T]) -> T:
    connection.execute("begin immediate")
    try:
        result = work()
        connection.execute("commit")
    except BaseException:
        # After some errors, a full disk for one, SQLite has rolled back by itself.
        if connection.in_transaction:
            connection.execute("rollback")
        raise
    return result


class _Written(NamedTuple):
    stamps: dict[str, int]
    events: int


def _write_batch(connection: sqlite3.Connection, batch: Batch, offset_us: int) -> _Written:
    for statement, rows in batch.writes:
        touched = connection.executemany(statement.sqlite, rows).rowcount
        if statement.guarded and touched != len(rows):
            raise VersionMiss
    return _stamp(connection, batch, offset_us) if batch.stamps else _Written({}, 0)


def _stamp(connection: sqlite3.Connection, batch: Batch, offset_us: int) -> _Written:
    count = len(batch.resources)
    seq, stamp = connection.execute(sql.STAMP_SQLITE_HEAD, (count, offset_us)).fetchone()
    stamps = {r.id: stamp + n for n, r in enumerate(batch.resources, 1)}
    connection.executemany(
        sql.STAMP_SQLITE_CHANGE,
        [(r.type, r.id, r.version, seq + n, stamp + n) for n, r in enumerate(batch.resources, 1)],
    )
    connection.executemany(
        sql.STAMP_SQLITE_RESOURCE,
        [(*row, stamp + n) for n, row in enumerate(stamp_rows(batch.resources), 1)],
    )
    told = (json.dumps(list(stamps)), json.dumps(batch.tell), stamp + count)
    connection.execute(sql.STAMP_SQLITE_AUDIENCE, told)
    return _Written(stamps, _number_events(connection, seq, seq + count))


def _number_events(connection: sqlite3.Connection, after: int, last: int) -> int:
    """The twin of the function ``number_events`` of PostgreSQL (migration 0005)."""
    if after == last or connection.execute(SUBSCRIBED_SQLITE).fetchone() is None:
        return 0
    numbered = connection.execute(NUMBER_EVENTS_SQLITE, (after, last)).rowcount
    if numbered:
        connection.execute(COUNT_EVENTS_SQLITE)
    return numbered
