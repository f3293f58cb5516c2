"""Two hospitals and two partners that know nothing of each other, and how their answers are compared."""

from dataclasses import dataclass

import httpx
import pytest_asyncio

from tests.contract.fhir_callers import Caller, Resource, caller, discharge, peers
from tests.hub_fixtures import World

UNKNOWN = "0197a2c4-0000-7000-8000-000000000000"
MINE = {"needs": [{"kind": "peer-support"}]}


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Two hospitals and two partners; each partner was asked once."""

    mercy: Caller
    north: Caller
    harbor: Caller
    peers: Caller
    foreign: dict[str, Resource]
    """Type to a resource that the second partner may not see."""


@pytest_asyncio.fixture
async def all_of_them(world: World, web: httpx.AsyncClient) -> Neighbours:
    other = await peers(world, web)
    await discharge(world, web, 1)
    await discharge(world, web, 2, **MINE)
    mercy, north = await caller(world, web, world.mercy), await caller(world, web, world.north)
    harbor = await caller(world, web, world.harbor)
    task, *_ = await harbor.search("Task")
    packet = await harbor.read(f"Task/{task['id']}/$packet")
    foreign = {entry["resource"]["resourceType"]: entry["resource"] for entry in packet["entry"]}
    hidden = {name: one for name, one in foreign.items() if name not in {"Composition", "Organization"}}
    return Neighbours(mercy, north, harbor, other, hidden)


def told(answer: httpx.Response) -> tuple[int, bytes, list[tuple[str, str]]]:
    """Everything of an answer that could differ, but for the request's own id."""
    headers = sorted((name, value) for name, value in answer.headers.items() if name != "x-request-id")
    return answer.status_code, answer.content, headers
