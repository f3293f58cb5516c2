"""A notifier that runs in the test, the client that subscribes, and how its Subscription stands."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from app.core.actor import Actor
from app.services.hub import Hub
from app.services.subscriptions import notifier
from tests.contract.subscribers import EVERYTHING
from tests.hub_fixtures import World


@asynccontextmanager
async def notifying(hub: Hub) -> AsyncIterator[None]:
    stop = asyncio.Event()
    running = asyncio.create_task(notifier.run(hub, stop))
    try:
        yield
    finally:
        stop.set()
        await running


async def subscriber(world: World, scope: str = " ".join(EVERYTHING)) -> Actor:
    made = await world.client(world.harbor, scope)
    return Actor(world.harbor, made.client_id, frozenset(scope.split()))


def number_of(extension: str, value: int, kind: str = "valueUnsignedInt") -> dict[str, Any]:
    base = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition"
    return {"url": f"{base}/{extension}", kind: value}


async def status(hub: Hub, actor: Actor) -> str:
    (standing,) = await hub.store.subscriptions(actor).standing()
    return standing.status


async def until_status(hub: Hub, actor: Actor, wanted: str) -> None:
    for _ in range(500):
        if await status(hub, actor) == wanted:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{wanted} was not reached")


async def failed_once(hub: Hub, attempts: int = 1) -> None:
    for _ in range(200):
        if (await hub.store.database.fetch("select attempts from subscription_lane"))[0][0] >= attempts:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("nothing was tried")
