from typing import Any

import pytest

from fhir_mappings import triage
from fhir_mappings.dialects.adt_generic import timing
from fhir_mappings.dialects.adt_generic.dialect import DIALECT
from fhir_mappings.dialects.base import Reading
from fhir_mappings.hl7v2 import parse
from schemas.codes import tables
from schemas.discharge import Product
from schemas.facts import Facts
from schemas.sender import Sender

PID = "PID|1||HTEST1^^^M||HTESTFAMILY^Given||19800101|F"


def read(kind: str, *segments: str, **maps: Any) -> Reading:
    sender = Sender(id="s", organization="org", dialect="adt_generic", timezone="America/New_York", maps=maps)
    header = rf"MSH|^~\&|A|F|B|G|20260608141500||{kind}|1|P|2.5.1"
    return DIALECT.read(parse("\r".join((header, PID, *segments)).encode()), sender)


def facts(kind: str, *segments: str, **maps: Any) -> Facts:
    return read(kind, *segments, **maps).facts


def rules(reading: Reading) -> dict[str, str]:
    return {note.path: note.rule for note in reading.notes}


ORC = "ORC|NW|77^PLC|F77^FIL||||||20260608120000|||1999990017^HTESTDOC^ANNA"


def test_an_order_is_read_with_its_timing() -> None:
    tq1 = "TQ1|1|1|Q12H|||7^d|20260608130000"
    (order,) = facts("RDE^O11", ORC, "RXE||991147^methadone^RXNORM|40||mg", tq1, "RXR|PO^Oral").orders
    assert (order.key, order.interval, order.days, order.amount, order.unit) == ("PLC|77", "PT12H", 7, 40.0, "mg")
    assert (order.route, order.prescriber, order.discharge) == ("Oral", "ANNA HTESTDOC", False)


def test_the_old_layout_of_timing_is_read_from_orc_7_and_rxe_1() -> None:
    (old,) = facts("RDE^O01", "ORC|NW|77^PLC|||||1^QDAY^D7", "RXE||991147^^RXNORM").orders
    (older,) = facts("RDE^O01", "ORC|NW|77^PLC", "RXE|1^BID^D3|991147^^RXNORM").orders
    assert ((old.interval, old.days), (older.interval, older.days)) == (("PT24H", 7), ("PT12H", 3))


@pytest.mark.parametrize(
    ("repeat", "interval"),
    [
        ("QDAY", "PT24H"),
        ("Q.D.", "PT24H"),
        ("daily", "PT24H"),
        ("BID", "PT12H"),
        ("Q8H", "PT8H"),
        ("QID", "PT6H"),
        ("Q36H", "PT36H"),
        ("QOD", "PT48H"),
        ("Q3D", "PT72H"),
        ("QWEEK", "P7D"),
        ("Q4W", "P28D"),
        ("QMONTH", "P28D"),
        ("Every 24 hours", "PT24H"),
        ("every 12 hrs", "PT12H"),
        ("Q 8 HR", "PT8H"),
        ("every six hours", "PT6H"),
        ("EVERY DAY", "PT24H"),
        ("every other day", "PT48H"),
        ("every 2 days", "PT48H"),
        ("Every morning", "PT24H"),
        ("at bedtime", "PT24H"),
        ("Once daily", "PT24H"),
        ("1 time daily", "PT24H"),
        ("once a day", "PT24H"),
        ("one time per day", "PT24H"),
        ("2 times daily", "PT12H"),
        ("2x/day", "PT12H"),
        ("2 X DAILY", "PT12H"),
        ("Twice a day", "PT12H"),
        ("three times daily", "PT8H"),
        ("4 times per day", "PT6H"),
        ("weekly", "P7D"),
        ("once a week", "P7D"),
        ("every week", "P7D"),
        ("every 7 days", "P7D"),
        ("every 168 hours", "P7D"),
        ("every 4 weeks", "P28D"),
        ("every four weeks", "P28D"),
        ("every 28 days", "P28D"),
        ("Q2WK", "P14D"),
        ("every other week", "P14D"),
        ("once monthly", "P28D"),
        ("every month", "P28D"),
        ("every 90 minutes", "PT90M"),
        ("Q180 min", "PT3H"),
        ("Q0H", None),
        ("Q1.5H", None),
        ("Q4-6H", None),
        ("Q999D", None),
        ("every 24 hours PRN", None),
        ("5 times daily", None),
        ("0 times daily", None),
        ("2 times weekly", None),
        ("2 times", None),
        ("7 days", None),
        ("ONCE", None),
        ("one time", None),
        ("PRN", None),
        ("", None),
    ],
)
def test_a_repeat_pattern_becomes_an_interval(repeat: str, interval: str | None) -> None:
    assert timing.interval(repeat) == interval


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("3", "d", 3),
        ("3", "days", 3),
        ("2", "wk", 14),
        ("D7", "", 7),
        ("W2", "", 14),
        ("3", "", None),
        ("8", "h", None),
    ],
)
def test_a_duration_counts_days_only_with_a_unit(text: str, unit: str, expected: int | None) -> None:
    assert timing.days(text, unit) == expected


