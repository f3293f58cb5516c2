"""What a partner's own server is given follows the decision of the moment, and is on record before it leaves."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest_asyncio

from app import channels
from app.channels.base import Channel, Parcel, Receipt
from app.core.ids import uuid7
from app.services.disclosures import Disclosures
from app.services.partners import registration
from app.services.push import push_lanes
from app.services.push.push_lanes import PushDelivery
from app.services.subscriptions.subscriptions import outside_of
from app.store.pushes import PushQueue
from tests.contract.test_consent_life import IDENTIFYING, Scene, consent, marks, offered, scene
from tests.fhir_servers import Asked, FhirServer, fhir_server
from tests.hub_fixtures import PARTNER

__all__ = ["scene"]


@pytest_asyncio.fixture
async def server() -> AsyncIterator[FhirServer]:
    async with fhir_server() as made:
        yield made


class Watched:
    """The channel, and how much was on record whenever something that writes left."""

    def __init__(self, scene: Scene, channel: Channel) -> None:
        self._scene = scene
        self._channel = channel
        self.recorded: list[int] = []

    async def deliver(self, parcel: Parcel) -> Receipt:
        if parcel.method != "GET":
            self.recorded.append(await on_record(self._scene))
        return await self._channel.deliver(parcel)

    async def close(self) -> None:
        await self._channel.close()


async def on_record(scene: Scene) -> int:
    (found,) = await scene.rows("select count(*) from disclosure where client = $1", push_lanes.CHANNEL)
    return int(found[0])


async def turned(scene: Scene, server: FhirServer) -> tuple[list[Asked], Watched]:
    """Everything that is due is pushed; what was written, and what was on record then."""
    before = len(server.asked)
    settings = scene.world.hub.settings.model_copy(update={"base_url": "http://127.0.0.1:8000"})
    hub = replace(scene.world.hub, settings=settings)
    watched = Watched(scene, channels.ALL[push_lanes.CHANNEL].open(outside_of(settings)))
    delivery = PushDelivery(hub, Disclosures(hub.store), PushQueue(hub.store.database, uuid7()), watched)
    for _ in range(5):
        for lane in await delivery.due():
            await delivery.serve(lane)
    await watched.close()
    return [one for one in server.asked[before:] if one.method != "GET"], watched


async def with_server(scene: Scene, server: FhirServer) -> None:
    profile: dict[str, Any] = {**PARTNER, "part2_program": True, "receives_by": ["push"]}
    told = json.dumps([{**profile, "server": {"base": server.base}}]).encode()
    await registration.import_partners(scene.world.hub, told)


async def test_an_offer_becomes_the_packet_and_nothing_more_leaves_when_consent_is_taken_back(
    scene: Scene, server: FhirServer
) -> None:
    await with_server(scene, server)
    await offered(scene)
    wrote, watched = await turned(scene, server)
    text = json.dumps([one.body for one in wrote])
    assert [one for one in IDENTIFYING if one in text] == []
    assert "REDACTED" in text
    assert marks(server.task) == ["consent-needed"]
    assert watched.recorded == [1]

    await scene.tell(consent())
    wrote, watched = await turned(scene, server)
    assert "HTEST0007" in json.dumps([one.body for one in wrote])
    assert watched.recorded == [2], "the packet is a disclosure of its own, before it leaves"
    assert "businessStatus" not in server.task
    person = next(one for one in server.of("Patient") if one.get("name"))
    assert server.task["for"]["reference"] == f"Patient/{person['id']}"
    assert "42CFRPart2" in [one["code"] for one in person["meta"]["security"]]
    (notice,) = [one["text"] for one in server.task["note"]]
    assert "42 CFR part 2" in notice
    assert {name for one in wrote for name in one.headers if "notice" in name}

    await scene.tell(consent(status="inactive", signed_at="2026-06-06T10:00:00-04:00"))
    wrote, _ = await turned(scene, server)
    text = json.dumps([one.body for one in wrote])
    assert [one for one in IDENTIFYING if one in text] == []
    assert server.task["status"] == "cancelled" or marks(server.task) == ["consent-withdrawn"]


async def test_without_consent_nothing_leaves(scene: Scene, server: FhirServer) -> None:
    await with_server(scene, server)
    await scene.tell()
    wrote, _ = await turned(scene, server)
    assert (wrote, server.asked) == ([], [])


async def test_what_is_read_there_of_a_part2_program_waits_for_the_way_back(scene: Scene, server: FhirServer) -> None:
    await with_server(scene, server)
    await scene.tell(consent())
    await turned(scene, server)
    server.says(status="accepted", note=[{"text": "HTEST a word about the person"}])
    await scene.rows("update push set due_at = 0")
    await turned(scene, server)
    assert (await scene.child())["status"] == "accepted"
    source = await scene.source()
    assert source["status"] == "accepted"
    assert "a word about the person" not in json.dumps(source)
