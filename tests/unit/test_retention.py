"""Who is asked about whom in which week: in order, once a week, no dose where none is given, silence is no yes."""

from datetime import date, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules.retention import (
    DAYS,
    GONE,
    LISTS,
    POINTS,
    Followed,
    Point,
    Said,
    answered,
    answers,
    asked_on,
    output_of,
    said_in,
    standing,
    still_here,
    weekly,
    who_doses,
)
from schemas.discharge import NeedKind
from schemas.hours import WEEKDAYS

MONDAY = date(2026, 6, 8)
ASKED = date(2026, 6, 5)


def week(number: int) -> date:
    return MONDAY + timedelta(weeks=number)


CAME = Said("arrival", "arrived", ASKED)
DOSED = Said("first-dose", "first-dose-given", ASKED)


@pytest.mark.parametrize(
    ("doses", "said", "monday", "point"),
    [
        (True, [], 0, "arrival"),
        (True, [], LISTS - 1, "arrival"),
        (True, [], LISTS, None),
        (True, [CAME], 0, "first-dose"),
        (False, [CAME], 0, None),
        (False, [CAME], 1, "day-7"),
        (True, [DOSED], 0, None),
        (True, [CAME, DOSED], 1, "day-7"),
        (True, [Said("arrival", "arrived", ASKED), Said("first-dose", "first-dose-given", week(2))], 2, None),
        (True, [Said("arrival", "arrived", ASKED), Said("first-dose", "first-dose-given", week(2))], 3, "day-7"),
        (False, [CAME], 4, "day-30"),
        (False, [CAME, Said("day-7", "in-care", week(1))], 2, None),
        (False, [CAME, Said("day-7", "in-care", week(1))], 4, "day-30"),
        (False, [CAME, Said("day-30", "in-care", week(4))], 5, None),
        (False, [CAME], 13, "day-90"),
        (False, [CAME], 12, None),
        (False, [CAME], 26, "day-180"),
        (False, [CAME], 26 + LISTS, None),
        (False, [CAME, Said("day-7", "left", week(1))], 5, None),
        (False, [CAME, Said("day-7", "left", week(1)), Said("day-7", "in-care", week(2))], 4, "day-30"),
        (True, [Said("arrival", "no-show", week(0))], 1, None),
        (True, [CAME, Said("first-dose", "transferred", week(0))], 9, None),
    ],
)
def test_what_is_asked_in_which_week(*, doses: bool, said: list[Said], monday: int, point: Point | None) -> None:
    assert standing(Followed(ASKED, doses, said), week(monday)).point == point


@pytest.mark.parametrize("answer", sorted(GONE))
def test_who_is_gone_is_asked_about_no_more_and_was_not_kept(answer: str) -> None:
    said = [CAME, Said("day-30", answer, week(5))]
    found = [standing(Followed(ASKED, doses=False, said=said), week(number)) for number in range(40)]
    assert {one.codes for one in found} == {("gone",)}
    assert found[-1].unknown == ("day-7",)


def test_silence_is_unknown_and_never_in_care() -> None:
    found = standing(Followed(ASKED, doses=False, said=[CAME]), week(60))
    assert (found.point, found.unknown) == (None, tuple(DAYS))
    late = [CAME, Said("day-180", "in-care", week(59))]
    assert standing(Followed(ASKED, doses=False, said=late), week(60)).unknown == ("day-7", "day-30", "day-90")


def test_one_person_stands_on_a_list_once_however_many_things_are_asked_for_them() -> None:
    mine = [("p", "t1", Followed(ASKED, doses=True)), ("p", "t2", Followed(ASKED, doses=False))]
    assert list(weekly([*mine, ("q", "t3", Followed(ASKED, doses=False))], week(0))) == ["t1", "t3"]
    told = [("p", "t1", Followed(ASKED, doses=True, said=[Said("arrival", "arrived", ASKED, week(0))])), mine[1]]
    assert weekly(told, week(0)) == {}
    assert list(weekly(told, week(1))) == ["t1"]


