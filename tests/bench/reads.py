"""Reads by partners against a bare route of the same server, on 100,000 Tasks of 500 partners.

The Tasks are copies of one that the hub itself made, written by SQL: resource, body, change, visibility. Each stands
as already disclosed, because the first disclosure of a version is a durable write that happens once, and what is
measured here is the poll that happens for ever. Authentication, visibility and the access log work as always.
"""

import asyncio
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

import asyncpg
import uvloop

from app.core.crypto import hash_secret
from app.services import bench_load, bench_machine, bench_messages
from app.services.bench import figures
from app.services.bench_load import Check, Job, Load, Target, once, request
from tests.bench.report import Report
from tests.bench.world import Meter, Serving, World, serving

PARTNERS = 500
TASKS_EACH = 200
CONNECTIONS = 64
_CALLERS = 100
"""How many of the partners call, in turn."""
_HOUR = 3_600_000_000
_GOALS = {"page of 50": 0.18, "empty poll": 0.30, "304": 0.70, "read by id": 0.35}


@dataclass(frozen=True, slots=True)
class _Caller:
    organization: str
    token: str
    tasks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Question:
    requests: Iterator[bytes]
    """Without end."""
    status: int

    def jobs(self) -> Iterator[Job]:
        return ((one,) for one in self.requests)

    def check(self, status: int, _body: bytes) -> bool:
        return status == self.status


def measure(made: World, report: Report, *, seconds: float, rounds: int) -> None:
    """All questions, alternating with the bare route."""
    with serving(made, workers=1) as hub:
        asyncio.run(_one_referral(hub.target, made.ingest_token))
    # Nobody tells a running hub of rows that SQL wrote past it, so it starts afterwards.
    callers = asyncio.run(_filled(made))
    with serving(made, bench_app=True) as hub:
        questions = asyncio.run(_questions(hub.target, callers))
        meter = Meter(hub.pid, made.postmaster)
        for question in questions.values():
            _load(hub, question, 1.0)
        for _ in range(rounds):
            for name, question in questions.items():
                meter.start()
                load = _load(hub, question, seconds)
                used = meter.stop()
                report.add(name, {**figures(load, app=used[0], database=used[1]), "others": meter.others})
        report.notes["Tasks, partners"] = f"{PARTNERS * TASKS_EACH}, {PARTNERS}"
        report.resident("reads", bench_machine.memory(hub.pid))
    for name, goal in _GOALS.items():
        report.compare(name, "bare route", goal=goal)
    report.failures([*questions])


def _load(hub: Serving, question: _Question, seconds: float) -> Load:
    check: Check = question.check
    return uvloop.run(bench_load.closed(hub.target, question.jobs(), check, connections=CONNECTIONS, seconds=seconds))


async def _questions(target: Target, callers: Sequence[_Caller]) -> dict[str, _Question]:
    pages = [request("GET", _poll(c), token=c.token) for c in callers]
    later = "&_lastUpdated=gt2999-01-01T00:00:00Z"
    unchanged = []
    for caller, page in zip(callers, pages, strict=True):
        status, headers, body = await once(target, page)
        if status != 200 or body.count(b'"fullUrl"') != 50:
            raise SystemExit("A poll does not give the page that is to be measured.")
        tag = headers["etag"]
        unchanged.append(request("GET", _poll(caller), token=caller.token, headers=[("If-None-Match", tag)]))
    reads = [request("GET", f"/fhir/R4/Task/{i}", token=c.token) for c in callers for i in c.tasks]
    empty = [request("GET", _poll(c) + later, token=c.token) for c in callers]
    return {
        "bare route": _Question(cycle([request("GET", "/bench/hello")]), 200),
        "page of 50": _Question(cycle(pages), 200),
        "page of 50, new": _Question(_never_asked_before(callers), 200),
        "empty poll": _Question(cycle(empty), 200),
        "304": _Question(cycle(unchanged), 304),
        "read by id": _Question(cycle(reads), 200),
    }


def _never_asked_before(callers: Sequence[_Caller]) -> Iterator[bytes]:
    """The same page since an ever later instant, long before the Tasks: no answer that was kept fits."""
    for number, caller in enumerate(cycle(callers)):
        instant = f"2020-01-01T00:{number // 60_000_000:02d}:{number / 1_000_000 % 60:09.6f}Z"
        yield request("GET", f"{_poll(caller)}&_lastUpdated=gt{instant}", token=caller.token)


