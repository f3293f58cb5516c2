"""Many partners that were asked with one referral accept it at the same moment, from several processes.

Referrals are made once, through the hub's own doors, and the database that holds them is copied: each copy is good
for a round with each of them. A round ends with one owner, who may ask again, and the others see nothing of the person
any more.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

import httpx
import orjson

from app.core.actor import Actor
from app.core.clock import Clock
from app.main import attach, create_app
from app.services.hub import Hub
from app.services.intake.looking import look_of
from app.services.partners import registration
from app.services.writing import Resource, decoded
from app.store.queries import ColumnIn, Query
from app.store.store import connect
from schemas.stub import Chosen
from tests.chaos.story import started
from tests.contract.fhir_callers import discharge
from tests.hub_fixtures import World, hub_over

HUB: Final = Actor.system("test")
SCOPE: Final = "system/*.rus"
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Referral:
    """One source Task, and everybody who is asked."""

    source: str
    children: dict[str, str]
    """Organisation to its Task."""
    patient: str


@dataclass(frozen=True, slots=True)
class Field:
    """What a prepared database holds."""

    tokens: dict[str, str]
    """Organisation to the bearer token of its client."""
    referrals: list[Referral]


class Copies(Protocol):
    """Copies of the prepared database."""

    def fresh(self) -> str:
        """The URL of a new one."""

    def drop(self, url: str) -> None:
        """Remove one that nobody uses any more."""


def profiles(claimants: int) -> list[Resource]:
    """As many partners as there are claimants."""
    common = {"covered_entity": True, "needs": ["moud-continuation"], "active": True}
    return [{"name": f"HTEST Claimant {number:02d}", **common} for number in range(claimants)]


async def prepared(url: str, *, claimants: int, referrals: int) -> Field:
    """In a database that knows who takes part: so many people leave, and every partner is asked for each of them."""
    store = connect(url, Clock())
    try:
        return await field_over(hub_over(store), claimants=claimants, referrals=referrals)
    finally:
        await store.close()


async def field_over(hub: Hub, *, claimants: int, referrals: int) -> Field:
    """The same over a hub."""
    senders = (await hub.registry.current()).senders
    world = World(hub, senders["mercy-adt"].organization, senders["north-adt"].organization, "")
    told = await registration.import_partners(hub, orjson.dumps(profiles(claimants)))
    bearers = {one.organization: await world.bearer(one.organization, SCOPE) for one in told}
    tokens = {one: bearer["authorization"].partition(" ")[2] for one, bearer in bearers.items()}
    app = create_app(hub.settings)
    attach(app, hub)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://hub.test") as web:
        entries = [await discharge(world, web, number) for number in range(1, referrals + 1)]
    return Field(tokens, [await _asked(hub, entry["referral"], list(tokens)) for entry in entries])


async def _asked(hub: Hub, request: str, organizations: Sequence[str]) -> Referral:
    focus = ColumnIn("focus", (f"ServiceRequest/{request}",))
    (source,) = map(decoded, await hub.store.reader(HUB).search(Query("Task", (focus,))))
    for one in organizations:
        assert await look_of(hub, request, (source["id"], Chosen(by="HTEST", at=hub.clock.now(), partner=one)))
    children = {_owner(task): task["id"] for task in await children_of(hub, source["id"])}
    asked = {one: children[one] for one in organizations}
    return Referral(source["id"], asked, source["for"]["reference"].rpartition("/")[2])


async def children_of(hub: Hub, source: str) -> list[Resource]:
    """The Tasks of everybody who is asked."""
    of_it = ColumnIn("part_of", (f"Task/{source}",))
    return [decoded(row) for row in await hub.store.reader(HUB).search(Query("Task", (of_it,), limit=500))]


async def claimed(field: Field, copies: Copies, *, processes: int, rounds: int, progress: Progress) -> int:
    """Run so many rounds; how many had exactly one winner and nothing left over."""
    done = 0
    async with claimants_in(processes) as some:
        while done < rounds:
            url = copies.fresh()
            async with started(url) as hub:
                for referral in field.referrals[: rounds - done]:
                    await check(hub, referral, await round_of(url, field, referral, some))
                    done += 1
                    progress(done)
            await _in_each(some, {"url": "", "patient": "", "claimants": []})
            copies.drop(url)
    return done


async def round_of(
    url: str, field: Field, referral: Referral, some: list[asyncio.subprocess.Process]
) -> dict[str, tuple[str, str]]:
    """Everybody accepts at once; what each was answered (see ``claimant_process``)."""
    parts = [list(referral.children)[number :: len(some)] for number in range(len(some))]
    orders = [
        {"url": url, "patient": referral.patient, "claimants": [(field.tokens[o], referral.children[o]) for o in part]}
        for part in parts
    ]
    told = await _in_each(some, *orders)
    return {
        one: tuple(said)
        for part, answers in zip(parts, told, strict=True)
        for one, said in zip(part, answers, strict=True)
    }


async def check(hub: Hub, referral: Referral, answers: dict[str, tuple[str, str]]) -> None:
    """One owner, told so; everybody else was refused, and sees nothing of the person."""
    assert Counter(answers.values()) == {("200 accepted", "200 accepted"): 1, ("422", "404"): len(answers) - 1}
    (winner,) = [one for one, said in answers.items() if said[0] == "200 accepted"]
    children = await children_of(hub, referral.source)
    assert {task["id"] for task in children if task["status"] == "accepted"} == {referral.children[winner]}
    assert {task["status"] for task in children if task["id"] != referral.children[winner]} == {"cancelled"}
    for task in (referral.source, referral.children[winner]):
        versions = await hub.store.reader(HUB).history("Task", task)
        assert [decoded(row)["status"] for row in versions].count("accepted") == 1
        assert decoded(versions[0])["status"] == "accepted"
    rows = await hub.store.database.fetch("select organization from visibility where id = $1", referral.patient)
    assert {row[0] for row in rows} & answers.keys() == {winner}


@asynccontextmanager
async def claimants_in(number: int) -> AsyncIterator[list[asyncio.subprocess.Process]]:
    """So many processes, ready."""
    command = (sys.executable, "-m", "tests.chaos.claimant_process")
    pipe = asyncio.subprocess.PIPE
    some = [await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe) for _ in range(number)]
    try:
        for one in some:
            assert await _line(one) == "ready"
        yield some
    finally:
        for one in some:
            assert one.stdin is not None
            one.stdin.close()
            await one.wait()


async def _in_each(some: list[asyncio.subprocess.Process], *orders: dict[str, Any]) -> list[Any]:
    """What each process says to its order, or to the one that is for all."""
    for number, one in enumerate(some):
        assert one.stdin is not None
        one.stdin.write(json.dumps(orders[number % len(orders)]).encode() + b"\n")
    return list(await asyncio.gather(*(_line(one) for one in some)))


async def _line(one: asyncio.subprocess.Process) -> Any:
    assert one.stdout is not None
    return json.loads(await one.stdout.readline())


def _owner(task: Resource) -> str:
    return str(task["owner"]["reference"]).rpartition("/")[2]
