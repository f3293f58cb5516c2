"""Transactions of eight Procedures that point to each other, to a Patient and to an Organization, in one Bundle."""

import asyncio
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count

import asyncpg
import uvloop

from app.services import opening
from app.services.bench import bench_load, bench_machine, bench_messages
from app.services.bench.bench import figures
from app.services.bench.bench_load import Job, Load, Target, once, request
from app.services.clients import accounts
from tests.bench import ceilings
from tests.bench.batched import Batched, sampled
from tests.bench.report import Report
from tests.bench.world import Meter, Serving, World, analyzed, serving

NAME = "transactions"
SIZE = 8
_CONNECTIONS = 64
_WARM_SECONDS = 1.5
_SCOPE = "system/*.cruds"
_SYSTEM = "urn:oid:2.16.840.1.113883.3.9999.7"


@dataclass(frozen=True, slots=True)
class Caller:
    """The partner, and somebody whom it sees."""

    token: str
    organization: str
    patient: str

    def asking(self, run: str, number: int) -> bytes:
        """The request of the n-th transaction of ``run``."""
        entries = [self._entry(run, number, place) for place in range(SIZE)]
        bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
        headers = [("Content-Type", "application/fhir+json")]
        return request("POST", "/fhir/R4", token=self.token, body=json.dumps(bundle).encode(), headers=headers)

    def jobs(self) -> Iterator[Job]:
        """Without end; no identifier comes twice."""
        run = secrets.token_hex(4)
        return ((self.asking(run, number),) for number in count())

    def _entry(self, run: str, number: int, place: int) -> dict[str, object]:
        procedure = {
            "resourceType": "Procedure",
            "status": "completed",
            "identifier": [{"system": _SYSTEM, "value": f"HTEST-{run}-{number}-{place}"}],
            "code": {"text": "HTEST dose given under observation"},
            "subject": {"reference": f"Patient/{self.patient}"},
            "performer": [{"actor": {"reference": f"Organization/{self.organization}"}}],
            "performedDateTime": "2026-06-08T09:00:00-04:00",
            "note": [{"text": "HTEST a note of the length that people write, about how it went. " * 4}],
        }
        if place:
            procedure["partOf"] = [{"reference": _here(place - 1)}]
        return {"fullUrl": _here(place), "resource": procedure, "request": {"method": "POST", "url": "Procedure"}}


def _here(place: int) -> str:
    return f"urn:uuid:00000000-0000-4000-8000-{place:012d}"


def created(status: int, body: bytes) -> bool:
    """Whether all of a transaction was done."""
    return status == 200 and body.count(b'"status":"201') == SIZE


def measure(made: World, report: Report, *, seconds: float, rounds: int) -> None:
    """Transactions and their ceiling in turn."""
    ceiling = Batched(made, report, "transaction")
    with serving(made, workers=1) as hub:
        caller = asyncio.run(_caller(made, hub.target))
        run, before = secrets.token_hex(4), asyncio.run(_procedures(made))
        ceiling.keep(asyncio.run(sampled(made, hub.target, run, [partial(caller.asking, run)], created)))
    done = ceilings.BATCH
    with serving(made) as hub:
        meter = Meter(hub.pid, made.postmaster)
        done += len(_load(hub, caller, _WARM_SECONDS).jobs)
        asyncio.run(analyzed(made))
        for _ in range(rounds):
            meter.start()
            load = _load(hub, caller, seconds)
            used = meter.stop()
            done += len(load.jobs)
            report.add(NAME, {**figures(load, app=used[0], database=used[1]), "others": meter.others})
            ceiling.measure(meter, seconds)
        report.resident(NAME, bench_machine.memory(hub.pid))
    report.compare(NAME, ceiling.name, goal=0.40)
    report.failures([NAME])
    found = asyncio.run(_procedures(made)) - before
    if found != done * SIZE:
        report.faults.append(f"{done} transactions were acknowledged, {found} Procedures are there")


def _load(hub: Serving, caller: Caller, seconds: float) -> Load:
    return uvloop.run(bench_load.closed(hub.target, caller.jobs(), created, connections=_CONNECTIONS, seconds=seconds))


async def _caller(made: World, target: Target) -> Caller:
    """The partner with a client that may write, after a referral that shows it a Patient."""
    run = secrets.token_hex(4)
    for message in (bench_messages.dispense, bench_messages.discharge):
        status, _, body = await once(target, bench_messages.posted(message(run, 0), made.ingest_token))
        if not bench_messages.accepted(status, body):
            raise SystemExit("The messages of the benchmark are not accepted; nothing can be measured.")
    async with opening.opened(made.settings) as hub:
        client = await accounts.add_client(hub, made.partner, _SCOPE)
        token = (await accounts.issue(hub, client.client_id)).token
    _, _, body = await once(target, request("GET", "/fhir/R4/Patient?_count=1", token=token))
    (entry,) = json.loads(body)["entry"]
    return Caller(token, made.partner, entry["resource"]["id"])


async def _procedures(made: World) -> int:
    connection = await asyncpg.connect(made.url)
    try:
        found: int = await connection.fetchval("select count(*) from resource where type = 'Procedure'")
    finally:
        await connection.close()
    return found