def _poll(caller: _Caller) -> str:
    return f"/fhir/R4/Task?owner=Organization/{caller.organization}&status=requested&_count=50"


# ---- a hub that has been in use for a while


async def _filled(made: World) -> list[_Caller]:
    """Load the tables; who then calls."""
    connection = await asyncpg.connect(made.url)
    try:
        template = await connection.fetchval(
            "select id from resource where type = 'Task' and part_of is not null and owner like $1 limit 1",
            f"%{made.partner}",
        )
        names = [f"HTEST-partner-{n:03d}" for n in range(PARTNERS)]
        tokens = [secrets.token_urlsafe(32) for _ in names]
        await _take_part(connection, names, tokens)
        async with connection.transaction():
            await _copy_tasks(connection, template, made.partner, names)
        await connection.execute("vacuum analyze")
        await connection.execute("checkpoint")
        return [
            _Caller(name, token, tuple(row["id"] for row in await _tasks_of(connection, name)))
            for name, token in islice(zip(names, tokens, strict=True), _CALLERS)
        ]
    finally:
        await connection.close()


async def _one_referral(target: Target, token: str) -> None:
    run = secrets.token_hex(4)
    for message in (bench_messages.dispense, bench_messages.discharge):
        status, _, body = await once(target, bench_messages.posted(message(run, 0), token))
        if not bench_messages.accepted(status, body):
            raise SystemExit("The messages of the benchmark are not accepted; nothing can be measured.")


async def _take_part(connection: "asyncpg.Connection[asyncpg.Record]", names: list[str], tokens: list[str]) -> None:
    # The lifetime of a token is five minutes by HTTP; these stand as those that the command line gives.
    hashes = [hash_secret(token) for token in tokens]
    await connection.execute("insert into party select n, n, 'partner' from unnest($1::text[]) n", names)
    await connection.execute(
        "insert into client (id, organization, scope, secret_hash, require_if_match, active, created_at) "
        "select 'client-' || n, n, 'system/*.rs', null, false, true, 0 from unnest($1::text[]) n",
        names,
    )
    await connection.execute(
        "insert into token (hash, client, scope, expires_at) select h, 'client-' || n, 'system/*.rs', "
        "(extract(epoch from now()) * 1000000)::bigint + $3 from unnest($1::text[], $2::text[]) u(n, h)",
        names,
        hashes,
        4 * _HOUR,
    )


async def _copy_tasks(
    connection: "asyncpg.Connection[asyncpg.Record]", template: str, owner: str, names: list[str]
) -> None:
    columns = [
        row["column_name"]
        for row in await connection.fetch(
            "select column_name from information_schema.columns where table_name = 'resource' and "
            "column_name not in ('id', 'version', 'last_updated', 'owner') order by ordinal_position"
        )
    ]
    same = ", ".join(columns)
    await connection.execute(
        "create temporary table made on commit drop as select gen_random_uuid()::text as id, n as organization, "
        "row_number() over (order by i, n) as k from unnest($1::text[]) n, generate_series(1, $2::int) i",
        names,
        TASKS_EACH,
    )
    await connection.execute(
        f"insert into resource (id, version, last_updated, owner, {same}) "
        "select m.id, 1, h.stamp + m.k, replace(r.owner, $2, m.organization), "
        + ", ".join(f"r.{name}" for name in columns)
        + " from made m, head h, resource r where r.id = $1",
        template,
        owner,
    )
    await connection.execute(
        "insert into body (id, version, rendition, content) select m.id, 1, b.rendition, "
        "convert_to(replace(convert_from(b.content, 'UTF8'), $2, m.organization), 'UTF8') "
        "from made m, body b where b.id = $1 and b.version = (select version from resource where id = $1)",
        template,
        owner,
    )
    await connection.execute(
        "insert into change (seq, type, id, version, last_updated) "
        "select h.seq + m.k, 'Task', m.id, 1, h.stamp + m.k from made m, head h"
    )
    await connection.execute(
        "insert into visibility (organization, id, level, consent, until, disclosed) "
        "select organization, id, 'full', null, null, 1 from made"
    )
    await connection.execute("insert into audience (organization, seq) select n, 1 from unnest($1::text[]) n", names)
    await connection.execute("update head set seq = seq + $1, stamp = stamp + $1", len(names) * TASKS_EACH)


async def _tasks_of(connection: "asyncpg.Connection[asyncpg.Record]", organization: str) -> "list[asyncpg.Record]":
    return await connection.fetch(
        "select id from visibility where organization = $1 order by id limit 20", organization
    )
