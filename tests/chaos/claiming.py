"""Many partners that were asked with one referral accept it at the same moment, from several processes.

Each round ends with one owner, and the others see nothing of the person any more. Then all is put back, through
the committer, as new versions.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx
import orjson

from app.core.actor import Actor
from app.services import registration
from app.services.hub import Hub
from app.services.looking import look_of
from app.services.writing import Resource, change_of, decoded, without_server_meta
from app.store.changes import Changes, Grant
from app.store.queries import Query
from schemas.stub import Chosen
from tests.chaos.claimant_process import claim
from tests.contract.fhir_callers import discharge
from tests.hub_fixtures import World

HUB: Final = Actor.system("test")
PROCESSES: Final = 4
Progress = Callable[[int], None]


@dataclass
class Field:
    """One referral with all its claimants."""

    hub: Hub
    source: str
    children: dict[str, str]
    """Organisation to its Task."""
    patient: str
    before: dict[str, Resource]
    """Every Task and ServiceRequest of the referral before anybody answered."""
    packet: list[str]


def profiles(claimants: int) -> list[Resource]:
    """As many partners as there are claimants."""
    common = {"covered_entity": True, "needs": ["moud-continuation"], "active": True}
    return [{"name": f"HTEST Claimant {number:02d}", **common} for number in range(claimants)]


async def claimed(
    world: World, web: httpx.AsyncClient, url: str, *, claimants: int, rounds: int, progress: Progress = lambda _: None
) -> int:
    """Run so many rounds on one referral; how many had exactly one winner."""
    await discharge(world, web)
    field = await field_of(world.hub, claimants)
    async with processes(url) as some:
        for done in range(1, rounds + 1):
            await check(field, await round_of(field, some))
            await put_back(field)
            progress(done)
    return rounds


async def field_of(hub: Hub, claimants: int) -> Field:
    """Ask every partner for the only referral there is."""
    told = await registration.import_partners(hub, orjson.dumps(profiles(claimants)))
    tasks = await _tasks(hub)
    (source,) = [task for task in tasks if "partOf" not in task]
    request = source["focus"]["reference"].rpartition("/")[2]
    for one in told:
        chosen = Chosen(by="HTEST", at=hub.clock.now(), partner=one.organization)
        assert await look_of(hub, request, (source["id"], chosen))
    tasks = await _tasks(hub)
    children = {_owner(task): task["id"] for task in tasks if "partOf" in task and _owner(task) in _ids(told)}
    assert len(children) == claimants
    requests = [task["focus"]["reference"].rpartition("/")[2] for task in tasks]
    rows = await hub.store.reader(HUB).by_ids([*(task["id"] for task in tasks), *requests])
    visible = await hub.store.database.fetch(
        "select distinct v.id from visibility v where v.organization = $1", next(iter(children))
    )
    own = {task["id"] for task in tasks} | set(requests)
    packet = [row[0] for row in visible if row[0] not in own]
    person = source["for"]["reference"].rpartition("/")[2]
    return Field(hub, source["id"], children, person, {row.id: decoded(row) for row in rows}, packet)


async def check(field: Field, answers: list[str]) -> None:
    """One owner, told so; everybody else lost, and sees nothing of the person."""
    assert Counter(answers)["accepted"] == 1, Counter(answers)
    tasks = {task["id"]: task for task in await _tasks(field.hub)}
    assert tasks[field.source]["status"] == "accepted"
    owners = [one for one, task in field.children.items() if tasks[task]["status"] == "accepted"]
    assert len(owners) == 1
    assert all(tasks[task]["status"] == "cancelled" for one, task in field.children.items() if one not in owners)
    rows = await field.hub.store.database.fetch("select organization from visibility where id = $1", field.patient)
    assert {row[0] for row in rows}.isdisjoint(field.children.keys() - set(owners))
    for organization in (owners[0], next(one for one in field.children if one not in owners)):
        seen = await field.hub.store.reader(Actor(organization, "HTEST")).read("Patient", field.patient)
        assert (seen is not None) == (organization in owners)
    assert await claim(field.hub, owners[0], field.children[owners[0]]) == "accepted", "the winner's retry"


async def put_back(field: Field) -> None:
    """As it was before anybody answered."""
    rows = await field.hub.store.reader(HUB).by_ids(list(field.before))
    resources = []
    for row in rows:
        now, then = decoded(row), field.before[row.id]
        if now["status"] != then["status"]:
            resources.append(change_of(without_server_meta(then), row.version + 1, before=now))
    grants = [Grant(one, held) for one in field.children for held in field.packet]
    await field.hub.store.commit(Changes(resources=tuple(resources), grants=tuple(grants)))


@asynccontextmanager
async def processes(url: str) -> AsyncIterator[list[asyncio.subprocess.Process]]:
    """The processes, ready."""
    command = (sys.executable, "-m", "tests.chaos.claimant_process", url)
    pipe = asyncio.subprocess.PIPE
    some = [await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe) for _ in range(PROCESSES)]
    try:
        for one in some:
            assert await _line(one) == "ready"
        yield some
    finally:
        for one in some:
            assert one.stdin is not None
            one.stdin.close()
            await one.wait()


async def round_of(field: Field, some: list[asyncio.subprocess.Process]) -> list[str]:
    """Everybody accepts at once; what each was answered."""
    claimants = list(field.children.items())
    for number, one in enumerate(some):
        assert one.stdin is not None
        one.stdin.write(json.dumps(claimants[number::PROCESSES]).encode() + b"\n")
    told = await asyncio.gather(*(_line(one) for one in some))
    return [answer for answers in told for answer in answers]


async def _line(one: asyncio.subprocess.Process) -> Any:
    assert one.stdout is not None
    return json.loads(await one.stdout.readline())


async def _tasks(hub: Hub) -> list[Resource]:
    found = await hub.store.reader(HUB).search(Query("Task", limit=500))
    return [decoded(row) for row in found]


def _owner(task: Resource) -> str:
    return str(task["owner"]["reference"]).rpartition("/")[2]


def _ids(told: list[registration.Partner]) -> set[str]:
    return {one.organization for one in told}
