"""``throughline bench``: what a hub does in a second, what an answer takes, and how far that is from a bare route.

Without an address it starts a hub of its own that nothing is left of, on SQLite or on the empty PostgreSQL database
that ``THROUGHLINE_DATABASE_URL`` names. Of a hub that already runs it asks only what harms nobody: reads, and test
messages (MSH-11 T), of which a hub in production keeps a line of its ledger and nothing else.
"""

import asyncio
import json as standard_json
import os
import platform
import secrets
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any, Final

import uvloop

from app.core import json
from app.core.clock import monotonic
from app.core.crypto import create_key_file
from app.core.errors import BadRequest, Unavailable
from app.core.settings import Settings
from app.services import opening
from app.services.bench import bench_load, bench_machine, bench_messages
from app.services.bench.bench_load import Check, Job, Load, Target, once, percentile, request
from app.services.clients import accounts
from app.services.hub import Hub
from app.services.partners import registration
from app.store import migrate

BARE: Final = "bare route"
PACED: Final = "ACK at half rate"
PARTNER: Final[Mapping[str, Any]] = {
    "name": "HTEST Harbor OTP",
    "covered_entity": True,
    "part2_program": True,
    "needs": ["moud-continuation"],
    "products": ["methadone", "buprenorphine"],
    "time_zone": "America/New_York",
    "phone": "555-0100",
}
SENDER: Final[Mapping[str, Any]] = {
    "id": "bench",
    "organization": "HTEST Bench Hospital",
    "dialect": "adt_generic",
    "timezone": "America/New_York",
    "part2": "none",
    "match_msh": [bench_messages.MATCH_MSH],
}
_ROUNDS: Final = 3
_CONNECTIONS: Final = 64
_WARM_SECONDS: Final = 0.5
_START_SECONDS: Final = 30.0
_LATER: Final = "&_lastUpdated=gt2999-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Founded:
    """Who takes part in a benchmark's own hub."""

    hospital: str
    partner: str
    ingest_token: str
    partner_token: str


@dataclass(frozen=True, slots=True)
class Question:
    """Requests that are asked in turn, and how an answer is judged."""

    jobs: Sequence[Job]
    check: Check


@dataclass(slots=True)
class Measured:
    """All rounds of all questions."""

    rounds: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, found: Mapping[str, float]) -> None:
        """One more round."""
        self.rounds.setdefault(name, []).append(dict(found))

    def medians(self) -> dict[str, dict[str, float]]:
        """Each figure's median over the rounds."""
        return {
            name: {key: _short(median(one[key] for one in found)) for key in found[0]}
            for name, found in self.rounds.items()
        }

    def ratios(self) -> dict[str, dict[str, float]]:
        """Each rate, and the inverse of each CPU cost, as a share of the bare route's of the same run."""
        medians = self.medians()
        bare = medians.pop(BARE)
        medians.pop(PACED, None)  # its rate is given, not reached
        return {
            name: {f"{key}_to_bare_route": _short(value) for key, value in _compared(own, bare)}
            for name, own in medians.items()
        }


def run(base_url: str | None, token: str | None, *, seconds: float) -> dict[str, Any]:
    """The whole benchmark as one JSON object; ``seconds`` is the length of each measured part.

    Raises:
        BadRequest: no token for the address, not an http address, or a database that is in use.
        Unavailable: the hub does not answer.
    """
    if (base_url is None) != (token is None):
        raise BadRequest("--base-url and --token go together.")
    work = _own(seconds) if base_url is None or token is None else _running(base_url, token, seconds)
    target, measured = uvloop.run(work)
    return {
        "target": target,
        "generator": f"{_CONNECTIONS} keep-alive connections, no pipelining, one process on the same machine",
        "rounds": _ROUNDS,
        "seconds": seconds,
        "machine": {
            "processor": bench_machine.processor(),
            "system": platform.platform(),
            "python": platform.python_version(),
        },
        "results": measured.medians(),
        "ratios": measured.ratios(),
        "skipped": measured.skipped,
    }


def figures(load: Load, *, app: float | None = None, database: float | None = None) -> dict[str, float]:
    """Of one run of load; ``app`` and ``database`` are the CPU seconds that it took there, where that is known."""
    done = max(len(load.jobs), 1)
    found = {
        "per_second": load.rate,
        "p50_ms": percentile(load.exchanges, 0.50) * 1e3,
        "p99_ms": percentile(load.exchanges, 0.99) * 1e3,
        "max_ms": max(load.exchanges, default=0.0) * 1e3,
        "count": float(len(load.jobs)),
        "failed": float(load.failed),
    }
    costs = {"app_us": app, "db_us": database}
    known = {name: value / done * 1e6 for name, value in costs.items() if value is not None}
    return found | known | ({"cpu_us": sum(known.values())} if known else {})


