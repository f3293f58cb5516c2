"""Which interface of a hospital is told, where it may be, and what its file says of that."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from app.core.errors import BadRequest
from app.services.answers import answers
from app.services.partners import registration
from app.services.senders.sender_health import SenderGauges
from tests.contract.answered import Answered, answered, progress, telling
from tests.hub_fixtures import PARTNER, World
from tests.journeys.stay import MERCY, Stay
from tests.mllp_receivers import MllpReceiver, taking_answers


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[MllpReceiver]:
    async with taking_answers() as made:
        yield made


@pytest_asyncio.fixture
async def scene(world: World, web: httpx.AsyncClient, receiver: MllpReceiver) -> Answered:
    return await answered(world, web, receiver)


@pytest.mark.parametrize("to", ["mllp://93.184.215.14:6661", "mllps://10.1.2.3:6661", "mllps://127.0.0.1:6661"])
async def test_a_receiver_that_may_not_be_spoken_to_is_refused_when_it_is_registered(world: World, to: str) -> None:
    with pytest.raises(BadRequest) as error:
        await registration.add_sender(world.hub, {**MERCY, "answers": {"to": to}})
    assert [one.path for one in error.value.issues] == ["answers.to"]
    assert to not in error.value.message


async def test_the_interface_is_told_that_the_referral_came_by(scene: Answered, receiver: MllpReceiver) -> None:
    async with taking_answers() as other:
        pharmacy = {**MERCY, "id": "a-pharmacy", "match_msh": ["RX|MERCY"], "answers": {"to": other.to}}
        await registration.add_sender(scene.hub, pharmacy)
        await scene.take_in(1)
        await scene.take_in(2, sender="RX|MERCY")
        async with telling(scene.hub):
            for number in (1, 2):
                await scene.move(await scene.child(number), "accepted")
            (mine,), (theirs,) = await receiver.several(1), await other.several(1)
            await scene.settled()
    assert mine.field("PID", 3).startswith(Stay(1).mrn)
    assert (theirs.field("MSH", 5), theirs.field("PID", 3).partition("^")[0]) == ("RX", Stay(2).mrn)


async def test_the_person_and_the_visit_stand_as_the_hospital_sent_them_last(scene: Answered) -> None:
    await scene.take_in(1)
    renamed = Stay(1, family="HTESTNEWNAME").dose(hour="100000", charted="101000")
    await scene.send(renamed.replace(b"HTEST00001-01", b"HTEST00001-99"))
    async with telling(scene.hub):
        await scene.move(await scene.child(1), "accepted")
        (told,) = await scene.receiver.several(1)
    assert told.field("PID", 5) == "HTESTNEWNAME^José"


@pytest.mark.parametrize("others", [0, 1], ids=["alone", "beside another"])
async def test_a_number_that_was_merged_is_the_one_that_stands(scene: Answered, others: int) -> None:
    """The person alone is told of by an A40: no visit is in it. Of two persons in one message none is taken."""
    await scene.take_in(1)
    child = await scene.child(1)
    merged = Stay(1)._adt("A40", "20260608143000", end="").replace(b"PV1|", b"ZPV|").replace(b"-01|P|", b"-98|P|")
    authority = "HTESTMRN&2.16.840.1.113883.3.9999.11&ISO^MR"
    pair = f"PID|1||HTEST77777^^^{authority}||HTESTOTHER\rMRG|HTEST66666^^^{authority}\r".encode()
    header, event, person, *rest = merged.replace(b"|HTEST00001^", b"|HTEST99999^").rstrip(b"\r").split(b"\r")
    former = f"MRG|HTEST00001^^^{authority}".encode()
    await scene.send(b"\r".join((header, event, *([pair.rstrip(b"\r")] * others), person, former, *rest, b"")))
    async with telling(scene.hub):
        await scene.move(child, "accepted")
        (told,) = await scene.receiver.several(1)
    assert told.field("PID", 3).partition("^")[0] == ("HTEST00001" if others else "HTEST99999")
    assert told.field("PV1", 19).startswith("V00001")


async def test_whoever_accepted_is_named_with_its_next_intake(scene: Answered) -> None:
    every_day = [{"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "opens": "05:30", "closes": "05:31"}]
    profile = PARTNER | {"phone": "555-0100", "intake_hours": every_day}
    await registration.import_partners(scene.hub, json.dumps([profile]).encode())
    await scene.take_in(1)
    async with telling(scene.hub):
        await scene.move(await scene.child(1), "accepted")
        (told,) = await scene.receiver.several(1)
    assert "Partner: HTEST Harbor OTP, telephone 555-0100" in told.text
    (line,) = [one for one in told.text.split("\r") if "|Next intake: " in one]
    assert " 05:30 E" in line


async def test_what_waits_when_the_key_is_taken_out_of_the_file_is_dropped_with_a_note(scene: Answered) -> None:
    await scene.take_in(1)
    await scene.move(await scene.child(1), "accepted")
    await registration.add_sender(scene.hub, {**MERCY, "id": "mercy-adt"})
    async with telling(scene.hub):
        await scene.settled()
    notes = await scene.listed("dropped")
    assert ({one.reason for one in notes}, scene.receiver.came) == ({"no-receiver"}, [])


async def test_a_receiver_that_moved_is_told_at_its_new_place(scene: Answered) -> None:
    await scene.take_in(1)
    await scene.receiver.stop()
    async with taking_answers() as moved, telling(scene.hub):
        await scene.move(await scene.child(1), "accepted")
        await scene.until_tried()
        await registration.add_sender(scene.hub, {**MERCY, "id": "mercy-adt", "answers": {"to": moved.to}})
        (told,) = await moved.several(1)
    assert progress(told.text) == "Accepted"


async def test_what_waits_and_what_is_parked_is_counted_by_sender(scene: Answered) -> None:
    scene.receiver.code = "AE"
    await scene.take_in(1)
    child = await scene.child(1)
    await scene.move(child, "accepted")
    async with telling(scene.hub):
        await scene.until_listed("parked")
    await scene.move(child, "in-progress")
    assert await answers.counts(scene.hub) == {"mercy-adt": {"parked": 1, "waiting": 1}}
    found = {one.name: one.values for one in await SenderGauges(scene.hub).current()}
    assert found["throughline_sender_answers_parked"] == {"mercy-adt": 1}
    assert found["throughline_sender_answers_waiting"] == {"mercy-adt": 1}
