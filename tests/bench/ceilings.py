"""The batched ceiling: the rows and bytes of a unit (a referral, a transaction), written by nothing but SQL.

What 64 units really write is taken from the database as differences: of referrals one after their RDS messages and one
after their A03 messages, of transactions one. Two processes with two connections each then write the same rows with
fresh ids: per difference one transaction, per table one ``unnest``, the row that orders all changes locked last, as the
hub does. Ids have the form of the hub's own, so indexes grow alike. All parameters are made before the clock starts:
what is left of Python is what asyncpg itself needs.

Run as a program by ``measure``: ``python -m tests.bench.ceilings URL SAMPLE BATCHES``.
"""

import asyncio
import pickle
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import asyncpg
import uvloop

from app.core.ids import uuid7

Connection = Any  # asyncpg.Connection[asyncpg.Record]; generic in its stubs only
Key = tuple[Any, ...]
Snapshot = dict[str, dict[Key, tuple[Any, ...]]]

BATCH = 64
_WRITERS = 2
_PROCESSES = 2
_NOT_COUNTED = frozenset({"alembic_version", "head", "seal", "access_log", "token"})
_STAMPED = ("change", "resource", "audience")
"""Written while the lock is held."""
_SEPARATOR, _NULL = "\x1f", "\x1e"
_CASTS = {"bigint": "::bigint[]", "integer": "::integer[]", "boolean": "::boolean[]", "text": ""}
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<![\w-])[\w-]{22}(?![\w-])")


@dataclass(frozen=True, slots=True)
class Table:
    """A table as the catalogue has it."""

    name: str
    columns: tuple[tuple[str, str], ...]
    """Name and SQL type."""
    key: tuple[str, ...]

    def key_of(self, row: Sequence[Any]) -> Key:
        names = [name for name, _ in self.columns]
        return tuple(row[names.index(name)] for name in self.key)


@dataclass(frozen=True, slots=True)
class Write:
    """One statement and its parameters."""

    table: str
    kind: str
    sql: str
    columns: tuple[Any, ...]
    """Per column the values: one joined text, or a list of bytes."""
    rows: int


@dataclass(frozen=True, slots=True)
class Sample:
    """What a batch writes: one list of statements per transaction."""

    stages: tuple[tuple[Write, ...], ...]
    run: str
    """The part of every identifier that names the run that was sampled."""
    known: frozenset[str]
    """Ids that were there before: organisations."""

    def rows(self) -> dict[str, float]:
        """Rows per unit: table and what happens to it."""
        counted: dict[str, float] = {}
        for write in (write for stage in self.stages for write in stage):
            name = f"{write.table} {write.kind}"
            counted[name] = counted.get(name, 0.0) + write.rows / BATCH
        return counted

    def size(self) -> float:
        """Bytes of parameters per unit."""
        columns = [column for stage in self.stages for write in stage for column in write.columns]
        return sum(len(c) if isinstance(c, str) else sum(map(len, c)) for c in columns) / BATCH


# ---- what was written


async def tables(connection: Connection) -> list[Table]:
    """All tables whose rows count."""
    columns = await connection.fetch(
        "select table_name, column_name, data_type from information_schema.columns "
        "where table_schema = 'public' order by table_name, ordinal_position"
    )
    keys = await connection.fetch(
        "select c.relname as table_name, a.attname as column_name from pg_index i "
        "join pg_class c on c.oid = i.indrelid join pg_attribute a on a.attrelid = c.oid and a.attnum = any(i.indkey) "
        "where i.indisprimary and c.relnamespace = 'public'::regnamespace"
    )
    found = []
    for name in sorted({row["table_name"] for row in columns} - _NOT_COUNTED):
        typed = tuple((row["column_name"], row["data_type"]) for row in columns if row["table_name"] == name)
        key = tuple(row["column_name"] for row in keys if row["table_name"] == name)
        # A row of a table without a key is known by all that it holds.
        found.append(Table(name, typed, key or tuple(column for column, _ in typed)))
    return found


