"""Exactly one acceptance wins, whoever accepts at the same moment; THROUGHLINE_CLAIM_ROUNDS for the long form."""

import os
import sys

import httpx
import pytest

from tests.chaos.claiming import claimed
from tests.hub_fixtures import World

ROUNDS = int(os.environ.get("THROUGHLINE_CLAIM_ROUNDS", "0"))
"""The long form runs so many; without it the suite has its short one."""


@pytest.mark.parametrize("database_url", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True)
async def test_exactly_one_of_all_wins_each_time(world: World, web: httpx.AsyncClient, database_url: str) -> None:
    claimants, rounds = (64, ROUNDS) if ROUNDS else (8, 3)

    def progress(done: int) -> None:
        if done % 10 == 0:
            sys.stderr.write(f"\r{done} of {rounds} rounds")

    told = await claimed(world, web, database_url, claimants=claimants, rounds=rounds, progress=progress)
    assert told == rounds
