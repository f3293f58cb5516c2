"""What a status at a partner's own server means: the whole table, for each vocabulary and each status of the hub."""

from typing import Any

import pytest

from app.rules import lifecycle, remote_status
from app.rules.remote_status import STATUSES, asked_back, own_business_status, reading
from schemas.codes.local import BUSINESS_STATUS, concept
from schemas.partner_server import BSER_BUSINESS_STATUS

R4 = [*STATUSES["gravity"], "draft", "ready", "entered-in-error"]


@pytest.mark.parametrize("vocabulary", ["gravity", "bser"])
@pytest.mark.parametrize("ours", [status for status in lifecycle.STATUSES if status != "draft"])
@pytest.mark.parametrize("theirs", R4)
def test_whatever_is_read_is_taken_by_lawful_steps_or_shown_to_a_person(
    vocabulary: str, ours: str, theirs: str
) -> None:
    found = reading(vocabulary, ours, theirs)  # type: ignore[arg-type]
    assert not (found.steps and found.reasons)
    at = ours
    for status in found.steps:
        assert "owner" in lifecycle.EDGES[at, status]
        at = status
    if theirs not in STATUSES[vocabulary]:  # type: ignore[index]
        assert [one.code for one in found.reasons] == ["status-unknown"]


@pytest.mark.parametrize(
    ("vocabulary", "ours", "theirs", "steps"),
    [
        ("gravity", "requested", "requested", ()),
        ("gravity", "requested", "received", ()),
        ("gravity", "requested", "accepted", ("accepted",)),
        ("gravity", "requested", "in-progress", ("accepted", "in-progress")),
        ("gravity", "requested", "completed", ("accepted", "completed")),
        ("gravity", "requested", "cancelled", ("rejected",)),
        ("gravity", "accepted", "cancelled", ("cancelled",)),
        ("gravity", "accepted", "requested", ()),
        ("gravity", "completed", "requested", ()),
        ("gravity", "on-hold", "in-progress", ("in-progress",)),
        ("gravity", "cancelled", "in-progress", ()),
        ("gravity", "cancelled", "rejected", ()),
        ("bser", "requested", "received", ()),
        ("bser", "accepted", "rejected", ("failed",)),
        ("bser", "in-progress", "rejected", ("failed",)),
        ("bser", "in-progress", "completed", ("completed",)),
    ],
)
def test_what_a_status_leads_to(vocabulary: str, ours: str, theirs: str, steps: tuple[str, ...]) -> None:
    found = reading(vocabulary, ours, theirs)  # type: ignore[arg-type]
    assert (found.steps, found.reasons) == (steps, ())


@pytest.mark.parametrize(
    ("vocabulary", "ours", "theirs", "code"),
    [
        ("gravity", "in-progress", "accepted", "status-impossible"),
        ("gravity", "completed", "in-progress", "status-impossible"),
        ("gravity", "cancelled", "completed", "status-impossible"),
        ("gravity", "requested", "ready", "status-unknown"),
        ("bser", "accepted", "on-hold", "status-unknown"),
        ("bser", "accepted", "failed", "status-unknown"),
        ("gravity", "requested", None, "status-unknown"),
        ("gravity", "requested", ["accepted"], "status-unknown"),
        ("gravity", "requested", "HTEST", "status-unknown"),
    ],
)
def test_what_can_not_have_come_about_is_for_a_person(vocabulary: str, ours: str, theirs: object, code: str) -> None:
    assert [one.code for one in reading(vocabulary, ours, theirs).reasons] == [code]  # type: ignore[arg-type]


def test_every_row_names_its_source() -> None:
    assert all(row.source for rows in STATUSES.values() for row in rows.values())
    assert {row.ours for rows in STATUSES.values() for row in rows.values()} < set(lifecycle.STATUSES)


def business(code: str, system: str = BSER_BUSINESS_STATUS) -> dict[str, object]:
    return {"status": "in-progress", "businessStatus": {"coding": [{"system": system, "code": code}]}}


def test_bser_5_2_is_the_hubs_own_question_and_no_answer() -> None:
    assert asked_back("bser", business("5.2"))
    assert not asked_back("gravity", business("5.2"))
    assert not asked_back("bser", business("5.1.1"))
    assert reading("bser", "accepted", "in-progress", old=True) == remote_status.Reading(())


@pytest.mark.parametrize("code", ["5.1.1", "5.1.2", "5.1.3", "5.1.4", "7.0"])
def test_a_business_status_of_bser_is_carried(code: str) -> None:
    assert own_business_status(business(code)) == business(code)["businessStatus"]


@pytest.mark.parametrize(
    "said", [business("2.0"), business("5.2"), business("x", BUSINESS_STATUS), {}, {"businessStatus": 1}]
)
def test_what_the_hub_itself_said_is_no_news(said: dict[str, object]) -> None:
    assert own_business_status(said) is None


def test_words_beside_the_hubs_code_are_kept() -> None:
    ours: dict[str, Any] = {**concept(BUSINESS_STATUS, "consent-needed")}
    both = {**ours, "coding": [*ours["coding"], {"system": BSER_BUSINESS_STATUS, "code": "5.1.1"}]}
    found = own_business_status({"businessStatus": both})
    assert found is not None
    assert [one["code"] for one in found["coding"]] == ["5.1.1"]