async def found(hub: Hub) -> Founded:
    """Register the hospital and the partner of the benchmark, with a client each."""
    await registration.found_hub(hub)
    hospital = (await registration.add_sender(hub, SENDER)).organization
    partners = await registration.import_partners(hub, standard_json.dumps([PARTNER]).encode())
    tokens = []
    for organization, scope in ((hospital, "ingest system/*.rs"), (partners[0].organization, "system/*.rs")):
        client = await accounts.add_client(hub, organization, scope)
        tokens.append((await accounts.issue(hub, client.client_id)).token)
    return Founded(hospital, partners[0].organization, *tokens)


# ---- a hub of its own


async def _own(seconds: float) -> tuple[dict[str, Any], Measured]:
    given = Settings()
    with tempfile.TemporaryDirectory(prefix="throughline-bench-") as folder:
        own = f"sqlite:///{Path(folder) / 'hub.db'}"
        url = own if _is_own(given.database_url) else given.database_url
        settings = given.model_copy(update={"database_url": url, "key_file": Path(folder) / "keys"})
        create_key_file(settings.key_file)
        if url == own:
            await migrate.upgrade(url)
        async with opening.opened(settings) as hub:
            if (await hub.registry.current()).senders:
                raise BadRequest("The database has senders: the benchmark writes referrals, give it an empty one.")
            founded = await found(hub)
        workers = 1 if url == own else 2
        async with _served(settings, workers) as (target, pid):
            measured = await _all(target, pid, founded, seconds)
    database = "sqlite" if url == own else "postgresql"
    return {"hub": "own", "database": database, "processes": workers}, measured


def _is_own(url: str) -> bool:
    """SQLite costs nothing to make anew, so a file that is there is never touched."""
    return url.startswith("sqlite")


async def _all(target: Target, pid: int, founded: Founded, seconds: float) -> Measured:
    """Messages in first, since each changes what the partner sees; then its reads, alternating with the bare route."""
    measured = Measured()
    meter = _Meter(pid)
    name = secrets.token_hex(4)
    writes: dict[str, Iterator[Job]] = {
        "referrals": bench_messages.referrals(name, founded.ingest_token),
        "unrelated ADT": bench_messages.stream(name, founded.ingest_token),
    }
    for source in writes.values():
        await _closed(target, source, bench_messages.accepted, _WARM_SECONDS)
    for _ in range(_ROUNDS):
        for what, source in writes.items():
            meter.start()
            load = await _closed(target, source, bench_messages.accepted, seconds)
            measured.add(what, figures(load, app=meter.stop()))
    rate = median(one["per_second"] for one in measured.rounds["unrelated ADT"]) / 2
    for _ in range(_ROUNDS):
        meter.start()
        load = await _paced(target, writes["unrelated ADT"], rate, seconds)
        measured.add(PACED, figures(load, app=meter.stop()))
    own = f"owner=Organization/{founded.partner}&status=requested&"
    questions = await _reads(target, founded.partner_token, measured, own)
    await _ask(target, questions, measured, meter, seconds)
    return measured