async def snapshot(connection: Connection, known: Sequence[Table]) -> Snapshot:
    """Every row there is."""
    found: Snapshot = {}
    for table in known:
        rows = [tuple(row) for row in await connection.fetch(f"select * from {table.name}")]
        found[table.name] = {table.key_of(row): row for row in rows}
    return found


def sample(known: Sequence[Table], states: Sequence[Snapshot], run: str) -> Sample:
    """What happened between each state and the next."""
    stages = tuple(
        tuple(write for table in known for write in _writes(table, before[table.name], after[table.name]))
        for before, after in pairwise(states)
    )
    ids = frozenset(
        found for rows in states[0].values() for key in rows for found in _ID.findall(" ".join(map(str, key)))
    )
    return Sample(tuple(tuple(sorted(stage, key=lambda w: w.table in _STAMPED)) for stage in stages), run, ids)


def _writes(table: Table, before: dict[Key, tuple[Any, ...]], after: dict[Key, tuple[Any, ...]]) -> Iterator[Write]:
    added = [row for key, row in after.items() if key not in before]
    changed = [row for key, row in after.items() if key in before and before[key] != row]
    gone = [row for key, row in before.items() if key not in after]
    if table.name == "audience":
        added, changed = [*added, *changed], []
    for kind, rows in (("insert", added), ("update", changed), ("delete", gone)):
        if rows:
            yield Write(table.name, kind, _STATEMENTS[kind](table), _columns(table, rows), len(rows))


def _insert(table: Table) -> str:
    names = ", ".join(name for name, _ in table.columns)
    chosen = names
    suffix = ""
    if table.name == "change":
        chosen = "h.seq + u.n, type, id, version, h.stamp + u.n"
    elif table.name == "resource":
        chosen = names.replace("last_updated", "h.stamp + u.n")
    elif table.name == "audience":
        suffix = " on conflict (organization) do update set seq = audience.seq + 1"
    elif table.name == "access_page":
        suffix = " on conflict do nothing"
    return f"insert into {table.name} ({names}) select {chosen} from {_rows(table)}{suffix}"


def _update(table: Table) -> str:
    values = {name: f"u.{name}" for name, _ in table.columns if name not in table.key}
    if table.name == "resource":
        values["last_updated"] = "h.stamp + u.n"
    assigned = ", ".join(f"{name} = {value}" for name, value in values.items())
    return f"update {table.name} set {assigned} from {_rows(table)} where {_same(table)}"


def _delete(table: Table) -> str:
    return f"delete from {table.name} using {_rows(table)} where {_same(table)}"


_STATEMENTS: dict[str, Callable[[Table], str]] = {"insert": _insert, "update": _update, "delete": _delete}


def _same(table: Table) -> str:
    return " and ".join(f"{table.name}.{name} = u.{name}" for name in table.key)


def _rows(table: Table) -> str:
    """The parameters as a relation ``u``; those that are stamped also see ``h``, the head as locked."""
    arrays = ", ".join(_array(kind, i) for i, (_, kind) in enumerate(table.columns, 1))
    names = ", ".join(name for name, _ in table.columns)
    locked = "h, " if table.name in {"change", "resource"} else ""
    return f"{locked}unnest({arrays}) with ordinality as u({names}, n)"


def _array(kind: str, position: int) -> str:
    if kind == "bytea":
        return f"${position}::bytea[]"
    return f"string_to_array(${position}, E'\\x1f', E'\\x1e'){_CASTS[kind]}"


def _columns(table: Table, rows: Sequence[Sequence[Any]]) -> tuple[Any, ...]:
    return tuple(
        list(values) if kind == "bytea" else _SEPARATOR.join(_NULL if v is None else _text(v) for v in values)
        for (_, kind), values in zip(table.columns, zip(*rows, strict=True), strict=True)
    )


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


# ---- writing it again


def copies(of: Sample, count: int) -> Iterator[list[list[tuple[str, list[Any]]]]]:
    """``count`` batches of their own: per transaction its statements with parameters."""
    pattern = re.compile(f"{_ID.pattern}|{re.escape(of.run)}")
    for _ in range(count):
        fresh: dict[str, str] = {of.run: secrets.token_hex(len(of.run))[: len(of.run)]}

        def renamed(match: re.Match[str], names: dict[str, str] = fresh) -> str:
            found = match[0]
            if found in of.known:
                return found
            if found not in names:
                names[found] = uuid7() if len(found) == 36 else secrets.token_urlsafe(17)[:22]
            return names[found]

        yield [_transaction(stage, pattern, renamed) for stage in of.stages]


