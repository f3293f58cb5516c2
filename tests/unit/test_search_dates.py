"""Prefixes of date parameters, one by one, against the ranges that R4 draws (3.1.1.4.5)."""

import pytest

from app.services.reading.search_asked import Asked
from app.services.reading.search_dates import date
from schemas.resources import ALL

DAY = 86_400_000_000
NOW = 1_780_000_000_000_000

MEETS = {
    # value of the parameter: does it meet a period that is before, starts before and ends in, lies within, is the
    # same, starts in and ends after, is after, goes around the day?
    "2026-06-05": ".. ++ ...",
    "ne2026-06-05": "++ .. +++",
    "gt2026-06-05": ".. .. +++",
    "ge2026-06-05": ".. ++ +++",
    "lt2026-06-05": "++ .. ..+",
    "le2026-06-05": "++ ++ ..+",
    "sa2026-06-05": ".. .. .+.",
    "eb2026-06-05": "+. .. ...",
    "ap2026-06-05": ".+ ++ +.+",
}
PERIODS = [
    ("2026-06-03T00:00:00Z", "2026-06-03T10:00:00Z"),
    ("2026-06-04T00:00:00Z", "2026-06-05T10:00:00Z"),
    ("2026-06-05T10:00:00Z", "2026-06-05T11:00:00Z"),
    ("2026-06-05", "2026-06-05"),
    ("2026-06-05T10:00:00Z", "2026-06-06T10:00:00Z"),
    ("2026-06-07", "2026-06-08"),
    ("2026-06-01", "2026-06-30"),
]


@pytest.mark.parametrize("value", MEETS)
def test_a_prefix_relates_the_ranges_as_r4_draws_them(value: str) -> None:
    asked = Asked("Task")
    date(asked, ALL["Task"].params["period"], "period", [value])
    # At the day itself there is no gap, so that "approximately" is the day and no more.
    (test,) = asked.at(1_780_660_800_000_000).tests
    found = [test({"executionPeriod": {"start": start, "end": end}}) for start, end in PERIODS]
    assert "".join("+" if one else "." for one in found) == MEETS[value].replace(" ", "")


def test_what_depends_on_the_moment_is_settled_at_each_question() -> None:
    asked = Asked("Task")
    date(asked, ALL["Task"].params["authored-on"], "authored-on", ["ap2026-06-05", "2020"])
    assert (asked.conditions, asked.tests) == ([], [])
    early, late = asked.at(NOW), asked.at(NOW + 1000 * DAY)
    assert early.conditions != late.conditions
    assert len(early.conditions) == 1
    assert asked.at(NOW).conditions == early.conditions, "and what was parsed is not changed"
