import json
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_mappings.dialects.adt_generic import fields
from fhir_mappings.dialects.adt_generic.dialect import DIALECT, UNTIMED
from fhir_mappings.dialects.adt_generic.site import TOKEN_MAX
from fhir_mappings.dialects.base import Reading
from fhir_mappings.hl7v2 import parse
from schemas.codes import tables
from schemas.facts import Facts
from schemas.sender import Sender

EASTERN = ZoneInfo("America/New_York")
PID = "PID|1||HTEST1^^^M||HTESTFAMILY^Given||19800101|F"
PV1 = "PV1|1|I|4W" + "|" * 16 + "V1^^^CSN"
VISITS = Path(__file__).parents[2].parent / "shared" / "visits"


def sender(**maps: Any) -> Sender:
    return Sender(id="s", organization="org", dialect="adt_generic", timezone="America/New_York", maps=maps)


def read(kind: str, *segments: str, at: str = "20260608141500", **maps: Any) -> Reading:
    header = rf"MSH|^~\&|A|F|B|G|{at}||{kind}|1|P|2.5.1"
    return DIALECT.read(parse("\r".join((header, *segments)).encode()), sender(**maps))


def facts(kind: str, *segments: str, **maps: Any) -> Facts:
    return read(kind, *segments, **maps).facts


def rules(reading: Reading) -> dict[str, str]:
    return {note.path: note.rule for note in reading.notes}


@pytest.mark.parametrize("kind", ["ADT^A17", "ADT^A20", "MDM^T02", "OML^O21", "VXU^V04", "ACK"])
def test_another_trigger_is_not_handled_but_its_segments_are_read(kind: str) -> None:
    found = facts(kind, PID, PV1, "DG1|1||F11.20^^I10", "RXD|1|991147^^RXNORM|20260608")
    assert (found.kind, found.handled, found.trigger) == ("other", False, kind)
    assert found.diagnoses[0].code == "F11.20"
    assert found.orders[0].product.code == "991147"


@pytest.mark.parametrize(
    ("declared", "kind"), [("order_triggers", "order"), ("dose_triggers", "dose"), ("dispense_triggers", "supply")]
)
@pytest.mark.parametrize("trigger", ["ORU^R01", "MDM^T02"])
def test_what_the_sender_declares_of_a_trigger_goes_before(declared: str, kind: str, trigger: str) -> None:
    found = facts(trigger, PID, **{declared: [trigger]})
    assert (found.kind, found.handled) == (kind, True)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("20260608141000", "2026-06-08T14:10:00-04:00"),
        ("202606081410", "2026-06-08T14:10:00-04:00"),
        ("2026060814", "2026-06-08T14:00:00-04:00"),
        ("20260608141000-0500", "2026-06-08T14:10:00-05:00"),
        ("20260608141000.3399+0100", "2026-06-08T14:10:00.339900+01:00"),
        ("20260108141000", "2026-01-08T14:10:00-05:00"),
        ("20261101013000", "2026-11-01T01:30:00-04:00"),
        ("20261101013000-0500", "2026-11-01T01:30:00-05:00"),
        ("20260308023000", "2026-03-08T02:30:00-05:00"),
        ("20260608", "2026-06-08"),
        ("20260608141000637", "2026-06-08T14:10:00.637000-04:00"),
        ("202606081410006", "2026-06-08T14:10:00.600000-04:00"),
        ("20260608141000637-0500", "2026-06-08T14:10:00.637000-05:00"),
        ("20260608141000637+01:00", "2026-06-08T14:10:00.637000+01:00"),
        ("202606081410+0100", "2026-06-08T14:10:00+01:00"),
        ("2026060814+0100", "2026-06-08T14:00:00+01:00"),
    ],
)
def test_a_time_keeps_its_offset_or_takes_the_senders_zone(sent: str, expected: str) -> None:
    moment = fields.moment(sent, EASTERN)
    assert moment is not None
    assert moment.isoformat() == expected


