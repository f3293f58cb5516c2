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
from app.services.bench import bench_load, bench_machine, bench_messages
from app.services.bench.bench import figures
from app.services.bench.bench_load import Check, Job, Load, Target, once, request
from tests.bench.report import Report
from tests.bench.world import Meter, Serving, World, serving

PARTNERS = 500
TASKS_EACH = 200
CONNECTIONS = 64
_CALLERS = 100
"""How many of the partners call, in turn."""
_HOUR = 3_600_000_000
_FOCUS = "&_include=Task:focus"
_GOALS = {"page of 50": 0.18, "empty poll": 0.30, "304": 0.70, "read by id": 0.35}
_WITH_FOCUS = 0.6
"""A page that brings the requests of its Tasks along, of one that does not."""


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
    report.compare("page with focus", "page of 50", goal=_WITH_FOCUS)
    report.compare("page with focus, new", "page of 50, new", goal=_WITH_FOCUS)
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
    with_focus = [request("GET", _poll(c) + _FOCUS, token=c.token) for c in callers]
    if (await once(target, with_focus[0]))[2].count(b'"mode":"include"') != 50:
        raise SystemExit("A page does not bring along what it points to.")
    reads = [request("GET", f"/fhir/R4/Task/{i}", token=c.token) for c in callers for i in c.tasks]
    empty = [request("GET", _poll(c) + later, token=c.token) for c in callers]
    return {
        "bare route": _Question(cycle([request("GET", "/bench/hello")]), 200),
        "page of 50": _Question(cycle(pages), 200),
        "page of 50, new": _Question(_never_asked_before(callers), 200),
        "page with focus": _Question(cycle(with_focus), 200),
        "page with focus, new": _Question(_never_asked_before(callers, _FOCUS), 200),
        "empty poll": _Question(cycle(empty), 200),
        "304": _Question(cycle(unchanged), 304),
        "read by id": _Question(cycle(reads), 200),
    }


def _never_asked_before(callers: Sequence[_Caller], more: str = "") -> Iterator[bytes]:
    """The same page since an ever later instant, long before the Tasks: no answer that was kept fits."""
    for number, caller in enumerate(cycle(callers)):
        instant = f"2020-01-01T00:{number // 60_000_000:02d}:{number / 1_000_000 % 60:09.6f}Z"
        yield request("GET", f"{_poll(caller)}&_lastUpdated=gt{instant}{more}", token=caller.token)


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
        "insert into client (id, organization, scope, require_if_match, active, created_at) "
        "select 'client-' || n, n, 'system/*.rs', false, true, 0 from unnest($1::text[]) n",
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
    """Every Task with a ServiceRequest of its own, each visible to the one partner."""
    focus = await connection.fetchval("select focus from resource where id = $1", template)
    await connection.execute(
        "create temporary table made on commit drop as select gen_random_uuid()::text as task, "
        "gen_random_uuid()::text as request, n as organization, row_number() over (order by i, n) as k "
        "from unnest($1::text[]) n, generate_series(1, $2::int) i",
        names,
        TASKS_EACH,
    )
    request = focus.rpartition("/")[2]
    await _copy(connection, "request", request, {owner: "m.organization", request: "m.request"})
    await _copy(connection, "task", template, {owner: "m.organization", request: "m.request"})
    await connection.execute(
        "insert into audience (organization, seq, stamp) select n, 1, h.stamp from unnest($1::text[]) n, head h", names
    )


async def _copy(
    connection: "asyncpg.Connection[asyncpg.Record]", name: str, template: str, other: dict[str, str]
) -> None:
    """The ids of ``made`` that are called ``name``, each as the template with ``other`` ids in it."""
    columns = [
        row["column_name"]
        for row in await connection.fetch(
            "select column_name from information_schema.columns where table_name = 'resource' and "
            "column_name not in ('id', 'version', 'last_updated', 'owner', 'focus') order by ordinal_position"
        )
    ]
    same = ", ".join(columns)
    await connection.execute(
        f"insert into resource (id, version, last_updated, owner, focus, {same}) select m.{name}, 1, h.stamp + m.k, "
        f"{_replaced('r.owner', other)}, {_replaced('r.focus', other)}, "
        + ", ".join(f"r.{column}" for column in columns)
        + " from made m, head h, resource r where r.id = $1",
        template,
    )
    text = _replaced("convert_from(b.content, 'UTF8')", other)
    await connection.execute(
        f"insert into body (id, version, rendition, content) select m.{name}, 1, b.rendition, "
        f"convert_to({text}, 'UTF8') "
        "from made m, body b where b.id = $1 and b.version = (select version from resource where id = $1)",
        template,
    )
    await connection.execute(
        "insert into change (seq, type, id, version, last_updated) "
        f"select h.seq + m.k, r.type, m.{name}, 1, h.stamp + m.k from made m, head h, resource r where r.id = $1",
        template,
    )
    await connection.execute(
        "insert into visibility (organization, id, level, decision, until, disclosed) "
        f"select organization, {name}, 'full', null, null, 1 from made"
    )
    await connection.execute(
        "update head set seq = seq + (select count(*) from made), stamp = stamp + (select count(*) from made)"
    )


def _replaced(expression: str, other: dict[str, str]) -> str:
    """SQL for ``expression`` with each id, which needs no escaping, replaced by another."""
    for old, new in other.items():
        expression = f"replace({expression}, '{old}', {new})"
    return expression


async def _tasks_of(connection: "asyncpg.Connection[asyncpg.Record]", organization: str) -> "list[asyncpg.Record]":
    return await connection.fetch(
        "select v.id from visibility v join resource r on r.id = v.id and r.type = 'Task' "
        "where v.organization = $1 order by v.id limit 20",
        organization,
    )
