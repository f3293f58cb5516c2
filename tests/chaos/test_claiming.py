"""Exactly one acceptance wins: ten thousand rounds, or THROUGHLINE_CLAIM_ROUNDS of them, on PostgreSQL."""

import os
import sys

import httpx
import pytest

from tests.chaos.claiming import claimed
from tests.hub_fixtures import World

ROUNDS = int(os.environ.get("THROUGHLINE_CLAIM_ROUNDS", "10000"))


@pytest.mark.parametrize("database_url", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True)
async def test_exactly_one_of_sixty_four_wins_each_time(
    world: World, web: httpx.AsyncClient, database_url: str
) -> None:
    def progress(done: int) -> None:
        if done % 100 == 0:
            sys.stderr.write(f"\r{done} of {ROUNDS} rounds")

    assert await claimed(world, web, database_url, claimants=64, rounds=ROUNDS, progress=progress) == ROUNDS
