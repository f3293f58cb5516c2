"""One queue for each referral: in order, held up by nobody else, lost by nothing, and not sent once it may not be."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
import pytest_asyncio

from app import channels
from app.channels.base import Outside
from app.core.clock import Clock
from app.core.errors import NotFound
from app.rules.notifying import SECOND
from app.services.answers import answers
from app.services.answers.answer_lanes import CHANNEL, LEASE, AnswerDelivery
from app.services.disclosures import Disclosures
from app.services.hub import Hub
from app.store.answers import AnswerQueue
from app.store.store import Store
from tests.contract.answered import Answered, answered, because, progress, reported, telling
from tests.hub_fixtures import World
from tests.mllp_receivers import Came, MllpReceiver, taking_answers

FIRST_DOSE = "Seen, first dose given"


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[MllpReceiver]:
    async with taking_answers() as made:
        yield made


@pytest_asyncio.fixture
async def scene(world: World, web: httpx.AsyncClient, receiver: MllpReceiver) -> Answered:
    return await answered(world, web, receiver, seconds=2)


async def three_steps(scene: Answered, number: int) -> str:
    """A referral that is accepted, worked on, and ends well; its source Task."""
    await scene.take_in(number)
    child = await scene.child(number)
    await scene.move(child, "accepted")
    await scene.move(child, "in-progress")
    await scene.move(child, "completed", reported("first-dose-given"))
    return scene.source_of(child)


def later(hub: Hub, microseconds: int) -> Hub:
    """The same hub at a later time."""
    return replace(hub, clock=Clock(hub.clock.offset_us + microseconds))


def of_document(came: list[Came], task: str) -> list[str]:
    return [progress(one.text) for one in came if one.field("TXA", 12).startswith(task)]


async def test_many_referrals_are_told_at_once_over_few_connections_and_each_in_order(scene: Answered) -> None:
    tasks = [await three_steps(scene, number) for number in range(1, 9)]
    scene.receiver.seconds = 0.05
    async with telling(scene.hub):
        came = await scene.receiver.several(24)
        await scene.settled()
    for task in tasks:
        assert of_document(came, task) == ["Accepted", "In progress", FIRST_DOSE]
    assert 1 < scene.receiver.at_once <= 4
    assert scene.receiver.lines <= 4
    assert len({one.control_id for one in came}) == 24


@pytest.mark.parametrize("code", ["AE", "AR"])
async def test_a_refused_answer_holds_up_its_own_referral_until_a_person_has_looked(scene: Answered, code: str) -> None:
    first, second = await three_steps(scene, 1), await three_steps(scene, 2)
    scene.receiver.codes = {f"{first}^THROUGHLINE": code}
    async with telling(scene.hub):
        (parked,) = await scene.until_listed("parked")
        await scene.receiver.until(lambda came: len(of_document(came, second)) == 3)
        assert (parked.task, parked.progress, parked.reason) == (first, "accepted", code.lower())
        await asyncio.sleep(1.2)
        assert of_document(scene.receiver.came, first) == ["Accepted"]
        scene.receiver.codes = {}
        await answers.retry(scene.hub, first)
        await scene.settled()
    assert of_document(scene.receiver.came, first) == ["Accepted", "Accepted", "In progress", FIRST_DOSE]
    again = [one.data for one in scene.receiver.came if one.field("TXA", 12).startswith(first)][:2]
    assert again[0] == again[1]


async def test_a_dropped_answer_lets_the_next_one_go_and_is_kept_as_a_note(scene: Answered) -> None:
    task = await three_steps(scene, 1)
    scene.receiver.codes = {"Status: Accepted": "AR"}
    async with telling(scene.hub):
        (parked,) = await scene.until_listed("parked")
        await answers.drop(scene.hub, task, parked.version)
        await scene.settled()
    assert of_document(scene.receiver.came, task) == ["Accepted", "In progress", FIRST_DOSE]
    (note,) = await scene.listed("dropped")
    assert (note.version, note.reason) == (parked.version, "by-operator")
    with pytest.raises(NotFound):
        await answers.drop(scene.hub, task, parked.version)
    with pytest.raises(NotFound):
        await answers.retry(scene.hub, task)


@pytest.mark.parametrize("manner", ["says-garbage", "of-another", "speaks-garbage"])
async def test_what_is_no_acknowledgement_is_looked_at_by_a_person(scene: Answered, manner: str) -> None:
    await three_steps(scene, 1)
    scene.receiver.manner = manner  # type: ignore[assignment]
    async with telling(scene.hub):
        (parked,) = await scene.until_listed("parked")
    assert (parked.reason or "").startswith("acknowledgement-")
    assert len(scene.receiver.came) == 1


async def test_a_receiver_that_was_away_gets_everything_in_order(scene: Answered) -> None:
    await scene.receiver.stop()
    async with telling(scene.hub):
        task = await three_steps(scene, 1)
        tried = await scene.until_tried()
        assert (tried.reason, tried.state) == ("no-connection", "waiting")
        await scene.receiver.start()
        await scene.settled()
    assert of_document(scene.receiver.came, task) == ["Accepted", "In progress", FIRST_DOSE]


@pytest.mark.parametrize("manner", ["hangs", "closes"])
async def test_a_silent_and_a_closing_receiver_are_sent_the_same_bytes_again(scene: Answered, manner: str) -> None:
    task = await three_steps(scene, 1)
    scene.receiver.manner = manner  # type: ignore[assignment]
    async with telling(scene.hub):
        await scene.receiver.several(2)
        scene.receiver.manner = "answers"
        await scene.settled()
    came = scene.receiver.came
    told = of_document(came, task)
    assert told[-2:] == ["In progress", FIRST_DOSE]
    assert set(told[:-2]) == {"Accepted"}
    assert len({one.data for one in came}) == 3


async def test_whoever_dies_between_sending_and_noting_leaves_the_same_message_to_the_next(
    scene: Answered, store: Store
) -> None:
    task = await three_steps(scene, 1)
    scene.receiver.manner = "hangs"
    async with telling(scene.hub):
        await scene.receiver.several(1)
    # As after a kill: the lease of a process that is no more still stands.
    await store.database.execute(
        "update answer set holder = 'dead', leased_until = $1", scene.hub.clock.now_us() + LEASE
    )
    scene.receiver.manner = "answers"
    async with telling(scene.hub):
        await asyncio.sleep(1.5)
        assert len(scene.receiver.came) == 1
    async with telling(later(scene.hub, LEASE + SECOND)):
        await scene.receiver.several(4)
        await scene.settled()
    came = scene.receiver.came
    assert of_document(came, task) == ["Accepted", "Accepted", "In progress", FIRST_DOSE]
    assert came[0].data == came[1].data


async def test_of_two_processes_one_tells_of_a_referral_at_a_time(scene: Answered) -> None:
    tasks = [await three_steps(scene, number) for number in range(1, 5)]
    scene.receiver.seconds = 0.05
    async with telling(scene.hub), telling(scene.hub):
        await scene.settled()
    assert len(scene.receiver.came) == 12
    for task in tasks:
        assert of_document(scene.receiver.came, task) == ["Accepted", "In progress", FIRST_DOSE]


async def test_one_hospital_that_is_not_reached_keeps_no_other_from_being_told(scene: Answered, store: Store) -> None:
    queue = AnswerQueue(store.database, "HTEST")
    for n in range(200):
        await store.database.execute(
            "insert into answer (task, version, organization, at, state, rendition, attempts, due_at, leased_until) "
            "values ($1, 1, $2, $3, 'waiting', 0, 0, 0, 0)",
            f"t{n}",
            "dead" if n < 199 else "well",
            n,
        )
    due = await queue.due(scene.hub.clock.now_us(), 8)
    assert [organization for organization, _ in due].count("dead") == 8
    assert ("well", "t199") in due


async def test_nothing_identifying_stands_readable_in_the_queue(scene: Answered) -> None:
    scene.receiver.manner = "closes"
    await three_steps(scene, 1)
    async with telling(scene.hub):
        await scene.receiver.several(1)
    rows = await scene.rows("select * from answer")
    assert any(isinstance(value, bytes) for row in rows for value in row)
    held = b" ".join(value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row)
    assert [one for one in (b"HTEST00001", b"ALDER", b"V00001", b"19910402") if one in held] == []


async def test_what_arrived_leaves_no_message_behind(scene: Answered) -> None:
    await three_steps(scene, 1)
    async with telling(scene.hub):
        await scene.receiver.several(3)
        await scene.settled()
    assert await scene.rows("select distinct content from answer") == [(None,)]


async def test_what_ended_long_ago_is_forgotten_but_for_what_was_told_last(scene: Answered) -> None:
    tasks = {await three_steps(scene, 1), await three_steps(scene, 2)}
    async with telling(scene.hub):
        await scene.receiver.several(6)
        await scene.settled()
    disclosed = await scene.rows("select count(*) from disclosure")
    channel = channels.ALL[CHANNEL].open(Outside(loopback=True))
    for days, left in ((89, 6), (91, 2)):
        passed = later(scene.hub, days * 86400 * SECOND)
        queue = AnswerQueue(passed.store.database, "HTEST")
        await AnswerDelivery(passed, Disclosures(passed.store), queue, channel).sweep()
        assert len(await scene.listed("delivered")) == left
    assert {(one.task, one.progress) for one in await scene.listed("delivered")} == {
        (task, "first-dose-given") for task in tasks
    }
    assert await scene.rows("select count(*) from disclosure") == disclosed
    scene.receiver.came.clear()
    async with telling(scene.hub):
        child = await scene.child(1)
        more = {**reported("service-given"), "path": "/output/-", "value": reported("service-given")["value"][0]}
        assert (await scene.partner.patch(f"Task/{child['id']}", more)).status_code == 200
        await scene.settled()
    assert scene.receiver.came == [], "that the person was seen is no news"


async def test_each_version_is_on_record_before_it_leaves_with_who_received_it(scene: Answered) -> None:
    task = await three_steps(scene, 1)
    async with telling(scene.hub):
        await scene.receiver.several(3)
        await scene.settled()
    mine = await scene.rows(
        "select entries from disclosure where client = 'hl7v2-out' and organization = $1", scene.hospital.organization
    )
    told = sorted(row[0] for row in await scene.rows("select version from answer where task = $1", task))
    assert sorted(int(row[0].split(",")[1]) for row in mine) == told
    assert all(task in row[0] for row in mine)


async def test_a_failed_referral_says_why_and_a_cancelled_one_of_the_hospital_nothing(scene: Answered) -> None:
    for number in (1, 2):
        await scene.take_in(number)
    async with telling(scene.hub):
        child = await scene.child(1)
        await scene.move(child, "accepted")
        await scene.move(child, "cancelled", because("HTEST bed was given away"))
        await scene.receiver.several(2)
        own = scene.source_of(await scene.child(2))
        reason = because("HTEST not needed")
        answer = await scene.hospital.set_status({"id": own}, "cancelled", reason)
        assert answer.status_code == 200, answer.text
        await scene.settled()
    assert [progress(one.text) for one in scene.receiver.came] == ["Accepted", "Not seen"]
