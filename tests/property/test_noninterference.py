"""What one organisation does, another can't observe; and of two partners that are asked for one person, neither.

A seed says what the observers do, a second one what the strangers do between their steps. The transcript of the
observers (what it holds, and what it leaves out, is said in ``tests.property.transcripts``) must be that of a run in
which the strangers do nothing. ``THROUGHLINE_FUZZ_SECONDS`` asks for as many runs as take about that long.
"""

import json
import os
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import permutations
from random import Random
from typing import Final

import httpx
import pytest

from app.core.clock import Clock, monotonic
from app.core.crypto import Keys
from app.main import attach, create_app
from app.services.hub import Hub, Registry
from app.services.partners import registration
from app.store.store import connect
from tests.contract.fhir_callers import PEERS, Caller, caller
from tests.contract.http_messages import event
from tests.hub_fixtures import FAST, PARTNER, World
from tests.property.observers import STEPS, Observers
from tests.property.strangers import DEEDS, DEEDS_OF_A_PARTNER, Strangers
from tests.property.transcripts import Transcript, first_difference

SECONDS: Final = max(6.0, float(os.environ.get("THROUGHLINE_FUZZ_SECONDS", "0")) / 4)
SEED: Final = int(os.environ.get("THROUGHLINE_FUZZ_SEED", "1"))
FEWEST: Final = 3
LENGTH: Final = 45
"""Steps of the observers in one run."""
SCOPE: Final = "system/*.cruds ingest"
LOOKS: Final = ("Task", "ServiceRequest", "Provenance", "Task?_revinclude=Provenance:target&_include=Task:part-of")
COURSE: Final = ("discharge", "update", "cancel-discharge", "discharge")
_HASH: Final = re.compile(r'(?<="value": ")[\w-]{22}(?=")')
Databases = Callable[[], str]
Deed = tuple[int, str, int]
"""Before which step, what, and the seed of how."""


@asynccontextmanager
async def another_world(url: str) -> AsyncIterator[tuple[World, httpx.AsyncClient]]:
    """Two hospitals and two partners over a database of their own."""
    store = connect(url, Clock())
    hub = Hub(FAST, store, Keys(b"HTEST" * 8), Clock(), Registry(store))
    await registration.found_hub(hub)
    organizations: list[str] = []
    for sender, name, match in (("mercy-adt", "HTEST Mercy", "EPIC|MERCY"), ("north-adt", "HTEST North", "CERN|NORTH")):
        said = {"id": sender, "organization": name, "match_msh": [match], "dialect": "adt_generic"}
        made = await registration.add_sender(hub, said | {"timezone": "America/New_York", "part2": "none"})
        organizations.append(made.organization)
    harbor, _ = await registration.import_partners(hub, json.dumps([PARTNER, PEERS]).encode())
    app = create_app(FAST)
    attach(app, hub)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://hub.test") as web:
        mercy, north = organizations
        yield World(hub, mercy, north, harbor.organization), web
    await store.close()


async def partner_of(world: World, web: httpx.AsyncClient, name: str) -> Caller:
    directory = await world.hub.registry.current()
    (found,) = [one for one, partner in directory.partners.items() if partner.name == name]
    return await caller(world, web, found, SCOPE)


@dataclass(frozen=True, slots=True)
class Setting:
    """Who observes, and whose deeds must not be seen."""

    observer: str
    """A partner."""
    stranger: str
    """Another."""
    needs: tuple[str, ...]
    """What the observers' hospital asks for."""
    deeds: tuple[str, ...]


APART: Final = Setting("HTEST Peers", "HTEST Harbor OTP", ("peer-support",), DEEDS)
SIBLINGS: Final = [
    Setting(one, other, ("moud-continuation", "peer-support"), DEEDS_OF_A_PARTNER)
    for one, other in permutations(["HTEST Peers", "HTEST Harbor OTP"])
]


