"""What is done next for a Task at its partner's own server, and what becomes of a request that fails."""

from itertools import product

import pytest

from app.rules import lifecycle, notifying
from app.rules.pushing import (
    ROUTINE_PAUSE,
    URGENT_PAUSE,
    Standing,
    after_failure,
    next_step,
    part_by_part,
    pause_of,
    wait,
)

OPEN = ("requested", "accepted", "in-progress", "on-hold")


def step(ours: str, theirs: str | None, *, begun: bool = False, news: bool = False, taken_back: bool = False) -> str:
    return next_step(Standing(ours, theirs, begun, news, taken_back))


@pytest.mark.parametrize(
    ("ours", "theirs", "more", "wanted"),
    [
        ("requested", None, {}, "create"),
        ("requested", None, {"begun": True}, "create"),
        ("cancelled", None, {}, "end"),
        ("cancelled", None, {"begun": True}, "find"),
        ("accepted", "accepted", {}, "rest"),
        ("accepted", "accepted", {"news": True}, "update"),
        ("cancelled", "in-progress", {"news": True}, "take-back"),
        ("cancelled", "in-progress", {"taken_back": True}, "rest"),
        ("cancelled", "cancelled", {}, "end"),
        ("completed", "completed", {"news": True}, "end"),
        ("entered-in-error", "accepted", {}, "take-back"),
    ],
)
def test_what_is_next(ours: str, theirs: str | None, more: dict[str, bool], wanted: str) -> None:
    assert step(ours, theirs, **more) == wanted


@pytest.mark.parametrize(("ours", "theirs"), [*product(OPEN, OPEN)])
def test_as_long_as_both_are_open_it_is_followed(ours: str, theirs: str) -> None:
    assert step(ours, theirs) == "rest"


@pytest.mark.parametrize("ours", sorted(lifecycle.TERMINAL))
def test_what_is_over_is_never_made(ours: str) -> None:
    assert step(ours, None) == "end"


@pytest.mark.parametrize(
    ("reason", "attempts", "refused", "wanted"),
    [
        ("timeout", 1, False, "again"),
        ("no-connection", 50, False, "again"),
        ("status-500", 9, False, "again"),
        ("status-503", 9, False, "again"),
        ("status-429", 9, False, "again"),
        ("status-422", 1, True, "parked"),
        ("status-400", 1, True, "parked"),
        ("status-302", 1, True, "parked"),
        ("content-type", 1, True, "parked"),
        ("not-json", 1, True, "parked"),
        ("too-large", 1, True, "parked"),
        ("status-401", 1, True, "again"),
        ("status-401", 2, True, "parked"),
        ("status-404", 2, True, "again"),
        ("status-404", 3, True, "parked"),
        ("status-412", 4, True, "again"),
        ("status-412", 5, True, "parked"),
    ],
)
def test_what_a_failure_leads_to(reason: str, attempts: int, *, refused: bool, wanted: str) -> None:
    assert after_failure(reason, attempts, None, 0, refused=refused) == wanted


def test_nobody_tries_for_ever() -> None:
    assert after_failure("timeout", 99, 0, notifying.PATIENCE, refused=False) == "parked"
    assert after_failure("timeout", 99, 0, notifying.PATIENCE - 1, refused=False) == "again"


@pytest.mark.parametrize(("asked", "seconds"), [(None, 1), (0, 1), (120, 120), (3601, 3600), (99999999, 3600)])
def test_a_server_may_ask_for_time_but_not_for_ever(asked: int | None, seconds: int) -> None:
    assert wait(1, 0, asked) == seconds * notifying.SECOND


def test_nobody_is_asked_more_often_than_gravity_has_it_unless_it_is_urgent() -> None:
    assert (pause_of("routine"), pause_of("stat"), pause_of("")) == (ROUTINE_PAUSE, URGENT_PAUSE, ROUTINE_PAUSE)
    assert ROUTINE_PAUSE == 15 * 60 * notifying.SECOND


@pytest.mark.parametrize(
    ("reason", "parts"),
    [
        ("status-400", True),
        ("status-413", True),
        ("status-422", True),
        ("status-501", True),
        ("status-412", False),
        ("status-401", False),
        ("status-500", False),
        ("timeout", False),
        ("not-json", False),
    ],
)
def test_a_transaction_that_is_not_taken_is_given_in_parts(reason: str, *, parts: bool) -> None:
    assert part_by_part(reason) is parts
