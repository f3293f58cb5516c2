"""What each trigger means: who comes, moves, leaves or is expected to, and which numbers stand for whom afterwards."""

from datetime import datetime
from typing import Any

import pytest

from fhir_mappings.dialects.adt_generic.dialect import DIALECT
from fhir_mappings.dialects.adt_generic.kinds import KINDS
from fhir_mappings.dialects.base import Reading
from fhir_mappings.hl7v2 import parse
from schemas.discharge import Identifier
from schemas.facts import Facts
from schemas.sender import Sender

PID = "PID|1||HTEST1^^^M||HTESTFAMILY^Given||19800101|F"
ACCOUNT = PID + "|" * 10 + "{}"
PV1 = "PV1|1|I|4W" + "|" * 16 + "V1"


def read(kind: str, *segments: str, zones: dict[str, str] | None = None, **maps: Any) -> Reading:
    sender = Sender(
        id="s", organization="org", dialect="adt_generic", timezone="America/New_York", zones=zones or {}, maps=maps
    )
    header = rf"MSH|^~\&|A|F|B|G|20260608141500||{kind}|1|P|2.5.1"
    return DIALECT.read(parse("\r".join((header, *segments)).encode()), sender)


def facts(kind: str, *segments: str, **maps: Any) -> Facts:
    return read(kind, *segments, **maps).facts


def numbers(identifiers: list[Identifier]) -> list[str]:
    """``PV1-19|V1``: the end of the authority, and the number."""
    return [f"{one.system.rpartition(':')[2]}|{one.value}" for one in identifiers]


def rules(reading: Reading) -> dict[str, str]:
    return {note.path: note.rule for note in reading.notes}


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ("ADT^A01 ADT^A04", "admit"),
        ("ADT^A05 ADT^A14", "pre-admit"),
        ("ADT^A02 ADT^A12", "transfer"),
        ("ADT^A06 ADT^A07", "class-change"),
        ("ADT^A03", "discharge"),
        ("ADT^A08 ADT^A54 ADT^A55 ADT^A60", "update"),
        ("ADT^A09 ADT^A10 ADT^A32 ADT^A33", "update"),
        ("ADT^A11 ADT^A27 ADT^A38", "cancel-visit"),
        ("ADT^A13", "cancel-discharge"),
        ("ADT^A16", "expected-discharge"),
        ("ADT^A25", "cancel-expected"),
        ("ADT^A28 ADT^A31", "person"),
        ("ADT^A18 ADT^A34 ADT^A35 ADT^A36 ADT^A39 ADT^A40 ADT^A41 ADT^A42", "merge"),
        ("ADT^A46 ADT^A47 ADT^A48 ADT^A49 ADT^A50 ADT^A51", "merge"),
        ("ADT^A43 ADT^A44 ADT^A45", "move"),
        ("ADT^A37", "unlink"),
        ("RDE^O11 RDE^O01 RDE^O25 OMP^O09 ORM^O01", "order"),
        ("RAS^O17 RAS^O01", "dose"),
        ("RDS^O13 RDS^O01", "supply"),
        ("ORU^R01 ORU^R30 ORU^R31 ORU^R32 ORU", "result"),
        ("REF^I12 REF^I13", "referral"),
        ("REF^I14", "cancel-referral"),
    ],
)
def test_a_handled_trigger_has_its_kind(kinds: str, expected: str) -> None:
    for kind in kinds.split():
        found = facts(kind, PID)
        assert (found.kind, found.handled, found.trigger) == (expected, True, kind)


def test_every_handled_trigger_stands_in_the_test_above() -> None:
    assert len(KINDS) == 60


def test_an_order_message_of_another_name_is_one_if_it_orders_a_drug() -> None:
    assert facts("OMG^O19", PID, "ORC|NW|1^P", "RXO|991147^^RXNORM").kind == "order"
    assert facts("OMG^O19", PID, "ORC|NW|1^P", "OBR|1").kind == "other"


def test_an_order_for_a_picture_or_a_test_tells_of_no_drug() -> None:
    found = facts("ORM^O01", PID, PV1, "ORC|NW|1^P", "OBR|1|1^P||71046^Chest X-ray^L")
    assert (found.orders, found.doses, found.supplies, found.handled) == ([], [], [], True)


# ---- the course of a stay


@pytest.mark.parametrize("kind", ["ADT^A02", "ADT^A12"])
def test_a_transfer_names_the_unit_after_it(kind: str) -> None:
    visit = facts(kind, PID, "PV1|1|I|6E^0601|||ED^1").visit
    assert visit is not None
    assert visit.unit == "6E"


