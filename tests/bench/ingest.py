"""Messages in: referrals against the batched ceiling, unrelated messages, and acknowledgements at a constant rate."""

import asyncio
import secrets
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Any

import asyncpg
import uvloop

from app.services.bench import bench_load, bench_machine, bench_messages
from app.services.bench.bench import figures
from app.services.bench.bench_load import Job, Load
from tests.bench import ceilings
from tests.bench.batched import Batched, sampled
from tests.bench.report import Report
from tests.bench.world import Meter, Serving, World, analyzed, serving

CONNECTIONS = 64
_WARM_SECONDS = 1.5
_OPEN_CONNECTIONS = 256


def measure(made: World, report: Report, asked: frozenset[str], *, seconds: float, rounds: int) -> None:
    """The scenarios in ``asked``, alternating."""
    ceiling = Batched(made, report, "referral")
    if "referrals" in asked:
        with serving(made, workers=1) as hub:
            ceiling.keep(asyncio.run(_sampled(made, hub)))
    scanned = asyncio.run(_scanned(made.url))
    with serving(made) as hub:
        bench = _Ingest(made, hub, report, seconds)
        bench.warm()
        for _ in range(rounds):
            if "referrals" in asked:
                bench.referrals()
                ceiling.measure(bench.meter, seconds)
            if asked & {"adt", "latency"}:
                bench.unrelated()
        if "latency" in asked:
            bench.latency(rounds)
        bench.note_scans(scanned)
        bench.verify()
    report.compare("referrals", ceiling.name, goal=0.40)


class _Ingest:
    def __init__(self, made: World, hub: Serving, report: Report, seconds: float) -> None:
        self.made = made
        self.hub = hub
        self.report = report
        self.seconds = seconds
        self.meter = Meter(hub.pid, made.postmaster)
        self.opened = 0

    def warm(self) -> None:
        """Statements are prepared, caches filled, connections opened."""
        load = _run(lambda: self._closed(bench_messages.referrals(_name(), self.made.ingest_token), _WARM_SECONDS))
        self.opened += len(load.jobs)
        _run(lambda: self._closed(bench_messages.stream(_name(), self.made.ingest_token), _WARM_SECONDS))
        asyncio.run(analyzed(self.made))

    def referrals(self) -> None:
        load, used = self._metered(bench_messages.referrals(_name(), self.made.ingest_token))
        self.opened += len(load.jobs)
        self.report.add("referrals", {**figures(load, app=used[0], database=used[1]), "others": self.meter.others})

    def unrelated(self) -> None:
        load, used = self._metered(bench_messages.stream(_name(), self.made.ingest_token))
        self.report.add("unrelated ADT", {**figures(load, app=used[0], database=used[1]), "others": self.meter.others})

    def latency(self, rounds: int) -> None:
        """Half of the rate that was reached, as arrivals at a constant rate."""
        rate = self.report.median("unrelated ADT")["per_second"] / 2
        for _ in range(rounds):
            load, used = self._metered(bench_messages.stream(_name(), self.made.ingest_token), rate=rate)
            self.report.add(
                "ACK at half rate", {**figures(load, app=used[0], database=used[1]), "others": self.meter.others}
            )

    def note_scans(self, before: dict[str, int]) -> None:
        """Rows that PostgreSQL read without an index, for each message: near zero, or a plan is wrong."""
        done = (one for found in self.report.rounds.values() for one in found if "failed" in one)
        messages = max(1.0, sum(one["count"] for one in done))
        after = asyncio.run(_scanned(self.made.url))
        scans = {name: round((rows - before.get(name, 0)) / messages, 1) for name, rows in after.items()}
        self.report.notes["rows read without an index, per message"] = {k: v for k, v in scans.items() if v >= 1}

    def verify(self) -> None:
        """What was acknowledged is there: every referral has its Task with the partner."""
        found = asyncio.run(_offered(self.made.url))
        if found != self.opened + ceilings.BATCH * ("referrals: batched ceiling" in self.report.rounds):
            self.report.faults.append(f"{self.opened} referrals were acknowledged, {found} Tasks are with the partner")
        self.report.failures(["referrals", "unrelated ADT", "ACK at half rate"])
        self.report.resident("ingest", bench_machine.memory(self.hub.pid))
        used = sorted(bench_machine.cpu_by_process(self.hub.pid).values(), reverse=True)
        self.report.notes["CPU of the busier hub process, as a share"] = f"{used[0] / sum(used):.2f}"

    def _metered(self, source: Iterator[Job], rate: float | None = None) -> tuple[Load, tuple[float, float]]:
        self.meter.start()
        if rate is None:
            load = _run(lambda: self._closed(source, self.seconds))
        else:
            load = _run(lambda: self._paced(source, rate))
        return load, self.meter.stop()

    async def _closed(self, source: Iterator[Job], seconds: float) -> Load:
        return await bench_load.closed(
            self.hub.target, source, bench_messages.accepted, connections=CONNECTIONS, seconds=seconds
        )

    async def _paced(self, source: Iterator[Job], rate: float) -> Load:
        return await bench_load.paced(
            self.hub.target,
            source,
            bench_messages.accepted,
            connections=_OPEN_CONNECTIONS,
            seconds=self.seconds,
            rate=rate,
        )


def _run(work: Callable[[], Coroutine[Any, Any, Load]]) -> Load:
    return uvloop.run(work())


def _name() -> str:
    return secrets.token_hex(4)


async def _sampled(made: World, hub: Serving) -> ceilings.Sample:
    """What 64 referrals write, in two transactions each."""
    run, token = _name(), made.ingest_token
    stages = [partial(_posted, message, run, token) for message in (bench_messages.dispense, bench_messages.discharge)]
    return await sampled(made, hub.target, run, stages, bench_messages.accepted)


def _posted(message: Callable[[str, int], bytes], run: str, token: str, number: int) -> bytes:
    return bench_messages.posted(message(run, number), token)


async def _scanned(url: str) -> dict[str, int]:
    await asyncio.sleep(1.5)  # a backend tells its counts once a second
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch("select relname, seq_tup_read from pg_stat_user_tables")
    finally:
        await connection.close()
    return {row[0]: row[1] for row in rows}


async def _offered(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        count: int = await connection.fetchval(
            "select count(*) from resource where type = 'Task' and part_of is not null and status = 'requested'"
        )
    finally:
        await connection.close()
    return count
