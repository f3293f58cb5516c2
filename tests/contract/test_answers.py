"""Hospitals are told by HL7 v2 what became of their referrals: from both databases, over real sockets."""

import json
from collections.abc import AsyncIterator
from datetime import datetime

import httpx
import pytest_asyncio

from app.services.partners import registration
from tests.contract.answered import Answered, answered, because, reported, telling
from tests.contract.fhir_callers import caller
from tests.hub_fixtures import PARTNER, World
from tests.journeys.stay import Stay
from tests.mllp_receivers import MllpReceiver, taking_answers


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[MllpReceiver]:
    async with taking_answers() as made:
        yield made


@pytest_asyncio.fixture
async def scene(world: World, web: httpx.AsyncClient, receiver: MllpReceiver) -> Answered:
    return await answered(world, web, receiver)


async def test_the_hospital_is_told_of_each_step_in_order_under_one_document_number(scene: Answered) -> None:
    await scene.take_in(1)
    child = await scene.child(1)
    async with telling(scene.hub):
        for status, more in (("accepted", ()), ("in-progress", ()), ("completed", (reported("first-dose-given"),))):
            await scene.move(child, status, *more)
        assert await scene.told(3) == ["Accepted", "In progress", "Seen, first dose given"]
    came = scene.receiver.came
    assert {one.field("TXA", 12) for one in came} == {f"{scene.source_of(child)}^THROUGHLINE"}
    assert [one.field("TXA", 17) for one in came] == ["IP", "IP", "DO"]
    assert len({one.control_id for one in came}) == 3
    assert {len(one.control_id) for one in came} == {20}
    assert {one.field("PID", 3) for one in came} == {"HTEST00001^^^HTESTMRN&2.16.840.1.113883.3.9999.11&ISO^MR"}
    assert {one.field("PV1", 19) for one in came} == {"V00001^^^HTESTCSN&2.16.840.1.113883.3.9999.12&ISO^VN"}
    assert came[0].text.split("\r")[0].startswith(r"MSH|^~\&|THROUGHLINE|HUB|EPIC|MERCY|")
    assert "Partner: HTEST Harbor OTP" in came[0].text
    assert [one.state for one in await scene.until_listed("delivered", 3)] == ["delivered"] * 3
    assert await scene.listed() == []


async def test_nothing_is_told_where_nothing_is_new(scene: Answered) -> None:
    await scene.take_in(1)
    child = await scene.child(1)
    async with telling(scene.hub):
        await scene.move(child, "accepted")
        await scene.told(1)
        # More is supplied: the Task has a new version, and the referral is where it was.
        await scene.send(Stay(1).supply(days=5, at="20260608134000"))
        versions = await scene.rows("select version from resource where id = $1", scene.source_of(child))
        await scene.move(child, "in-progress")
        assert await scene.told(2) == ["Accepted", "In progress"]
        await scene.settled()
    assert await scene.rows("select version from answer order by version") == [
        (versions[0][0] - 1,),
        (versions[0][0] + 1,),
    ]


async def test_a_declined_referral_and_one_that_ends_without_a_dose_are_told_with_the_last_covered_day(
    scene: Answered,
) -> None:
    for number in (1, 2):
        await scene.take_in(number)
    async with telling(scene.hub):
        await scene.move(await scene.child(1), "rejected", because("HTEST no place"))
        assert await scene.told(1) == ["Needs a person"]
        child = await scene.child(2)
        await scene.move(child, "accepted")
        await scene.move(child, "failed", because("HTEST did not come"))
        assert await scene.told(3) == ["Needs a person", "Accepted", "Not seen"]
    declined, _, missed = scene.receiver.came
    assert "Reason: HTEST did not come" in missed.text
    assert "HTEST no place" not in declined.text
    task = await scene.hospital.read(f"Task/{scene.source_of(child)}")
    until = datetime.fromisoformat(task["restriction"]["period"]["end"])
    for one in (declined, missed):
        assert f"Last covered day: {until.date().replace(day=until.day - 1).isoformat()} (" in one.text


async def test_of_two_messages_the_hospital_gets_these_two(
    world: World, web: httpx.AsyncClient, receiver: MllpReceiver
) -> None:
    scene = await answered(world, web, receiver, verbosity="two")
    for number in (1, 2):
        await scene.take_in(number)
    seen, missed = await scene.child(1), await scene.child(2)
    async with telling(scene.hub):
        for child in (seen, missed):
            await scene.move(child, "accepted")
        await scene.move(seen, "completed", reported("first-dose-given"))
        await scene.told(1)
        await scene.move(missed, "completed", reported("no-show"))
        assert await scene.told(2) == ["Seen, first dose given", "Not seen"]
    assert await scene.listed() == []


