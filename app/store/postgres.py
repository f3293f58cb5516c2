"""PostgreSQL through asyncpg: prepared statements, one parameter per column, a small pool of our own.

The pool exists because asyncpg's own resets a connection at each release, which costs a third of a
short query; nothing here leaves session state behind.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, cast

import asyncpg

from app.store import fence
from app.store import statements as sql
from app.store.database import Doubt, Gone, Record, Unfenced, VersionMiss
from app.store.writes import Batch, Group, joined, stamp_rows

_NOT_WRITTEN = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server ended a connection that was idle, and its farewell came in between
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.OperatorInterventionError,
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    OSError,
    TimeoutError,
)
_REFUSED = (
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.ReadOnlySQLTransactionError,
)
"""The server's own word that it did not do the statement."""
_UNFENCED = (
    asyncpg.InsufficientPrivilegeError,
    asyncpg.InvalidParameterValueError,  # how a server says at connecting that a role is not there
)
_MISSED = (
    asyncpg.DivisionByZeroError,  # how a guarded part of a statement tells, see statements.together
    asyncpg.UniqueViolationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
)
_COMMAND_SECONDS = 30.0
_SESSION = {
    "application_name": "throughline",
    "jit": "off",
    # Planning a hot statement anew costs as much as running it. A kept plan must not be one that was right
    # while the tables were empty: every statement here finds its rows by an index, one after the other.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}


class _Pool:
    """Connections to one database under the same settings; a connection belongs to one user at a time."""

    def __init__(self, url: str, size: int, settings: Mapping[str, str]) -> None:
        self._url = url
        self._settings = dict(settings)
        self._idle: list[asyncpg.Connection[asyncpg.Record]] = []
        self._slots = asyncio.Semaphore(size)

    async def open(self) -> "asyncpg.Connection[asyncpg.Record]":
        """A connection outside the pool."""
        return await asyncpg.connect(
            self._url,
            statement_cache_size=512,
            max_cached_statement_lifetime=0,
            command_timeout=_COMMAND_SECONDS,
            server_settings=self._settings,
        )

    @asynccontextmanager
    async def connection(self) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
        """One of the pool's; raises Gone or Unfenced where none can be opened."""
        async with self._slots:
            try:
                connection = self._idle.pop() if self._idle else await self.open()
                if connection.is_closed():
                    connection = await self.open()
            except _UNFENCED as error:
                raise Unfenced from error
            except _NOT_WRITTEN as error:
                raise Gone from error
            try:
                yield connection
            except Gone:
                connection.terminate()
                raise
            finally:
                # A connection that is still inside a transaction is in an unknown state: not used again.
                if connection.is_closed() or connection.is_in_transaction():
                    connection.terminate()
                else:
                    self._idle.append(connection)

    async def close(self) -> None:
        """Close every idle connection."""
        while self._idle:
            await _closed(self._idle.pop())


class PostgresDatabase:
    """The production database."""

    name = "postgresql"

    def __init__(self, url: str, *, size: int = 8) -> None:
        self._pool = _Pool(url, size, _SESSION)
        # A session that starts as the role comes back to it whatever is reset.
        self._fenced = _Pool(url, size, {**_SESSION, "role": fence.ROLE})
        self._listeners: dict[str, asyncpg.Connection[asyncpg.Record]] = {}

    def _connection(self) -> "AbstractAsyncContextManager[asyncpg.Connection[asyncpg.Record]]":
        return self._pool.connection()

    async def fetch(self, sql_text: str, *args: Any) -> Sequence[Record]:
        """Rows of a query."""
        async with self._connection() as connection:
            try:
                return cast("Sequence[Record]", await connection.fetch(sql_text, *args))
            except _NOT_WRITTEN as error:
                raise Gone from error

    async def fetch_fenced(self, sql_text: str, *args: Any) -> Sequence[Record]:
        """Rows of a query under the second fence. Raises Unfenced where it was not built."""
        async with self._fenced.connection() as connection:
            try:
                return cast("Sequence[Record]", await connection.fetch(sql_text, *args))
            except asyncpg.InsufficientPrivilegeError as error:
                raise Unfenced from error
            except _NOT_WRITTEN as error:
                raise Gone from error

    async def execute(self, sql_text: str, *args: Any) -> int:
        """One statement in its own transaction."""
        async with self._connection() as connection:
            try:
                return _touched(await connection.execute(sql_text, *args))
            except _MISSED as error:
                raise VersionMiss from error
            except _NOT_WRITTEN as error:
                raise Gone from error

    async def write(self, batch: Batch, offset_us: int) -> dict[str, int]:
        """One durable transaction: one statement where that can be, else several between BEGIN and COMMIT."""
        *earlier, last = batch.groups()
        async with self._connection() as connection:
            if earlier:
                async with _told(connection, lost=Gone):
                    await connection.execute("begin")
                    for group in earlier:
                        await connection.execute(*_statement(group))
            # The server may commit before the connection is lost.
            async with _told(connection, lost=Doubt):
                rows = await connection.fetch(*_statement(last, batch, offset_us))
                if earlier:
                    await connection.execute("commit")
        return {row[0]: row[1] for row in rows} if batch.resources else {}

    async def listen(self, channel: str, heard: Callable[[str], None], lost: Callable[[], None]) -> None:
        """Call ``heard`` with each payload of ``channel``; ``lost`` when the connection ends. Raises Gone."""
        self.unlisten(channel)
        try:
            connection = self._listeners[channel] = await self._pool.open()
            connection.add_termination_listener(lambda _: lost())
            await connection.add_listener(channel, lambda *a: heard(str(a[3])))
        except _NOT_WRITTEN as error:
            raise Gone from error

    def unlisten(self, channel: str) -> None:
        """Hear of ``channel`` no more."""
        if channel in self._listeners:
            self._listeners.pop(channel).terminate()

    def any_of(self, expression: str, parameter: str) -> str:
        """Membership in an array."""
        return f"{expression} = any({parameter}::text[])"

    def pairs(self, first: str, second: str) -> str:
        """Two arrays, unnested together."""
        return f"unnest({first}::text[], {second}::text[]) as pair(one, two)"

    def array(self, values: Sequence[str]) -> Any:
        """A list, as asyncpg takes it."""
        return list(values)

    async def close(self) -> None:
        """Close every idle connection."""
        await self._pool.close()
        await self._fenced.close()
        for channel in [*self._listeners]:
            await _closed(self._listeners.pop(channel))


@asynccontextmanager
async def _told(
    connection: "asyncpg.Connection[asyncpg.Record]", *, lost: type[Gone] | type[Doubt]
) -> AsyncIterator[None]:
    """Faults of a write in the store's words; ``lost`` is what a lost connection means at this point."""
    try:
        yield
    except _MISSED as error:
        await _roll_back(connection)
        raise VersionMiss from error
    except _REFUSED as error:
        connection.terminate()
        raise Gone from error
    except _NOT_WRITTEN as error:
        connection.terminate()
        raise lost from error
    except BaseException:
        connection.terminate()
        raise


async def _closed(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    try:
        await connection.close(timeout=2)
    except (*_NOT_WRITTEN, asyncpg.PostgresError):
        connection.terminate()


def _statement(group: Group, stamping: Batch | None = None, offset_us: int = 0) -> list[Any]:
    """SQL and parameters of one statement, which also stamps where ``stamping`` has something to stamp."""
    stamped = stamping is not None and stamping.stamps
    asked: list[Any] = [sql.together(tuple(statement for statement, _ in group), stamped=stamped)]
    for statement, rows in group:
        asked += _columns(rows, [kind for _, kind in statement.columns])
    if stamping is not None and stamped:
        rows = stamp_rows(stamping.resources)
        asked += [len(rows), offset_us, stamping.tell, *_columns(rows, sql.STAMP_KINDS)]
    return asked


def _columns(rows: Sequence[Sequence[Any]], kinds: Sequence[str]) -> list[Any]:
    """One parameter per column: bytes as a list, everything else joined."""
    if not rows:
        return ["" for _ in kinds]
    return [
        list(column) if kind == "bytes" else joined(column, kind)
        for kind, column in zip(kinds, zip(*rows, strict=True), strict=True)
    ]


def _touched(status: str) -> int:
    return int(status.rsplit(" ", 1)[-1]) if status[-1:].isdigit() else 0


async def _roll_back(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    if not connection.is_in_transaction():
        return
    try:
        await connection.execute("rollback")
    except _NOT_WRITTEN:
        connection.terminate()
