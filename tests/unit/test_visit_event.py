"""Drawing the event from a visit."""

from datetime import UTC, date, datetime

import pytest

from fhir_mappings.triage import judge
from fhir_mappings.visits.visit import as_event, ends_before_it_begins, interval_hours, last_dose, product_key
from schemas.codes.tables import RXNORM
from schemas.discharge import (
    Circumstances,
    Clinical,
    Coding,
    DischargeEvent,
    Dose,
    Need,
    Product,
    VisitDetails,
)
from schemas.facts import Facts, Order, Supply, VisitRecord
from tests.unit.stories import (
    BELBUCA,
    FILM,
    LISINOPRIL,
    METHADONE,
    NALOXONE,
    STORIES,
    Story,
    admit,
    assembled,
    at,
    both_ways,
    dose,
    facts,
    leave,
    order,
    supply,
)

NOW = datetime(2026, 6, 9, 12, tzinfo=UTC)


def event_of(*messages: Facts) -> DischargeEvent:
    return as_event(assembled(*messages), event_id="HTEST-1", occurred_at=NOW)


@pytest.mark.parametrize("story", [story for story in STORIES if story.clock], ids=lambda story: story.name)
def test_a_story_has_its_last_dose_and_bridge(story: Story) -> None:
    record = assembled(*story.messages)
    event = as_event(record, event_id="HTEST-1", occurred_at=NOW)
    for source in (record, event):
        last = last_dose(source)
        assert last is not None
        assert last.at == story.last
    bridges = [bridge for medication in event.medications for bridge in medication.bridges]
    assert [bridge.model_dump(exclude_none=True, exclude={"start"}) for bridge in bridges] == [
        {"filled": "unknown", **expected} for expected in story.bridges
    ]
    assert [need.kind for need in event.needs] == ["moud-continuation"]
    assert event.kind == "discharge"


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_the_event_of_a_story_survives_its_own_schema(story: Story) -> None:
    event = event_of(*story.messages)
    assert DischargeEvent.model_validate_json(event.model_dump_json(by_alias=True)) == event


def test_a_dispense_that_was_cancelled_is_no_supply() -> None:
    taken_back = Supply(key="O2|1", order="O2", product=FILM, at=at("06-08 14:00"), withdrawn=True)
    cancelled = facts("RDS^O13", "supply", "06-08 14:00", supplies=[taken_back])
    record = both_ways(supply("06-08 13:40", FILM), cancelled)
    assert as_event(record, event_id="e", occurred_at=NOW).medications == []
    assert judge(record).outcome == "not-ours"
    prescribed = order("06-08 13:20", FILM, days=7, home=True, key="O2")
    bridges = event_of(prescribed, supply("06-08 13:40", FILM), cancelled).medications[0].bridges
    assert [bridge.kind for bridge in bridges] == ["prescribed"]


def test_a_held_dose_of_an_event_is_not_the_last() -> None:
    event = event_of(dose("06-08 09:20", "06-08 09:15", FILM))
    held = Dose(at=at("06-09 09:00"), held=True)
    event.medications[0].doses.append(held)
    last = last_dose(event)
    assert last is not None
    assert last.at == at("06-08 09:15")


def test_a_dispense_supersedes_the_prescription_of_its_order() -> None:
    prescribed = order("06-08 13:20", FILM, days=7, home=True, key="O2")
    filled = supply("06-08 13:40", FILM, key="O2")
    for messages in ((prescribed, filled), (filled, prescribed)):
        bridges = event_of(*messages).medications[0].bridges
        assert [(bridge.kind, bridge.days) for bridge in bridges] == [("dispensed", 3)]
    same_key = Supply(key="O2", product=FILM, at=at("06-08 13:40"), days=3)
    bare = facts("RDS^O13", "supply", "06-08 13:40", supplies=[same_key])
    assert [bridge.kind for bridge in event_of(prescribed, bare).medications[0].bridges] == ["dispensed"]
    other = supply("06-08 13:40", FILM, key="O9")
    assert [b.kind for b in event_of(prescribed, other).medications[0].bridges] == ["dispensed", "prescribed"]


def test_an_inpatient_order_and_a_withdrawn_prescription_are_no_bridge() -> None:
    assert event_of(order("06-06 12:00", FILM, days=3)).medications[0].bridges == []
    dropped = order("06-08 13:30", FILM, days=7, home=True, key="O2", withdrawn=True)
    assert event_of(order("06-06 12:00", FILM), dropped).medications[0].bridges == []


@pytest.mark.parametrize(
    ("interval", "days", "doses", "expected"),
    [
        ("PT24H", 3, None, (3, None)),
        ("P7D", 7, None, (7, None)),
        (None, 3, None, (3, None)),
        ("PT12H", 3, None, (None, 6)),
        ("PT8H", 2, None, (None, 6)),
        ("PT12H", None, 4, (None, 4)),
        ("PT12H", 3, 5, (None, 5)),
        ("PT12H", None, None, (None, None)),
        ("PT24H", None, 3, (None, 3)),
        ("PT24H", 3, 3, (3, None)),
        ("PT1H", 300, None, (300, None)),  # more doses than any supply holds: the days are what was said
    ],
)
def test_a_bridge_counts_days_or_where_doses_are_split_doses(
    interval: str | None, days: int | None, doses: int | None, expected: tuple[int | None, int | None]
) -> None:
    one = Supply(key="S", product=METHADONE, at=at("06-08 13:40"), days=days, doses=doses, interval=interval)
    bridge = event_of(facts("RDS^O13", "supply", "06-08 13:40", supplies=[one])).medications[0].bridges[0]
    assert (bridge.days, bridge.doses) == expected


