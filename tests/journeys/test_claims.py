"""Partners that accept the same referral at the same moment: one wins, and the others cost little."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.core.actor import Actor
from app.services.packets.packets import reachable, reachable_each
from app.store.database import Record
from tests.chaos.claimant_process import claim
from tests.chaos.claiming import HUB, field_over
from tests.chaos.claims import claims
from tests.chaos.prepared import BOTH
from tests.hub_fixtures import World


@BOTH
def test_exactly_one_of_all_wins_each_time(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    assert claims(kind, request, tmp_path, claimants=8, referrals=2, rounds=3) == 3


async def test_packets_that_are_walked_together_are_what_each_is_alone(world: World) -> None:
    field = await field_over(world.hub, claimants=2, referrals=2)
    tasks = [task for referral in field.referrals for task in referral.children.values()]
    for actor in (HUB, *(Actor(one, "HTEST") for one in field.tokens)):
        reader = world.hub.store.reader(actor)
        rows = await reader.by_ids(tasks)
        assert len(rows) == (4 if actor is HUB else 2)
        together = await reachable_each(reader, rows)
        assert {name: {*walked} for name, walked in together.items()} == {
            row.id: {*await reachable(reader, row)} for row in rows
        }
        assert {row.type for walked in together.values() for row in walked} > {"Task", "Patient", "Provenance"}


async def test_a_round_asks_the_database_in_proportion_to_its_claimants(
    world: World, web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    field = await field_over(world.hub, claimants=16, referrals=2)
    (few, many) = field.referrals
    database, asked, families = world.hub.store.database, 0, 0
    fetch = database.fetch

    async def counted(text: str, *args: Any) -> Sequence[Record]:
        nonlocal asked, families
        asked += 1
        families += "r.part_of = " in text
        return await fetch(text, *args)

    monkeypatch.setattr(database, "fetch", counted)

    async def cost(claimants: list[tuple[str, str]], patient: str) -> tuple[int, int]:
        nonlocal asked, families
        asked = families = 0
        told = await asyncio.gather(*(claim(web, field.tokens[one], task, patient) for one, task in claimants))
        assert min(told) == ("200 accepted", "200 accepted")
        assert set(sorted(told)[1:]) == {("422", "404")}
        return asked, families

    one_in_four = await cost(list(few.children.items())[::4], few.patient)
    all_of_them = await cost(list(many.children.items()), many.patient)
    assert all_of_them[0] < 4.5 * one_in_four[0]
    assert all_of_them[1] == one_in_four[1], "in one process one of them is decided whole, whoever else there is"
