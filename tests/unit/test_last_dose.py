"""Which dose was the last, by every reading of what is charted."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.rules.last_dose import Charted, Found, last_dose

NEW_YORK = ZoneInfo("America/New_York")
FILM, METHADONE, SUBLOCADE = "bup-daily", "methadone-daily", "bup-lai-monthly-sublocade"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=UTC)


def dose(at: str, product: str = FILM, **more: Any) -> Charted:
    return Charted(utc(at), product, more.pop("stated_at", utc("06-08 18:00")), **more)


def found(*doses: Charted, **more: Any) -> Found:
    result = last_dose(doses, product_class=more.pop("product_class", FILM), zone=NEW_YORK, **more)
    assert result is not None
    return result


def test_the_newest_dose_is_the_last_and_those_before_it_are_told() -> None:
    days = [dose(f"06-0{day} 13:00") for day in range(1, 8)]
    ((plain,), doubts) = found(*reversed(days))
    assert (plain.at, plain.earlier, doubts) == (days[-1].at, (days[5].at, days[4].at, days[3].at), ())


def test_without_a_dose_of_the_product_there_is_none() -> None:
    assert last_dose([], product_class=FILM, zone=NEW_YORK) is None
    assert last_dose([dose("06-08 13:00", METHADONE)], product_class=FILM, zone=NEW_YORK) is None


@pytest.mark.parametrize("year", [1, 1899, 9001, 9999])
def test_a_dose_beyond_the_calendar_is_not_left_out_silently(year: int) -> None:
    odd = Charted(date(year, 1, 1), FILM, utc("06-08 13:00"))
    ((alone,), _) = found(odd)
    assert alone.at == odd.at
    known = dose("06-08 13:00")
    ((plain, *_), _) = found(known, odd)
    assert [plain.at, *plain.earlier] == ([known.at, odd.at] if year < 2000 else [odd.at, known.at])


# ---- two sources


def test_two_sources_that_tell_the_last_dose_differently_are_read_both_ways() -> None:
    chart, letter = dose("06-08 13:15", source="hl7v2:a"), dose("06-08 12:50", source="json:a")
    readings, doubts = found(dose("06-07 13:00", source="hl7v2:a"), chart, letter)
    assert doubts == ("conflicting-last-dose",)
    assert [one.at for one in readings] == [chart.at, letter.at]


@pytest.mark.parametrize(
    "other",
    [
        dose("06-08 13:15", source="json:a"),
        dose("06-07 13:15", source="json:a"),
        dose("06-08 12:50", source="hl7v2:a"),
        dose("06-08 12:50"),
        Charted(date(2026, 6, 8), FILM, utc("06-08 18:00"), "json:a"),
    ],
    ids=["the same time", "the day before", "the same source", "no source known", "the day alone"],
)
def test_no_contradiction(other: Charted) -> None:
    readings, doubts = found(dose("06-08 13:15", source="hl7v2:a"), other)
    assert (doubts, readings[0].at) == ((), utc("06-08 13:15"))


def test_another_day_without_a_time_contradicts() -> None:
    # Midnight in New York begins the day that the chart does not know.
    other = Charted(date(2026, 6, 8), FILM, utc("06-08 18:00"), "json:a")
    assert found(dose("06-07 23:30", source="hl7v2:a"), other).doubts == ("conflicting-last-dose",)


def test_a_split_dose_of_another_source_is_another_dose() -> None:
    doses = dose("06-08 12:00", source="hl7v2:a"), dose("06-08 00:00", source="json:a")
    assert found(*doses, interval=timedelta(hours=12)).doubts == ()


def test_of_a_monthly_product_two_weeks_apart_is_one_dose_told_twice() -> None:
    one, other = dose("06-08 13:00", SUBLOCADE, source="a"), dose("05-29 13:00", SUBLOCADE, source="b")
    assert found(one, other, product_class=SUBLOCADE).doubts == ("conflicting-last-dose",)
    far = dose("05-10 13:00", SUBLOCADE, source="b")
    assert found(one, far, product_class=SUBLOCADE).doubts == ()


@pytest.mark.parametrize("left", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59+14:00"])
def test_a_discharge_at_the_edge_of_the_calendar_is_one_like_others(left: str) -> None:
    assert found(dose("06-08 13:00"), left_at=datetime.fromisoformat(left)).doubts != ()


# ---- too old


@pytest.mark.parametrize(("product", "days"), [(FILM, 45), (METHADONE, 45), (SUBLOCADE, 366)])
def test_a_last_dose_too_long_before_the_person_left_is_implausible(product: str, days: int) -> None:
    last = dose("01-02 13:00", product)
    left = utc("01-02 13:00") + timedelta(days=days)
    assert found(last, product_class=product, left_at=left).doubts == ()
    assert found(last, product_class=product, left_at=left + timedelta(hours=1)).doubts == ("implausible-last-dose",)
    assert found(last, product_class=product).doubts == ()


# ---- after the discharge


def test_a_dose_after_the_discharge_is_read_both_ways() -> None:
    before, after = dose("06-08 13:00"), dose("06-08 20:00")
    readings, doubts = found(before, after, left_at=utc("06-08 18:00"))
    assert (doubts, [one.at for one in readings]) == (("dose-after-discharge",), [after.at, before.at])


def test_charting_that_runs_late_is_no_dose_after_the_discharge() -> None:
    assert found(dose("06-08 19:00"), left_at=utc("06-08 18:00")).doubts == ()


def test_where_it_is_the_only_dose_it_stands_and_is_doubted() -> None:
    readings, doubts = found(dose("06-08 20:00"), left_at=utc("06-08 18:00"))
    assert (doubts, [one.at for one in readings]) == (("dose-after-discharge",), [utc("06-08 20:00")])


# ---- two products


def test_a_change_of_product_is_no_contradiction() -> None:
    doses = dose("06-05 13:00", METHADONE), dose("06-06 13:00", METHADONE), dose("06-08 13:00")
    readings, doubts = found(*doses)
    assert (doubts, len(readings), readings[0].product_class) == ((), 1, FILM)


def test_two_products_in_turn_are_read_both_ways() -> None:
    doses = dose("06-06 13:00"), dose("06-07 13:00", METHADONE), dose("06-08 13:00")
    readings, doubts = found(*doses)
    assert doubts == ("interleaved-products",)
    assert [(one.product_class, one.at) for one in readings] == [(FILM, doses[2].at), (METHADONE, doses[1].at)]


def test_another_product_after_the_last_dose_is_one_in_turn_too() -> None:
    assert found(dose("06-07 13:00"), dose("06-08 13:00", METHADONE)).doubts == ("interleaved-products",)


def test_all_that_is_wrong_is_said() -> None:
    doses = (
        dose("06-07 13:00", source="hl7v2:a"),
        dose("06-08 02:00", METHADONE, source="hl7v2:a"),
        dose("06-08 20:00", source="hl7v2:a"),
        dose("06-08 19:30", source="json:b"),
    )
    readings, doubts = found(*doses, left_at=utc("06-08 18:00"))
    assert doubts == ("conflicting-last-dose", "dose-after-discharge", "interleaved-products")
    assert {one.at for one in readings} == {one.at for one in doses}
