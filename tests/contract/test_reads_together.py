"""Reads by id that are asked together: each caller gets what it would have got alone."""

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from app.core.actor import Actor
from app.store.changes import Changes, Grant, ResourceChange, Revocation
from app.store.database import Gone, Record
from app.store.store import Store
from app.store.together import ReadsTogether
from tests.contract.fhir_callers import Caller, Resource, caller, discharge, peers
from tests.hub_fixtures import World

HUB = Actor.system("test")
ON_POSTGRESQL = pytest.mark.parametrize(
    "database_url", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)


def partner(organization: str) -> Actor:
    return Actor(organization, f"client-{organization}")


def task(resource_id: str, version: int = 1) -> ResourceChange:
    return ResourceChange(resource_id, "Task", version, b'},"description":"%s"}' % resource_id.encode())


@pytest.fixture
def together(store: Store) -> ReadsTogether:
    return ReadsTogether(store)


async def read(together: ReadsTogether, *asked: tuple[Actor, str]) -> list[str | None]:
    rows = await asyncio.gather(*(together.read(actor, "Task", resource_id) for actor, resource_id in asked))
    assert all(row is None or row.content == task(row.id).content for row in rows)
    return [row and row.id for row in rows]


async def test_two_organisations_that_ask_at_once_each_see_their_own_only(
    store: Store, together: ReadsTogether
) -> None:
    await store.commit(Changes(resources=(task("ta"), task("tb")), grants=(Grant("a", "ta"), Grant("b", "tb"))))
    a, b = partner("a"), partner("b")
    found = await read(together, (a, "ta"), (b, "ta"), (a, "tb"), (b, "tb"), (HUB, "ta"), (partner("c"), "tb"))
    assert found == ["ta", None, None, "tb", "ta", None]


async def test_answers_stand_in_the_order_of_the_questions_and_one_that_is_missing_harms_none(
    store: Store, together: ReadsTogether
) -> None:
    names = [f"t{n}" for n in range(150)]
    await store.commit(
        Changes(resources=tuple(task(name) for name in names), grants=tuple(Grant("a", name) for name in names))
    )
    asked = [*reversed(names), "unknown", "", "x\x1fy", "t0\x1ft1", "t7\x00", "\x1e", "t3", "t3"]
    found = await read(together, *((partner("a"), name) for name in asked))
    assert found == [*reversed(names), *[None] * 6, "t3", "t3"]


async def test_the_version_level_and_type_are_those_of_a_single_read(store: Store, together: ReadsTogether) -> None:
    end = store.clock.now_us() + 60_000_000
    await store.commit(Changes(resources=(task("t1"), task("t2")), grants=(Grant("a", "t1", until=end),)))
    await store.commit(Changes(resources=(task("t1", 2),)))
    row, as_another_type = await asyncio.gather(
        together.read(partner("a"), "Task", "t1"), together.read(partner("a"), "Patient", "t1")
    )
    assert row == await store.reader(partner("a")).read("Task", "t1")
    assert row is not None
    assert (row.version, row.until) == (2, end)
    assert as_another_type is None


async def test_what_has_ended_or_was_taken_away_is_not_there(store: Store, together: ReadsTogether) -> None:
    past = store.clock.now_us() - 1
    grants = (Grant("a", "t1", until=past), Grant("a", "t2"), Grant("b", "t1"))
    await store.commit(Changes(resources=(task("t1"), task("t2")), grants=grants))
    await store.commit(Changes(revocations=(Revocation("a", "t2"),)))
    assert await read(together, (partner("a"), "t1"), (partner("b"), "t1"), (partner("a"), "t2")) == [None, "t1", None]


@ON_POSTGRESQL
async def test_those_that_come_together_are_one_question_to_the_database(
    store: Store, together: ReadsTogether, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.commit(Changes(resources=(task("t1"),), grants=(Grant("a", "t1"), Grant("b", "t1"))))
    asked: list[str] = []
    fetch = store.database.fetch_fenced

    async def noted(sql: str, *args: Any) -> Sequence[Record]:
        asked.append(sql)
        return await fetch(sql, *args)

    monkeypatch.setattr(store.database, "fetch_fenced", noted)
    assert await read(together, *((partner("ab"[n % 2]), "t1") for n in range(40))) == ["t1"] * 40
    assert len(asked) == 1


@pytest.fixture
async def two_partners(world: World, web: httpx.AsyncClient) -> tuple[Caller, Caller]:
    other = await peers(world, web)
    await discharge(world, web, 1)
    await discharge(world, web, 2, needs=[{"kind": "peer-support"}])
    return await caller(world, web, world.harbor), other


async def test_a_partner_that_asks_for_the_id_of_another_at_the_same_time_gets_404(
    two_partners: tuple[Caller, Caller],
) -> None:
    one, other = two_partners
    (mine,), (theirs,) = await one.search("Task"), await other.search("Task")
    asked = [(one, mine), (other, mine), (one, theirs), (other, theirs)] * 5
    answers = await asyncio.gather(*(asker.get(f"Task/{task['id']}") for asker, task in asked))
    assert [answer.status_code for answer in answers] == [200, 404, 404, 200] * 5
    bodies: list[Resource] = [answer.json() for answer in answers if answer.status_code == 200]
    assert bodies == [mine, theirs] * 5


async def test_without_the_database_everyone_is_told_to_try_again(
    two_partners: tuple[Caller, Caller], world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = two_partners
    (mine,), (theirs,) = await one.search("Task"), await other.search("Task")

    async def away(*_: object) -> Sequence[Record]:
        raise Gone

    with monkeypatch.context() as patched:
        patched.setattr(world.hub.store.database, "fetch_fenced", away)
        answers = await asyncio.gather(one.get(f"Task/{mine['id']}"), other.get(f"Task/{theirs['id']}"))
    assert [answer.status_code for answer in answers] == [503, 503]
    assert (await one.get(f"Task/{mine['id']}")).status_code == 200
