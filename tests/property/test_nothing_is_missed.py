"""Who polls, follows links or reads events gets every change, whatever slow writers do at the same time.

Sixteen writers whose transactions dawdle make, change and delete; fifty pollers of five kinds keep copies meanwhile.
The seed chooses who does what; how the transactions overlap is the database's and the machine's choice, which is
why there are several seeds. ``THROUGHLINE_FUZZ_SECONDS`` asks for as many as take about that long.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import cycle, islice, pairwise, product
from random import Random
from typing import Final

import httpx
import pytest

from app.services.partners import registration
from tests.contract.fhir_callers import PEERS
from tests.contract.subscribers import body, subscribe
from tests.hub_fixtures import World
from tests.property.pollers import SEARCHES, ByEtag, ByEvents, Poller
from tests.property.processes import ByHttp, ByService, Door, Process, client_of, running
from tests.property.slow_store import slow_stores
from tests.property.truth import Truth
from tests.property.writers import Writer

SEEDS: Final = range(max(2, int(os.environ.get("THROUGHLINE_FUZZ_SECONDS", "0")) // 15))
WRITERS: Final = 16
DEEDS: Final = 16
"""Of each writer."""
STALE_SECONDS: Final = {"sqlite": 0.0, "postgresql": 1.05}
"""How far behind an answer may be that a process kept (docs/architecture.md)."""
LIMIT_SECONDS: Final = 150.0


@pytest.mark.parametrize("seed", SEEDS)
async def test_whoever_polls_follows_or_reads_events_has_everything(world: World, database_url: str, seed: int) -> None:
    random, truth = Random(seed), Truth()
    organizations = [world.harbor, await another_partner(world)]
    async with (
        asyncio.timeout(LIMIT_SECONDS),
        running(world.hub, await slow_stores(database_url)) as processes,
        pollers_of(processes, organizations, random, truth) as pollers,
    ):
        writers = [
            Writer(Random(random.random()), process, organizations, truth)
            for process in islice(cycle(processes), WRITERS)
        ]
        await while_others_write(processes, pollers, writers)
        for poller in pollers:
            holds_all(poller, truth)
        assert all(poller.looks > 1 for poller in pollers)
        # Nothing changes any more, so the second of two looks is told so.
        tagged = [poller for poller in pollers if isinstance(poller, ByEtag)]
        for poller in (*tagged, *tagged):
            await poller.look()
        assert all(poller.unchanged for poller in tagged)
        for poller in pollers:
            if isinstance(poller, ByEvents):
                await numbered_in_the_order_of_commits(processes[0], poller)


async def while_others_write(
    processes: Sequence[Process], pollers: Sequence[Poller], writers: Sequence[Writer]
) -> None:
    """Pollers look until all writers are done, and once more."""
    over = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for poller in pollers:
            group.create_task(poller.run(over))
        for process in processes:
            group.create_task(never_a_gap(process, over))
        await asyncio.gather(*(writer.run(DEEDS) for writer in writers))
        over.set()


async def another_partner(world: World) -> str:
    (made,) = await registration.import_partners(world.hub, json.dumps([PEERS]).encode())
    return made.organization


# ---- who polls


@asynccontextmanager
async def pollers_of(
    processes: Sequence[Process], organizations: Sequence[str], random: Random, truth: Truth
) -> AsyncIterator[list[Poller]]:
    """Forty that search, each way for each organisation in each process, and ten that read events."""
    stale = STALE_SECONDS[processes[0].hub.store.database.name]
    async with AsyncExitStack() as stack:
        webs = [await stack.enter_async_context(web_of(process)) for process in processes]
        found: list[Poller] = []
        places = [*product(SEARCHES, organizations, range(2))]
        for number, ((search, kind, order), organization, place) in enumerate(places):
            process, web = processes[place % len(processes)], webs[place % len(processes)]
            actor, token = await client_of(process, organization)
            door: Door = ByHttp(web, token) if number % 4 == number // 4 % 4 else ByService(process, actor)
            found.append(search(door, kind, organization, Random(random.random()), truth, stale=stale, order=order))
        for organization, process in islice(cycle(product(organizations, processes)), 10):
            actor, _ = await client_of(process, organization)
            subscription = await subscribe(process.hub, actor, body(content="full-resource"))
            found.append(ByEvents(process, actor, subscription, Random(random.random()), truth))
        yield found


def web_of(process: Process) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(process.app), base_url="http://hub.test")


# ---- what must hold


def holds_all(poller: Poller, truth: Truth) -> None:
    """At the end: exactly the last version of everything, and nothing that was never shown to its organisation."""
    newest = {name: truth.made[name].newest for name in truth.there(poller.kind, poller.organization)}
    deleted = truth.deleted(poller.kind, poller.organization)
    assert {name: version for name, version in poller.held.items() if name not in deleted} == newest, poller
    if isinstance(poller, ByEvents):
        assert poller.deleted == deleted, poller


async def never_a_gap(process: Process, over: asyncio.Event) -> None:
    """At no moment is a change or an event there whose predecessor is not."""
    fetch = process.hub.store.database.fetch
    while not over.is_set():
        (counted,) = await fetch("select count(*), coalesce(max(seq), 0) from change")
        assert counted[0] == counted[1], "a change was there before its predecessor"
        events = await fetch("select count(*), max(number) from subscription_event group by subscription")
        assert all(one[0] == one[1] for one in events), "an event was there before its predecessor"
        await asyncio.sleep(0.03)


async def numbered_in_the_order_of_commits(process: Process, poller: ByEvents) -> None:
    """Each change of a Task that the organisation sees is one event, in the order of the instants."""
    fetch = process.hub.store.database.fetch
    events = await fetch(
        "select number, id, version, at from subscription_event where subscription = $1 order by number",
        poller.subscription,
    )
    changes = await fetch(
        "select c.id, c.version, c.last_updated from change c join visibility v on v.id = c.id "
        "where c.type = 'Task' and v.organization = $1 order by c.last_updated",
        poller.organization,
    )
    assert [tuple(event) for event in events] == [(n, *change) for n, change in enumerate(changes, 1)]
    stamps = await fetch("select last_updated from change order by seq")
    assert all(one[0] < other[0] for one, other in pairwise(stamps))