async def observed(url: str, setting: Setting, seed: int, deeds: Sequence[Deed]) -> Transcript:
    """What the second hospital and the observing partner see while the others do ``deeds``."""
    async with another_world(url) as (world, web):
        north, peers = await caller(world, web, world.north, SCOPE), await partner_of(world, web, setting.observer)
        mercy, harbor = await caller(world, web, world.mercy, SCOPE), await partner_of(world, web, setting.stranger)
        observers = Observers(north, peers, "north-adt", setting.needs)
        strangers = Strangers(mercy, harbor, "mercy-adt", "moud-continuation")
        steps = Random(seed)
        for number in range(LENGTH):
            for _, name, how in (deed for deed in deeds if deed[0] == number):
                await strangers.do(name, Random(how), observers)
            await observers.step("send" if number == 0 else steps.choice(STEPS), Random(f"{seed} {number}"))
        return observers.transcript


async def compared(another_database: Databases, setting: Setting, seconds: float) -> int:
    """How many runs were compared with one in which the strangers do nothing."""
    until, runs = monotonic() + seconds, 0
    alone: dict[int, Transcript] = {}
    while runs < FEWEST or monotonic() < until:
        seed = SEED + runs % FEWEST
        if seed not in alone:
            alone[seed] = await observed(another_database(), setting, seed, [])
            again = await observed(another_database(), setting, seed, [])
            assert not first_difference(alone[seed], again), "two runs alike are told apart"
        random = Random(f"{SEED} {runs}")
        deeds = sorted(
            (random.randrange(LENGTH), random.choice(setting.deeds), random.randrange(10**6)) for _ in range(30)
        )
        among = await observed(another_database(), setting, seed, deeds)
        difference = first_difference(alone[seed], among)
        assert not difference, f"THROUGHLINE_FUZZ_SEED={SEED}, run {runs}: {difference}\n{deeds}"
        runs += 1
    return runs


async def test_what_one_organisation_does_another_does_not_see(
    database_url: str, another_database: Databases, record_property: Callable[[str, object], None]
) -> None:
    record_property(f"runs on {database_url.partition(':')[0]}", await compared(another_database, APART, SECONDS))


@pytest.mark.parametrize("setting", SIBLINGS, ids=lambda setting: setting.observer.rpartition(" ")[2])
async def test_what_one_partner_does_the_one_that_is_asked_for_another_need_does_not_see(
    database_url: str, another_database: Databases, setting: Setting, record_property: Callable[[str, object], None]
) -> None:
    record_property(f"runs on {database_url.partition(':')[0]}", await compared(another_database, setting, SECONDS / 2))


async def course(url: str, needs: Sequence[str], answer: str | None) -> list[str]:
    """What the partner for peer support sees while it accepts and the hospital takes the discharge back.

    ``answer`` is what the other partner, where there is one, says meanwhile.
    """
    async with another_world(url) as (world, web):
        north, peers = await caller(world, web, world.north, SCOPE), await partner_of(world, web, "HTEST Peers")
        harbor, transcript = await partner_of(world, web, "HTEST Harbor OTP"), Transcript()
        for number, kind in enumerate(COURSE):
            told = event(1, kind=kind, event_id=f"HTEST-{number}", needs=[{"kind": need} for need in needs])
            told["medications"][0]["bridges"][0]["days"] = number + 1
            headers = north.headers | {"content-type": "application/json"}
            sent = await web.post("/ingest/events?sender=north-adt", content=json.dumps(told), headers=headers)
            assert sent.status_code == 201, sent.text
            if number == 0:
                for task in await harbor.search("Task") if answer else ():
                    reason = {"op": "add", "path": "/statusReason", "value": {"text": "HTEST"}}
                    assert (await harbor.set_status(task, str(answer), reason)).status_code == 200
                (task,) = await peers.search("Task")
                assert (await peers.set_status(task, "accepted")).status_code == 200
            for look in LOOKS:
                transcript.note(look, await peers.get(look))
            transcript.note("packet", await peers.get(f"Task/{task['id']}/$packet"))
        # What the hospital wrote differs by the other need, and so does the keyed hash of it.
        return [_HASH.sub("", line) for line in transcript.lines]


async def test_a_partner_sees_the_same_whether_others_are_asked_and_whatever_they_answer(
    database_url: str, another_database: Databases
) -> None:
    assert database_url
    alone = await course(another_database(), ["peer-support"], None)
    for answer in (None, "accepted", "rejected"):
        both = await course(another_database(), ["moud-continuation", "peer-support"], answer)
        for one, other in zip(alone, both, strict=True):
            assert one == other, answer