def _transaction(
    stage: Sequence[Write], pattern: re.Pattern[str], renamed: Callable[[re.Match[str]], str]
) -> list[tuple[str, list[Any]]]:
    plain = [(w.sql, _renamed(w, pattern, renamed)) for w in stage if w.table not in _STAMPED]
    stamped = [w for w in stage if w.table in _STAMPED]
    if not stamped:
        return plain
    return [*plain, _under_lock(stamped, [_renamed(w, pattern, renamed) for w in stamped])]


def _renamed(write: Write, pattern: re.Pattern[str], renamed: Callable[[re.Match[str]], str]) -> list[Any]:
    return [pattern.sub(renamed, c) if isinstance(c, str) else c for c in write.columns]


def _under_lock(writes: Sequence[Write], columns: Sequence[list[Any]]) -> tuple[str, list[Any]]:
    """One statement that takes the lock and writes what is numbered and stamped."""
    parts: list[str] = []
    parameters: list[Any] = []
    for write, values in zip(writes, columns, strict=True):
        parts.append(f"w{len(parts)} as ({_moved(write.sql, len(parameters))})")
        parameters += values
    count = sum(write.rows for write in writes if write.table == "change")
    head = f"update head set seq = seq + {count}, stamp = stamp + {count} where id = 1"
    locked = f"h as ({head} returning seq - {count} as seq, stamp - {count} as stamp)"
    return f"with {locked}, {', '.join(parts)} select count(*) from h", parameters


def _moved(sql: str, by: int) -> str:
    return re.sub(r"\$(\d+)", lambda match: f"${int(match[1]) + by}", sql)


async def _write(url: str, batches: Sequence[Any]) -> tuple[float, float]:
    """Write all batches; when it began and ended (wall clock, shared by all processes)."""
    waiting = iter(batches)
    connections = [await asyncpg.connect(url, server_settings={"jit": "off"}) for _ in range(_WRITERS)]

    async def writer(connection: Connection) -> None:
        for batch in waiting:
            for statements in batch:
                await connection.execute("begin")
                for sql, parameters in statements:
                    await connection.execute(sql, *parameters)
                await connection.execute("commit")

    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)
    began = time.time()
    await asyncio.gather(*map(writer, connections))
    ended = time.time()
    for connection in connections:
        await connection.close()
    return began, ended


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What was reached."""

    units: int
    seconds: float
    cpu_seconds: float
    """Of the writing processes, without making the parameters."""

    @property
    def rate(self) -> float:
        return self.units / self.seconds


def measure(url: str, file: Path, batches: int, around: Callable[[Callable[[], None]], None]) -> Ceiling:
    """Write ``batches`` batches of the sample in ``file`` per process; ``around`` is called with the timed part."""
    program = [sys.executable, "-m", "tests.bench.ceilings", url, str(file), str(batches)]
    writers = [
        subprocess.Popen(
            program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
        )
        for _ in range(_PROCESSES)
    ]
    for one in writers:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    results: list[list[float]] = []

    def go() -> None:
        for one in writers:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.flush()
        results.extend([float(v) for v in one.communicate()[0].split()] for one in writers)

    around(go)
    began, ended = min(r[0] for r in results), max(r[1] for r in results)
    return Ceiling(_PROCESSES * batches * BATCH, ended - began, sum(r[2] for r in results))


def main(url: str, file: str, count: str) -> None:
    """One writing process."""
    of: Sample = pickle.loads(Path(file).read_bytes())
    batches = list(copies(of, int(count)))
    used = time.process_time()
    began, ended = uvloop.run(_write(url, batches))
    sys.stdout.write(f"{began} {ended} {time.process_time() - used}\n")


if __name__ == "__main__":
    main(*sys.argv[1:4])
