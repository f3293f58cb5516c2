"""A registration that this machine can't read any more, such as one with a time zone it does not know."""

import json

import httpx
import pytest

from app.core.errors import BadRequest
from app.services.partners import registration
from tests.contract.clocks import dispensed, scene_of
from tests.contract.http_messages import adt
from tests.hub_fixtures import PARTNER, World

MARS = ("America/New_York", "Mars/Olympus_Mons")


async def lose(world: World, table: str) -> None:
    """As if the zone had gone from the machine's tables."""
    await world.hub.store.database.execute(f"update {table} set body = replace(body, $1, $2)", *MARS)
    world.hub.registry.forget()


async def test_an_unknown_zone_is_refused_where_it_is_configured(world: World) -> None:
    sender = {"id": "mars", "organization": "HTEST Mars", "dialect": "adt_generic", "timezone": MARS[1]}
    with pytest.raises(BadRequest) as refused:
        await registration.add_sender(world.hub, sender)
    assert refused.value.message.startswith("timezone:")
    with pytest.raises(BadRequest):
        await registration.add_sender(world.hub, sender | {"timezone": MARS[0], "zones": {"WEST": MARS[1]}})
    with pytest.raises(BadRequest) as refused:
        await registration.import_partners(world.hub, json.dumps([PARTNER | {"time_zone": MARS[1]}]).encode())
    assert "time_zone" in refused.value.message


async def test_a_sender_that_can_not_be_read_is_refused_by_name_and_its_referral_waits(
    world: World, web: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    scene = await scene_of(world, web)
    await scene.tell(bridges=[dispensed(3)])
    await lose(world, "sender")
    await web.post("/ingest/events", json={}, headers=scene.hospital.headers)
    assert "registration.unreadable" in caplog.text
    assert "timezone" in caplog.text
    assert MARS[1] not in caplog.text
    headers = scene.hospital.headers | {"content-type": "application/hl7-v2"}
    refused = await web.post("/ingest/hl7v2", content=adt(), headers=headers)
    assert "|AR|" in refused.text
    waiting = await scene.jobs()
    await scene.due(days=9)
    assert await scene.jobs() == waiting
    await world.hub.store.database.execute("update sender set body = replace(body, $2, $1)", *MARS)
    world.hub.registry.forget()
    await scene.due(days=10)
    assert "lapsed" in str((await scene.source())["extension"])


async def test_a_partner_that_can_not_be_read_is_not_asked_and_a_person_is(
    world: World, web: httpx.AsyncClient
) -> None:
    await lose(world, "partner")
    scene = await scene_of(world, web)
    entry = await scene.tell(bridges=[dispensed(3)])
    assert (entry["state"], entry["reasons"][0]["code"]) == ("review", "no-route")
