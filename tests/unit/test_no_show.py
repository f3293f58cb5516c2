"""Whether the person came: the last word counts, and what is not said is not known."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.rules import no_show
from schemas.codes.local import BUSINESS_STATUS, OUTCOME, STATUS_REASON, concept
from schemas.partner_server import BSER_BUSINESS_STATUS
from tests.unit.lifecycle_tasks import OUTPUT, task

NOW = datetime(2026, 6, 6, 15, 0, tzinfo=UTC)
FOUR_HOURS = timedelta(hours=4)


def said(*codes: str) -> list[dict[str, Any]]:
    return [{"type": concept(OUTCOME, "outcome"), "valueCodeableConcept": concept(OUTCOME, one)} for one in codes]


@pytest.mark.parametrize(
    ("words", "came", "times"),
    [
        ((), None, 0),
        (("no-show",), False, 1),
        (("not-reached", "no-show"), False, 2),
        (("no-show", "arrived"), True, 0),
        (("first-dose-given", "no-show"), False, 1),
        (("service-given",), True, 0),
        (("declined-by-person",), None, 0),
        (("no-show", "declined-by-person"), False, 1),
    ],
)
def test_the_last_word_counts(words: tuple[str, ...], *, came: bool | None, times: int) -> None:
    held = task("accepted", output=[OUTPUT, *said(*words)])
    assert (no_show.came(held), no_show.missed(held)) == (came, times)


@pytest.mark.parametrize(
    ("held", "wanted", "left"),
    [
        (("no-show",), ("no-show", "no-show"), ("no-show",)),
        (("no-show",), ("no-show", "no-show", "no-show", "arrived"), ("no-show", "arrived")),
        (("no-show",), ("no-show", "not-reached"), ("no-show", "not-reached")),
        (("no-show", "not-reached"), ("no-show", "not-reached", "no-show"), ("no-show", "not-reached")),
        (("no-show", "arrived"), ("no-show", "arrived", "no-show"), ("no-show", "arrived", "no-show")),
        (("no-show", "declined-by-person"), ("no-show", *("declined-by-person",) * 2), None),
        ((), ("no-show", "no-show"), None),
    ],
)
def test_the_same_word_again_of_who_is_missed_is_said_once(
    held: tuple[str, ...], wanted: tuple[str, ...], left: tuple[str, ...] | None
) -> None:
    before, after = (task("accepted", output=said(*words)) for words in (held, wanted))
    once = no_show.said_once(before, after)
    assert once["output"] == said(*(wanted if left is None else left))
    assert (once is after) == (left is None or left == wanted)


@pytest.mark.parametrize("output", [None, "no-show", {}, [None, 7, "no-show"]])
def test_what_is_no_list_of_outputs_is_left_to_who_judges_it(output: Any) -> None:
    before = task("accepted", output=said("no-show"))
    assert no_show.said_once(before, after := {**before, "output": output}) is after


@pytest.mark.parametrize(
    ("status", "reason", "came", "times"),
    [
        ("failed", concept(STATUS_REASON, "no-show"), False, 1),
        ("cancelled", concept(STATUS_REASON, "patient-unreachable"), False, 1),
        ("failed", concept(STATUS_REASON, "no-capacity"), None, 0),
        ("failed", {"text": "did not come"}, None, 0),
        ("rejected", concept(STATUS_REASON, "patient-unreachable"), None, 0),
    ],
)
def test_the_reason_of_an_end_counts_where_nothing_was_put_out(
    status: str, reason: dict[str, Any], *, came: bool | None, times: int
) -> None:
    held = task(status, statusReason=reason)
    assert (no_show.came(held), no_show.missed(held)) == (came, times)
    seen = task(status, statusReason=reason, output=said("first-dose-given"))
    assert (no_show.came(seen), no_show.missed(seen)) == (True, 0)


@pytest.mark.parametrize(
    ("system", "code", "came"),
    [
        (BSER_BUSINESS_STATUS, "5.1.2", False),
        (BSER_BUSINESS_STATUS, "5.1.1", None),
        (BUSINESS_STATUS, "no-show", False),
    ],
)
def test_a_business_status_counts_until_an_output_says_more(system: str, code: str, *, came: bool | None) -> None:
    marked = {"businessStatus": {"coding": [{"system": system, "code": code}]}}
    held = task("accepted", **marked)
    assert (no_show.came(held), no_show.missed(held)) == (came, int(came is False))
    assert no_show.came(task("accepted", **marked, output=said("arrived"))) is True


@pytest.mark.parametrize("output", [[{}], [{"type": None}], [{"type": {"coding": "x"}}], [{"type": {"coding": [1]}}]])
def test_what_has_no_shape_says_nothing(output: list[Any]) -> None:
    assert no_show.came(task("accepted", output=output)) is None


def test_somebody_tries_before_the_cover_ends() -> None:
    assert no_show.due(NOW, None, FOUR_HOURS) == NOW + FOUR_HOURS
    assert no_show.due(NOW, NOW + timedelta(days=2), FOUR_HOURS) == NOW + FOUR_HOURS
    assert no_show.due(NOW, NOW + timedelta(hours=1), FOUR_HOURS) == NOW + timedelta(hours=1)
    assert no_show.due(NOW, NOW - timedelta(hours=1), FOUR_HOURS) == NOW + FOUR_HOURS, "it has ended: still within four"
