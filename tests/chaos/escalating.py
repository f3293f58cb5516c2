"""Kills a hub at the commits of an escalation, and compares what comes of it then with what comes of it undisturbed."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL
from typing import Any

import pytest

from app.core.clock import Clock
from app.services.hub import Hub
from app.services.writing import Resource, decoded
from app.store.store import connect
from fhir_mappings import triage
from tests.chaos import verdict
from tests.chaos.escalation import ACTS, VISIT, hub_at, settle_in
from tests.chaos.killing import Life, Zygote, zygote
from tests.chaos.prepared import PostgresCopies, SqliteCopies, copies_of
from tests.chaos.story import SYSTEM, family, started
from tests.contract.answered import progress
from tests.mllp_receivers import MllpReceiver, taking_answers
from tests.scratch import spare_port

_DIRECTORY = frozenset({"Organization", "HealthcareService", "Location", "Endpoint"})
_NEVER = {
    "two owners": (
        "select count(*) from (select part_of from resource where type = 'Task' and part_of is not null "
        "and status in ('accepted', 'in-progress', 'completed') group by part_of having count(*) > 1) as doubled"
    ),
    "an open request that nobody will look at and nobody knows of": (
        "select count(*) from resource s where s.type = 'Task' and s.part_of is null "
        "and s.status in ('requested', 'accepted', 'in-progress') and not exists (select 1 from ledger l "
        "join job j on j.subject = l.visit or j.subject = l.referral where 'ServiceRequest/' || l.referral = s.focus) "
        "and not exists (select 1 from ledger l join review v on v.visit = l.visit and v.closed_at is null "
        "where 'ServiceRequest/' || l.referral = s.focus)"
    ),
}


@dataclass(frozen=True)
class Outcome:
    """What came of the referral, without ids and moments."""

    tasks: dict[str, list[tuple[Any, ...]]]
    """Holder to what its Task was, version by version: what is done twice is a version too many."""
    waiting: list[str]
    """Codes of what waits for a person."""
    answers: list[tuple[str, str]]
    """State and progress of what the hospital was to be told."""
    told: list[str]
    """What the hospital was told, each message once, in the order in which they came first."""


async def faults(hub: Hub) -> list[str]:
    """What must never be so, and is."""
    found = [what for what, count in _NEVER.items() if (await hub.store.database.fetch(count))[0][0]]
    return [*found, *await verdict.faults(hub), *await _undecided(hub)]


async def _undecided(hub: Hub) -> list[str]:
    """What a partner was given of a person without a decision."""
    owners = {_owner(decoded(row)) for row in (await family(hub, VISIT))[1:]}
    given = await hub.store.database.fetch("select organization, entries from disclosure")
    entries = [(row[0], *entry) for row in given if row[0] in owners for entry in json.loads(row[1])]
    types = {row.id: row.type for row in await hub.store.reader(SYSTEM).by_ids(sorted({one[1] for one in entries}))}
    known = {row[0] for row in await hub.store.database.fetch("select id from decision")}
    return [
        f"a {types[name]} given without a decision"
        for _, name, _, _, decision in entries
        if types[name] not in _DIRECTORY and decision not in known
    ]


async def outcome(hub: Hub, receiver: MllpReceiver) -> Outcome:
    """What came of it."""
    partners = (await hub.registry.current()).partners
    tasks = [decoded(row) for row in await family(hub, VISIT)]
    names = {task["id"]: partners[_owner(task)].name if "partOf" in task else "" for task in tasks}
    reader = hub.store.reader(SYSTEM)
    lives = {names[one]: [_stand(decoded(row)) for row in await reader.history("Task", one)][::-1] for one in names}
    rows = await hub.store.database.fetch("select reasons from review where closed_at is null")
    codes = [one["code"] for row in rows for one in json.loads(row[0]) if one["code"] not in triage.REASONS]
    answers = await hub.store.database.fetch("select state, progress from answer order by version")
    first = {one.control_id: progress(one.text) for one in receiver.came}
    return Outcome(lives, codes, [(row[0], row[1]) for row in answers], list(first.values()))


def _stand(task: Resource) -> tuple[Any, ...]:
    told = [part["url"] for one in task.get("extension", ()) for part in one.get("extension", ())]
    reminded = "remindedAt" in told
    return (
        task["status"],
        _code(task, "businessStatus"),
        _code(task, "statusReason"),
        reminded,
        len(task.get("note", ())),
        len(task.get("output", ())),
    )


def _code(task: Resource, element: str) -> str:
    return "".join(one["code"] for one in task.get(element, {}).get("coding", ()))


def _owner(task: Resource) -> str:
    return str(task["owner"]["reference"]).rpartition("/")[2]


async def lived(
    copies: SqliteCopies | PostgresCopies, processes: Zygote, receiver: MllpReceiver, kill_at: int
) -> tuple[Life, Outcome]:
    """One escalation, killed at boundary ``kill_at`` (0: not at all) and gone on with; its first life, and its end."""
    url = copies.fresh()
    receiver.came.clear()
    order = {"url": url, "kill_at": kill_at, "now": ACTS[0][0], "acts": ACTS}
    life = await asyncio.to_thread(processes.run, order)
    if kill_at:
        assert life.status == -SIGKILL
        async with started(url) as hub:
            found = await faults(hub)
            assert found == [], f"{found} after boundary {kill_at}, {life.killed_at}, at {life.now}"
        left = ACTS[len(life.answers) :]
        rest = {"url": url, "kill_at": 0, "now": life.now or ACTS[0][0], "acts": left}
        assert (await asyncio.to_thread(processes.run, rest)).status == 0
    else:
        assert life.status == 0
    async with started(url) as hub:
        assert await faults(hub) == []
        came = await outcome(hub, receiver)
    wire = Counter(one.control_id for one in receiver.came)
    assert sum(wire.values()) - len(wire) <= (1 if kill_at else 0), "at most the one under way is sent again"
    copies.drop(url)
    return life, came


async def survived(
    copies: SqliteCopies | PostgresCopies, port: int, wanted: Callable[[int], Iterable[int]]
) -> tuple[Outcome, list[str]]:
    """Kill at the boundaries that ``wanted`` chooses of so many; the undisturbed outcome, and where each was killed."""
    async with taking_answers(MllpReceiver(port=port)) as receiver:
        with zygote() as processes:
            whole, undisturbed = await lived(copies, processes, receiver, 0)
            killed = []
            for kill_at in wanted(len(whole.points)):
                life, came = await lived(copies, processes, receiver, kill_at)
                assert came == undisturbed, f"killed at boundary {kill_at}, {life.killed_at}, at {life.now}"
                killed.append(str(life.killed_at))
            return undisturbed, killed


def escalations(
    kind: str, request: pytest.FixtureRequest, folder: Path, wanted: Callable[[int], Iterable[int]]
) -> tuple[Outcome, list[str]]:
    """``survived`` over either kind of database."""
    port = spare_port()

    async def prepare(url: str) -> None:
        clock = Clock()
        store = connect(url, clock)
        try:
            await settle_in(hub_at(store, clock), f"mllp://127.0.0.1:{port}")
        finally:
            await store.close()

    copies = copies_of(kind, request, folder, lambda url: asyncio.run(prepare(url)))
    return asyncio.run(survived(copies, port, wanted))
