"""Merging facts into a visit and drawing the event from it."""

from datetime import UTC, date, datetime
from typing import Literal

import pytest

from fhir_mappings.triage import judge
from fhir_mappings.visit import as_event, identity, interval_hours, last_dose, merge, product_key
from schemas.codes.tables import RXNORM
from schemas.discharge import (
    Address,
    Circumstances,
    Clinical,
    Coding,
    ConsentGiven,
    DischargeEvent,
    Dose,
    Identifier,
    Need,
    Patient,
    Product,
    VisitDetails,
)
from schemas.facts import Facts, GivenDose, Order, Supply, VisitRecord
from tests.unit.stories import (
    BELBUCA,
    FILM,
    LISINOPRIL,
    METHADONE,
    MRN,
    NALOXONE,
    STORIES,
    Story,
    admit,
    at,
    dose,
    dx,
    facts,
    leave,
    mrn,
    order,
    person,
    stay,
    supply,
)

NOW = datetime(2026, 6, 9, 12, tzinfo=UTC)


def assembled(*messages: Facts) -> VisitRecord:
    record: VisitRecord | None = None
    for message in messages:
        record = merge(record, message)
    assert record is not None
    return record


def event_of(*messages: Facts) -> DischargeEvent:
    return as_event(assembled(*messages), event_id="HTEST-1", occurred_at=NOW)


def both_ways(first: Facts, second: Facts) -> VisitRecord:
    """The record of two messages, which must not depend on which came first."""
    record = assembled(first, second)
    assert assembled(second, first) == record
    return record


def cancel(when: str, kind: Literal["cancel-discharge", "cancel-visit"]) -> Facts:
    return facts("ADT^A13", kind, when)


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


def test_merging_leaves_the_record_that_went_in_as_it_was() -> None:
    before = assembled(admit("06-06 10:00", "F11.20"), order("06-06 12:00", FILM))
    kept = before.model_copy(deep=True)
    merge(before, dose("06-08 09:21", "06-08 09:15", FILM))
    merge(before, leave("06-08 14:20", "06-08 14:10", "F11.20"))
    merge(before, order("06-06 13:00", FILM, withdrawn=True))
    assert before == kept


def test_the_greater_event_time_wins_between_two_discharges() -> None:
    newer = leave("06-09 17:35", "06-09 17:30", disposition="aadvice")
    record = both_ways(newer, leave("06-09 15:05", "06-09 15:00"))
    assert record.ended_at == at("06-09 17:35")
    assert record.visit.discharged_at == at("06-09 17:30")
    assert record.visit.disposition == "aadvice"


def test_an_update_with_a_discharge_time_ends_the_visit_or_corrects_its_end() -> None:
    late = facts("ADT^A08", "update", "06-09 16:30", visit=stay(left=at("06-09 16:00")))
    assert assembled(admit("06-06 10:00"), late).ended_at == at("06-09 16:30")
    record = both_ways(leave("06-09 16:10", "06-09 06:00"), late)
    assert record.visit.discharged_at == at("06-09 16:00")
    assert assembled(admit("06-06 10:00"), facts("ADT^A08", "update", "06-09 16:30")).ended_at is None


def test_a_cancelled_discharge_leaves_the_visit_open_without_what_it_said() -> None:
    record = both_ways(leave("06-09 11:05", "06-09 11:00"), cancel("06-09 12:30", "cancel-discharge"))
    assert record.ended_at is None
    assert record.discharge_fact_at == at("06-09 12:30")
    assert record.visit.discharged_at is None
    assert record.visit.disposition is None
    assert as_event(record, event_id="e", occurred_at=NOW).kind == "cancel-discharge"


def test_a_cancel_at_the_instant_of_the_discharge_still_cancels_it() -> None:
    assert both_ways(leave("06-09 11:05", "06-09 11:00"), cancel("06-09 11:05", "cancel-discharge")).ended_at is None


def test_a_cancel_that_is_older_than_the_discharge_does_not_cancel_it() -> None:
    record = both_ways(leave("06-09 17:05", "06-09 17:00"), cancel("06-09 12:30", "cancel-discharge"))
    assert record.ended_at == at("06-09 17:05")
    assert record.visit.discharged_at == at("06-09 17:00")