@pytest.mark.parametrize("kind", ["ADT^A09", "ADT^A10", "ADT^A32", "ADT^A33"])
def test_where_a_person_is_for_a_while_is_not_the_unit(kind: str) -> None:
    found = facts(kind, PID, PV1, "DG1|1||F11.20^^I10")
    assert found.visit is not None
    assert (found.visit.unit, numbers(found.visit.identifiers)) == (None, ["PV1-19|V1"])
    assert [one.code for one in found.diagnoses] == ["F11.20"]


def test_a_change_of_the_attending_is_read_and_so_are_allergies() -> None:
    changed = facts("ADT^A54", PID, "PV1|1|I|4W||||1^HTESTDOC^Anna^Bea").visit
    assert changed is not None
    assert changed.unit == "4W"
    assert changed.attending is not None
    assert changed.attending.name is not None
    assert changed.attending.name.given == ["Anna", "Bea"]
    found = facts("ADT^A60", PID, "AL1|1|DA|N1^Nut").circumstances
    assert found is not None
    assert [one.code for one in found.allergies] == ["N1"]


def test_an_expected_discharge_is_pv2_9_else_pv1_45_and_no_discharge() -> None:
    pv1 = "PV1|1|I|4W" + "|" * 33 + "03|HT Nursing" + "|" * 7 + "20260606|20260611100000"
    by_pv1, by_pv2 = facts("ADT^A16", PID, pv1), facts("ADT^A16", PID, pv1, "PV2" + "|" * 9 + "20260612")
    for found, day in ((by_pv1, 11), (by_pv2, 12)):
        assert found.visit is not None
        assert found.visit.expected_discharge_at is not None
        assert (found.visit.expected_discharge_at.day, found.visit.discharged_at) == (day, None)
        assert (found.visit.disposition, found.visit.destination) == ("snf", "HT Nursing")
        assert found.visit_status_ended is None


def test_an_expected_discharge_that_is_off_states_none_whatever_it_repeats() -> None:
    pv1 = "PV1|1|I|4W" + "|" * 33 + "03|HT Nursing" + "|" * 7 + "20260606|20260611100000"
    visit = facts("ADT^A25", PID, pv1, "PV2" + "|" * 9 + "20260612").visit
    assert visit is not None
    assert (visit.expected_discharge_at, visit.discharged_at, visit.disposition, visit.destination) == (None,) * 4


def test_one_who_is_not_here_yet_has_left_nothing() -> None:
    found = facts(
        "ADT^A05", PID, "PV1|1|P" + "|" * 34 + "01" + "|" * 8 + "20260612|20260613", "PV2" + "|" * 8 + "20260612"
    )
    assert found.visit is not None
    assert (found.visit.discharged_at, found.visit.disposition, found.visit_status_ended) == (None, None, None)
    assert found.visit.class_ is None


@pytest.mark.parametrize("code", ["P", "C", "N", "U"])
def test_a_class_of_table_0004_that_is_none_of_a_stay_is_not_a_code_that_nobody_knows(code: str) -> None:
    reading = read("ADT^A05", PID, f"PV1|1|{code}")
    assert (reading.notes, reading.unmapped) == ((), ())


@pytest.mark.parametrize("kind", ["ADT^A28", "ADT^A31"])
@pytest.mark.parametrize("pv1", ["PV1|1|N", "PV1|1", PV1])
def test_a_message_about_a_person_names_no_stay(kind: str, pv1: str) -> None:
    found = facts(kind, ACCOUNT.format("ACC"), pv1, "NK1|1|HTESTKIN^Leo|BRO")
    assert found.visit is None
    assert found.patient is not None
    assert found.patient.name is not None
    assert found.circumstances is not None
    assert len(found.circumstances.contacts) == 1


# ---- numbers


def test_a_person_is_numbered_by_pid_2_and_pid_4_where_pid_3_names_nobody() -> None:
    older = facts("ADT^A04", "PID|1|HTESTOLD|~^^^X|HTESTALT^^^B~HTEST-SSN^^^A^SS").patient
    newer = facts("ADT^A04", "PID|1|HTESTOLD|HTEST1|HTESTALT").patient
    assert older is not None
    assert newer is not None
    assert numbers(older.identifiers) == ["PID-2|HTESTOLD", "B|HTESTALT"]
    assert numbers(newer.identifiers) == ["PID-3|HTEST1"]