@pytest.mark.parametrize(
    ("segments", "interval"),
    [
        (["TQ1|1||TID", "RXO|X^methadone", "RXE||991147^methadone^RXNORM|80||mg", "TQ1|1||QDAY"], "PT24H"),
        (["TQ1|1||TID", "RXE||991147^methadone^RXNORM|80||mg"], "PT8H"),
        (["TQ1|1||HTLOCAL&every 12 hours", "RXO|991147^methadone^RXNORM"], "PT12H"),
        (["TQ1|1||^^^^24^h", "RXO|991147^methadone^RXNORM"], "PT24H"),
        (["TQ1|1||QDAY^^^^12^h", "RXO|991147^methadone^RXNORM"], "PT24H"),
        (["TQ1|1||^^^^2.5^h", "RXO|991147^methadone^RXNORM"], None),
        (["TQ1|1||QDAY|||3^d", "RXE||991147^methadone^RXNORM|80||mg", "TQ1|1||||||20260608"], "PT24H"),
        (["TQ1|1||QDAY", "RXE||991147^methadone^RXNORM|80||mg", "TQ1|1||HTLOCAL"], None),
    ],
)
def test_the_timing_that_holds_is_that_of_the_encoded_product(segments: list[str], interval: str | None) -> None:
    (order,) = facts("RDE^O11", "ORC|NW|77^PLC", *segments).orders
    assert order.interval == interval


@pytest.mark.parametrize("control", ["CA", "DC", "OC", "OD"])
def test_a_cancelled_order_is_withdrawn(control: str) -> None:
    (order,) = facts("RDE^O11", f"ORC|{control}|77^PLC", "RXE||991147^^RXNORM").orders
    assert order.withdrawn


def test_the_order_class_comes_from_the_field_that_the_sender_names() -> None:
    words = {"field": "ZOC-2", "DISCH": "discharge", "INPT": "inpatient"}
    rxe = "RXE||991147^^RXNORM"
    (home,) = facts("RDE^O11", ORC, rxe, "ZOC|1|DISCH", order_class=words).orders
    (ward,) = facts("RDE^O11", ORC, rxe, "ZOC|1|INPT", order_class=words).orders
    (default,) = facts("RDE^O11", "ORC|NW|1" + "|" * 27 + "O", rxe).orders
    assert (home.discharge, ward.discharge, default.discharge) == (True, False, True)


def test_rxnorm_wins_over_the_order_of_triplets_and_others_stay_as_alternates() -> None:
    (order,) = facts("RDE^O11", ORC, "RXE||L8^film^LOCAL^1010604^bup/nx^RXN").orders
    assert (order.product.system, order.product.code) == (tables.RXNORM, "1010604")
    assert [(one.system, one.code) for one in order.product.alternates] == [("urn:throughline:system:org:LOCAL", "L8")]


def test_an_ndc_is_kept_as_received() -> None:
    (order,) = facts("RDE^O11", ORC, "RXE||58284-224-01^BRIXADI WEEKLY^NDC^L1^local^LOCAL").orders
    assert (order.product.system, order.product.code) == (tables.NDC, "58284-224-01")


def test_a_local_code_that_the_sender_maps_puts_the_mapped_code_first() -> None:
    drug = {"system": "rxnorm", "code": "1010604", "text": "film"}
    maps = {"drug_systems": {"LOC": "local"}, "local_drugs": {"L8": drug}}
    (order,) = facts("RDE^O11", ORC, "RXE||L8^film 8^LOC", **maps).orders
    assert (order.product.system, order.product.code) == (tables.RXNORM, "1010604")
    assert [one.code for one in order.product.alternates] == ["L8"]


OWN = ("urn:throughline:system:org:L", "HT9", "HTLOCAL")
METHADONE = (tables.RXNORM, "991147", "methadone")


def codes(product: Product) -> list[tuple[str | None, str, str | None]]:
    return [(one.system, one.code, one.display) for one in (product, *product.alternates)]