@pytest.mark.parametrize("name", WEEKDAYS)
def test_the_list_of_a_week_is_that_of_its_weekday(name: Any) -> None:
    for number in range(21):
        today = MONDAY + timedelta(days=number)
        found = asked_on(name, today)
        assert (WEEKDAYS[found.weekday()], 0 <= (today - found).days < 7) == (name, True)


@pytest.mark.parametrize("need", get_args(NeedKind))
def test_only_who_doses_is_asked_about_doses(need: str) -> None:
    assert who_doses(need, [need]) is (need == "moud-continuation")
    assert not who_doses("moud-continuation", ["peer-support", "recovery-housing"])


@pytest.mark.parametrize("point", POINTS)
def test_every_answer_is_read_from_the_output_that_says_it(point: Point) -> None:
    assert {said_in(output_of(point, one)) for one in answers(point)} == {(point, one) for one in answers(point)}
    assert still_here(point) == (None if point == "first-dose" else answers(point)[0])


@pytest.mark.parametrize(
    ("status", "point", "answer", "becomes"),
    [
        ("accepted", "arrival", "arrived", "in-progress"),
        ("accepted", "arrival", "no-show", "accepted"),
        ("accepted", "arrival", "declined-by-person", "failed"),
        ("in-progress", "first-dose", "first-dose-given", "completed"),
        ("in-progress", "day-7", "in-care", "in-progress"),
        ("completed", "day-30", "left", "completed"),
        ("completed", "arrival", "no-show", "completed"),
    ],
)
def test_a_word_of_the_person_moves_the_task_that_waits_for_it(
    status: str, point: Point, answer: str, becomes: str
) -> None:
    task = answered({"status": status}, point, answer)
    assert (task["status"], said_in(task["output"][-1])) == (becomes, (point, answer))
    assert ("statusReason" in task) is (becomes == "failed")


# ---- whatever partners say


SAID = st.sampled_from([(point, answer) for point in POINTS for answer in answers(point)])


@given(doses=st.booleans(), told=st.dictionaries(st.integers(0, 45), SAID, max_size=12))
def test_week_after_week(*, doses: bool, told: dict[int, tuple[Point, str]]) -> None:
    """Whatever is answered: nobody is asked about doses who gives none, nor twice in a week, nor what is known."""
    said: list[Said] = []
    asked: dict[Point, int] = dict.fromkeys(POINTS, 0)
    for number in range(46):
        found = standing(Followed(ASKED, doses, tuple(said)), week(number))
        if found.point is not None:
            assert doses or found.point != "first-dose"
            assert found.point not in {one.point for one in said if one.answer == answers(one.point)[0]}
            assert not said or said[-1].answer not in GONE
            assert found.point not in found.unknown
            asked[found.point] += 1
        if number in told:
            said.append(Said(*told[number], day=week(number), week=week(number)))
            assert standing(Followed(ASKED, doses, tuple(said)), week(number)).point is None
    if not told:
        assert asked["arrival"] == sum(asked.values()) == LISTS


@given(doses=st.booleans(), silent=st.sets(st.integers(0, 45)))
def test_who_is_asked_and_answers_is_known_at_every_day(*, doses: bool, silent: set[int]) -> None:
    """A partner that says of everybody on its list that they are there has told of a day, or it is unknown."""
    said: list[Said] = []
    for number in range(46):
        found = standing(Followed(ASKED, doses, tuple(said)), week(number))
        if found.point is not None and number not in silent:
            said.append(Said(found.point, answers(found.point)[0], week(number), week(number)))
    over = standing(Followed(ASKED, doses, tuple(said)), week(60))
    known = {one.point for one in said}
    assert known.isdisjoint(over.unknown)
    if "arrival" in known and (not doses or "first-dose" in known):
        assert known | set(over.unknown) >= set(DAYS)