def test_a_discharge_after_a_cancelled_one_takes_nothing_from_it() -> None:
    first = leave("06-09 11:05", "06-09 11:00", disposition="aadvice")
    again = facts("ADT^A03", "discharge", "06-09 17:05", visit=stay(left=at("06-09 17:00")))
    record = assembled(first, cancel("06-09 12:30", "cancel-discharge"), again)
    assert record == assembled(again, cancel("06-09 12:30", "cancel-discharge"), first)
    assert record.ended_at == at("06-09 17:05")
    assert record.visit.disposition is None


def test_an_admission_from_emergency_is_not_a_discharge() -> None:
    admitted = leave("06-09 11:05", "06-09 11:00", disposition=None).model_copy(update={"visit_status_ended": False})
    record = assembled(admit("06-09 08:00"), admitted)
    assert record.ended_at is None
    assert record.visit.discharged_at is None
    assert as_event(record, event_id="e", occurred_at=NOW).kind == "expected-discharge"
    corrected = both_ways(leave("06-09 10:00", "06-09 09:55"), admitted)
    assert corrected.ended_at is None


def test_a_cancelled_admission_cancels_the_visit_until_it_is_admitted_again() -> None:
    record = both_ways(admit("06-06 10:00", "F11.20"), cancel("06-06 11:00", "cancel-visit"))
    assert record.cancelled
    assert as_event(record, event_id="e", occurred_at=NOW).kind == "cancel-visit"
    assert not judge(record).pending
    again = both_ways(record_facts := cancel("06-06 11:00", "cancel-visit"), admit("06-06 12:00"))
    assert not again.cancelled
    assert assembled(record_facts).cancelled


def test_a_cancelled_order_is_withdrawn_whichever_came_first_and_a_renewal_stands_again() -> None:
    placed, taken_back = order("06-06 12:00", FILM), order("06-06 13:00", FILM, None, withdrawn=True)
    record = both_ways(placed, taken_back)
    assert record.orders["O1"].withdrawn
    assert record.orders["O1"].interval == "PT24H"
    assert not merge(record, order("06-06 14:00", FILM)).orders["O1"].withdrawn
    assert both_ways(placed, order("06-06 12:00", FILM, withdrawn=True)).orders["O1"].withdrawn


def test_a_deleted_dose_is_no_dose_even_if_the_deletion_came_first() -> None:
    given = dose("06-08 09:20", "06-08 09:15", FILM)
    record = both_ways(given, dose("06-08 09:40", "06-08 09:15", FILM, deleted=True))
    assert last_dose(record) is None
    assert as_event(record, event_id="e", occurred_at=NOW).medications == []


def test_a_bare_status_of_an_order_does_not_wipe_out_its_details() -> None:
    status = Order(key="O1", product=FILM, at=at("06-08 13:40"))
    record = both_ways(order("06-06 12:00", FILM), facts("RDS^O13", "supply", "06-08 13:40", orders=[status]))
    assert record.orders["O1"].interval == "PT24H"


def test_taking_an_order_back_holds_whatever_product_the_message_names() -> None:
    nameless = Product(system="urn:local:drugs", code="X")
    record = both_ways(order("06-06 12:00", FILM), order("06-06 13:00", nameless, None, withdrawn=True))
    assert record.orders["O1"].withdrawn
    assert record.orders["O1"].product == FILM


def test_drugs_that_triage_does_not_know_are_not_kept() -> None:
    record = assembled(order("06-06 12:00", LISINOPRIL), dose("06-08 09:20", "06-08 09:15", LISINOPRIL))
    assert (record.orders, record.doses) == ({}, {})


def test_a_dispense_that_was_cancelled_is_no_supply() -> None:
    taken_back = Supply(key="O2|1", order="O2", product=FILM, at=at("06-08 14:00"), withdrawn=True)
    cancelled = facts("RDS^O13", "supply", "06-08 14:00", supplies=[taken_back])
    record = both_ways(supply("06-08 13:40", FILM), cancelled)
    assert as_event(record, event_id="e", occurred_at=NOW).medications == []
    assert judge(record).outcome == "not-ours"
    prescribed = order("06-08 13:20", FILM, days=7, home=True, key="O2")
    bridges = event_of(prescribed, supply("06-08 13:40", FILM), cancelled).medications[0].bridges
    assert [bridge.kind for bridge in bridges] == ["prescribed"]


def test_what_was_stated_at_the_instant_of_a_cancel_is_void_with_it() -> None:
    ward = facts("ADT^A08", "update", "06-09 12:30", visit=stay(disposition="aadvice"))
    record = both_ways(ward, cancel("06-09 12:30", "cancel-discharge"))
    assert record.visit.disposition is None


