"""kill -9 at each step of each commit: nothing acknowledged is lost, nothing happens twice."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.core.actor import Actor
from app.core.clock import Clock
from app.core.errors import HubError
from app.core.turns import Turns
from app.services.hub import Hub
from app.services.intake.intake import Intake
from app.services.jobs import DueWork
from app.services.privacy import checks
from app.services.writes import tasks
from app.services.writing import Resource
from app.store.reader import Reader
from app.store.store import connect
from tests.chaos import verdict
from tests.chaos.killing import SHORT, kill_everywhere
from tests.chaos.story import accept_task, code, discharged, family, hub_over, message, send, started, try_to_accept
from tests.hub_fixtures import World, patched

HL7 = {"content-type": "application/hl7-v2"}
KINDS = ("RAS", "RDS", "A03")


async def test_a_hub_killed_at_any_step_of_any_commit_loses_nothing_and_doubles_nothing(
    world: World, database_url: str, tmp_path: Path
) -> None:
    await world.hub.store.close()
    lives = await kill_everywhere(database_url, world.harbor, SHORT)
    points = lives[-1].points
    assert [life.killed_at for life in lives] == [*points, None]
    assert points.count("before commit") == points.count("after commit") == points.count("written") == 3
    assert points.count("answer formed") == 3
    if database_url.startswith("sqlite"):
        assert {"after insert into receipt", "after insert into ledger", "after insert into body"} <= set(points)
    async with started(database_url) as hub:
        made = await verdict.types(hub)
        visits = len(lives)
        assert (made["Task"], made["ServiceRequest"], made["MedicationDispense"]) == (2 * visits, 2 * visits, visits)
        settings = hub.settings.model_copy(update={"key_file": tmp_path / "keys"})
        found = await checks.check(replace(hub, settings=settings))
        assert [one for one in found if not one.ok] == []


# ---- many at once


async def test_the_same_message_many_times_at_once_has_one_effect_and_is_acknowledged_each_time(
    web: httpx.AsyncClient, world: World
) -> None:
    headers = await world.bearer(world.mercy) | HL7
    await web.post("/ingest/hl7v2", content=message("RDS", 1), headers=headers)
    body = message("A03", 1)
    answers = await asyncio.gather(*(web.post("/ingest/hl7v2", content=body, headers=headers) for _ in range(32)))
    assert [(a.status_code, code(a.content)) for a in answers] == [(200, "AA")] * 32
    assert await verdict.copies(world.hub) == 31
    assert await verdict.kept(world.hub, 1) == {"RDS-1": 1, "A03-1": 1}
    assert await verdict.statuses(world.hub, 1) == [(False, "requested"), (True, "requested")]
    assert await verdict.faults(world.hub) == []


@asynccontextmanager
async def processes(world: World, url: str) -> AsyncIterator[list[tuple[Hub, Intake]]]:
    """The serving processes that may share a database: one on SQLite, three on PostgreSQL."""
    stores = [connect(url, Clock()) for _ in range(0 if url.startswith("sqlite") else 2)]
    hubs = [world.hub, *(hub_over(store, url) for store in stores)]
    try:
        yield [(hub, Intake(hub)) for hub in hubs]
    finally:
        for store in stores:
            await store.close()


async def test_the_messages_of_a_visit_in_any_order_at_once_make_one_referral_with_all_facts(
    world: World, database_url: str
) -> None:
    rounds = 30
    dice = random.Random(5)
    async with processes(world, database_url) as hubs:
        for begin in range(0, rounds, 5):
            wanted = [(kind, begin + n) for n in range(5) for kind in KINDS]
            dice.shuffle(wanted)
            answers = [send(*hubs[i % len(hubs)], kind, n) for i, (kind, n) in enumerate(wanted)]
            assert await asyncio.gather(*answers) == ["AA"] * len(wanted)
    for n in range(rounds):
        assert await verdict.statuses(world.hub, n) == [(False, "requested"), (True, "requested")]
        assert await verdict.kept(world.hub, n) == {f"{kind}-{n}": 1 for kind in KINDS}
    made = await verdict.types(world.hub)
    assert {made[name] for name in ("MedicationAdministration", "MedicationDispense", "Encounter", "Patient")} == {
        rounds
    }
    assert await verdict.faults(world.hub) == []


async def test_messages_without_a_visit_number_that_did_not_see_each_other_meet_soon_after(
    world: World, database_url: str
) -> None:
    visits = 12
    async with processes(world, database_url) as hubs:
        for n in range(visits):
            kinds = ("RDS", "A03")
            both = (send(*hubs[i % len(hubs)], kind, n, numbered=False) for i, kind in enumerate(kinds))
            assert await asyncio.gather(*both) == ["AA", "AA"]
    later = replace(world.hub, clock=Clock(offset_us=10_000_000))
    while await DueWork(later).run():
        pass
    for n in range(visits):
        assert await verdict.statuses(world.hub, n) == [(False, "requested"), (True, "requested")]
    assert (await verdict.types(world.hub))["MedicationDispense"] == visits
    assert await verdict.faults(world.hub) == []


async def test_one_message_sent_to_several_processes_at_once_has_one_effect(world: World, database_url: str) -> None:
    async with processes(world, database_url) as hubs:
        for n in range(10):
            await send(*hubs[0], "RDS", n)
            assert await asyncio.gather(*(send(*hubs[i % len(hubs)], "A03", n) for i in range(9))) == ["AA"] * 9
            assert await verdict.statuses(world.hub, n) == [(False, "requested"), (True, "requested")]
    assert await verdict.copies(world.hub) == 80
    assert await verdict.faults(world.hub) == []


async def test_a_partner_that_accepts_many_times_at_once_accepts_once(world: World, database_url: str) -> None:
    task = await discharged(world.hub)
    async with processes(world, database_url) as hubs:
        asked = (accept_task(hubs[i % len(hubs)][0], world.harbor, task) for i in range(64))
        answers = await asyncio.gather(*asked)
    assert {answer.version for answer in answers} == {2}
    assert await verdict.statuses(world.hub, 1) == [(False, "accepted"), (True, "accepted")]
    assert await verdict.faults(world.hub) == []


async def test_an_acceptance_decided_on_an_older_version_than_its_family_changes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = await discharged(world.hub)
    another_process = replace(world.hub, turns=Turns())
    read_family = tasks._family

    async def overtaken(reader: Reader, current: Resource) -> Any:
        monkeypatch.setattr(tasks, "_family", read_family)
        await accept_task(another_process, world.harbor, task)
        return await read_family(reader, current)

    monkeypatch.setattr(tasks, "_family", overtaken)
    assert (await accept_task(world.hub, world.harbor, task)).version == 2
    assert await verdict.faults(world.hub) == []


async def cancel(hub: Hub, mercy: str, task: str) -> str:
    """The hospital takes its source Task back; what became of that."""
    actor = Actor(mercy, "HTEST-hospital", frozenset({"system/Task.rus"}))
    operations: list[dict[str, Any]] = [
        {"op": "replace", "path": "/status", "value": "cancelled"},
        {"op": "add", "path": "/statusReason", "value": {"text": "HTEST stays"}},
    ]
    try:
        await patched(hub, actor, task, operations)
    except HubError as error:
        return type(error).__name__
    return "done"


@pytest.mark.parametrize("way", ["A13", "Task"])
async def test_when_the_hospital_cancels_while_the_partner_accepts_one_of_them_wins(
    world: World, database_url: str, way: str
) -> None:
    seen = set()
    async with processes(world, database_url) as hubs:
        for n in range(12):
            task = await discharged(world.hub, n)
            source = (await family(world.hub, n))[0].id
            mine, theirs = hubs[0], hubs[-1]
            takes_back = send(*mine, "A13", n) if way == "A13" else cancel(mine[0], world.mercy, source)
            accepts = try_to_accept(theirs[0], world.harbor, task)
            both = [takes_back, accepts] if n % 2 else [accepts, takes_back]
            answers = await asyncio.gather(*both)
            accepted = (answers[1] if n % 2 else answers[0]) == "done"
            (_, of_source), (_, of_child) = await verdict.statuses(world.hub, n)
            if way == "A13":
                assert of_source == of_child == ("accepted" if accepted else "cancelled")
            else:
                assert (accepted, of_source, of_child) in {
                    (True, "accepted", "accepted"),
                    (True, "cancelled", "cancelled"),
                    (False, "cancelled", "cancelled"),
                }
            seen.add(of_child)
    assert await verdict.faults(world.hub) == []
    assert seen <= {"accepted", "cancelled"}
