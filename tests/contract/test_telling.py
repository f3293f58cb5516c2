"""A partner that is told by text message or fax: what leaves, when, and what becomes of what can't leave."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from app.core.actor import Actor
from app.core.clock import Clock
from app.core.errors import Unavailable
from app.services.hub import Hub
from app.services.jobs import DueWork
from app.services.partners import registration
from app.services.people import todo
from app.store.changes import Changes
from app.store.committer import Committer
from app.store.database import Gone
from tests.contract.test_consent_life import IDENTIFYING, Scene, consent, offered, scene
from tests.hub_fixtures import PARTNER
from tests.receivers import Receiver, receiving
from tests.unit.letters import pdf_pages

__all__ = ["scene"]

SMS = {"number": "+15550100111", "attested_by": "HTEST Rosa Diaz", "attested_at": "2026-06-01"}
FAX = {"number": "+15550100222", "attested_by": "HTEST Rosa Diaz", "attested_at": "2026-06-01"}
NUMBERS = (SMS["number"], FAX["number"])
OFFICER = Actor.system("test")


async def reached_by(scene: Scene, *ways: str) -> None:
    profile = {**PARTNER, "part2_program": True, "receives_by": [*ways], "sms": SMS, "fax": FAX}
    await registration.import_partners(scene.world.hub, json.dumps([profile]).encode())


def sending(scene: Scene, receiver: Receiver | None, later: int = 0) -> Hub:
    """The hub with a provider, ``later`` seconds from now."""
    url = {} if receiver is None else {"sms_url": receiver.url, "fax_url": receiver.url}
    settings = scene.world.hub.settings.model_copy(update=url)
    return replace(scene.world.hub, settings=settings, clock=Clock(later * 1_000_000))


async def outcomes(scene: Scene) -> dict[str, str]:
    rows = await scene.rows("select kind, outcome from job_done where kind in ('notify-sms', 'send-fax')")
    return dict(rows)


def documents(body: dict[str, Any]) -> list[str]:
    """The text of each PDF."""
    assert {one["content_type"] for one in body["documents"]} == {"application/pdf"}
    return ["\n".join(pdf_pages(base64.b64decode(one["content"]))) for one in body["documents"]]


async def test_a_text_message_says_that_there_is_something_and_not_what(scene: Scene) -> None:
    await reached_by(scene, "poll", "sms")
    await scene.tell(consent())
    async with receiving() as receiver:
        await DueWork(sending(scene, receiver)).run()
    (one,) = receiver.came
    assert one.bundle == {
        "to": SMS["number"],
        "text": "You have a new item in Throughline. http://hub.test/portal/",
    }
    assert one.headers["idempotency-key"].startswith("notify-sms:")
    assert await outcomes(scene) == {"notify-sms": "sent"}
    assert await scene.rows("select id from disclosure") == []


async def test_the_work_falls_due_in_the_commit_that_asks_and_for_the_ways_of_the_partner_alone(scene: Scene) -> None:
    await reached_by(scene, "fax")
    await scene.tell(consent())
    rows = await scene.rows("select kind, subject from job where kind in ('notify-sms', 'send-fax')")
    assert rows == [("send-fax", (await scene.child())["id"])]
    await scene.tell(consent())
    assert len(await scene.rows("select id from job where kind = 'send-fax'")) == 1


async def test_a_fax_is_a_cover_that_names_nobody_and_the_packet_that_is_on_record_first(scene: Scene) -> None:
    await reached_by(scene, "fax")
    await scene.tell(consent())
    child = await scene.rows("select id from resource where type = 'Task' and part_of is not null")
    async with receiving(status=202) as receiver:
        await DueWork(sending(scene, receiver)).run()
    (one,) = receiver.came
    cover, packet = documents(one.bundle)
    assert one.bundle["to"] == FAX["number"]
    assert [found for found in IDENTIFYING if found in cover] == []
    assert "HTEST ACS" in cover
    assert "42 CFR part 2" in cover
    assert "The referral follows." in cover
    assert {"Htest", "HTEST0007"} <= {found for found in IDENTIFYING if found in packet}
    assert "42 CFR part 2" in packet
    (told,) = await scene.rows("select organization, client, entries from disclosure")
    assert told[:2] == (scene.world.harbor, "fax")
    assert child[0][0] in told[2]
    assert await outcomes(scene) == {"send-fax": "sent"}


async def test_what_can_not_be_recorded_is_not_faxed(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    await reached_by(scene, "fax")
    await scene.tell(consent())
    committed = Committer.commit

    async def refuse(self: Committer, changes: Changes) -> object:
        if changes.disclosures:
            raise Gone("HTEST")
        return await committed(self, changes)

    async with receiving() as receiver:
        monkeypatch.setattr(Committer, "commit", refuse)
        with pytest.raises(Unavailable):
            await DueWork(sending(scene, receiver)).run()
        monkeypatch.undo()
        assert receiver.came == []
    assert await outcomes(scene) == {}


async def test_of_an_offer_the_cover_goes_alone(scene: Scene) -> None:
    await reached_by(scene, "fax")
    await offered(scene)
    async with receiving() as receiver:
        await DueWork(sending(scene, receiver)).run()
    (cover,) = documents(receiver.came[0].bundle)
    assert [found for found in IDENTIFYING if found in cover] == []
    assert "No record follows." in cover


async def test_consent_that_is_taken_back_before_the_fax_leaves_takes_the_packet_back(scene: Scene) -> None:
    await reached_by(scene, "fax")
    await scene.tell(consent())
    await scene.tell(consent(status="inactive", signed_at="2026-06-06T10:00:00-04:00"))
    async with receiving() as receiver:
        await DueWork(sending(scene, receiver)).run()
    for one in receiver.came:
        assert [found for found in IDENTIFYING if found in "".join(documents(one.bundle))] == []


async def test_nothing_is_sent_for_what_was_answered(scene: Scene) -> None:
    await reached_by(scene, "sms", "fax")
    await scene.tell(consent())
    await scene.partner.set_status(await scene.child(), "accepted")
    async with receiving() as receiver:
        await DueWork(sending(scene, receiver)).run()
    assert receiver.came == []
    assert await outcomes(scene) == {"notify-sms": "not-needed", "send-fax": "not-needed"}


async def test_a_provider_that_fails_is_tried_in_growing_waits_and_then_a_person_does_it(scene: Scene) -> None:
    await reached_by(scene, "sms", "fax")
    await scene.tell(consent())
    async with receiving(status=500) as receiver:
        for later in (0, 10, 31, 100, 250, 500, 1000, 2000):
            await DueWork(sending(scene, receiver, later)).run()
    assert len(receiver.came) == 12
    keys = {one.headers["idempotency-key"] for one in receiver.came}
    assert len(keys) == 2
    assert await outcomes(scene) == {"notify-sms": "failed:status-500", "send-fax": "failed:status-500"}
    (line,) = await todo.listed(scene.world.hub, OFFICER)
    assert (line.why, line.partner, line.hospital) == (["sms-failed", "fax-failed"], PARTNER["name"], "HTEST ACS")


async def test_without_a_provider_or_with_one_that_is_away_it_is_a_persons_work(scene: Scene) -> None:
    await reached_by(scene, "sms")
    await scene.tell(consent())
    await DueWork(sending(scene, None)).run()
    assert await outcomes(scene) == {"notify-sms": "failed:not-offered"}
    assert [line.why for line in await todo.listed(scene.world.hub, OFFICER, "HTEST ACS")] == [["sms-failed"]]
    assert await todo.listed(scene.world.hub, OFFICER, "HTEST North") == []


async def test_a_number_that_nobody_vouches_for_any_more_is_not_used(scene: Scene) -> None:
    await reached_by(scene, "fax")
    await scene.tell(consent())
    await registration.import_partners(scene.world.hub, json.dumps([{**PARTNER, "part2_program": True}]).encode())
    async with receiving() as receiver:
        await DueWork(sending(scene, receiver)).run()
    assert receiver.came == []
    assert await outcomes(scene) == {"send-fax": "failed:no-number"}


async def test_no_number_stands_in_the_log(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    await reached_by(scene, "sms", "fax")
    await scene.tell(consent())
    receiver = Receiver(port=1)
    await DueWork(sending(scene, receiver)).run()
    assert not any(number in caplog.text for number in (*NUMBERS, *(one[2:] for one in NUMBERS)))
