"""What a partner says of people in care, as a hospital that is told by HL7 v2 hears of it: the first dose, once."""

from collections.abc import AsyncIterator

import httpx
import pytest_asyncio

from tests.contract.answered import Answered, answered, reported, telling
from tests.hub_fixtures import World
from tests.mllp_receivers import MllpReceiver, taking_answers

RETENTION = "https://throughline.org/fhir/CodeSystem/retention"


@pytest_asyncio.fixture
async def scene(world: World, web: httpx.AsyncClient) -> AsyncIterator[Answered]:
    async with taking_answers(MllpReceiver()) as receiver:
        yield await answered(world, web, receiver)


async def test_the_days_in_care_are_on_the_task_and_are_no_further_message(scene: Answered) -> None:
    await scene.take_in(1)
    child = await scene.child(1)
    coded = [{"coding": [{"system": RETENTION, "code": code}]} for code in ("day-7", "in-care")]
    day = {"op": "add", "path": "/output/-", "value": {"type": coded[0], "valueCodeableConcept": coded[1]}}
    async with telling(scene.hub):
        await scene.move(child, "accepted")
        await scene.move(child, "completed", reported("first-dose-given"))
        assert await scene.told(2) == ["Accepted", "Seen, first dose given"]
        answer = await scene.partner.patch(f"Task/{child['id']}", day)
        assert answer.status_code == 200, answer.text
        await scene.settled()
    assert len(scene.receiver.came) == 2
    source = await scene.hospital.read(f"Task/{scene.source_of(child)}")
    assert source["output"][-1]["valueCodeableConcept"]["coding"][0]["code"] == "in-care"


async def test_an_outcome_that_is_told_after_the_completion_is_told_on(scene: Answered) -> None:
    await scene.take_in(1)
    child = await scene.child(1)
    text = {"op": "add", "path": "/output", "value": [{"type": {"text": "service"}, "valueString": "HTEST seen"}]}
    dose = {"op": "add", "path": "/output/-", "value": reported("first-dose-given")["value"][0]}
    async with telling(scene.hub):
        await scene.move(child, "accepted")
        await scene.move(child, "completed", text)
        answer = await scene.partner.patch(f"Task/{child['id']}", dose)
        assert answer.status_code == 200, answer.text
        assert await scene.told(3) == ["Accepted", "Completed", "Seen, first dose given"]
