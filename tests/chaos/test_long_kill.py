"""kill -9 at each step of batches and of other orders, and at any moment, for as long as it takes."""

import pytest

from tests.chaos import verdict
from tests.chaos.killing import Story, kill_at_any_time, kill_everywhere
from tests.chaos.story import started
from tests.hub_fixtures import World

LIVES = 25
STORIES = [
    Story(("RAS", "RDS", "A03")),
    Story(("A03", "RDS", "RAS")),
    Story(("RDS", "A03"), width=6, accepts=False),
]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: f"{'-'.join(story.kinds)}-x{story.width}")
async def test_a_hub_killed_at_any_step_of_other_orders_and_of_batches(
    world: World, database_url: str, story: Story
) -> None:
    await world.hub.store.close()
    lives = await kill_everywhere(database_url, world.harbor, story)
    async with started(database_url) as hub:
        made = await verdict.types(hub)
        visits = len(lives) * story.width
        assert (made["Task"], made["ServiceRequest"], made["MedicationDispense"]) == (2 * visits, 2 * visits, visits)


@pytest.mark.parametrize("seed", range(2))
async def test_a_hub_killed_at_any_moment(world: World, database_url: str, seed: int) -> None:
    await world.hub.store.close()
    story = Story(("RAS", "RDS", "A03"), width=16)
    cut = await kill_at_any_time(database_url, world.harbor, story, lives=LIVES, seed=seed)
    assert cut > LIVES // 4
    async with started(database_url) as hub:
        made = await verdict.types(hub)
        assert (made["Task"], made["MedicationDispense"]) == (2 * LIVES * story.width, LIVES * story.width)
