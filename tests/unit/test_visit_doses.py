"""What a source says anew replaces what it said before."""

from datetime import date, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from fhir_mappings.visits.visit_doses import standing
from schemas.discharge import Product
from schemas.dose_times import LONG_ACTING, between
from schemas.facts import Facts, GivenDose, VisitRecord
from tests.unit.stories import FILM, SUBLOCADE, assembled, at, dose

CHART, EVENTS = "hl7v2:a", "json:a"


def told(moment: str | date, charted: str, *, source: str | None = EVENTS, **more: Any) -> GivenDose:
    given = at(moment) if isinstance(moment, str) else moment
    product = more.pop("product", FILM)
    return GivenDose(
        key=f"{source}|{product.code}|{given}", at=given, charted_at=at(charted), source=source, product=product, **more
    )


def stand(*doses: GivenDose) -> list[date | datetime]:
    return [one.at for one in standing(VisitRecord(doses={one.key: one for one in doses}))]


@pytest.mark.parametrize("then", ["06-08 08:00", "06-08 21:00"], ids=["sooner", "later"])
def test_what_a_source_says_anew_replaces_what_it_said_before(then: str) -> None:
    first, corrected = told("06-08 09:15", "06-08 10:00"), told(then, "06-08 11:00")
    assert stand(first, corrected) == stand(corrected, first) == [at(then)]


def test_a_time_on_a_day_that_was_told_before_is_the_same_dose() -> None:
    assert stand(told(date(2026, 6, 8), "06-08 10:00"), told("06-08 19:00", "06-08 20:00")) == [at("06-08 19:00")]


@pytest.mark.parametrize(
    "other",
    [
        told("06-07 20:00", "06-08 11:00"),
        told("06-08 08:00", "06-08 10:00"),
        told("06-08 08:00", "06-08 11:00", source="json:b"),
        told("06-08 08:00", "06-08 11:00", source=None),
        told("06-08 08:00", "06-08 11:00", source=CHART),
        told("06-08 08:00", "06-08 11:00", product=SUBLOCADE),
        told("06-08 08:00", "06-08 11:00", held=True),
        told("06-08 03:00", "06-08 11:00", interval="PT12H"),
    ],
    ids=["the day before", "one event", "another source", "none known", "chart", "another drug", "held", "split"],
)
def test_another_dose_replaces_nothing(other: GivenDose) -> None:
    assert len(stand(told("06-08 09:15", "06-08 10:00"), other)) == 2


def test_an_injection_is_corrected_by_days() -> None:
    first = told("06-08 09:00", "06-08 10:00", product=SUBLOCADE)
    assert stand(first, told("06-03 09:00", "06-09 10:00", product=SUBLOCADE)) == [at("06-03 09:00")]
    assert len(stand(first, told("05-11 09:00", "06-09 10:00", product=SUBLOCADE))) == 2


def test_a_chart_states_each_dose_by_itself_and_replaces_one_where_it_says_so() -> None:
    first = told("06-08 09:15", "06-08 10:00", source=CHART)
    assert len(stand(first, told("06-08 08:00", "06-08 11:00", source=CHART))) == 2
    assert stand(first, told("06-08 08:00", "06-08 11:00", source=CHART, updates=True)) == [at("06-08 08:00")]


def test_a_dose_that_is_stated_anew_at_its_own_time_replaces_no_other() -> None:
    own = dose("06-08 10:00", "06-08 09:15", FILM)
    other = dose("06-08 11:00", "06-08 08:45", FILM)
    anew = dose("06-08 12:00", "06-08 09:15", FILM)
    (stated,) = anew.doses
    anew = anew.model_copy(update={"doses": [stated.model_copy(update={"updates": True})]})
    for messages in permutations([own, other, anew]):
        assert len(standing(assembled(*(_charted(one) for one in messages)))) == 2
    for messages in permutations([other, anew]):
        (only,) = standing(assembled(*(_charted(one) for one in messages)))
        assert only.at == at("06-08 09:15")


def _charted(message: Facts) -> Facts:
    return message.model_copy(update={"doses": [one.model_copy(update={"source": CHART}) for one in message.doses]})


def test_what_was_taken_back_is_gone_and_what_was_held_stays() -> None:
    gone = told("06-08 09:15", "06-08 10:00", source=CHART, deleted=True)
    held = told("06-08 09:30", "06-08 10:00", source=CHART, held=True)
    assert stand(gone, held) == [at("06-08 09:30")]


def test_a_schedule_that_no_daily_drug_has_makes_no_two_days_one_dose() -> None:
    doses = [told(f"06-0{day} 09:00", f"06-0{day} 10:00", interval="P28D") for day in (6, 7, 8)]
    assert len(stand(*doses)) == 3


def test_all_doses_of_one_statement_stand_and_give_way_to_those_of_the_next() -> None:
    first = [told(f"06-08 {hour:02}:{minute:02}", "06-08 23:00") for hour in range(20) for minute in range(50)]
    then = [told(f"06-08 {hour:02}:55", "06-08 23:30") for hour in range(20)]
    assert len(stand(*first)) == 1000
    assert stand(*first, *then) == [one.at for one in then]


def test_injections_are_as_far_apart_as_the_labels_say() -> None:
    told = {name: between(name, timedelta(days=1)) for name in LONG_ACTING}
    assert told == {name: timedelta(days=window.due) for name, window in LONG_ACTING.items()}


def test_products_are_told_apart_by_drug_not_by_spelling() -> None:
    tablet = Product(system=FILM.system, code="351267", display="buprenorphine / naloxone Sublingual Tablet")
    assert stand(told("06-08 09:15", "06-08 10:00"), told("06-08 08:00", "06-08 11:00", product=tablet)) == [
        at("06-08 08:00")
    ]
