"""What a Part 2 program reports reaches the hospital by HL7 v2 exactly as far as a consent covers the way back."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest_asyncio

from app.services.partners import registration
from fhir_mappings.hl7v2 import parse
from schemas.packs.base import notice
from tests.contract.answered import Answered, progress, reported, telling
from tests.contract.fhir_callers import caller
from tests.contract.http_messages import event
from tests.contract.test_consent_life import consent
from tests.hub_fixtures import PARTNER, World
from tests.mllp_receivers import Came, MllpReceiver, taking_answers

WORDS = notice("part2-2-32")
FIRST_DOSE = "Seen, first dose given"


@pytest_asyncio.fixture
async def scene(world: World, web: httpx.AsyncClient) -> AsyncIterator[Answered]:
    async with taking_answers(MllpReceiver()) as receiver:
        here = replace(world.hub, settings=world.hub.settings.model_copy(update={"base_url": "http://127.0.0.1:8000"}))
        fields = {"id": "acs", "organization": "HTEST ACS", "dialect": "adt_generic", "timezone": "America/New_York"}
        acs = await registration.add_sender(here, fields | {"part2": "all", "answers": {"to": receiver.to}})
        await registration.import_partners(here, json.dumps([PARTNER | {"part2_program": True}]).encode())
        hospital = await caller(world, web, acs.organization, "ingest system/*.cruds")
        partner = await caller(world, web, world.harbor, "system/*.cruds")
        yield Answered(here, web, hospital, partner, receiver)


async def tell(scene: Answered, name: str, *consents: dict[str, Any]) -> None:
    body = event(7) | {"event_id": f"HTEST-{name}", "consents": list(consents)}
    answer = await scene.web.post("/ingest/events", json=body, headers=scene.hospital.headers)
    assert answer.status_code in {201, 202}, answer.text


async def asked(scene: Answered, **wanted: Any) -> dict[str, Any]:
    """The Task of the partner, for a discharge with a consent."""
    await tell(scene, "E1", consent(**wanted))
    (child,) = await scene.partner.search("Task")
    return child


def told(came: list[Came]) -> list[str]:
    return [progress(one.text) for one in came]


async def test_without_a_consent_for_the_way_back_it_is_told_accepted_and_closed(scene: Answered) -> None:
    child = await asked(scene)
    async with telling(scene.hub):
        await scene.move(child, "accepted")
        await scene.receiver.several(1)
        await scene.move(child, "in-progress")
        await scene.move(child, "completed", reported("first-dose-given"))
        await scene.receiver.several(2)
        await scene.settled()
    assert told(scene.receiver.came) == ["Accepted", "Closed"]
    assert "dose given" not in scene.receiver.came[-1].text
    assert "42 CFR" not in scene.receiver.came[-1].text


async def test_with_one_it_is_told_all_with_the_notice_of_the_law_in_full(scene: Answered) -> None:
    child = await asked(scene, both_directions=True)
    async with telling(scene.hub):
        await scene.move(child, "accepted")
        await scene.move(child, "completed", reported("first-dose-given"))
        await scene.receiver.several(2)
    assert told(scene.receiver.came) == ["Accepted", FIRST_DOSE]
    done = scene.receiver.came[-1]
    read = parse(done.data).all("OBX")
    assert WORDS.text in " ".join(one.text(5) for one in read)
    assert done.field("TXA", 18) == "R"
    # No HL7 v2 message has come: the numbers stand as the event has them.
    assert done.field("PID", 3) == "HTEST0007^^^&2.16.840.1.113883.3.9999.1&ISO"
    assert done.field("PV1", 19).startswith("HTEST-V0007^^^&2.16.840.1.113883.3.9999.2&ISO")
    assert done.field("PID", 5) == "Htest^Sam"


async def test_what_waits_when_the_consent_is_withdrawn_is_not_sent_as_it_was(scene: Answered) -> None:
    child = await asked(scene, both_directions=True)
    scene.receiver.manner = "hangs"
    async with telling(scene.hub):
        await scene.move(child, "accepted")
        await scene.receiver.several(1)
        await scene.move(child, "in-progress")
        await scene.move(child, "completed", reported("first-dose-given"))
    scene.receiver.manner = "answers"
    await tell(scene, "E2", consent(both_directions=True, status="inactive"))
    await scene.hub.store.database.execute("update answer set due_at = 0")
    async with telling(scene.hub):
        await scene.settled()
    texts = "".join(one.text for one in scene.receiver.came)
    assert "dose given" not in texts
    assert "In progress" not in texts
    assert set(told(scene.receiver.came)) <= {"Accepted", "Closed", "Consent withdrawn"}
    assert [one.reason for one in await scene.listed("dropped")].count("may-not-be-told") == 1


async def test_a_message_that_was_written_before_is_written_anew_under_another_number(scene: Answered) -> None:
    child = await asked(scene, both_directions=True)
    async with telling(scene.hub):
        await scene.move(child, "accepted")
        await scene.receiver.several(1)
        await scene.settled()
        scene.receiver.code = "AE"
        await scene.move(child, "completed", reported("first-dose-given"))
        (parked,) = await scene.until_listed("parked")
    scene.receiver.code = "AA"
    await tell(scene, "E2", consent(both_directions=True, status="inactive"))
    await scene.rows("update answer set state = 'waiting' returning task")
    async with telling(scene.hub):
        await scene.settled()
    _, refused, *rest = scene.receiver.came
    assert progress(refused.text) == FIRST_DOSE
    assert told(rest)[0] == "Closed"
    assert rest[0].control_id != refused.control_id
    assert parked.progress == "first-dose-given"
    assert "dose given" not in "".join(one.text for one in rest)
