"""The made-up world in its short form: nobody is lost sight of. ``make world`` has ninety days of it."""

from tests.world.run import ninety_days


async def test_a_few_days_of_the_made_up_world() -> None:
    figures = await ninety_days(days=3, seed=2, per_day=3, progress=lambda _: None)
    assert figures.stuck == 0
    assert figures.discharges == 9
    places = len(figures.hours_to_place)
    assert figures.seen + figures.given_up == places, "who has a place comes, or is looked for until somebody gives up"
    assert figures.no_show >= figures.found + figures.given_up
    # Ids are random, so who is asked first may differ; of whom nobody takes a person was told.
    assert places + figures.told["nobody-left"] + figures.told["no-answer"] >= figures.discharges
