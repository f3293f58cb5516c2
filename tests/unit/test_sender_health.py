"""How a sender is compared with itself, and how its messages are counted."""

from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest

from app.core.clock import micros
from app.services.intake.intake_reading import Arrival, Inbound, Refusal
from app.services.intake.sender_counts import HOUR, MORE, SenderCounts, bucket
from app.services.senders.sender_health import (
    ALARM,
    Health,
    Percentiles,
    UnclassifiedUnit,
    expected,
    gauges,
    percentiles,
    spans_before,
    weeks_before,
)
from app.store.health import Span
from schemas.facts import Facts
from schemas.sender import Sender
from tests.unit.stories import LISINOPRIL, admit, facts, order, stay

NEW_YORK = ZoneInfo("America/New_York")
NOWHERE: Any = None
"""A database that nothing is written to."""
NOW = micros(datetime(2026, 6, 10, 14, 30, tzinfo=UTC))


class Code(NamedTuple):
    kind: str
    code: str


def us(text: str) -> int:
    return micros(datetime.fromisoformat(text))


def arrival(message: Facts, received: int = NOW, **more: Any) -> Arrival:
    sender = Sender(
        id="htest-adt",
        organization="o1",
        dialect="adt_generic",
        timezone="America/New_York",
        units={"4W": "not-part2"},
    )
    fields: dict[str, Any] = {
        "ledger": "l1",
        "inbound": Inbound(b"", (sender,), received),
        "sender": sender,
        "source": "hl7v2",
        "facts": message,
        "signal": False,
        "test": False,
        "key": "1",
        "mac": "m",
        "numbers": (),
        "persons": (),
        "message_type": message.trigger,
    }
    return Arrival(**{**fields, **more})


def counts_of(*readings: Arrival | Refusal, state: str = "not-ours", **more: Any) -> dict[tuple[str, str], int]:
    counts = SenderCounts(NOWHERE)
    for reading in readings:
        counts.note(reading, state, "no-signal", **more)
    found: dict[tuple[str, str], int] = {}
    for (_, what, _, code), number in counts._gathered.items():
        found[what, code] = found.get((what, code), 0) + number
    return found


def test_a_week_earlier_is_the_same_time_on_the_clock_across_a_change_of_it() -> None:
    # Clocks went back on 1 November 2026 in New York.
    assert weeks_before(us("2026-11-04T09:00:00-05:00"), 1, NEW_YORK) == us("2026-10-28T09:00:00-04:00")
    assert weeks_before(us("2026-11-04T09:00:00-05:00"), 4, NEW_YORK) == us("2026-10-07T09:00:00-04:00")


def test_what_is_expected_is_the_mean_of_the_weeks_before() -> None:
    span = Span(us("2026-06-10T12:00:00+00:00"), us("2026-06-10T13:00:00+00:00"))
    spans = spans_before(span, NEW_YORK)
    hours = {one.start: number for one, number in zip(spans, (10, 20, 30, 40), strict=True)}
    assert expected(hours, spans[3].start, spans) == pytest.approx(25)
    assert expected(hours, spans[1].start, spans) == pytest.approx(15)


def test_with_less_than_two_weeks_of_history_nothing_is_expected() -> None:
    spans = spans_before(Span(NOW - HOUR, NOW), NEW_YORK)
    hours = {spans[0].start - spans[0].start % HOUR: 100}
    assert expected(hours, None, spans) is None
    assert expected(hours, spans[0].start - HOUR, spans) is None
    assert expected(hours, spans[1].start - HOUR, spans) is not None


def test_an_hour_that_is_cut_counts_in_proportion() -> None:
    start = us("2026-06-03T12:00:00+00:00")
    spans = [Span(start + HOUR // 2, start + HOUR), Span(start - 7 * 24 * HOUR, start - 7 * 24 * HOUR + HOUR // 4)]
    assert expected({start: 100, start - 7 * 24 * HOUR: 40}, 0, spans) == pytest.approx((50 + 10) / 2)


def test_the_alarm_is_where_no_message_by_chance_is_less_likely_than_one_in_a_thousand() -> None:
    assert 2.718281828**-ALARM < 0.001
    assert 2.718281828 ** -(ALARM - 0.2) > 0.001


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (0, "0"),
        (7, "7"),
        (-3, "-3"),
        (13, "15"),
        (100, "90"),
        (3601, "3600"),
        (-4 * 3600 + 60, "-14400"),
        (86_700, "86400"),
        (9_999_999, "604800"),
        (-9_999_999, "-604800"),
    ],
)
def test_durations_are_rounded_so_that_few_remain(seconds: int, code: str) -> None:
    assert bucket(seconds) == code


