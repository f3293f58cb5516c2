"""A hub over each database with two hospitals and one partner, registered the way an operator does it."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI

from app.core.actor import Actor
from app.core.clock import Clock
from app.core.crypto import Keys
from app.core.settings import Settings
from app.main import attach, create_app
from app.services.clients import accounts
from app.services.clients.accounts import Registered
from app.services.disclosures import Disclosures
from app.services.feed import Feed
from app.services.hub import Hub, Registry
from app.services.intake.intake import Intake
from app.services.interactions import Wanted
from app.services.partners import registration
from app.services.writes.resource_requests import patching
from app.services.writes.resource_writes import ResourceWrites
from app.services.writing import Rendition
from app.store.store import Store, connect

PARTNER = {
    "name": "HTEST Harbor OTP",
    "covered_entity": True,
    # No Part 2 program, so that what it reports needs no consent: the way back has tests of its own.
    "part2_program": False,
    "needs": ["moud-continuation"],
    "time_zone": "America/New_York",
}
SENDERS = (
    ("mercy-adt", "HTEST Mercy", "EPIC|MERCY"),
    ("north-adt", "HTEST North", "CERN|NORTH"),
    ("north-json", "HTEST North", "JSON|NORTH"),
)
FAST = Settings(
    _env_file=None, mllp_port=0, worker=False, base_url="http://hub.test", max_body=64 * 1024, log_level="ERROR"
)


@dataclass(frozen=True, slots=True)
class World:
    """Who takes part: ids of organisations and machine clients."""

    hub: Hub
    mercy: str
    """Organisation of the sender ``mercy-adt``."""
    north: str
    """Organisation of the senders ``north-adt`` and ``north-json``."""
    harbor: str
    """The partner."""

    async def client(self, organization: str, scope: str) -> Registered:
        """A new machine client."""
        return await accounts.add_client(self.hub, organization, scope)

    async def bearer(self, organization: str, scope: str = "ingest") -> dict[str, str]:
        """The headers of a fresh client."""
        made = await self.client(organization, scope)
        issued = await accounts.issue(self.hub, made.client_id)
        return {"authorization": f"Bearer {issued.token}"}


async def patched(hub: Hub, actor: Actor, task: str, operations: list[dict[str, Any]]) -> Rendition:
    """A Task after a JSON Patch by ``actor``."""
    writes = ResourceWrites(hub, Intake(hub), Disclosures(hub.store), Feed(hub.store))
    done = await writes.update(actor, Wanted("Task", task, patching(operations), None), "patch")
    assert done.rendition is not None
    return done.rendition


def hub_over(store: Store) -> Hub:
    """A hub as the fixture ``hub`` has it."""
    return Hub(FAST, store, Keys(b"HTEST" * 8), Clock(), Registry(store))


async def people(url: str) -> None:
    """Register who takes part in a ``World``, in a database that knows nobody yet."""
    store = connect(url, Clock())
    try:
        await registered(hub_over(store))
    finally:
        await store.close()


async def registered(hub: Hub) -> None:
    """The same over a hub."""
    await registration.found_hub(hub)
    common = {"dialect": "adt_generic", "timezone": "America/New_York", "part2": "none"}
    for sender, hospital, facility in SENDERS:
        named = {"id": sender, "organization": hospital, "match_msh": [facility]}
        await registration.add_sender(hub, {**named, **common})
    await registration.import_partners(hub, json.dumps([PARTNER]).encode())


@pytest.fixture
def hub(store: Store) -> Hub:
    return hub_over(store)


@pytest_asyncio.fixture
async def world(hub: Hub) -> World:
    known = await hub.store.accounts.directory()
    if not known.senders:
        await registered(hub)
        known = await hub.store.accounts.directory()
    (harbor,) = known.partners
    return World(hub, known.senders["mercy-adt"].organization, known.senders["north-adt"].organization, harbor)


@pytest.fixture
def app(hub: Hub) -> FastAPI:
    made = create_app(hub.settings)
    attach(made, hub)
    return made


@pytest_asyncio.fixture
async def web(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://hub.test") as client:
        yield client