def test_a_bridge_without_its_own_interval_takes_that_of_the_orders() -> None:
    messages = (order("06-06 12:00", METHADONE, "PT12H"), supply("06-08 13:40", METHADONE, interval=None))
    medication = event_of(*messages).medications[0]
    assert medication.bridges[0].doses == 6
    assert medication.schedule is not None
    assert medication.schedule.interval == "PT12H"


def test_the_schedule_is_that_of_the_newest_standing_order() -> None:
    messages = (
        order("06-06 12:00", METHADONE, "PT24H"),
        order("06-07 12:00", METHADONE, "PT12H", key="O3"),
        order("06-08 12:00", METHADONE, "PT8H", key="O4", withdrawn=True),
        order("06-08 13:00", METHADONE, "PT6H", key="O5", home=True),
    )
    schedule = event_of(*messages).medications[0].schedule
    assert schedule is not None
    assert schedule.interval == "PT12H"


def test_facts_about_one_product_are_one_medication_whatever_code_names_it() -> None:
    renamed = Product(system="urn:local:drugs", code="L1", alternates=[Coding(system=RXNORM, code="1010604")])
    event = event_of(
        order("06-06 12:00", renamed), dose("06-08 09:20", "06-08 09:15", FILM), supply("06-08 13:40", FILM)
    )
    assert len(event.medications) == 1
    assert product_key(renamed) == product_key(FILM)
    assert event.medications[0].product == FILM
    assert product_key(Product(system=None, code="x")) == "|x"


def test_other_drugs_stay_out_and_naloxone_is_a_circumstance() -> None:
    event = event_of(
        order("06-06 12:00", LISINOPRIL, key="O7"), order("06-06 12:00", FILM), supply("06-08 13:40", NALOXONE)
    )
    assert [medication.product.code for medication in event.medications] == ["1010604"]
    assert event.naloxone_given is True
    in_emergency = event_of(dose("06-08 09:20", "06-08 09:15", NALOXONE, 4))
    assert in_emergency.naloxone_given is None


def test_what_is_ordered_next_and_the_number_of_the_dose_reach_the_event() -> None:
    one = Order(key="O1", product=FILM, at=at("06-06 12:00"), next_due_ordered=date(2026, 6, 10), dose_number=2)
    medication = event_of(facts("event", "discharge", "06-06 12:00", orders=[one])).medications[0]
    assert (medication.next_due_ordered, medication.dose_number) == (date(2026, 6, 10), 2)


def test_diagnosis_codes_fill_in_overdose_pregnancy_and_homelessness() -> None:
    event = event_of(leave("06-08 14:20", "06-08 14:10", "T40.411A", "O99.320", "Z59.02"))
    assert event.clinical.overdose_this_visit is True
    assert event.clinical.pregnant is True
    assert event.patient.homeless is True
    silent = event_of(leave("06-08 14:20", "06-08 14:10", "F11.20"))
    assert (silent.clinical.overdose_this_visit, silent.clinical.pregnant, silent.patient.homeless) == (
        None,
        None,
        None,
    )


def test_a_stated_circumstance_outranks_what_a_code_would_say() -> None:
    stated = Circumstances(clinical=Clinical(overdose_this_visit=False))
    event = event_of(
        leave("06-08 14:20", "06-08 14:10", "T40.411A"), facts("event", "update", "06-08 15:00", circumstances=stated)
    )
    assert event.clinical.overdose_this_visit is False


def test_stated_needs_are_kept_and_only_medication_brings_a_need_of_its_own() -> None:
    asked = Circumstances(needs=[Need(kind="recovery-housing")])
    event = event_of(order("06-06 12:00", FILM), facts("event", "update", "06-08 15:00", circumstances=asked))
    assert [need.kind for need in event.needs] == ["recovery-housing"]
    assert event_of(admit("06-06 10:00", "F11.20")).needs == []
    assert event_of(order("06-06 12:00", BELBUCA)).needs == []


def test_a_test_message_makes_a_test_event() -> None:
    assert both_ways(admit("06-06 10:00"), facts("ADT^A08", "update", "06-07 10:00", test=True)).test
    assert event_of(facts("ADT^A01", "admit", "06-06 10:00", test=True)).test


@pytest.mark.parametrize(
    ("interval", "hours"),
    [
        ("PT24H", 24),
        ("PT12H", 12),
        ("P7D", 168),
        ("P4W", 672),
        ("PT90M", 1.5),
        ("P1DT12H", 36),
        ("P", None),
        (None, None),
    ],
)
def test_an_interval_is_so_many_hours(interval: str | None, hours: float | None) -> None:
    assert interval_hours(interval) == hours


def test_a_supply_is_not_multiplied_by_a_schedule_that_can_not_be() -> None:
    (medication,) = event_of(supply("06-08 13:35", FILM, days=7, interval="PT30M")).medications
    assert [(bridge.days, bridge.doses) for bridge in medication.bridges] == [(7, None)]


@pytest.mark.parametrize(
    ("began", "ended", "backwards"),
    [
        (at("06-08 14:00"), at("06-08 13:00"), True),
        (at("06-08 13:00"), at("06-08 13:00"), False),
        (date(2026, 6, 9), at("06-08 13:00"), True),
        (date(2026, 6, 8), at("06-08 13:00"), False),
        (at("06-08 14:00"), date(2026, 6, 8), False),
        (None, at("06-08 13:00"), False),
        (at("06-08 14:00"), None, False),
    ],
)
def test_a_stay_that_ends_before_it_begins_has_no_known_beginning(
    *, began: date | None, ended: date | None, backwards: bool
) -> None:
    record = VisitRecord(visit=VisitDetails(admitted_at=began, discharged_at=ended))
    assert ends_before_it_begins(record) is backwards
    event = as_event(record, event_id="HTEST-1", occurred_at=NOW)
    assert event.visit.admitted_at == (None if backwards else began)