@pytest.mark.parametrize(
    "sent",
    [
        "1990",
        "199013",
        "20261301",
        "2026060814100",
        "20260608T14",
        "0" * 8,
        "2" * 18,
        "20260608141000+1401",
        "soon",
        "",
    ],
)
def test_what_is_no_time_is_none(sent: str) -> None:
    assert fields.moment(sent, EASTERN) is None


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="0123456789+-.:TZ", max_size=24))
def test_no_text_breaks_the_reading_of_times(text: str) -> None:
    assert isinstance(fields.moment(text, EASTERN), date | None)


def test_the_event_time_is_evn_2_before_msh_7() -> None:
    assert facts("ADT^A08", "EVN|A08|20260608120000").at.isoformat() == "2026-06-08T12:00:00-04:00"
    assert facts("ADT^A08").at.isoformat() == "2026-06-08T14:15:00-04:00"
    assert facts("ADT^A08", "EVN|A08|20260608").at.isoformat() == "2026-06-08T14:15:00-04:00"


def test_a_message_without_any_time_overrides_nothing() -> None:
    reading = DIALECT.read(parse(rb"MSH|^~\&|A|F|B|G|||ADT^A08|1|P|2.5"), sender())
    assert reading.facts.at == UNTIMED
    assert "MSH-7" in rules(reading)


@pytest.mark.parametrize(("mode", "test"), [("P", False), ("T", True), ("D", True), ("", False)])
def test_msh_11_tells_tests(*, mode: str, test: bool) -> None:
    message = parse(rf"MSH|^~\&|A|F|B|G|20260608||ADT^A08|1|{mode}|2.5".encode())
    assert DIALECT.read(message, sender()).facts.test is test


def test_a_bad_birth_date_does_not_fail_the_message() -> None:
    reading = read("ADT^A08", "PID|1||HTEST1||HTESTX^Y||1990|Q")
    assert reading.facts.patient is not None
    assert reading.facts.patient.birth_date is None
    assert set(rules(reading)) == {"PID-7", "PID-8"}


def test_notes_never_hold_a_value() -> None:
    secret = "HTESTSECRET"
    segments = (
        f"EVN|A03|{secret}||||{secret}",
        f"PID|1||{'9' * 300}{secret}||{secret * 60}||{secret}|{secret}",
        f"PV1|1|{secret}" + "|" * 34 + secret + "|" * 8 + f"{secret}|{secret}",
        f"RXA|0|1|{secret}||991147^^RXNORM|{secret}|mg",
        f"RXA|0|1|20260608||991147^^RXNORM|{secret}|mg" + "|" * 13 + secret,
    )
    reading = read("ADT^A03", *segments)
    assert len(reading.notes) >= 8
    assert secret not in repr(reading.notes)


@pytest.mark.parametrize(
    ("hd", "system"),
    [
        ("M&2.16.840.1.113883.3.9999.1&ISO", "urn:oid:2.16.840.1.113883.3.9999.1"),
        ("&2.16.840.1.113883.3.9999.1", "urn:oid:2.16.840.1.113883.3.9999.1"),
        ("&0A0B1C2D-1111-4222-8333-444455556666&UUID", "urn:uuid:0a0b1c2d-1111-4222-8333-444455556666"),
        ("M&AssigningSystem&UUID", "urn:throughline:authority:org:M"),
        ("&AssigningSystem&GUID", "urn:throughline:authority:org:AssigningSystem"),
        ("&http://h.example/mrn&URI", "http://h.example/mrn"),
        ("M", "urn:throughline:authority:org:M"),
        ("M 1/2", "urn:throughline:authority:org:M%201%2F2"),
        ("", "urn:throughline:authority:org:PID-3"),
    ],
)
def test_the_system_of_an_identifier_follows_its_authority(hd: str, system: str) -> None:
    patient = facts("ADT^A01", f"PID|1||HTEST1^^^{hd}").patient
    assert patient is not None
    assert [identifier.system for identifier in patient.identifiers] == [system]


def test_every_repetition_of_pid_3_is_read_and_keeps_its_type() -> None:
    patient = facts("ADT^A01", "PID|1||HTEST1^^^A^MR~HTEST2^^^B^PI~^^^C~HTEST3").patient
    assert patient is not None
    assert [(one.value, one.type) for one in patient.identifiers] == [
        ("HTEST1", "MR"),
        ("HTEST2", "PI"),
        ("HTEST3", "MR"),
    ]


