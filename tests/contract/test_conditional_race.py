"""Many conditional creates of one identifier at once make one resource, in however many processes."""

import asyncio
import os
from collections import Counter

from app.core.actor import Actor
from app.core.clock import Clock
from app.services.disclosures import Disclosures
from app.services.feed import Feed
from app.services.hub import Hub, Registry
from app.services.intake.intake import Intake
from app.services.writes.criteria import criteria_of
from app.services.writes.resource_writes import ResourceWrites
from app.store.store import connect
from tests.hub_fixtures import World

TRIALS = int(os.environ.get("THROUGHLINE_RACE_TRIALS", "12"))
AT_ONCE = 64


def writes_of(hub: Hub) -> ResourceWrites:
    return ResourceWrites(hub, Intake(hub), Disclosures(hub.store), Feed(hub.store))


def procedure(number: int) -> dict[str, object]:
    return {
        "resourceType": "Procedure",
        "status": "completed",
        "identifier": [{"system": "urn:oid:2.16.840.1.113883.3.9999.7", "value": f"HTEST-{number}"}],
        "subject": {"display": "HTEST"},
    }


async def test_sixty_four_at_once_make_one(world: World, database_url: str) -> None:
    other = connect(database_url, Clock())
    second = Hub(world.hub.settings, other, world.hub.keys, world.hub.clock, Registry(other))
    doors = [
        writes_of(hub) for hub in (world.hub, second if world.hub.store.database.name == "postgresql" else world.hub)
    ]
    actor = Actor(world.harbor, "HTEST-client", frozenset({"system/*.cruds"}))
    try:
        for trial in range(TRIALS):
            criteria = criteria_of("Procedure", f"identifier=HTEST-{trial}", "test")
            done = await asyncio.gather(
                *(doors[n % 2].create(actor, "Procedure", procedure(trial), criteria) for n in range(AT_ONCE))
            )
            assert Counter(one.status for one in done) == {201: 1, 200: AT_ONCE - 1}
            assert len({one.id for one in done}) == 1
    finally:
        await other.close()