async def test_a_result_has_the_codes(world: World, web: httpx.AsyncClient, receiver: MllpReceiver) -> None:
    scene = await answered(world, web, receiver, message="ORU^R01", application="LAB", facility="WEST")
    await scene.take_in(1)
    child = await scene.child(1)
    async with telling(scene.hub):
        await scene.move(child, "accepted")
        await scene.move(child, "completed", reported("first-dose-given"))
        accepted, done = await receiver.several(2)
    assert (accepted.field("MSH", 5), accepted.field("MSH", 6)) == ("LAB", "WEST")
    assert [one.field("MSH", 9) for one in (accepted, done)] == ["ORU^R01^ORU_R01"] * 2
    assert [one.field("OBR", 25) for one in (accepted, done)] == ["P", "F"]
    assert [one.field("OBX", 5) for one in (accepted, done)] == [
        "accepted^Accepted^L",
        "first-dose-given^Seen, first dose given^L",
    ]
    assert {one.field("OBR", 3) for one in (accepted, done)} == {f"{scene.source_of(child)}^THROUGHLINE"}


async def test_only_the_needs_that_were_asked_for_are_told(
    world: World, web: httpx.AsyncClient, receiver: MllpReceiver
) -> None:
    scene = await answered(world, web, receiver, needs=["peer-support"])
    await scene.take_in(1)
    async with telling(scene.hub):
        await scene.move(await scene.child(1), "accepted")
        await scene.settled()
    assert receiver.came == []


async def test_a_hospital_that_wants_no_answers_has_no_queue(
    world: World, web: httpx.AsyncClient, receiver: MllpReceiver
) -> None:
    scene = await answered(world, web, receiver, sender={"answers": None})
    await scene.take_in(1)
    await scene.move(await scene.child(1), "accepted")
    assert await scene.rows("select count(*) from answer") == [(0,)]


async def test_a_decline_is_told_when_nobody_else_is_asked_any_more(
    world: World, web: httpx.AsyncClient, receiver: MllpReceiver
) -> None:
    routes = {"moud-continuation": PARTNER["name"]}
    scene = await answered(world, web, receiver, sender={"routes": routes})
    second = PARTNER | {"name": "HTEST Second OTP"}
    (_, other) = await registration.import_partners(scene.hub, json.dumps([PARTNER, second]).encode())
    await scene.take_in(1)
    both = [await caller(world, web, one, "system/*.cruds") for one in (world.harbor, other.organization)]
    async with telling(scene.hub):
        for asked in both:
            # The cover has ended, so both are asked at once.
            (child,) = await asked.search("Task")
            answer = await asked.set_status(child, "rejected", because("HTEST no place"))
            assert answer.status_code == 200, answer.text
        assert await scene.told(1) == ["Needs a person"]
        await scene.settled()
    assert len(receiver.came) == 1


async def test_whoever_accepts_after_a_place_was_lost_is_told_of_without_what_was_said_there(
    world: World, web: httpx.AsyncClient, receiver: MllpReceiver
) -> None:
    scene = await answered(world, web, receiver, sender={"routes": {"moud-continuation": PARTNER["name"]}})
    second = PARTNER | {"name": "HTEST Second OTP"}
    (_, other) = await registration.import_partners(scene.hub, json.dumps([PARTNER, second]).encode())
    await scene.take_in(1)
    first, then = [await caller(world, web, one, "system/*.cruds") for one in (world.harbor, other.organization)]
    (child,) = await first.search("Task?status=requested")
    await scene.move(child, "accepted")
    assert (await first.patch(f"Task/{child['id']}", reported("no-show"))).status_code == 200
    await scene.move(child, "failed", because("HTEST no-show"))
    wanted = {"name": "partner", "valueReference": {"reference": f"Organization/{other.organization}"}}
    body = {"resourceType": "Parameters", "parameter": [wanted, {"name": "by", "valueString": "HTEST 4W"}]}
    assert (await scene.hospital.post(f"{child['partOf'][0]['reference']}/$ask", body)).status_code == 200
    (again,) = await then.search("Task?status=requested")
    assert (await then.set_status(again, "accepted")).status_code == 200
    async with telling(scene.hub):
        assert await scene.told(3) == ["Accepted", "Not seen", "In progress"]
        await scene.settled()
    assert [_partner(one.text) for one in receiver.came] == ["HTEST Harbor OTP"] * 2 + ["HTEST Second OTP"]
    assert ["Reported: " in one.text for one in receiver.came] == [False, True, False]


def _partner(text: str) -> str:
    (line,) = [part for part in text.split("\r") if "|Partner: " in part]
    return line.partition("|Partner: ")[2].partition("|")[0]


async def test_the_checklist_of_the_hospital_is_nobody_who_took_the_person(scene: Answered) -> None:
    asked = PARTNER | {"intake_checklist": [{"code": "labs"}]}
    await registration.import_partners(scene.hub, json.dumps([asked]).encode())
    await scene.take_in(1)
    child = await scene.child(1)
    (worked,) = [one for one in await scene.hospital.search("Task") if "basedOn" in one]
    assert worked["status"] == "in-progress"
    async with telling(scene.hub):
        await scene.move(child, "accepted")
        assert await scene.told(1) == ["Accepted"]
    assert "Partner: HTEST Harbor OTP" in scene.receiver.came[0].text