def test_percentiles_are_those_of_the_counted_values() -> None:
    assert percentiles({"2": 90, "-1": 6, "600": 4}) == Percentiles(100, 2, 2)
    assert percentiles({"2": 90, "600": 10}) == Percentiles(100, 2, 600)
    assert percentiles({}) is None


def test_a_message_is_counted_with_its_delay_and_a_unit_that_nobody_classified() -> None:
    message = admit("06-10 10:29").model_copy(update={"visit": stay(unit="9X")})
    sent = datetime(2026, 6, 10, 14, 29, 55, tzinfo=UTC)
    codes = [Code("drug", "NF0099"), Code("drug", "NF0099"), Code("class", "ZZ")]
    assert counts_of(arrival(message), unmapped=codes, sent_at=sent) == {
        ("message", "-"): 1,
        ("latency", "60"): 1,
        ("unit", "9X"): 1,
        ("skew", "5"): 1,
        ("unmapped-drug", "NF0099"): 2,
        ("unmapped-class", "ZZ"): 1,
    }


def test_a_classified_unit_and_a_time_of_sending_are_not_told() -> None:
    assert set(counts_of(arrival(admit("06-10 10:29")))) == {("message", "-"), ("latency", "60")}
    order_message = order("06-10 10:29", LISINOPRIL)
    assert set(counts_of(arrival(order_message))) == {("message", "-")}


def test_what_is_decided_again_is_not_counted_again() -> None:
    again = arrival(admit("06-10 10:29"))
    inbound = Inbound(b"", again.inbound.senders, NOW, replay_of="l1")
    assert counts_of(again._replace(inbound=inbound)) == {}


def test_a_refusal_is_counted_by_its_reason_also_when_it_is_nobodys() -> None:
    counts = SenderCounts(NOWHERE)
    refusal = Refusal("l1", Inbound(b"", (), NOW), "AR", "unknown-sender", "text", None, None)
    counts.note(refusal, "rejected", "unknown-sender")
    hour = NOW - NOW % HOUR
    assert dict(counts._gathered) == {
        ("-", "message", hour, "-"): 1,
        ("-", "rejected", hour, "unknown-sender"): 1,
    }


def test_codes_without_end_fill_no_table() -> None:
    codes = [Code("drug", f"X{n}") for n in range(1500)]
    found = counts_of(arrival(facts("RDE^O11", "order", "06-10 10:29")), unmapped=codes)
    assert len([key for key in found if key[0] == "unmapped-drug"]) == 1001
    assert found["unmapped-drug", MORE] == 500


def test_what_has_not_the_shape_of_a_code_is_not_repeated() -> None:
    message = admit("06-10 10:29").model_copy(update={"visit": stay(unit="HTEST Sam, bed 3")})
    found = counts_of(arrival(message), unmapped=[Code("class", "HTEST Sam")])
    assert found["unit", "(no code)"] == found["unmapped-class", "(no code)"] == 1
    assert not any("HTEST" in code for _, code in found)


def test_gauges_have_no_label_but_the_sender() -> None:
    one = Health(
        "a", silent_since=5_000_000, last_message=5_000_000, rejected={"x": 2}, units=[UnclassifiedUnit("9X", 1, 2)]
    )
    found = {gauge.name: gauge.values for gauge in gauges([one, Health(None, rejected={"unknown-sender": 1})])}
    assert found["throughline_sender_silent"] == {"a": True}
    assert found["throughline_sender_last_message_timestamp_seconds"] == {"a": 5.0}
    assert found["throughline_sender_rejected_7d"] == {"a": 2}
    assert found["throughline_sender_unclassified_units"] == {"a": 1}
    assert found["throughline_sender_clock_skew_seconds"] == {}
