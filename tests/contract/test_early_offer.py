"""The case manager offers early: the source is requested while the person is still in the bed."""

from typing import Any

import orjson

from app.core.actor import Actor
from app.services.intake.intake import Intake
from app.services.writing import decoded
from app.store.queries import ColumnIn, Query
from tests.contract.test_waiting import DOSE, message, send, state_of
from tests.hub_fixtures import World, patched

HUB = Actor.system("test")
VISIT = "PV1|1|I|4W" + "|" * 16 + "88009002^^^NGCSN" + "|" * 25 + "20260606100000"
REQUEST = [{"op": "replace", "path": "/status", "value": "requested"}]


async def all_tasks(world: World) -> list[dict[str, Any]]:
    return [decoded(row) for row in await world.hub.store.reader(HUB).search(Query("Task"))]


async def test_a_draft_that_the_hospital_requests_reaches_the_partner_at_once(world: World) -> None:
    hub, intake = world.hub, Intake(world.hub)
    dose = await send(intake, hub, message("RAS^O17", "E1", "20260608092100", VISIT, DOSE))
    (draft,) = await all_tasks(world)
    assert draft["status"] == "draft"
    hospital = Actor(world.mercy, "c", frozenset({"system/Task.rus"}))
    shown = await patched(hub, hospital, draft["id"], REQUEST)
    assert orjson.loads(shown.body)["status"] == "requested"
    children = await hub.store.reader(HUB).search(Query("Task", (ColumnIn("part_of", (f"Task/{draft['id']}",)),)))
    assert [decoded(row)["status"] for row in children] == ["requested"]
    assert (await state_of(hub, dose))[0] == "referral"
    again = await send(intake, hub, message("RAS^O17", "E2", "20260609092100", VISIT, DOSE.replace("0608", "0609")))
    assert (await state_of(hub, again))[0] == "updated"
    assert sorted(task["status"] for task in await all_tasks(world)) == ["requested", "requested"]
