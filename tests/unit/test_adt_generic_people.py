"""Who stands beside the person, and by which number the insurer knows the person."""

from typing import Any

import pytest

from fhir_mappings.dialects.adt_generic.dialect import DIALECT
from fhir_mappings.hl7v2 import parse
from schemas.discharge import Circumstances
from schemas.facts import Facts
from schemas.sender import Sender

PID = "PID|1||HTEST1^^^M||HTESTFAMILY^Given||19800101|F"
IN1 = "IN1|1|PLAN|7|HTEST Payer"


def facts(kind: str, *segments: str, **maps: Any) -> Facts:
    sender = Sender(id="s", organization="org", dialect="adt_generic", timezone="America/New_York", maps=maps)
    header = rf"MSH|^~\&|A|F|B|G|20260608141500||{kind}|1|P|2.5.1"
    return DIALECT.read(parse("\r".join((header, PID, *segments)).encode()), sender).facts


def circumstances(*segments: str) -> Circumstances:
    return facts("ADT^A08", *segments).circumstances or Circumstances()


@pytest.mark.parametrize(
    ("nk1", "expected"),
    [
        ("HTESTKIN^Anna^Bea|SPO^Spouse^HL70063||(312)555-0101", ("Spouse", "Anna Bea HTESTKIN", "(312)555-0101")),
        ("HTESTKIN^Anna|SPO||REDACTED|^WPN^PH^^^312^5550102", ("SPO", "Anna HTESTKIN", "312-555-0102")),
        ("HTESTKIN", ("contact", "HTESTKIN", None)),
        ('""|SPO||(312)555-0101', ("SPO", None, "(312)555-0101")),
    ],
)
def test_a_contact_is_told_with_all_names_and_a_number_to_call(nk1: str, expected: tuple[str | None, ...]) -> None:
    (found,) = circumstances(f"NK1|1|{nk1}").contacts
    assert (found.what, found.name, found.phone) == expected


@pytest.mark.parametrize(
    ("pid_29_30", "died"),
    [
        ("|", None),
        ("|Y", True),
        ("|y", True),
        ("|N", False),
        ("20260608150000|N", False),
        ("20260608150000|", True),
        ("20260608|", True),
        ('""|""', None),
        ("|U", None),
    ],
)
def test_a_death_is_said_by_the_indicator_else_by_a_time(pid_29_30: str, *, died: bool | None) -> None:
    pid = PID + "|" * (29 - PID.count("|")) + pid_29_30
    header = r"MSH|^~\&|A|F|B|G|20260608141500||ADT^A08|1|P|2.5.1"
    sender = Sender(id="s", organization="org", dialect="adt_generic", timezone="America/New_York")
    assert DIALECT.read(parse(f"{header}\r{pid}".encode()), sender).facts.died is died


def test_one_who_can_neither_be_named_nor_called_is_no_contact() -> None:
    assert circumstances("NK1|1||SPO", "NK1|2||MTH||N").contacts == []


def test_the_member_number_is_that_of_the_policy_else_of_in2() -> None:
    by_policy = IN1 + "|" * 32 + "M36" + "|" * 13 + "M49"
    by_insured = IN1 + "|" * 45 + "M49"
    in2 = "IN2" + "|" * 8 + "M8" + "|" * 53 + "M61^^^PAYER"
    segments = (by_policy, in2, by_insured, in2, IN1, in2, IN1, "IN2" + "|" * 8 + "M8", IN1)
    assert [one.member_id for one in circumstances(*segments).coverage] == ["M36", "M49", "M61", "M8", None]


def test_in2_is_of_the_insurance_before_it() -> None:
    in2 = "IN2" + "|" * 61 + "M61"
    assert [one.member_id for one in circumstances(IN1, IN1, in2).coverage] == [None, "M61"]


@pytest.mark.parametrize(
    ("sent", "destination"),
    [
        ("HTEST House", "HTEST House"),
        ("22&HTEST Home&FDK^20260608", "HTEST Home"),
        ("22&&FDK", "22"),
        ("22^20260608", "22"),
        ("", None),
    ],
)
def test_a_destination_is_told_in_words_where_words_were_sent(sent: str, destination: str | None) -> None:
    visit = facts("ADT^A03", "PV1|1|I" + "|" * 35 + sent).visit
    assert visit is not None
    assert visit.destination == destination