def test_a_social_security_number_is_not_read() -> None:
    pid = "PID|1||HTEST1^^^M^MR~HTEST-SSN^^^SSA^SS||HTESTFAMILY^Given||19800101|F"
    patient = facts("ADT^A01", pid, PV1).patient
    assert patient is not None
    assert [identifier.type for identifier in patient.identifiers] == ["MR"]


def test_a_visit_has_a_set_of_identifiers() -> None:
    found = facts("ADT^A01", "PID|1||HTEST1" + "|" * 15 + "ACC^^^FIN", PV1 + "|" * 31 + "ALT^^^RR").visit
    assert found is not None
    assert [(one.value, one.type) for one in found.identifiers] == [("V1", "VN"), ("ACC", "AN"), ("ALT", "VN")]


@pytest.mark.parametrize(
    ("sent", "number"),
    [
        ("^PRN^PH^^1^212^5550101", "+1-212-555-0101"),
        ("(312)555-0103", "(312)555-0103"),
        ("^PRN^PH^^^^^^^^^3125550103", "3125550103"),
        ("^PRN^PH^^^212^5550101^77", "212-555-0101 x77"),
        ("5550100^PRN^PH^^^^^^^^^(312) 555-0103", "(312) 555-0103"),
        ("N^PRN^PH^^1^212^5550101", "+1-212-555-0101"),
        ("^PRN^PH^^PH^212^5550101", "212-555-0101"),
    ],
)
def test_a_phone_is_read_from_either_layout(sent: str, number: str) -> None:
    patient = facts("ADT^A01", "PID|1||HTEST1" + "|" * 10 + sent).patient
    assert patient is not None
    assert patient.phones == [number]


def test_a_fax_or_a_mail_address_is_no_phone() -> None:
    patient = facts(
        "ADT^A01", "PID|1||HTEST1" + "|" * 10 + "^WPN^FX^^1^212^5550101~^NET^Internet^a@example.org"
    ).patient
    assert patient is not None
    assert patient.phones == []


@pytest.mark.parametrize("sent", ["REDACTED", "N", "unknown~N", "^PRN^PH^^^^none"])
def test_a_word_without_a_digit_is_no_phone(sent: str) -> None:
    patient = facts("ADT^A01", "PID|1||HTEST1" + "|" * 10 + sent).patient
    assert patient is not None
    assert patient.phones == []


@pytest.mark.parametrize(
    ("sent", "lines"),
    [
        ("9 Test Rd^Apt 1", ["9 Test Rd", "Apt 1"]),
        ("1000&Hospital Lane^Ste 1", ["1000 Hospital Lane", "Ste 1"]),
        ("9 Test Rd&Test Rd&9", ["9 Test Rd"]),
        ("&Test Rd&9", ["Test Rd 9"]),
        ("9 Test Rd" + "^" * 18 + "c/o HTESTCARE", ["9 Test Rd", "c/o HTESTCARE"]),
        ("^^Testville", []),
    ],
)
def test_no_part_of_a_street_is_lost_or_doubled(sent: str, lines: list[str]) -> None:
    patient = facts("ADT^A01", f"PID|1||HTEST1||||||||{sent}").patient
    assert patient is not None
    assert patient.address is not None
    assert patient.address.lines == lines


def test_an_addressee_alone_is_no_address() -> None:
    patient = facts("ADT^A01", "PID|1||HTEST1||||||||" + "^" * 18 + "c/o HTESTCARE").patient
    assert patient is not None
    assert patient.address is None


def test_an_address_that_says_homeless_is_kept_and_flagged() -> None:
    patient = facts("ADT^A01", "PID|1||HTEST1||||||||Homeless^^Testville^NY").patient
    assert patient is not None
    assert patient.homeless is True
    assert patient.address is not None
    assert patient.address.city == "Testville"


