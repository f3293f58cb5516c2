"""The made-up world in its short form: nobody is lost sight of. ``make world`` has ninety days of it."""

from tests.world.run import ninety_days


async def test_a_few_days_of_the_made_up_world() -> None:
    figures = await ninety_days(days=3, seed=2, per_day=3, progress=lambda _: None)
    assert figures.stuck == 0
    assert figures.discharges == len(figures.hours_to_place) == 9
    assert figures.seen + figures.given_up == figures.discharges
    assert figures.no_show >= figures.found + figures.given_up
