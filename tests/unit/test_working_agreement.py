"""What two organisations agree: it is whole or refused, holds by the day, and makes a decision less and never more."""

import json
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.rules import consent
from app.rules.consent import Level, UnitStatus
from app.rules.consent_flaws import Party
from app.rules.working_agreement import NARROWS, narrowed
from schemas.discharge import ConsentGiven
from schemas.working_agreement import Meeting, WorkingAgreement

GUIDE = (Path(__file__).parents[2] / "docs" / "agreements.md").read_text(encoding="utf-8")
AGREEMENT, MEETING = [json.loads(body) for body in re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)]
LEVELS: tuple[Level, ...] = ("nothing", "offer", "packet")
NOW = datetime(2026, 6, 5, 18, tzinfo=UTC)


def agreement(**changes: Any) -> WorkingAgreement:
    return WorkingAgreement.model_validate(AGREEMENT | changes)


def test_it_holds_from_its_first_day_until_before_its_last() -> None:
    made = agreement()
    days = [date(2026, 5, 31), date(2026, 6, 1), date(2027, 5, 31), date(2027, 6, 1)]
    assert [made.in_force(day) for day in days] == [False, True, True, False]
    assert agreement(ends_on=None).in_force(date(2099, 1, 1))


def test_times_are_agreed_for_the_services_of_which_it_speaks() -> None:
    made = agreement()
    assert (made.minutes_for("moud-continuation", "stat"), made.minutes_for("moud-continuation", "asap")) == (30, None)
    assert made.minutes_for("peer-support", "stat") is None


def test_the_next_look_is_at_what_comes_first() -> None:
    assert agreement().next_look(date(2026, 6, 5)) == date(2027, 1, 15)
    assert agreement().next_look(date(2027, 1, 16)) == date(2027, 3, 1)
    assert agreement().next_look(date(2030, 1, 1)) == date(2027, 6, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"ends_on": "2026-06-01"},
        {"partner": "Mercy Hospital"},
        {"services": []},
        {"services": ["massage"]},
        {"response_minutes": {"stat": 0}},
        {"disclosure": {"to_partner": "everything"}},
        {"disclosure": {"to_hospital": "offer"}},
        {"from_partner": {"contacts": []}},
        {"colour": "blue"},
    ],
)
def test_what_is_not_whole_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        agreement(**wrong)


def test_a_meeting_is_followed_by_a_later_one() -> None:
    assert Meeting.model_validate(MEETING).next_on == date(2026, 7, 16)
    with pytest.raises(ValidationError):
        Meeting.model_validate(MEETING | {"next_on": MEETING["on"]})


@given(
    unit=st.sampled_from(["part2", "not-part2", "unknown"]),
    covered=st.booleans(),
    signed=st.booleans(),
    back=st.booleans(),
    most=st.sampled_from(LEVELS),
)
def test_it_never_shows_more_than_consent_does(
    *, unit: UnitStatus, covered: bool, signed: bool, back: bool, most: Level
) -> None:
    given_ = ConsentGiven(
        recipients=["Harbor OTP"], signed_at=NOW - timedelta(days=1), form="urn:htest:form:1", both_directions=True
    )
    mercy, harbor = Party("Mercy", "m", covered_entity=True), Party("Harbor OTP", "h", covered_entity=covered)
    before = consent.decide(
        unit_status=unit,
        discloser=harbor if back else mercy,
        recipient=mercy if back else harbor,
        need="moud-continuation",
        direction="back" if back else "to-recipient",
        consents=[given_] if signed else [],
        at=NOW,
    )
    after = narrowed(before, most)
    assert LEVELS.index(after.level) == min(LEVELS.index(before.level), LEVELS.index(most))
    assert (after == before) == (after.level == before.level)
    if after != before:
        assert (after.codes, after.legal_reason, after.consent, after.notice) == ((NARROWS,), None, None, None)
        assert after.cure
