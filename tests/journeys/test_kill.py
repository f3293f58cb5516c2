"""kill -9 at each step of each commit: nothing acknowledged is lost, nothing happens twice."""

from dataclasses import replace
from pathlib import Path

from app.services import checks
from tests.chaos import verdict
from tests.chaos.killing import kill_everywhere
from tests.chaos.story import started
from tests.hub_fixtures import World


async def test_a_hub_killed_at_any_step_of_any_commit_loses_nothing_and_doubles_nothing(
    world: World, database_url: str, tmp_path: Path
) -> None:
    await world.hub.store.close()
    points = await kill_everywhere(database_url, world.harbor)
    began = [point for point in points if point.startswith("before begin")]
    assert len(began) == points.count("before commit") == points.count("after commit") == points.count("written") == 4
    assert points.count("answer formed") == 3
    assert {"after insert into receipt", "after insert into ledger", "after insert into body"} <= set(points)
    async with started(database_url) as hub:
        made = await verdict.types(hub)
        visits = len(points) + 1
        assert (made["Task"], made["ServiceRequest"], made["MedicationDispense"]) == (2 * visits, 2 * visits, visits)
        found = await checks.check(
            replace(hub, settings=hub.settings.model_copy(update={"key_file": hub.settings.key_file}))
        )
        assert [one for one in found if not one.ok] == []