def test_a_number_of_a_recurring_account_is_none_of_a_visit() -> None:
    pid = ACCOUNT.format("ACC")
    maps = {"recurring_accounts": {"PID-18": ["R"], "PV1-50": []}}
    found = [facts("ADT^A01", pid, f"PV1|1|{code}" + "|" * 17 + "V1" + "|" * 31 + "ALT", **maps).visit for code in "RI"]
    assert [numbers(visit.identifiers) for visit in found if visit is not None] == [
        ["PV1-19|V1"],
        ["PV1-19|V1", "PID-18|ACC"],
    ]
    assert facts("ADT^A42", pid, "MRG|||ACC0", "PV1|1|R", **maps).merged_visits == []


def test_the_facility_is_that_of_the_unit_else_of_the_message_and_decides_the_zone() -> None:
    pv1 = "PV1|1|I|4W^1^A^{}" + "|" * 41 + "20260608120000"
    north, other = (
        read("ADT^A01", PID, pv1.format(place), zones={"NORTH": "America/Chicago"}).facts
        for place in ("NORTH&1.2.3&ISO", "")
    )
    assert (north.facility, other.facility) == ("NORTH", "F")
    assert [one.visit.admitted_at.isoformat() for one in (north, other) if one.visit and one.visit.admitted_at] == [
        "2026-06-08T12:00:00-05:00",
        "2026-06-08T12:00:00-04:00",
    ]
    assert (north.at.isoformat(), other.at.isoformat()) == ("2026-06-08T14:15:00-05:00", "2026-06-08T14:15:00-04:00")


# ---- merges, moves and unlinks


def test_every_former_number_is_keyed_like_the_one_that_stands_in_its_place() -> None:
    found = facts(
        "ADT^A42",
        "PID|1|HTESTX^^^|HTEST1||" + "|" * 13 + "ACC1",
        "MRG|HTESTOLD~HTESTOLD2^^^M|HTESTALT|ACC0|HTESTEXT|V0|A0",
        "PV1|1|I" + "|" * 17 + "V1" + "|" * 31 + "A1",
    )
    assert numbers(found.merged_identifiers) == ["PID-3|HTESTOLD", "M|HTESTOLD2", "PID-4|HTESTALT", "PID-2|HTESTEXT"]
    assert numbers(found.merged_visits) == ["PID-18|ACC0", "PV1-19|V0", "PV1-50|A0"]
    assert found.visit is not None
    assert numbers(found.visit.identifiers) == ["PV1-19|V1", "PID-18|ACC1", "PV1-50|A1"]


def test_a_number_that_stands_in_both_places_still_stands() -> None:
    found = facts("ADT^A50", ACCOUNT.format("ACC"), "MRG|HTEST1^^^M||ACC||V0", PV1)
    assert (found.merged_identifiers, numbers(found.merged_visits)) == ([], ["PV1-19|V0"])


def test_a_number_that_two_fields_repeat_is_one() -> None:
    assert numbers(facts("ADT^A18", PID, "MRG|HTESTOLD^^^M|||HTESTOLD^^^M").merged_identifiers) == ["M|HTESTOLD"]


def test_a_social_security_number_in_mrg_is_not_read() -> None:
    assert numbers(facts("ADT^A40", PID, "MRG|HTESTOLD^^^M~HTEST-SSN^^^A^SS").merged_identifiers) == ["M|HTESTOLD"]


def test_each_pair_of_a_merge_is_read_by_itself() -> None:
    reading = read("ADT^A40", PID, "MRG|HTESTA^^^M", "PID|2||HTEST2^^^M", "PD1|x", "MRG|HTESTB^^^M", PV1)
    pairs = [
        (numbers(one.patient.identifiers), numbers(one.merged_identifiers), one.visit is not None)
        for one in (reading.facts, *reading.more)
        if one.patient is not None
    ]
    assert pairs == [(["M|HTEST1"], ["M|HTESTA"], False), (["M|HTEST2"], ["M|HTESTB"], True)]
    assert {one.trigger for one in reading.more} == {"ADT^A40"}


@pytest.mark.parametrize("kind", ["ADT^A06", "ADT^A07"])
def test_a_change_of_class_names_the_account_before_it_and_no_other_person(kind: str) -> None:
    found = facts(kind, ACCOUNT.format("ACC1"), "MRG|HTESTOTHER^^^M||ACC0", PV1)
    assert (found.kind, found.merged_identifiers, numbers(found.merged_visits)) == ("class-change", [], ["PID-18|ACC0"])