@pytest.mark.parametrize(
    ("sent", "disposition", "ended"),
    [
        ("01", "home", True),
        ("1", "home", True),
        ("7 AMA", "aadvice", True),
        ("07", "aadvice", True),
        ("03", "snf", True),
        ("09", None, False),
        ("30", None, False),
        ("20", "exp", True),
        ("21", "custody", True),
        ("87", "custody", True),
        ("62", "rehab", True),
        ("95", "other-hcf", True),
        ("aadvice", "aadvice", True),
        ("Walked out", "aadvice", True),
        ("??", None, True),
        ("", None, True),
    ],
)
def test_a_disposition_follows_the_senders_map_then_ub_04(*, sent: str, disposition: str | None, ended: bool) -> None:
    found = facts("ADT^A03", PID, "PV1|1|I" + "|" * 34 + sent, disposition={"Walked out": "aadvice"})
    assert found.visit is not None
    assert (found.visit.disposition, found.visit_status_ended) == (disposition, ended)


def test_a_cancelled_discharge_has_neither_discharge_time_nor_disposition() -> None:
    found = facts("ADT^A13", PID, "PV1|1|I" + "|" * 34 + "01" + "|" * 9 + "20260608")
    assert found.visit is not None
    assert (found.visit.disposition, found.visit.discharged_at, found.visit_status_ended) == (None, None, None)


def test_the_discharge_time_is_pv1_45_else_evn_6() -> None:
    evn = "EVN|A03|20260608142000||||20260608141000"
    with_45 = facts("ADT^A03", evn, "PV1|1|I" + "|" * 43 + "20260608140500").visit
    without = facts("ADT^A03", evn, "PV1|1|I").visit
    assert with_45 is not None
    assert without is not None
    assert isinstance(with_45.discharged_at, datetime)
    assert isinstance(without.discharged_at, datetime)
    assert (with_45.discharged_at.minute, without.discharged_at.minute) == (5, 10)


def test_missing_segments_are_tolerated() -> None:
    found = facts("ADT^A03")
    assert found.patient is None
    assert found.visit is None
    assert found.visit_status_ended is True


@pytest.mark.parametrize(
    ("dg1", "system", "code"),
    [
        ("DG1|1||F11.20^Opioid^I10", tables.ICD10CM, "F11.20"),
        ("DG1|1||F1120^^I10C", tables.ICD10CM, "F11.20"),
        ("DG1|1|I10|F1120|Opioid", tables.ICD10CM, "F11.20"),
        ("DG1|1||f1120", tables.ICD10CM, "F11.20"),
        ("DG1|1||X1^local^HTL^F11.20^Opioid^I10", tables.ICD10CM, "F11.20"),
        ("DG1|1||5602001^^SCT", tables.SNOMED, "5602001"),
        ("DG1|1||304.00^Opioid^I9", tables.ICD9CM, "304.00"),
        ("DG1|1||304.00^^I9CDX", tables.ICD9CM, "304.00"),
        ("DG1|1||AUD-SEV^Alcohol^NGPROB", "urn:throughline:system:org:NGPROB", "AUD-SEV"),
        ("DG1|1|||opioid use disorder", None, "opioid use disorder"),
    ],
)
def test_a_diagnosis_is_read_from_every_layout(dg1: str, system: str | None, code: str) -> None:
    (diagnosis,) = facts("ADT^A01", dg1).diagnoses
    assert (diagnosis.system, diagnosis.code) == (system, code)


@pytest.mark.parametrize("code", ["F11" + "2" * 253, "ŉ" * 200, "9" * 2000])
def test_a_diagnosis_code_of_any_length_is_read(code: str) -> None:
    (diagnosis,) = facts("ADT^A01", f"DG1|1||{code}^Opioid^I10").diagnoses
    assert len(diagnosis.code) <= TOKEN_MAX


def test_dg1_21_d_takes_a_diagnosis_back() -> None:
    found = facts("ADT^A08", "DG1|1||F11.20^^I10" + "|" * 18 + "D")
    assert (found.diagnoses, [one.code for one in found.removed_diagnoses]) == ([], ["F11.20"])


def test_b6_says_pregnant_and_its_absence_says_nothing() -> None:
    found = facts("ADT^A01", "PV1|1|I" + "|" * 13 + "A0~B6").circumstances
    assert found is not None
    assert found.clinical.pregnant is True
    assert facts("ADT^A01", "PV1|1|I").circumstances is None


def test_a_merge_tells_which_numbers_are_no_longer_current() -> None:
    found = facts("ADT^A40", PID, "MRG|HTESTTMP^^^M~HTESTTMP2")
    assert [(one.system, one.value) for one in found.merged_identifiers] == [
        ("urn:throughline:authority:org:M", "HTESTTMP"),
        ("urn:throughline:authority:org:PID-3", "HTESTTMP2"),
    ]


