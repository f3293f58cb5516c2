"""Exactly one acceptance wins, whoever accepts at the same moment; ``make chaos`` has the long form."""

import httpx
import pytest

from tests.chaos.claiming import claimed
from tests.hub_fixtures import World


@pytest.mark.parametrize("database_url", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True)
async def test_exactly_one_of_eight_wins(world: World, web: httpx.AsyncClient, database_url: str) -> None:
    assert await claimed(world, web, database_url, claimants=8, rounds=3) == 3