@asynccontextmanager
async def _served(settings: Settings, workers: int) -> AsyncIterator[tuple[Target, int]]:
    """``throughline serve`` in processes of its own."""
    port = _spare_port()
    environment = os.environ | {
        "THROUGHLINE_DATABASE_URL": settings.database_url,
        "THROUGHLINE_KEY_FILE": str(settings.key_file),
        "THROUGHLINE_LOG_LEVEL": "WARNING",
        "THROUGHLINE_AUTH": "required",
    }
    options = ["--port", str(port), "--mllp-port", "0", "--workers", str(workers)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app.cli", "serve", *options, env=environment, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        target = Target("127.0.0.1", port)
        await _ready(target, process)
        yield target, process.pid
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _ready(target: Target, process: asyncio.subprocess.Process) -> None:
    until = monotonic() + _START_SECONDS
    while monotonic() < until and process.returncode is None:
        try:
            status, _, _ = await once(target, request("GET", "/health/ready"))
        except (OSError, asyncio.IncompleteReadError):
            status = 0
        if status == 200:
            return
        await asyncio.sleep(0.02)
    raise Unavailable("The hub of the benchmark did not start.")


def _spare_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# ---- a hub that already runs


async def _running(base_url: str, token: str, seconds: float) -> tuple[dict[str, Any], Measured]:
    try:
        target = Target.of(base_url)
    except ValueError as error:
        raise BadRequest(f"--base-url: {error}") from None
    measured = Measured()
    try:
        questions = await _reads(target, token, measured)
        trial = bench_messages.posted(bench_messages.unrelated(secrets.token_hex(4), 0, "T"), token)
        status, _, body = await once(target, trial)
        if bench_messages.accepted(status, body):
            stream = bench_messages.stream(secrets.token_hex(4), token, "T")
            await _test_messages(target, stream, measured, seconds)
        else:
            measured.skipped["test messages"] = "not acknowledged: needs the scope ingest and a sender that takes them"
        await _ask(target, questions, measured, None, seconds)
    except (OSError, asyncio.IncompleteReadError) as error:
        raise Unavailable("The hub does not answer; check --base-url.") from error
    return {"hub": base_url}, measured


async def _test_messages(target: Target, stream: Iterator[Job], measured: Measured, seconds: float) -> None:
    for _ in range(_ROUNDS):
        load = await _closed(target, stream, bench_messages.accepted, seconds)
        measured.add("test messages", figures(load))


# ---- what is asked


async def _reads(target: Target, token: str, measured: Measured, own: str = "") -> dict[str, Question]:
    """The questions of a client that polls its Tasks (``own`` says whose, where that is known).

    They are asked once here, so that first disclosures are behind us.
    """
    questions = {BARE: Question([(request("GET", "/health/live"),)], _status(200))}
    poll = f"/fhir/R4/Task?{own}_count=50"
    page = request("GET", poll, token=token)
    status, headers, body = await once(target, page)
    if status != 200:
        measured.skipped["reads"] = f"HTTP {status} to a search for Tasks"
        return questions
    entries = json.loads(body).get("entry", ())
    ids = [entry["resource"]["id"] for entry in entries if entry["search"]["mode"] == "match"]
    questions["empty poll"] = Question([(request("GET", poll + _LATER, token=token),)], _status(200))
    if "etag" in headers:
        again = request("GET", poll, token=token, headers=[("If-None-Match", headers["etag"])])
        questions["304"] = Question([(again,)], _status(304))
    if ids:
        questions[f"page of {len(ids)}"] = Question([(page,)], _status(200))
        reads = [(request("GET", f"/fhir/R4/Task/{i}", token=token),) for i in ids]
        questions["read by id"] = Question(reads, _status(200))
    else:
        measured.skipped["page, read by id"] = "the token sees no Task"
    return questions


async def _ask(
    target: Target, questions: Mapping[str, Question], measured: Measured, meter: "_Meter | None", seconds: float
) -> None:
    for question in questions.values():
        await _closed(target, cycle(question.jobs), question.check, _WARM_SECONDS)
    for _ in range(_ROUNDS):
        for name, question in questions.items():
            if meter is not None:
                meter.start()
            load = await _closed(target, cycle(question.jobs), question.check, seconds)
            measured.add(name, figures(load, app=meter.stop() if meter is not None else None))


async def _closed(target: Target, source: Iterator[Job], check: Check, seconds: float) -> Load:
    return await bench_load.closed(target, source, check, connections=_CONNECTIONS, seconds=seconds)


async def _paced(target: Target, source: Iterator[Job], rate: float, seconds: float) -> Load:
    connections = 4 * _CONNECTIONS
    check = bench_messages.accepted
    return await bench_load.paced(target, source, check, connections=connections, seconds=seconds, rate=rate)


def _status(wanted: int) -> Check:
    return lambda status, _body: status == wanted


def _compared(own: Mapping[str, float], bare: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """The shares, named; without a CPU cost on either side there is only the rate."""
    yield "rate", own["per_second"] / bare["per_second"] if bare["per_second"] else 0.0
    if own.get("cpu_us") and bare.get("cpu_us"):
        yield "cpu", bare["cpu_us"] / own["cpu_us"]


def _short(value: float) -> float:
    return float(f"{value:.4g}") if abs(value) < 1000 else round(value)


class _Meter:
    """CPU seconds of a process tree since the last look; None where the machine doesn't tell."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._began: float | None = None

    def start(self) -> None:
        self._began = bench_machine.cpu_seconds(self._pid) if bench_machine.available() else None

    def stop(self) -> float | None:
        return None if self._began is None else bench_machine.cpu_seconds(self._pid) - self._began