def test_a_number_that_is_merged_into_itself_stays() -> None:
    odd = facts("ADT^A40", "merge", "06-09 10:00", patient=person("HTESTA"), merged_identifiers=[mrn("HTESTA")])
    record = both_ways(odd, admit("06-06 10:00").model_copy(update={"patient": person("HTESTA")}))
    assert record.patient.identifiers == [mrn("HTESTA")]
    assert record.former_identifiers == []


def test_an_admission_at_the_instant_of_its_cancel_is_cancelled() -> None:
    assert both_ways(admit("06-06 11:00"), cancel("06-06 11:00", "cancel-visit")).cancelled


def test_a_corrected_dose_replaces_what_was_charted_under_its_key() -> None:
    record = both_ways(
        dose("06-08 09:20", "06-08 09:15", FILM), dose("06-08 09:40", "06-08 09:15", FILM, outcome="refused")
    )
    assert last_dose(record) is None


def test_a_day_without_time_is_the_first_moment_of_that_day_where_it_was_charted() -> None:
    only_day = GivenDose(key="k", product=FILM, charted_at=at("06-08 20:00"), at=date(2026, 6, 8))
    earlier = dose("06-07 23:30", "06-07 23:00", FILM)
    record = assembled(earlier, facts("RAS^O17", "dose", "06-08 20:00", doses=[only_day]))
    last = last_dose(record)
    assert last is not None
    assert last.at == date(2026, 6, 8)
    later = merge(record, dose("06-08 01:10", "06-08 01:00", FILM))
    assert last_dose(later) == later.doses["O1|1010604|06-08 01:00-04:00"]


def test_a_pain_product_has_no_last_dose() -> None:
    assert last_dose(assembled(dose("06-08 09:20", "06-08 09:15", BELBUCA))) is None


def test_a_held_dose_of_an_event_is_not_the_last() -> None:
    event = event_of(dose("06-08 09:20", "06-08 09:15", FILM))
    held = Dose(at=at("06-09 09:00"), held=True)
    event.medications[0].doses.append(held)
    last = last_dose(event)
    assert last is not None
    assert last.at == at("06-08 09:15")


def test_diagnoses_add_up_and_a_removed_one_is_gone_until_stated_again() -> None:
    gone = facts("ADT^A08", "update", "06-07 10:00", removed_diagnoses=[dx("F11.20")])
    record = both_ways(admit("06-06 10:00", "F11.20", "I10"), gone)
    assert [diagnosis.code for diagnosis in record.diagnoses.values()] == ["I10"]
    assert "F11.20" in {d.code for d in merge(record, leave("06-08 14:20", "06-08 14:10", "F11.20")).diagnoses.values()}


def test_a_field_that_is_not_stated_again_stays() -> None:
    address = Address(city="Testville")
    told = facts("ADT^A01", "admit", "06-06 10:00", patient=Patient(identifiers=[mrn()], address=address, phones=["1"]))
    record = both_ways(told, leave("06-08 14:20", "06-08 14:10"))
    assert record.patient.address == address
    assert record.patient.phones == ["1"]
    assert record.patient.name == person().name


def test_a_stale_message_never_overwrites_a_newer_one() -> None:
    moved = facts("ADT^A08", "update", "06-07 10:00", visit=stay(unit="7E"))
    assert both_ways(moved, facts("ADT^A01", "admit", "06-06 10:00")).visit.unit == "7E"


def test_at_the_same_instant_the_discharge_outranks_the_order() -> None:
    ward = facts("RDE^O11", "order", "06-08 14:20", visit=stay(unit="7E"))
    assert both_ways(ward, leave("06-08 14:20", "06-08 14:10")).visit.unit == "4W"


def test_a_merged_number_is_a_former_one_even_in_later_and_earlier_messages() -> None:
    merged = facts(
        "ADT^A40", "merge", "06-09 10:00", patient=person("HTEST10029"), merged_identifiers=[mrn("HTEST1TMP01")]
    )
    early = facts("ADT^A01", "admit", "06-06 03:00", patient=person("HTEST1TMP01"))
    late = facts("RAS^O17", "dose", "06-09 11:00", patient=person("HTEST1TMP01"))
    for messages in ((early, merged, late), (late, merged, early), (merged, late, early), (late, early, merged)):
        record = assembled(*messages)
        assert record.patient.identifiers == [mrn("HTEST10029")]
        assert record.former_identifiers == [mrn("HTEST1TMP01")]
        assert identity(record).patients == (f"{MRN}|HTEST10029", f"{MRN}|HTEST1TMP01")


