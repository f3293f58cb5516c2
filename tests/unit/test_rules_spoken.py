"""What can't have been said so, and how a Task says that its answer was spoken."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from app.rules import spoken
from app.rules.telling import wait_after
from schemas.codes.local import SPOKEN
from schemas.partner import PartnerProfile

NOW = datetime(2026, 6, 5, 20, 40, 30, tzinfo=UTC)
ASKED = NOW - timedelta(minutes=10)


def exchange(**changes: Any) -> spoken.Exchange:
    told: dict[str, Any] = {"at": NOW, "how": "phone", "number": "+1 555 0100", "by": "HTEST Ng", **changes}
    return spoken.Exchange(**told)


def task(status: str, code: str | None = None) -> dict[str, Any]:
    other = {"system": "urn:htest", "code": "kept"}
    return spoken.with_mark({"id": "t", "status": status, "meta": {"tag": [other]}}, code)


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({}, []),
        ({"at": ASKED.replace(second=0)}, []),
        ({"at": ASKED - timedelta(minutes=1)}, ["before-asked"]),
        ({"at": NOW + timedelta(seconds=1)}, ["future"]),
        ({"number": ""}, ["required"]),
        ({"number": "call me"}, ["required"]),
        ({"number": "555-0100 x12"}, []),
        ({"number": "", "how": "in-person"}, []),
        ({"by": "  "}, ["required"]),
    ],
)
def test_what_can_not_be_is_named(changes: dict[str, Any], codes: list[str]) -> None:
    assert [one.code for one in spoken.faults(exchange(**changes), asked=ASKED, now=NOW)] == codes


def test_a_call_may_come_before_anybody_is_asked_but_not_years_ago() -> None:
    assert [*spoken.faults(exchange(at=NOW - timedelta(days=3)), asked=None, now=NOW)] == []
    old = exchange(at=NOW - timedelta(days=401))
    assert [one.code for one in spoken.faults(old, asked=None, now=NOW)] == ["too-old"]


def test_the_mark_is_one_tag_beside_those_of_others() -> None:
    marked = task("accepted", "recorded-by-phone")
    again = spoken.with_mark(marked, spoken.DISPUTED)
    assert [one["code"] for one in again["meta"]["tag"]] == ["kept", spoken.DISPUTED]
    assert again["meta"]["tag"][1]["system"] == SPOKEN
    assert spoken.with_mark(again, None) == task("accepted")
    assert spoken.with_mark({"meta": {}, "id": "t"}, None) == {"meta": {}, "id": "t"}


@pytest.mark.parametrize(
    ("effect", "role", "wanted", "mark"),
    [
        ({"status": "accepted"}, "owner", "recorded-by-phone", "recorded-by-phone"),
        ({}, "owner", "recorded-by-phone", "recorded-by-fax"),
        ({}, "owner", spoken.DISPUTED, spoken.DISPUTED),
        ({}, "owner", None, None),
        ({"status": "in-progress"}, "owner", None, None),
        ({"output": []}, "owner", None, None),
        ({"note": []}, "owner", None, "recorded-by-fax"),
        ({"note": []}, "requester", None, "recorded-by-fax"),
        ({"status": "cancelled"}, "requester", None, None),
    ],
)
def test_the_owner_speaks_for_itself(effect: dict[str, Any], role: Any, wanted: str | None, mark: str | None) -> None:
    assert spoken.next_mark(task("accepted", "recorded-by-fax"), effect, role=role, wanted=wanted) == mark


def test_the_hospitals_task_says_it_as_long_as_it_follows() -> None:
    source, phone = task("accepted"), "recorded-by-phone"
    before, after = task("requested"), task("accepted", phone)
    followed = spoken.on_source(source, before, after, follows=True)
    assert spoken.mark_of(followed) == phone
    assert spoken.mark_of(spoken.on_source(followed, after, task("accepted"), follows=False)) is None
    # Another child, which is not the one that it follows.
    lost = task("rejected", phone)
    assert spoken.on_source(followed, lost, task("rejected"), follows=False) is followed
    disputed = spoken.on_source(source, lost, task("rejected", spoken.DISPUTED), follows=False)
    assert spoken.mark_of(disputed) == spoken.DISPUTED


# ---- when a machine gives up


def test_waits_grow_and_end() -> None:
    waits = [wait_after(attempts) for attempts in range(1, 8)]
    assert waits == [30, 60, 120, 240, 480, None, None]


# ---- numbers that somebody vouches for

VOUCHED = {"number": "+15550100111", "attested_by": "HTEST Diaz", "attested_at": "2026-06-01"}


def test_a_number_is_used_only_where_somebody_vouches_for_it() -> None:
    assert not PartnerProfile(name="HTEST", receives_by=["sms"], sms=VOUCHED).by_hand
    assert not PartnerProfile(name="HTEST", receives_by=["poll"]).by_hand
    for told in (
        {"receives_by": ["fax"], "sms": VOUCHED},
        {"receives_by": ["poll", "manual"]},
        {"receives_by": ["sms"]},
    ):
        assert PartnerProfile(name="HTEST", **told).by_hand
    for wrong in (
        {"receives_by": ["pigeon"]},
        {"sms": {**VOUCHED, "number": "555-0100"}},
        {"sms": {"number": VOUCHED["number"]}},
        {"fax": {**VOUCHED, "attested_by": ""}},
    ):
        with pytest.raises(ValidationError):
            PartnerProfile(name="HTEST", **wrong)
