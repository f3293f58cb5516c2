"""A partner with one referral, for the contract tests of Task."""

import httpx
import pytest_asyncio

from tests.contract.fhir_callers import Caller, Resource, caller, discharge
from tests.contract.neighbours import all_of_them
from tests.hub_fixtures import World

__all__ = ["all_of_them"]


@pytest_asyncio.fixture
async def harbor(world: World, web: httpx.AsyncClient) -> Caller:
    await discharge(world, web, 1)
    return await caller(world, web, world.harbor)


@pytest_asyncio.fixture
async def task(harbor: Caller) -> Resource:
    (only,) = await harbor.search("Task")
    return only
