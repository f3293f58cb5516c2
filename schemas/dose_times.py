"""How far apart doses are: injections by the windows of their labels, daily medication by what it can be.

Each row of ``LONG_ACTING`` names the date of the label that it was taken from: a label that changes is a new row, and
every clock that was computed keeps the date that it was computed with.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final, NamedTuple

DAY: Final = timedelta(days=1)
_SCHEDULES: Final = (timedelta(hours=1), 3 * DAY)
"""No daily medication is taken more often than the one, or more seldom than the other: after three days without a dose
it is assessed anew and not resumed. An interval of weeks is one of refills or visits."""


class Window(NamedTuple):
    """Days after an injection, and where they come from."""

    earliest: int | None
    due: int
    tolerance: int
    label: str
    """Month of the label's revision: ``2023-12``."""
    source: str


LONG_ACTING: Final[Mapping[str, Window]] = {
    "bup-lai-monthly-sublocade": Window(
        26,
        28,
        14,
        "2023-12",
        "Sublocade label (DailyMed, updated 2023-12-18): at least 26 days between doses; occasional delays of up to "
        "two weeks are not expected to matter",
    ),
    "bup-lai-weekly-brixadi": Window(
        5,
        7,
        2,
        "2023-12",
        "Brixadi label (DailyMed, revised 12/2023): weekly, up to 2 days before or after the weekly time point",
    ),
    "bup-lai-monthly-brixadi": Window(
        21,
        28,
        7,
        "2023-12",
        "Brixadi label (DailyMed, revised 12/2023): monthly, up to 1 week before or after the monthly time point",
    ),
    "xr-ntx": Window(
        None, 28, 0, "2025-12", "Vivitrol label (12/2025): every 4 weeks or once a month; no delay is stated"
    ),
}
"""``clock_class`` of rxnorm.csv to the window of its label. A Brixadi that is not known to be monthly is to be passed
as weekly (R5). Every other class is a daily medication."""


def between_doses(stated: timedelta | None) -> timedelta:
    """The stated time between two doses of a daily medication; none, or one that can't be, is once a day."""
    return stated if stated is not None and _SCHEDULES[0] <= stated <= _SCHEDULES[1] else DAY


def between(drug_class: str, stated: timedelta | None) -> timedelta:
    """The time from one dose of a ``clock_class`` to the next, as its label or else the order has it."""
    window = LONG_ACTING.get(drug_class)
    return window.due * DAY if window else between_doses(stated)