@pytest.mark.parametrize(
    ("kind", "segments", "place"),
    [
        ("ADT^A04", ("PID|1||||HTESTX^Y",), ("PID", 3)),
        ("ADT^A03", (), ("PID", 3)),
        ("ADT^A03", ('PID|1||""',), ("PID", 3)),
        ("ADT^A03", (PID,), None),
        ("ADT^A03", (PV1,), None),
        ("ADT^A03", ("PID|1" + "|" * 17 + "ACC",), None),
        ("ADT^A03", ("PID|1|HTESTOLD",), None),
        ("ADT^A31", ("PID|1" + "|" * 17 + "ACC",), ("PID", 3)),
        ("REF^I12", ("RF1|P",), ("PID", 3)),
        ("ORM^O01", ("ORC|NW|1", "OBR|1"), None),
        ("ORU^R01", ("OBX|1|NM|x",), None),
        ("ORU^R01", ("RXA|0|1|20260608||991147^^RXNORM",), ("PID", 3)),
        ("XYZ^Z01", ("DG1|1||F11.20",), ("PID", 3)),
    ],
)
def test_a_message_that_needs_an_identity_and_has_none_cant_be_filed(
    kind: str, segments: tuple[str, ...], place: tuple[str, int] | None
) -> None:
    message = parse("\r".join((rf"MSH|^~\&|A|F|B|G|20260608||{kind}|1|P|2.5", *segments)).encode())
    problem = DIALECT.filing(message, DIALECT.read(message, sender()).facts)
    assert (problem and (problem.segment, problem.field)) == place


def test_a_message_without_control_id_cant_be_filed() -> None:
    message = parse(rb"MSH|^~\&|A|F|B|G|20260608||ORU^R01||P|2.5")
    problem = DIALECT.filing(message, DIALECT.read(message, sender()).facts)
    assert problem is not None
    assert (problem.segment, problem.field, problem.code) == ("MSH", 10, "101")


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(alphabet='|^~&\\"AB01. \t\x01', max_size=120), max_size=6))
def test_no_content_of_known_segments_breaks_the_reading(bodies: list[str]) -> None:
    names = (
        "PID",
        "PV1",
        "DG1",
        "ORC",
        "RXE",
        "RXA",
        "RXD",
        "NK1",
        "IN1",
        "AL1",
        "TQ1",
        "MRG",
        "EVN",
        "OBX",
        "CON",
        "RF1",
    )
    for name in (*names, "PRD", "OBR"):
        for kind in ("ADT^A03", "ADT^A40", "REF^I12"):
            read(kind, *(f"{name}|{body}" for body in bodies))


def test_every_northgate_visit_is_read_without_a_note() -> None:
    if not VISITS.exists():
        pytest.skip("the example visits (../shared/visits) are not on this machine")
    northgate = Sender.model_validate_json((VISITS / "senders" / "northgate" / "sender.json").read_bytes())
    read_files = 0
    for path in sorted(VISITS.glob("*/*.hl7")):
        message = parse(path.read_bytes())
        if message.sending_facility == "NORTHGATE":
            reading = DIALECT.read(message, northgate)
            assert (reading.notes, DIALECT.filing(message, reading.facts)) == ((), None), path.name
            assert reading.facts.handled
            read_files += 1
    assert read_files > 50


@pytest.mark.parametrize("folder", ["001-film-meds-to-beds", "034-pregnant-split-methadone"])
def test_the_bridge_of_an_example_visit_is_as_its_story_says(folder: str) -> None:
    if not VISITS.exists():
        pytest.skip("the example visits (../shared/visits) are not on this machine")
    northgate = Sender.model_validate_json((VISITS / "senders" / "northgate" / "sender.json").read_bytes())
    (told,) = json.loads((VISITS / folder / "expected.json").read_bytes())["referral"]["bridge"]
    (path,) = (VISITS / folder).glob("*RDS*.hl7")
    (supply,) = DIALECT.read(parse(path.read_bytes()), northgate).facts.supplies
    assert all(getattr(supply, key) == value for key, value in told.items())
