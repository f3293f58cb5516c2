"""Due work: claimed once, done once, tried again when it fails."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from app.core.actor import Actor
from app.core.errors import Unavailable
from app.entrypoints.worker import loop
from app.services import jobs as service
from app.services.hub import Hub
from app.services.jobs import DueWork
from app.store.changes import Changes, Job, LedgerRow, VisitChange
from app.store.database import Gone
from app.store.jobs import DueJob, Jobs
from app.store.store import Store

HUB = Actor.system("test")
SECOND = 1_000_000
DAY = 86400 * SECOND


def due(name: str, at: int, kind: str = "expire-visit") -> Job:
    return Job(name, kind, name, at)


def visit(name: str, expires_at: int | None, version: int = 1) -> VisitChange:
    first = version == 1
    numbers, persons = ((f"n-{name}",), (f"p-{name}",)) if first else ((), ())
    return VisitChange(name, "a", version, b"key", b"stub", expires_at, numbers, persons)


def message(name: str, state: Any, of: str) -> LedgerRow:
    return LedgerRow(name, "s", name, "ADT^A01", 1, state, "[]", visit=of, raw=b"sealed")


async def done(store: Store) -> dict[str, str]:
    return {row[0]: row[1] for row in await store.database.fetch("select id, outcome from job_done")}


async def test_due_jobs_are_claimed_oldest_first_twenty_at_a_time_and_by_one_only(store: Store) -> None:
    await store.commit(Changes(jobs=tuple(due(f"j{n:02}", 100 - n) for n in range(50))))
    one, two = Jobs(store.database), Jobs(store.database)
    first = await one.claim(1000)
    assert [job.id for job in first] == [f"j{n:02}" for n in range(49, 29, -1)]
    second = await two.claim(1000)
    assert len(second) == 20
    assert not {job.id for job in first} & {job.id for job in second}
    assert len(await one.claim(1000)) == 10
    assert await one.claim(1000) == []


async def test_claims_at_the_same_time_share_the_jobs(store: Store) -> None:
    await store.commit(Changes(jobs=tuple(due(f"j{n}", 5) for n in range(60))))
    claims = await asyncio.gather(*(Jobs(store.database).claim(1000) for _ in range(6)))
    claimed = [job.id for claim in claims for job in claim]
    assert len(claimed) == len(set(claimed))


async def test_a_job_that_is_not_due_is_left_alone(store: Store) -> None:
    await store.commit(Changes(jobs=(due("j1", 2000),)))
    assert await Jobs(store.database).claim(1999) == []
    assert [job.id for job in await Jobs(store.database).claim(2000)] == ["j1"]


async def test_a_job_whose_holder_died_is_due_again_when_its_lease_ends(store: Store) -> None:
    await store.commit(Changes(jobs=(due("j1", 5),)))
    jobs = Jobs(store.database)
    assert [job.attempts for job in await jobs.claim(1000)] == [1]
    assert await jobs.claim(1000 + 299 * SECOND) == []
    assert [job.attempts for job in await jobs.claim(1000 + 301 * SECOND)] == [2]


async def test_a_finished_job_leaves_the_table_and_its_outcome_stays(store: Store) -> None:
    await store.commit(Changes(jobs=(due("j1", 5), due("j2", 6))))
    jobs = Jobs(store.database)
    one, two = await jobs.claim(1000)
    await jobs.finish(one, "kept", 1001)
    await jobs.postpone(two, 5000)
    assert [row[0] for row in await store.database.fetch("select id from job")] == ["j2"]
    assert await done(store) == {"j1": "kept"}
    assert await jobs.claim(4999) == []
    assert [(job.id, job.attempts) for job in await jobs.claim(5000)] == [("j2", 1)]


async def test_a_job_that_came_in_with_an_older_time_is_found_by_the_next_sweep(store: Store) -> None:
    jobs = Jobs(store.database)
    await store.commit(Changes(jobs=(due("new", 500),)))
    assert [job.id for job in await jobs.claim(1000)] == ["new"]
    await store.commit(Changes(jobs=(due("old", 5),)))
    assert [job.id for job in await jobs.claim(1000 + 61 * SECOND)] == ["old"]


async def test_a_visit_whose_time_has_lapsed_is_destroyed_with_all_that_finds_it(hub: Hub) -> None:
    now = hub.clock.now_us()
    await hub.store.commit(Changes(visits=(visit("v1", now - 1), visit("v2", now + DAY)), jobs=(due("v1", now - 1),)))
    assert await DueWork(hub).run() == 1
    assert await hub.store.intake(HUB).visit("v1") is None
    assert (await hub.store.intake(HUB).known(numbers=["n-v1"])).by_number == []
    assert (await hub.store.intake(HUB).known(persons=["p-v1"])).by_person == []
    assert await hub.store.intake(HUB).visit("v2") is not None
    assert await done(hub.store) == {"v1": "destroyed"}
    rest = await hub.store.database.fetch(
        "select (select count(*) from visit_number), (select count(*) from visit_person)"
    )
    assert tuple(rest[0]) == (1, 1)


async def test_a_visit_that_became_a_referral_is_kept_and_one_that_got_more_time_waits(hub: Hub) -> None:
    now = hub.clock.now_us()
    await hub.store.commit(
        Changes(visits=(visit("v1", None), visit("v2", now + DAY)), jobs=(due("v1", 1), due("v2", 1), due("v3", 1)))
    )
    work = DueWork(hub)
    assert await work.run() == 3
    assert await done(hub.store) == {"v1": "kept", "v3": "gone"}
    assert [tuple(row) for row in await hub.store.database.fetch("select id, due_at from job")] == [("v2", now + DAY)]
    assert await work.run() == 0


async def test_what_still_waits_for_a_lapsed_visit_goes_to_a_human_as_one_item(hub: Hub) -> None:
    now = hub.clock.now_us()
    rows = (message("l1", "waiting", "v1"), message("l2", "waiting", "v1"), message("l3", "not-ours", "v1"))
    await hub.store.commit(Changes(visits=(visit("v1", now - 1),), ledger=rows, jobs=(due("v1", now - 1),)))
    await DueWork(hub).run()
    entries = await hub.store.intake(HUB).entries(sender=None, state=None, since=None, limit=9)
    assert {entry.id: entry.state for entry in entries} == {"l1": "review", "l2": "review", "l3": "not-ours"}
    assert "visit-lapsed" in entries[0].reasons
    assert [state for _, state, _ in await hub.store.intake(HUB).states("l1")] == ["waiting"]
    items = await hub.store.database.fetch("select visit, sender from review where closed_at is null")
    assert [tuple(item) for item in items] == [("v1", "s")]


async def test_a_lapsed_visit_without_anything_waiting_makes_no_review(hub: Hub) -> None:
    now = hub.clock.now_us()
    await hub.store.commit(
        Changes(visits=(visit("v1", now - 1),), ledger=(message("l1", "not-ours", "v1"),), jobs=(due("v1", now - 1),))
    )
    await DueWork(hub).run()
    assert await hub.store.database.fetch("select visit from review") == []


async def test_a_visit_that_changes_while_its_job_runs_is_not_destroyed(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = hub.clock.now_us()
    await hub.store.commit(Changes(visits=(visit("v1", now - 1),), jobs=(due("v1", now - 1),)))
    destroy = Jobs.destroy_visit

    async def late(jobs: Jobs, job: DueJob, at: int, reasons: str) -> None:
        await hub.store.commit(Changes(visits=(visit("v1", None, version=2),)))
        await destroy(jobs, job, at, reasons)

    monkeypatch.setattr(Jobs, "destroy_visit", late)
    await DueWork(hub).run()
    assert await hub.store.intake(HUB).visit("v1") is not None
    assert (await hub.store.intake(HUB).known(numbers=["n-v1"])).by_number != []
    assert await done(hub.store) == {}
    await DueWork(replace(hub, clock=replace(hub.clock, offset_us=DAY))).run()
    assert await done(hub.store) == {"v1": "kept"}


async def test_a_job_that_fails_is_tried_again_later_and_harms_no_other(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise KeyError

    monkeypatch.setattr(service, "HANDLERS", {**service.HANDLERS, "broken": broken})
    await hub.store.commit(Changes(jobs=(due("b", 1, "broken"), due("v", 2))))
    work = DueWork(hub)
    before = hub.clock.now_us()
    assert await work.run() == 2
    assert await done(hub.store) == {"v": "gone"}
    rows = await hub.store.database.fetch("select id, attempts, claimed_until, due_at from job")
    assert [tuple(row)[:3] for row in rows] == [("b", 1, 0)]
    assert 5 * SECOND <= rows[0][3] - before < 60 * SECOND


async def test_a_kind_of_job_that_is_not_known_waits_for_a_release_that_knows_it(hub: Hub) -> None:
    await hub.store.commit(Changes(jobs=(due("x", 1, "from-the-future"),)))
    assert await DueWork(hub).run() == 1
    assert await done(hub.store) == {}
    assert (await hub.store.database.fetch("select due_at from job"))[0][0] > hub.clock.now_us()


def test_the_pause_between_tries_grows_to_an_hour() -> None:
    assert [service.delay(n) for n in (1, 2, 3, 50)] == [5, 10, 20, 3600]


async def test_the_worker_runs_due_jobs_survives_an_outage_and_stops_when_told(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_JOBS_SECONDS", 0.01)
    outages = iter([Gone(), Gone()])
    claim = Jobs.claim

    async def flaky(jobs: Jobs, now: int) -> list[DueJob]:
        for outage in outages:
            raise outage
        return await claim(jobs, now)

    monkeypatch.setattr(Jobs, "claim", flaky)
    await hub.store.commit(Changes(jobs=(due("v1", 1),)))
    stop = asyncio.Event()
    running = asyncio.create_task(loop.run(hub, stop, concurrency=2))
    for _ in range(500):
        await asyncio.sleep(0.01)
        if await done(hub.store):
            break
    stop.set()
    await asyncio.wait_for(running, 5)
    assert await done(hub.store) == {"v1": "gone"}


async def test_an_outage_is_told_as_unavailable(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> None:
        raise Gone

    monkeypatch.setattr(Jobs, "claim", away)
    with pytest.raises(Unavailable):
        await DueWork(hub).run()
