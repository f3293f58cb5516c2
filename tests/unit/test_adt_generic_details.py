"""Results, referrals that are asked for, written consents, and codes that nobody knows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from fhir_mappings.dialects.adt_generic import dialect, people, results, site, stay
from fhir_mappings.dialects.adt_generic.dialect import DIALECT
from fhir_mappings.dialects.adt_generic.made import made
from fhir_mappings.dialects.base import Reading
from fhir_mappings.hl7v2 import DEFAULT_SEPARATORS, parse
from schemas.codes import tables
from schemas.discharge import Circumstances, Clinical, DrugScreen
from schemas.facts import Facts
from schemas.sender import ConsentMap, Sender

PID = "PID|1||HTEST1^^^M||HTESTFAMILY^Given||19800101|F"
SAMPLES = sorted((Path(dialect.__file__).parent / "samples").glob("*.hl7"))


def sender(**maps: Any) -> Sender:
    return Sender(id="s", organization="org", dialect="adt_generic", timezone="America/New_York", maps=maps)


def read(kind: str, *segments: str, **maps: Any) -> Reading:
    header = rf"MSH|^~\&|A|F|B|G|20260608141500||{kind}|1|P|2.5.1"
    return DIALECT.read(parse("\r".join((header, PID, *segments)).encode()), sender(**maps))


def circumstances(kind: str, *segments: str, **maps: Any) -> Circumstances:
    return read(kind, *segments, **maps).facts.circumstances or Circumstances()


def clinical(*segments: str, **maps: Any) -> Clinical:
    return circumstances("ORU^R01", *segments, **maps).clinical


def screens(*segments: str, **maps: Any) -> list[DrugScreen]:
    found = clinical(*segments, **maps).urine_drug_screen
    assert found != "unknown"
    return found


def rules(reading: Reading) -> dict[str, str]:
    return {note.path: note.rule for note in reading.notes}


# ---- results


@pytest.mark.parametrize(
    ("obx", "result"),
    [
        ("OBX|1|ST|19550-3^Methadone^LN||Positive||||||F", "Positive"),
        ("OBX|1|CWE|19550-3^Methadone^LN||POS^Positive||Neg|A|||F", "Positive (A)"),
        ("OBX|1|IS|19550-3^Methadone^LN||POS||||||F", "POS"),
        ("OBX|1|NM|16199-2^Methadone^LN||450|ng/mL^^UCUM|<150|HH|||F", "450 ng/mL (HH)"),
        ("OBX|1|SN|16199-2^Methadone^LN||>^100|ng/mL|||||F", ">100 ng/mL"),
        ("OBX|1|SN|16199-2^Methadone^LN||^100^-^200|ng/mL|||||F", "100-200 ng/mL"),
        ("OBX|1|ST|UMETH^Methadone^L^19550-3^Methadone^LN||neg||||||C", "neg"),
        ("OBX|1|ST|FENTQ^Fentanyl^L||neg||||||P", "neg"),
        ("OBX|1|ST|19550-3^Methadone^2.16.840.1.113883.6.1||neg", "neg"),
    ],
)
def test_a_drug_screen_is_told_as_sent(obx: str, result: str) -> None:
    (screen,) = screens(obx, results={"FENTQ": "urine-drug-screen"})
    assert (screen.result, screen.code is None) == (result, False)


@pytest.mark.parametrize(
    "obx",
    [
        "OBX|1|NM|2951-2^Sodium^LN||139|mmol/L|||||F",
        "OBX|1|ST|19550-3^Methadone^L||Positive||||||F",
        "OBX|1|ST|19550-3^Methadone^LN||||||||F",
        "OBX|1|ST|19551-1^Methadone cutoff^LN||300|ng/mL|||||F",
        "OBX|1|TX|^Methadone||Positive||||||F",
    ],
)
def test_another_result_or_none_is_no_drug_screen(obx: str) -> None:
    assert read("ORU^R01", obx).facts.circumstances is None


@pytest.mark.parametrize("status", ["D", "W", "X", "N", "O", "I", "R", "S"])
def test_a_result_that_is_none_by_its_status_is_noted(status: str) -> None:
    reading = read("ORU^R01", f"OBX|1|ST|19550-3^Methadone^LN||Positive||||||{status}")
    assert reading.facts.circumstances is None
    assert "0085" in rules(reading)["OBX-11"]


def test_a_result_is_of_its_own_time_else_of_its_request() -> None:
    first, second, third = screens(
        "OBX|1|ST|19550-3^a^LN||neg||||||F",
        "OBR|1||||||20260608080000",
        "OBX|1|ST|93494-3^b^LN||neg||||||F",
        "OBX|2|ST|16208-1^c^LN||neg||||||F|||20260608090000",
    )
    assert [one.at and one.at.isoformat() for one in (first, second, third)] == [
        None,
        "2026-06-08T08:00:00-04:00",
        "2026-06-08T09:00:00-04:00",
    ]


@pytest.mark.parametrize(
    ("value", "pregnant"),
    [
        ("ST|HCG^b||POSITIVE", True),
        ("ST|HCG^b||neg", False),
        ("CWE|HCG^b||10828004^Positive^SCT", True),
        ("CWE|82810-3^Pregnancy status^LN||77386006^Pregnant^SCT", True),
        ("CWE|82810-3^Pregnancy status^LN||60001007^Not pregnant^SCT", False),
        ("ST|HCG^b||equivocal", None),
        ("ST|HCG^b||weakly positive", None),
        ("NM|HCG^b||25000", None),
        ("CWE|82810-3^Pregnancy status^LN||UNK^Unknown^NULLFL", None),
    ],
)
def test_pregnancy_is_told_by_what_cant_be_taken_for_anything_else(*, value: str, pregnant: bool | None) -> None:
    reading = read("ORU^R01", f"OBX|1|{value}||||||F", results={"HCG": "pregnancy"})
    found = reading.facts.circumstances
    assert (found.clinical.pregnant if found is not None else None) is pregnant
    assert ("OBX-5" in rules(reading)) is (pregnant is None)


def test_of_two_pregnancy_tests_the_positive_one_holds() -> None:
    tests = [f"OBX|{n}|ST|HCG^b||{value}||||||F" for n, value in enumerate(("POS", "NEG"))]
    for order in (tests, tests[::-1]):
        assert clinical(*order, results={"HCG": "pregnancy"}).pregnant is True
    assert clinical(tests[1], "PV1|1|I" + "|" * 13 + "B6", results={"HCG": "pregnancy"}).pregnant is True


@pytest.mark.parametrize(
    ("value", "qtc"),
    [("451|ms", 451), ("450.6|", 451), ("0.45|s", None), ("451|mm", None), ("-3|ms", None), ("9999|ms", None)],
)
def test_a_qtc_is_a_time_in_milliseconds(value: str, qtc: int | None) -> None:
    assert clinical(f"OBX|1|NM|QT^QTc^ECG||{value}|||||F", results={"QT": "qtc"}).qtc_ms == qtc


def test_results_are_read_wherever_they_stand_but_not_of_a_trigger_that_is_not_handled() -> None:
    obx = "OBX|1|ST|19550-3^Methadone^LN||Positive||||||F"
    assert circumstances("ADT^A03", "PV1|1|I", obx).clinical.urine_drug_screen
    assert read("MDM^T02", obx).facts.circumstances is None


def test_no_cutoff_is_taken_for_a_result() -> None:
    assert {"19550-3", "16199-2", "93494-3", "16208-1", "58362-5"} <= tables.urine_drug_screens()
    assert not {"19551-1", "19579-2"} & tables.urine_drug_screens()


# ---- referrals


RF1 = "RF1|P|{priority}|{type}||{category}|R1^HTAPP||||{reason}"


def needs(kind: str = "REF^I12", *more: str, **fields: str) -> list[tuple[str, str | None, list[str]]]:
    rf1 = RF1.format(**{"priority": "S", "type": "", "category": "", "reason": "", **fields})
    found = circumstances(kind, rf1, *more, referral_needs={"MOUD": "moud-continuation", "PEER": "peer-support"})
    return [(need.kind, need.priority, need.patient_choice) for need in found.needs]


@pytest.mark.parametrize("field", ["type", "category", "reason"])
def test_a_need_stands_in_the_type_the_category_or_a_reason(field: str) -> None:
    assert needs(**{field: "MOUD^Continue"}) == [("moud-continuation", "stat", [])]
    assert needs(**{field: "X^Local^L^MOUD^Continue"}) == [("moud-continuation", "stat", [])]


def test_several_reasons_are_several_needs_each_once() -> None:
    assert [need for need, *_ in needs(type="MOUD", reason="PEER~MOUD~OTHER")] == ["moud-continuation", "peer-support"]


@pytest.mark.parametrize(
    ("sent", "priority"), [("S", "stat"), ("A^ASAP", "asap"), ("R", "routine"), ("", None), ("?", None)]
)
def test_the_urgency_is_that_of_table_0280(sent: str, priority: str | None) -> None:
    assert needs(type="MOUD", priority=sent)[0][1] == priority


def test_who_is_referred_to_is_the_choice() -> None:
    prds = (
        "PRD|RP|HTESTDOC^Anna",
        "PRD|RT|HTESTDOC^Fay" + "|" * 8 + "HT Program",
        "PRD|XX~RT^Referred to|HTESTDOC^Gil",
    )
    assert needs("REF^I13", *prds, type="MOUD")[0][2] == ["HT Program", "Gil HTESTDOC"]


def test_a_need_that_is_not_mapped_is_counted_and_not_guessed() -> None:
    reading = read("REF^I12", RF1.format(priority="R", type="SUD^x", category="", reason="O1~free text here"))
    assert reading.facts.circumstances is None
    assert reading.unmapped == (("need", "RF1-3", "SUD"), ("need", "RF1-10", "O1"))


def test_a_referral_that_is_taken_back_asks_for_nothing() -> None:
    assert needs("REF^I14", type="MOUD") == []


# ---- consents


CON = "CON|1|{type}||{form}|||||||{status}||{signed}||{ends}"
FORM = {"consents": {"P2": {"recipients": ["HT Program"], "purposes": ["TREAT"]}}}


def consent(**fields: str) -> str:
    return CON.format(**{"type": "P2^Release", "form": "F1", "status": "A", "signed": "20260607", "ends": "", **fields})


def test_a_consent_says_what_the_form_of_the_hospital_says() -> None:
    (found,) = circumstances("ADT^A08", consent(ends="20270607"), **FORM).consents
    assert (found.identifier, found.status, found.recipients, found.purposes) == (
        "F1",
        "active",
        ["HT Program"],
        ["TREAT"],
    )
    assert (str(found.signed_at), str(found.expires_at)) == ("2026-06-07", "2027-06-07")
    assert (found.form, found.classes, found.both_directions, found.lacks) == ("P2", [], False, [])
    (bare,) = circumstances("ADT^A08", consent(form=""), **FORM).consents
    assert bare.identifier == "P2"


def test_the_registration_of_a_form_tells_what_a_segment_has_no_field_for() -> None:
    paper = {"classes": ["my treating providers"], "both_directions": True, "form": "urn:form:3", "lacks": ["10"]}
    (found,) = circumstances("ADT^A08", consent(), consents={"P2": paper}).consents
    assert (found.recipients, found.classes, found.both_directions) == ([], ["my treating providers"], True)
    assert (found.form, found.lacks) == ("urn:form:3", ["10"])


def test_a_form_that_names_nobody_is_not_registered() -> None:
    with pytest.raises(ValidationError):
        ConsentMap.model_validate({"purposes": ["TREAT"]})


@pytest.mark.parametrize(
    ("sent", "status"),
    [("A", "active"), ("L", "draft"), ("P", "draft"), ("B", "draft"), ("R", "rejected"), ("X", "inactive")],
)
def test_only_what_was_granted_without_limits_is_active(sent: str, status: str) -> None:
    (found,) = circumstances("ADT^A08", consent(status=sent), **FORM).consents
    assert found.status == status


@pytest.mark.parametrize(
    ("fields", "place"), [({"type": "XX"}, "CON-2"), ({"status": ""}, "CON-11"), ({"status": "Q"}, "CON-11")]
)
def test_a_consent_that_is_not_understood_permits_nothing_and_is_noted(fields: dict[str, str], place: str) -> None:
    reading = read("ADT^A08", consent(**fields), **FORM)
    assert reading.facts.circumstances is None
    assert place in rules(reading)


# ---- codes that nobody knows


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        (("ORC|NW|1^P", "RXE||L9^local^LOC|1"), ("drug", "RXE-2", "L9")),
        (("ORC|NW|1^P", "RXO|L9^local^LOC|1"), ("drug", "RXO-1", "L9")),
        (("ORC|NW|1^P", "RXO|991147^x^RXNORM", "RXE||L9^local^LOC|1"), ("drug", "RXE-2", "L9")),
        (("PV1|1|QQ",), ("class", "PV1-2", "QQ")),
        (("PV1|1|I" + "|" * 34 + "HOME2",), ("disposition", "PV1-36", "HOME2")),
        (("DG1|1||X1^local^PROB",), ("diagnosis", "DG1-3", "X1")),
        (("DG1|1|PROB|X1|local",), ("diagnosis", "DG1-3", "X1")),
        (("CON|1|PHOTO",), ("consent", "CON-2", "PHOTO")),
        (("ORC|NW|1^P" + "|" * 27 + "Q", "RXE||991147^^RXNORM|1"), ("order-class", "ORC-29", "Q")),
    ],
)
def test_a_code_of_the_senders_own_that_nothing_maps_is_told(
    segments: tuple[str, ...], expected: tuple[str, str, str]
) -> None:
    assert read("ADT^A08", *segments).unmapped == (expected,)


@pytest.mark.parametrize(
    "segment",
    [
        "RXE||991147^methadone^RXNORM",
        "RXE||L9^x^LOC^58284022401^x^NDC",
        "RXE||^Suboxone film",
        "RXE||HTEST FAMILY 0815^x^LOC",
        f"RXE||{'9' * 33}^x^LOC",
        "DG1|1||F11.20^x^I10",
        "DG1|1||292.0^x^I9C",
        "DG1|1||292.0^x^I9",
        "DG1|1|||Dependence",
        "DG1|1||O99.320",
        "PV1|1|",
    ],
)
def test_what_is_known_or_has_not_the_shape_of_a_code_is_not_told(segment: str) -> None:
    assert read("ADT^A08", segment).unmapped == ()


def test_a_code_is_told_once_a_message_and_not_at_all_once_it_is_mapped() -> None:
    twice = ("ORC|NW|1^P", "RXE||L9^local^LOC|1", "ORC|NW|2^P", "RXE||L9^local^LOC|1")
    assert len(read("RDE^O11", *twice).unmapped) == 1
    assert read("RDE^O11", *twice, local_drugs={"L9": {"system": "rxnorm", "code": "991147"}}).unmapped == ()


# ---- what is kept between messages


def models(value: object) -> Iterator[BaseModel]:
    if isinstance(value, BaseModel):
        yield value
        for inner in vars(value).values():
            yield from models(inner)
    if isinstance(value, list):
        for inner in value:
            yield from models(inner)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_what_is_made_without_a_second_look_would_stand_one(sample: Path) -> None:
    who = Sender.model_validate_json((sample.parents[1] / "sender.json").read_bytes())
    reading = DIALECT.read(parse(sample.read_bytes()), who)
    for facts in (reading.facts, *reading.more):
        assert Facts.model_validate(facts.model_dump(by_alias=True)) == facts
        for model in models(facts):
            assert list(vars(model)) == list(type(model).model_fields), type(model).__name__


def test_a_model_that_was_made_is_like_any_other() -> None:
    plain = DrugScreen(code="1", system=None, display=None, result="x", at=None)
    other = made(DrugScreen, code="1", system=None, display=None, result="x", at=None)
    assert other == plain
    assert other.model_dump_json() == plain.model_dump_json()
    assert other.model_copy(update={"code": "2"}).code == "2"
    assert other.code == "1"


def test_two_senders_never_share_what_was_read_for_one() -> None:
    segments = ("ORC|NW|1^P", "RXE||L9^local^LOC|1", "OBX|1|ST|U^u^L||neg||||||F", "PV1|1|Q" + "|" * 34 + "Z9")
    mapped = {
        "local_drugs": {"L9": {"system": "rxnorm", "code": "991147"}},
        "results": {"U": "urine-drug-screen"},
        "class": {"Q": "EMER"},
        "disposition": {"Z9": "snf"},
    }
    for _ in range(2):
        first, second = read("ADT^A08", *segments).facts, read("ADT^A08", *segments, **mapped).facts
        assert (first.orders[0].product.code, second.orders[0].product.code) == ("L9", "991147")
        assert (first.circumstances is None, second.circumstances is None) == (True, False)
        assert first.visit is not None
        assert second.visit is not None
        assert (first.visit.class_, second.visit.class_) == (None, "EMER")
        assert (first.visit.disposition, second.visit.disposition) == (None, "snf")


def test_a_long_field_is_read_and_not_kept() -> None:
    long = "x" * (site.KEPT_LENGTH + 1)
    before = [
        read_once.cache_info().currsize
        for read_once in (site.kept_codings, site._kept_drug, site._kept_location, stay._diagnosed, people._plan)
    ]
    found = read(
        "ADT^A08",
        f"AL1|1||A^{long}",
        f"DG1|1||X^{long}^PROB",
        f"IN1|1|||{long}",
        f"PV1|1|I|^^^{long}",
        f"RXE||A^{long}",
    )
    after = [
        read_once.cache_info().currsize
        for read_once in (site.kept_codings, site._kept_drug, site._kept_location, stay._diagnosed, people._plan)
    ]
    assert found.facts.circumstances is not None
    assert found.facts.circumstances.allergies[0].display == long
    assert found.facts.circumstances.coverage[0].payer == long
    assert found.facts.diagnoses[0].display == long
    assert after[:2] == before[:2]
    assert after[3:] == before[3:]


def test_the_sites_that_are_kept_are_bounded() -> None:
    for number in range(300):
        site.site_of(
            Sender(id=f"s{number}", organization="o", dialect="adt_generic", timezone="UTC"), DEFAULT_SEPARATORS
        )
    assert len(site._SITES) <= 256


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(alphabet='POSNEG|^~&\\". 0123456789\x01', max_size=60), max_size=4))
def test_whatever_a_result_or_a_consent_holds_it_is_read_or_left_out(bodies: list[str]) -> None:
    segments = [f"OBX|1|{body}" for body in bodies] + [f"CON|1|P2|{body}" for body in bodies]
    reading = read("ORU^R01", *segments, results={"": "qtc", "P": "pregnancy"}, **FORM)
    assert Facts.model_validate(reading.facts.model_dump(by_alias=True)) == reading.facts
    assert results.NO_RESULTS == ([], None, None)
