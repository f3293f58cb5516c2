"""The review queue: one item per visit, one-word answers, and what they do."""

from dataclasses import replace
from typing import Any

import pytest

from app.core import json
from app.core.actor import Actor
from app.core.errors import NotFound, Unprocessable
from app.services.hub import Hub
from app.services.intake import reviews
from app.services.intake.intake import Intake
from app.services.intake.intake_reading import read_event
from app.services.intake.reviews import ReviewLine
from app.services.partners import registration
from app.store.changes import Changes, ReviewAnswer, ReviewItem
from app.store.jobs import Jobs
from app.store.reviews import Reviews
from tests.contract.http_messages import event
from tests.hub_fixtures import PARTNER, World

HUB = Actor.system("test")
DAY = 86_400_000_000
OVERDOSE = [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "T40.411A"}]
TABLET = {"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "864706"}
PEERS = {
    "name": "HTEST Peers",
    "covered_entity": True,
    "needs": ["peer-support", "naloxone"],
    "time_zone": "America/New_York",
}


async def send(world: World, number: int = 7, **changes: Any) -> str:
    """An event of the sender ``north-json``; the id of its visit."""
    directory = await world.hub.registry.current()
    intake = Intake(world.hub)
    body = json.dumps(event(number, **{"needs": [], "medications": [], **changes}))
    reading = read_event(intake.inbound(body, [directory.senders["north-json"]]), world.hub.keys)
    decision = (await intake.receive(reading)).decision
    assert decision.visit is not None
    return decision.visit


async def queue(world: World, **options: Any) -> list[ReviewLine]:
    return await reviews.queue(world.hub, **options)


async def states(hub: Hub, visit: str) -> set[str]:
    entries = await hub.store.intake(HUB).entries(sender=None, state=None, since=None, limit=99)
    return {entry.state for entry in entries if entry.visit == visit}


async def tasks_of(hub: Hub) -> list[tuple[str, str | None]]:
    rows = await hub.store.database.fetch("select status, code from resource where type = 'Task' and part_of is null")
    return [(row[0], row[1]) for row in rows]


async def _killed(*_: object) -> None:
    raise KeyboardInterrupt


async def run_jobs(hub: Hub) -> None:
    jobs = Jobs(hub.store.database)
    for job in await jobs.claim(hub.clock.now_us() + 10_000_000):
        if job.kind == reviews.SETTLE:
            await reviews.settle_visit(hub, jobs, job)


async def test_an_ended_visit_is_one_row_that_says_what_was_read_and_what_is_missing(world: World) -> None:
    medication = {"product": TABLET, "doses": [{"at": "2026-06-05T09:00:00-04:00"}]}
    visit = await send(world, diagnoses=[], medications=[medication])
    (line,) = await queue(world)
    assert (line["visit"], line["sender"], line["kind"]) == (visit, "north-json", "queue")
    assert [reason["code"] for reason in line["reasons"]] == ["needs-dx-no-evidence"]
    assert line["read"]["drugs"][0]["display"] == "methadone hydrochloride 10 MG Oral Tablet"
    assert line["read"]["drugs"][0]["given"] == ["2026-06-05T09:00:00-04:00"]
    assert line["missing"][0].startswith("a diagnosis of opioid use disorder")
    assert line["answer"] is None
    text = json.dumps(line).decode()
    assert "HTEST0007" not in text
    assert "Sam" not in text


async def test_refer_makes_the_referral_at_once_and_takes_the_row_off(world: World) -> None:
    visit = await send(world)
    line = await reviews.answer(world.hub, visit, "refer", by="cli:htest")
    assert (line["state"], line["answer"]["answer"], line["answer"]["by"]) == ("closed", "refer", "cli:htest")
    assert await queue(world) == []
    assert await states(world.hub, visit) == {"referral"}
    assert [status for status, _ in await tasks_of(world.hub)] == ["requested"]
    children = await world.hub.store.database.fetch("select owner from resource where part_of is not null")
    assert [row[0] for row in children] == [f"Organization/{world.harbor}"]


async def test_refer_after_an_overdose_asks_for_peer_support_and_naloxone(world: World) -> None:
    await registration.import_partners(world.hub, json.dumps([PARTNER, PEERS]))
    visit = await send(world, diagnoses=OVERDOSE)
    await reviews.answer(world.hub, visit, "refer", by="cli:htest")
    assert [status for status, _ in await tasks_of(world.hub)] == ["requested", "requested"]
    found = await world.hub.store.database.fetch(
        "select code from resource where type = 'ServiceRequest' and intent = 'order' order by code"
    )
    assert [row[0].partition("|")[0] for row in found] == ["461481000124109", "naloxone"]


async def test_what_can_not_be_sent_yet_stays_a_row_that_says_why(world: World) -> None:
    visit = await send(world, diagnoses=OVERDOSE)
    line = await reviews.answer(world.hub, visit, "refer", by="cli:htest")
    assert line["state"] == "open"
    assert "no-route" in [reason["code"] for reason in line["reasons"]]
    assert {status for status, _ in await tasks_of(world.hub)} == {"draft"}
    await registration.import_partners(world.hub, json.dumps([PARTNER, PEERS]))
    assert await reviews.settle_waiting(world.hub) == 1
    await run_jobs(world.hub)
    assert {status for status, _ in await tasks_of(world.hub)} == {"requested"}
    assert await queue(world) == []


async def test_not_ours_settles_every_message_of_the_visit_and_keeps_no_bytes(world: World) -> None:
    visit = await send(world)
    line = await reviews.answer(world.hub, visit, "not-ours", by="cli:htest")
    assert line["state"] == "closed"
    assert await states(world.hub, visit) == {"not-ours"}
    rows = await world.hub.store.database.fetch("select reasons, raw from ledger where visit = $1", visit)
    assert [("person-decided" in row[0], row[1]) for row in rows] == [(True, None)]
    history = await world.hub.store.database.fetch("select state from ledger_state")
    assert [row[0] for row in history] == ["review"]
    assert await tasks_of(world.hub) == []


async def test_not_ours_holds_for_later_messages_of_the_same_kind(world: World) -> None:
    visit = await send(world)
    await reviews.answer(world.hub, visit, "not-ours", by="cli:htest")
    assert await send(world, event_id="HTEST-2026-again") == visit
    assert await queue(world) == []
    assert await tasks_of(world.hub) == []


async def test_an_answer_can_be_taken_back_while_the_visit_is_remembered(world: World) -> None:
    visit = await send(world)
    await reviews.answer(world.hub, visit, "not-ours", by="cli:htest")
    await reviews.answer(world.hub, visit, "refer", by="cli:htest2")
    assert [status for status, _ in await tasks_of(world.hub)] == ["requested"]
    given = await Reviews(world.hub.store.database).answers_of(visit)
    assert [(what, by) for _, what, by, _ in given] == [("not-ours", "cli:htest"), ("refer", "cli:htest2")]


async def test_later_moves_a_row_to_the_end_until_then(world: World) -> None:
    first = await send(world, 7)
    second = await send(world, 8)
    line = await reviews.answer(world.hub, first, "later", by="cli:htest", days=2)
    assert line["later_until"] is not None
    assert [row["visit"] for row in await queue(world)] == [second, first]
    then = replace(world.hub, clock=replace(world.hub.clock, offset_us=2 * DAY))
    assert [row["visit"] for row in await reviews.queue(then)] == [first, second]


async def test_a_row_that_is_settled_or_unknown_takes_no_answer(world: World) -> None:
    with pytest.raises(NotFound):
        await reviews.answer(world.hub, "nobody", "refer", by="cli:htest")
    visit = await send(world)
    await reviews.answer(world.hub, visit, "refer", by="cli:htest")
    with pytest.raises(Unprocessable):
        await reviews.answer(world.hub, visit, "later", by="cli:htest")
    with pytest.raises(Unprocessable):
        await reviews.answer(world.hub, visit, "not-ours", by="cli:htest")


async def test_a_message_without_a_visit_can_only_be_put_off_or_settled(world: World) -> None:
    visit = await send(world)
    (entry,) = await world.hub.store.intake(HUB).entries(sender=None, state=None, since=None, limit=9)
    await world.hub.store.database.execute("update ledger set visit = null")
    await world.hub.store.commit(Changes(reviews=(ReviewItem(entry.id, "north-json", 9, "[]"),)))
    lines = {line["visit"]: line for line in await queue(world)}
    assert lines[entry.id]["read"]["diagnoses"][0]["code"] == "F11.20"
    with pytest.raises(Unprocessable):
        await reviews.answer(world.hub, entry.id, "refer", by="cli:htest")
    await reviews.answer(world.hub, entry.id, "not-ours", by="cli:htest")
    assert [line["visit"] for line in await queue(world)] == [visit]
    (after,) = await world.hub.store.intake(HUB).entries(sender=None, state=None, since=None, limit=9)
    assert (after.state, "person-decided" in after.reasons) == ("not-ours", True)


async def test_an_answer_whose_work_was_lost_is_done_by_its_job(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    visit = await send(world)
    with monkeypatch.context() as patch:
        patch.setattr(reviews, "settle", _killed)
        with pytest.raises(KeyboardInterrupt):
            await reviews.answer(world.hub, visit, "refer", by="cli:htest")
    assert await tasks_of(world.hub) == []
    await run_jobs(world.hub)
    assert [status for status, _ in await tasks_of(world.hub)] == ["requested"]
    assert await queue(world) == []


async def test_counts_are_per_sender_and_day(world: World) -> None:
    first, second = await send(world, 7), await send(world, 8, diagnoses=OVERDOSE)
    await send(world, 9)
    await reviews.answer(world.hub, first, "refer", by="cli:htest")
    await reviews.answer(world.hub, second, "later", by="cli:htest")
    (day,) = await reviews.counts(world.hub, 0)
    assert (day.sender, day.opened, day.refer, day.later, day.not_ours, day.open) == ("north-json", 3, 1, 1, 0, 2)


async def test_a_visit_that_waits_for_its_unit_is_settled_when_the_unit_is_classified(world: World) -> None:
    common = {"id": "north-json", "organization": "HTEST North", "dialect": "adt_generic"}
    zone = {"timezone": "America/New_York", "match_msh": ["JSON|NORTH"]}
    await registration.add_sender(world.hub, {**common, **zone})
    treated = event()["medications"]
    visit = await send(world, medications=treated)
    item = ReviewItem(visit, "north-json", 9, '[{"code":"unit-unknown","text":"x"}]', unit="4W")
    await world.hub.store.commit(Changes(reviews=(item,)))
    assert await Reviews(world.hub.store.database).waiting_for_units() == {("north-json", "4W"): [visit]}
    (line,) = await queue(world)
    assert "unit 4W is not classified" in line["missing"]
    assert await reviews.settle_waiting(world.hub, "north-json") == 0
    await registration.add_sender(world.hub, {**common, **zone, "units": {"4W": "not-part2"}})
    assert await reviews.settle_waiting(world.hub, "north-json") == 1
    await run_jobs(world.hub)
    assert [status for status, _ in await tasks_of(world.hub)] == ["requested"]
    assert await queue(world) == []


async def test_what_changes_comes_back_to_the_front_and_what_opens_again_is_new(world: World) -> None:
    commit = world.hub.store.commit
    database = Reviews(world.hub.store.database)
    await commit(Changes(reviews=(ReviewItem("v1", "s", 5, "[1]"),)))
    await commit(Changes(answers=(ReviewAnswer("a1", "v1", "s", 6, "later", "me", 99),)))
    await commit(Changes(reviews=(ReviewItem("v1", "s", 7, "[1]"),)))
    item = await database.item("v1")
    assert item is not None
    assert (item.opened_at, item.later_until, item.answer) == (5, 99, "later")
    await commit(Changes(reviews=(ReviewItem("v1", "s", 8, "[2]", kind="list", suggested=("naloxone",)),)))
    item = await database.item("v1")
    assert item is not None
    assert (item.opened_at, item.later_until, item.kind, item.suggested) == (5, None, "list", "naloxone")
    await database.close("v1", 9)
    await commit(Changes(reviews=(ReviewItem("v1", "s", 10, "[2]"),)))
    item = await database.item("v1")
    assert item is not None
    assert (item.opened_at, item.closed_at) == (10, None)


async def test_lines_of_the_daily_list_are_not_in_the_queue(world: World) -> None:
    item = ReviewItem("v1", "north-json", 5, '[{"code":"bare-f11","text":"x"}]', kind="list")
    await world.hub.store.commit(Changes(reviews=(item,)))
    assert await queue(world) == []
    assert [line["visit"] for line in await queue(world, daily_list=True)] == ["v1"]
    assert await Reviews(world.hub.store.database).open_counts() == {("north-json", "list"): 1}


async def test_a_visit_is_remembered_while_somebody_has_yet_to_answer(world: World) -> None:
    now = world.hub.clock.now_us()
    items = (ReviewItem("v1", "s", now, "[]"), ReviewItem("v2", "s", now, "[]", kind="list"))
    await world.hub.store.commit(Changes(reviews=items))
    assert await reviews.still_waits(world.hub, "v1")
    assert not await reviews.still_waits(world.hub, "v2")
    assert not await reviews.still_waits(world.hub, "v3")
    assert await queue(world, daily_list=True) == []
    await Reviews(world.hub.store.database).close("v1", now)
    assert not await reviews.still_waits(world.hub, "v1")
