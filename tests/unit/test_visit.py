"""Merging facts into a visit."""

from datetime import UTC, date, datetime
from typing import Literal

import pytest

from fhir_mappings.triage import judge
from fhir_mappings.visits.visit import as_event, identity, last_dose, merge
from schemas.discharge import (
    Address,
    Circumstances,
    Clinical,
    ConsentGiven,
    Identifier,
    Patient,
    Product,
    VisitDetails,
)
from schemas.facts import Facts, GivenDose, Order
from tests.unit.stories import (
    BELBUCA,
    FILM,
    LISINOPRIL,
    MRN,
    admit,
    assembled,
    at,
    both_ways,
    dose,
    dx,
    facts,
    leave,
    mrn,
    order,
    person,
    stay,
)

NOW = datetime(2026, 6, 9, 12, tzinfo=UTC)


def cancel(when: str, kind: Literal["cancel-discharge", "cancel-visit"]) -> Facts:
    return facts("ADT^A13", kind, when)


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
    alone = cancel("06-06 11:00", "cancel-visit")
    assert assembled(alone).cancelled
    assert not both_ways(alone, admit("06-06 12:00")).cancelled


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


def test_that_the_person_has_died_holds_until_a_newer_message_says_otherwise() -> None:
    died = facts("ADT^A08", "update", "06-09 10:00", died=True)
    assert both_ways(died, admit("06-06 10:00")).died
    assert both_ways(died, facts("ADT^A08", "update", "06-09 11:00")).died, "an empty field says nothing"
    assert not both_ways(died, facts("ADT^A31", "person", "06-09 11:00", died=False)).died
    assert both_ways(died, facts("ADT^A31", "person", "06-09 09:00", died=False)).died


def test_a_death_of_the_person_that_a_visit_was_taken_from_is_not_the_other_ones() -> None:
    died = facts("ADT^A08", "update", "06-09 10:00", died=True)
    moved = facts("ADT^A45", "move", "06-09 11:00", patient=person("HTEST2"), merged_identifiers=[mrn("HTEST10001")])
    assert not both_ways(died, moved).died


def test_a_stale_message_never_overwrites_a_newer_one() -> None:
    moved = facts("ADT^A08", "update", "06-07 10:00", visit=stay(unit="7E"))
    assert both_ways(moved, facts("ADT^A01", "admit", "06-06 10:00")).visit.unit == "7E"


def test_at_the_same_instant_the_discharge_outranks_the_order() -> None:
    ward = facts("RDE^O11", "order", "06-08 14:20", visit=stay(unit="7E"))
    assert both_ways(ward, leave("06-08 14:20", "06-08 14:10")).visit.unit == "4W"


def test_two_messages_of_one_instant_and_kind_agree_on_one_value_in_both_orders() -> None:
    wards = [facts("ADT^A08", "update", "06-08 14:20", visit=stay(unit=unit)) for unit in ("7E", "4W")]
    assert both_ways(*wards).visit.unit == "7E"


def test_the_content_of_an_order_is_that_of_its_placing_not_of_its_cancel() -> None:
    taken_back = order("06-06 13:00", FILM, "PT12H", withdrawn=True)
    assert both_ways(order("06-06 12:00", FILM), taken_back).orders["O1"].interval == "PT24H"


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
    assert both_ways(admit("06-06 10:00"), pharmacy).patient.identifiers == [other, mrn()]


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


@pytest.mark.parametrize("kind", ["MR", "PE", "MRN", "EPI", "HTEST General", "MA", None])
def test_a_number_of_the_person_finds_the_person_whatever_the_hospital_calls_it(kind: str | None) -> None:
    people = Patient(identifiers=[Identifier(system="urn:local:number", value="HTEST1", type=kind)])
    found = identity(facts("ADT^A08", "update", "06-09 10:00", patient=people, visit=None))
    assert found == ((), ("urn:local:number|HTEST1",))


@pytest.mark.parametrize("kind", ["SS", "DL", "PPN", "SR", "GI", "GN", "EN", "MB", "SN", "XX"])
def test_a_number_that_several_people_may_have_or_nobody_needs_finds_nobody(kind: str) -> None:
    people = Patient(identifiers=[Identifier(system="urn:local:number", value="HTEST1", type=kind)])
    assert identity(facts("ADT^A08", "update", "06-09 10:00", patient=people, visit=None)) == ((), ())


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