@pytest.mark.parametrize(
    "segments",
    [
        ["RXO|991147^methadone^RXNORM|60||mg", "RXE||HT9^HTLOCAL^L|80||mg"],
        ["RXE||HT9^HTLOCAL^L|80||mg", "RXO|HT8^^L", "RXD|1|991147^methadone^RXNORM|20260608"],
        ["RXE||HT9^HTLOCAL^L|80||mg", "RXA|0|1|||991147^methadone^RXNORM"],
    ],
)
def test_an_order_under_a_local_code_is_of_the_product_that_another_segment_names(segments: list[str]) -> None:
    (order,) = facts("RDE^O11", "ORC|NW|1", *segments).orders
    assert codes(order.product) == [METHADONE, OWN]
    assert (order.amount, order.unit) == (80.0, "mg")


def test_a_code_that_is_known_by_itself_stays_alone() -> None:
    rxo = "RXO|351265^buprenorphine^RXNORM"
    (order,) = facts("RDE^O11", "ORC|NW|1", rxo, "RXE||00054-4538-25^methadone^NDC|80||mg").orders
    assert codes(order.product) == [(tables.NDC, "00054-4538-25", "methadone")]


def test_a_dose_and_a_supply_are_of_the_product_of_their_order() -> None:
    order = ("ORC|RE|1^P", "RXE||991147^methadone^RXNORM|80||mg")
    (dose,) = facts("RAS^O17", *order, "RXA|0|1|20260608091500||HT9^HTLOCAL^L|80|mg").doses
    (supply,) = facts("RDS^O13", *order, "TQ1|1|||||3^d", "RXD|1|HT9^HTLOCAL^L|20260608|1").supplies
    assert codes(dose.product) == codes(supply.product) == [METHADONE, OWN]


def test_a_local_code_that_was_sent_beside_is_not_told_twice() -> None:
    rxo = "RXO|991147^methadone^RXNORM^HT9^HTLOCAL^L"
    (order,) = facts("RDE^O11", "ORC|NW|1", rxo, "RXE||HT9^HTLOCAL^L|80||mg").orders
    assert codes(order.product) == [METHADONE, OWN]


def test_the_key_of_a_dose_is_the_same_whether_its_order_stands_beside_or_not() -> None:
    orc, rxa = "ORC|RE|1^P", "RXA|0|1|20260608091500||HT9^HTLOCAL^L|80|mg"
    (alone,) = facts("RAS^O17", orc, rxa).doses
    (beside,) = facts("RAS^O17", orc, "RXE||991147^methadone^RXNORM|80||mg", rxa).doses
    assert alone.key == beside.key == "P|1|HT9|20260608091500"


def test_another_dose_of_the_group_does_not_say_what_this_one_is() -> None:
    rxas = ("RXA|0|1|20260608091500||991147^methadone^RXNORM|80|mg", "RXA|0|2|20260608091600||HT9^HTLOCAL^L|1|EA")
    known, own = facts("RAS^O17", "ORC|RE|1^P", *rxas).doses
    assert (codes(known.product), codes(own.product)) == ([METHADONE], [OWN])


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("HT9^^L^^^^^^methadone 10 mg tablet", [("urn:throughline:system:org:L", "HT9", "methadone 10 mg tablet")]),
        ("^^^^^^^^methadone 10 mg tablet", [(None, "methadone 10 mg tablet", "methadone 10 mg tablet")]),
        ("HT9^HTLOCAL^L^^^^^^methadone 10 mg tablet", [OWN]),
        (
            "HT9^^L^991147^^RXNORM^^^methadone",
            [METHADONE, ("urn:throughline:system:org:L", "HT9", "methadone")],
        ),
    ],
)
def test_the_original_text_is_the_text_where_no_other_was_sent(
    sent: str, expected: list[tuple[str | None, str, str | None]]
) -> None:
    (order,) = facts("RDE^O11", "ORC|NW|1", f"RXE||{sent}|80||mg").orders
    assert codes(order.product) == expected
    assert triage.message_signal(facts("RDE^O11", "ORC|NW|1", f"RXE||{sent}|80||mg")) is (expected != [OWN])


@pytest.mark.parametrize(
    ("sent", "unit"),
    [("mg", "mg"), ("43^mg", "mg"), ("^mg", "mg"), ("mg^milligram", "mg"), ("43", "43"), ("", None)],
)
def test_a_unit_by_its_number_is_told_by_its_text(sent: str, unit: str | None) -> None:
    (dose,) = facts("RAS^O17", "ORC|RE|1", f"RXA|0|1|20260608091500||991147^methadone^RXNORM|80|{sent}").doses
    (order,) = facts("RDE^O11", "ORC|NW|1", f"RXE||991147^methadone^RXNORM|80||{sent}").orders
    assert (dose.unit, order.unit) == (unit, unit)