def test_a_moved_account_stays_what_it_is_and_names_whom_it_was_taken_from() -> None:
    for pid in (ACCOUNT.format("ACC"), PID):
        found = facts("ADT^A44", pid, "MRG|HTESTOTHER^^^M||ACC")
        assert found.visit is not None
        assert (found.kind, numbers(found.visit.identifiers), found.merged_visits) == ("move", ["PID-18|ACC"], [])
        assert numbers(found.merged_identifiers) == ["M|HTESTOTHER"]
    renumbered = facts("ADT^A44", ACCOUNT.format("ACC1"), "MRG|HTESTOTHER^^^M||ACC0")
    assert numbers(renumbered.merged_visits) == ["PID-18|ACC0"]


def test_the_account_that_a_visit_is_moved_out_of_is_not_a_number_of_the_visit() -> None:
    reading = read(
        "ADT^A45", ACCOUNT.format("ACC1"), "MRG|HTEST1^^^M||ACC0||V1", PV1, "MRG|HTEST1^^^M||ACC0||V2", "PV1|1|I"
    )
    found = [reading.facts, *reading.more]
    assert [numbers(one.visit.identifiers) for one in found if one.visit is not None] == [
        ["PV1-19|V1", "PID-18|ACC1"],
        ["PID-18|ACC1", "PV1-19|V2"],
    ]
    assert [(one.merged_visits, one.merged_identifiers) for one in found] == [([], []), ([], [])]


def test_two_persons_that_were_taken_for_one_are_both_told_of() -> None:
    reading = read("ADT^A37", PID, PV1, "PID|2||HTEST2^^^M")
    assert [numbers(one.patient.identifiers) for one in (reading.facts, *reading.more) if one.patient is not None] == [
        ["M|HTEST1"],
        ["M|HTEST2"],
    ]
    assert [one.visit is not None for one in (reading.facts, *reading.more)] == [True, False]


def test_results_of_several_persons_are_kept_apart() -> None:
    obx = "OBX|1|ST|19550-3^Methadone^LN||{}||||||F"
    reading = read("ORU^R01", PID, "OBR|1", obx.format("POS"), "PID|2||HTEST2^^^M", "OBR|1", obx.format("NEG"))
    assert [
        (one.patient.identifiers[0].value, one.circumstances.clinical.urine_drug_screen[0].result)
        for one in (reading.facts, *reading.more)
        if one.patient is not None
        and one.circumstances is not None
        and one.circumstances.clinical.urine_drug_screen != "unknown"
    ] == [("HTEST1", "POS"), ("HTEST2", "NEG")]


def test_what_follows_another_person_is_not_taken_for_the_first() -> None:
    reading = read("ADT^A08", PID, PV1, "PID|2||HTEST2^^^M", "DG1|1||F11.20^^I10")
    assert (reading.facts.diagnoses, reading.more) == ([], ())
    assert [(note.path, note.segment) for note in reading.notes] == [("PID-3", 3)]


def test_the_same_person_twice_is_read_once() -> None:
    reading = read("ADT^A08", PID, PID, PV1, "DG1|1||F11.20^^I10")
    assert [one.code for one in reading.facts.diagnoses] == ["F11.20"]
    assert rules(reading) == {"PID-3": "the same person again: only the first PID is read"}


def test_of_a_trigger_that_is_not_handled_each_person_has_a_signal_of_their_own() -> None:
    reading = read("ADT^A17", PID, PV1, "PID|2||HTEST2^^^M", "DG1|1||F11.20^^I10")
    assert [len(one.diagnoses) for one in (reading.facts, *reading.more)] == [0, 1]
    assert not any(one.handled for one in (reading.facts, *reading.more))


# ---- the sender's clock


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("20260608141500", "2026-06-08T14:15:00-04:00"),
        ("202606081415-0500", "2026-06-08T14:15:00-05:00"),
        ("20260608", None),
        ("soon", None),
        ("", None),
    ],
)
def test_when_the_sender_sent_it_is_msh_7_with_a_time_of_day(sent: str, expected: str | None) -> None:
    sender = Sender(id="s", organization="org", dialect="adt_generic", timezone="America/New_York")
    message = parse(rf"MSH|^~\&|A|F|B|G|{sent}||ADT^A08|1|P|2.5".encode())
    at = DIALECT.read(message, sender).sent_at
    assert (at.isoformat() if isinstance(at, datetime) else None) == expected