def test_a_merge_that_is_merged_back_makes_the_number_current_again() -> None:
    there = facts("ADT^A40", "merge", "06-09 10:00", patient=person("HTESTB"), merged_identifiers=[mrn("HTESTA")])
    back = facts("ADT^A40", "merge", "06-09 11:00", patient=person("HTESTA"), merged_identifiers=[mrn("HTESTB")])
    record = both_ways(there, back)
    assert record.patient.identifiers == [mrn("HTESTA")]
    assert record.former_identifiers == [mrn("HTESTB")]


def test_the_numbers_of_two_authorities_stand_side_by_side() -> None:
    other = Identifier(system="urn:local:pharmacy", value="HTESTP1", type="MR")
    pharmacy = facts("RDE^O11", "order", "06-07 10:00", patient=Patient(identifiers=[other]))
    assert both_ways(admit("06-06 10:00"), pharmacy).patient.identifiers == [other, mrn()] or both_ways(
        admit("06-06 10:00"), pharmacy
    ).patient.identifiers == [mrn(), other]


def test_a_visit_keeps_every_identifier_it_was_ever_known_by() -> None:
    account = Identifier(system="urn:local:account", value="A1", type="AN")
    named = facts("ADT^A08", "update", "06-07 10:00", visit=VisitDetails(identifiers=[account]))
    record = both_ways(admit("06-06 10:00"), named)
    assert identity(record).visits == ("urn:local:account|A1", "urn:oid:2.16.840.1.113883.3.9999.12|88000037")


def test_the_identity_of_a_message_holds_merged_numbers_and_account_numbers_but_no_social_security_number() -> None:
    people = Patient(
        identifiers=[
            mrn(" HTEST7 "),
            Identifier(system="urn:local:account", value="A1", type="AN"),
            Identifier(system="http://hl7.org/fhir/sid/us-ssn", value="000000000", type="SS"),
        ]
    )
    found = identity(
        facts("ADT^A40", "merge", "06-09 10:00", patient=people, visit=None, merged_identifiers=[mrn("HTEST8")])
    )
    assert found.visits == ("urn:local:account|A1",)
    assert found.patients == (f"{MRN}|HTEST7", f"{MRN}|HTEST8")
    assert identity(facts("ADT^A31", "other", "06-09 10:00", patient=None, visit=None)) == ((), ())


def test_a_trigger_that_is_not_handled_adds_who_and_where_but_no_drug_and_no_end() -> None:
    foreign = facts(
        "ADT^A02",
        "other",
        "06-07 10:00",
        handled=False,
        visit=stay(unit="ICU", left=at("06-07 09:00")),
        diagnoses=[dx("F11.20")],
        orders=order("06-07 10:00", FILM).orders,
    )
    record = both_ways(admit("06-06 10:00"), foreign)
    assert record.visit.unit == "ICU"
    assert (record.ended_at, record.visit.discharged_at) == (None, None)
    assert (record.orders, record.diagnoses) == ({}, {})
    assert record.unhandled_signal


def test_circumstances_are_merged_field_by_field_and_unknown_never_hides_what_is_known() -> None:
    first = Circumstances(
        naloxone_given=True,
        photo_id=False,
        clinical=Clinical(pregnant=True, alcohol="unknown"),
        consents=[ConsentGiven(recipients=["HTEST Partner"])],
    )
    second = Circumstances(
        naloxone_given="unknown", photo_id=True, clinical=Clinical(alcohol=False, pregnant="unknown")
    )
    record = both_ways(
        facts("event", "discharge", "06-08 10:00", circumstances=first),
        facts("event", "update", "06-08 12:00", circumstances=second),
    )
    known = record.circumstances
    assert (known.naloxone_given, known.photo_id, len(known.consents)) == (True, True, 1)
    assert (known.clinical.pregnant, known.clinical.alcohol) == (True, False)


def test_a_dispense_supersedes_the_prescription_of_its_order() -> None:
    prescribed = order("06-08 13:20", FILM, days=7, home=True, key="O2")
    for filled in (supply("06-08 13:40", FILM, key="O2"), supply("06-08 13:40", FILM, key="O2")):
        bridges = event_of(prescribed, filled).medications[0].bridges
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