def test_names_of_prescribers_and_nurses_are_whole() -> None:
    (order,) = facts("RDE^O11", "ORC|NW|1||||||||||1^HTESTDOC^Anna^Bea", "RXE||991147^^RXNORM").orders
    assert order.prescriber == "Anna Bea HTESTDOC"


def test_a_drug_that_is_text_only_keeps_its_text() -> None:
    (order,) = facts("RDE^O11", ORC, "RXE||^Suboxone film").orders
    assert (order.product.system, order.product.display) == (None, "Suboxone film")


RXA = "RXA|0|1|20260608091500||991147^methadone^RXNORM|{amount}|mg" + "|" * 11 + "{refusal}||{status}|{action}"


@pytest.mark.parametrize(
    ("amount", "refusal", "status", "action", "outcome", "held", "deleted"),
    [
        ("60", "", "CP", "A", "complete", False, False),
        ("30", "", "PA", "A", "partial", False, False),
        ("0", "00^Refused", "RE", "A", "refused", True, False),
        ("0", "", "NA", "A", "not-given", True, False),
        ("60", "", "CP", "D", "complete", False, True),
        ("60", "", "", "", "complete", False, False),
        ("60", "00^Refused", "", "", "refused", True, False),
        ("0", "", "CP", "A", "complete", True, False),
        ("60", "", "??", "A", "partial", False, False),
    ],
)
def test_a_dose_is_one_only_if_it_was_given(
    *, amount: str, refusal: str, status: str, action: str, outcome: str, held: bool, deleted: bool
) -> None:
    rxa = RXA.format(amount=amount, refusal=refusal, status=status, action=action)
    (dose,) = facts("RAS^O17", ORC, rxa).doses
    assert (dose.outcome, dose.held, dose.deleted) == (outcome, held, deleted)
    assert (dose.key, dose.order) == ("PLC|77|991147|20260608091500", "PLC|77")


def test_a_group_with_a_dose_tells_no_order() -> None:
    found = facts(
        "RAS^O17", ORC, "RXE||991147^^RXNORM|60||mg", RXA.format(amount=60, refusal="", status="CP", action="A")
    )
    assert (len(found.orders), len(found.doses)) == (0, 1)


HOME = "ORC|RE|78^PLC" + "|" * 27 + "O"
RXD = "RXD|1|1010604^film^RXNORM|20260608133500|6|FILM||RX1"


def test_days_of_a_supply_come_from_the_duration_never_from_the_quantity() -> None:
    (supply,) = facts("RDS^O13", HOME, "TQ1|1|1|QDAY|||3^d", RXD).supplies
    assert (supply.days, supply.doses, supply.interval, supply.order) == (3, None, "PT24H", "PLC|78")
    (unknown,) = facts("RDS^O13", HOME, RXD).supplies
    assert (unknown.days, unknown.doses) == (None, None)


def test_days_may_stand_in_a_field_of_the_senders_own() -> None:
    (supply,) = facts("RDS^O13", HOME, RXD, "ZOC|1|X|3", days_supply="ZOC-3").supplies
    assert supply.days == 3


def test_a_supply_that_counts_doses_keeps_their_number() -> None:
    (supply,) = facts("RDS^O13", HOME, "TQ1|1|1|Q12H|||3^d", RXD.replace("FILM", "DOSE")).supplies
    assert (supply.days, supply.doses) == (3, 6)


@pytest.mark.parametrize("orc", ["ORC|RE|78^PLC" + "|" * 27 + "I", HOME.replace("RE", "CA"), "ORC|RE|78^PLC"])
def test_a_dispense_to_the_ward_or_withdrawn_or_without_days_is_an_order_and_no_supply(orc: str) -> None:
    found = facts("RDS^O13", orc, RXD)
    assert (len(found.supplies), len(found.orders)) == (0, 1)


def test_two_dispenses_of_one_order_are_two_supplies() -> None:
    found = facts("RDS^O13", HOME, RXD, RXD.replace("RX1", "RX2"))
    assert len({supply.key for supply in found.supplies}) == 2


def test_orders_without_orc_are_told_apart() -> None:
    found = facts("RDE^O11", "RXE||991147^^RXNORM", "RXR|PO", "RXE||1010604^^RXNORM", "RXR|SL^Sublingual")
    assert [(order.product.code, order.route) for order in found.orders] == [
        ("991147", "PO"),
        ("1010604", "Sublingual"),
    ]


def test_a_dose_without_a_readable_time_is_noted_and_still_evidence_of_an_order() -> None:
    reading = read("RAS^O17", ORC, "RXA|0|1|sometime||991147^methadone^RXNORM|60|mg")
    assert reading.facts.doses == []
    assert [order.product.code for order in reading.facts.orders] == ["991147"]
    assert "RXA-3" in rules(reading)
