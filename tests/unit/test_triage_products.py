"""What a product is, and what a code is worth that nobody knows."""

import pytest

from fhir_mappings.triage import classify, is_kept, judge, message_signal
from fhir_mappings.visits.visit import merge
from schemas.codes.tables import NDC, RXNORM
from schemas.discharge import Coding, Product
from schemas.facts import Facts, VisitRecord
from tests.unit import stories
from tests.unit.stories import FILM, admit, assembled, dx, order
from tests.unit.verdicts import codes, diagnosed, verdict

CODE_ONLY = Product(system=stories.LOCAL, code="NF7742")
UNRELATED = Product(system=stories.LOCAL, code="NF7742", display="lisinopril 10 mg tablet")


def recorded(message: Facts) -> VisitRecord:
    """What a visit holds that keeps every product of the message."""
    record = assembled(message)
    return record.model_copy(update={"orders": {one.key: one for one in message.orders}})


@pytest.mark.parametrize(
    ("text", "drug", "class_", "clock"),
    [
        ("SUBOXONE 8-2 FILM (NONFORMULARY)", "buprenorphine", "hint", "bup-daily"),
        ("buprenorphine-naloxone 8-2 mg SL film", "buprenorphine", "hint", "bup-daily"),
        ("BUPRENORPH/NALOX 8-2", "buprenorphine", "hint", "bup-daily"),
        ("Bunavail buprenorphine-naloxone buccal film", "buprenorphine", "hint", "bup-daily"),
        ("Brixadi 24 mg weekly", "buprenorphine", "hint", "bup-lai-weekly-brixadi"),
        ("BRIXADI 96 MG/0.27 ML", "buprenorphine", "hint", "bup-lai-weekly-brixadi"),
        ("Brixadi Monthly 96 mg", "buprenorphine", "hint", "bup-lai-monthly-brixadi"),
        ("brixadi 356 MG/ML", "buprenorphine", "hint", "bup-lai-monthly-brixadi"),
        ("Sublocade 300 mg/1.5 mL", "buprenorphine", "hint", "bup-lai-monthly-sublocade"),
        ("buprenorphine ER injection 100 mg", "buprenorphine", "hint", "bup-lai-monthly-sublocade"),
        ("buprenorphine\nER injection\n356 mg/mL", "buprenorphine", "hint", "bup-lai-monthly-brixadi"),
        ("Dolophine 10 mg", "methadone", "hint", "methadone-daily"),
        ("METHADOSE DISKETS", "methadone", "hint", "methadone-daily"),
        ("Vivitrol 380 mg kit", "naltrexone", "hint", "xr-ntx"),
        ("naltrexone 50 mg tab", "naltrexone", "hint", "ntx-oral-daily"),
        ("buprenorphine 10 mcg/hr patch", "buprenorphine", "doubtful", "bup-daily"),
        ("buprenorphine buccal film", "buprenorphine", "doubtful", "bup-daily"),
        ("naltrexone/bupropion 8-90", "naltrexone", "doubtful", "ntx-oral-daily"),
        ("BUTRANS 10 MCG/HR", "buprenorphine", "not-oud", "none"),
        ("Belbuca 450 mcg buccal film", "buprenorphine", "not-oud", "none"),
        ("Buprenex 0.3 mg/mL", "buprenorphine", "not-oud", "none"),
        ("Simbadol", "buprenorphine", "not-oud", "none"),
        ("ZORBIUM topical", "buprenorphine", "not-oud", "none"),
        ("naloxone 4 mg nasal spray", "naloxone", "rescue", "none"),
        ("Narcan kit", "naloxone", "rescue", "none"),
    ],
)
def test_a_text_gives_a_hint(text: str, drug: str, class_: str, clock: str) -> None:
    found = classify(Product(system="urn:local:drugs", code="X1", display=text))
    assert found is not None
    assert (found.drug, found.triage_class, found.clock_class, found.by) == (drug, class_, clock, "text")


@pytest.mark.parametrize(
    "text", ["methylnaltrexone 12 mg", "naloxegol 25 mg", "bupropion XL 150 mg", "lisinopril", None]
)
def test_a_text_of_another_drug_gives_none(text: str | None) -> None:
    assert classify(Product(system="urn:local:drugs", code="X1", display=text)) is None


def test_rxnorm_decides_whichever_code_carries_it() -> None:
    product = Product(
        system="urn:local:drugs",
        code="L1",
        display="Suboxone",
        alternates=[Coding(system="urn:oid:2.16.840.1.113883.6.88", code="904870", display="patch")],
    )
    found = classify(product)
    assert found is not None
    assert (found.triage_class, found.by) == ("not-oud", "rxnorm")


def test_an_rxnorm_code_outside_the_table_falls_back_to_its_text() -> None:
    found = classify(Product(system=RXNORM, code="352364", display="Buprenorphine / Naltrexone"))
    assert found is not None
    assert (found.triage_class, found.by) == ("hint", "text")
    assert (
        verdict(order("06-06 12:00", Product(system=RXNORM, code="1819", display="buprenorphine"))).outcome == "review"
    )


@pytest.mark.parametrize("code", ["58284-264-01", "58284026401"])
def test_an_ndc_without_text_is_a_hint_with_the_shorter_clock(code: str) -> None:
    product = Product(system=NDC, code=code)
    found = classify(product)
    assert found is not None
    assert (found.triage_class, found.clock_class, found.by) == ("hint", "bup-lai-weekly-brixadi", "ndc")
    assert codes(verdict(order("06-06 12:00", product))) == {"ndc-hint-only"}
    confirmed = verdict(order("06-06 12:00", product), diagnosed(dx("F11.20")))
    assert confirmed.outcome == "referral"
    assert codes(confirmed) == {"ndc-hint", "oud-evidence"}


def test_a_hint_of_a_pain_form_is_never_an_automatic_referral() -> None:
    patch = Product(system="urn:local:drugs", code="X1", display="buprenorphine 10 mcg/hr patch")
    triage = verdict(order("06-06 12:00", patch), diagnosed(dx("F11.20")))
    assert triage.outcome == "review"
    assert codes(triage) == {"product-doubtful", "oud-evidence"}


def test_an_unknown_local_code_without_text_counts_only_beside_evidence() -> None:
    assert verdict(order("06-06 12:00", CODE_ONLY)).outcome == "not-ours"
    kept = recorded(order("06-06 12:00", CODE_ONLY))
    assert codes(judge(kept)) == {"no-signal"}
    beside = merge(kept, admit("06-06 10:00", "F11.20"))
    assert judge(beside).outcome == "review"
    assert codes(judge(beside)) == {"local-code-unknown"}
    assert judge(beside).product is None


@pytest.mark.parametrize(
    "product",
    [
        UNRELATED,
        Product(system=RXNORM, code="314076"),
        Product(system=stories.LOCAL, code="NF7742", alternates=[Coding(system=RXNORM, code="314076")]),
        Product(system=stories.LOCAL, code="NF7742", alternates=[Coding(system=NDC, code="1", display="lisinopril")]),
    ],
)
def test_a_code_with_another_text_or_of_another_rxnorm_product_is_no_signal(product: Product) -> None:
    record = merge(recorded(order("06-06 12:00", product)), admit("06-06 10:00", "F11.20"))
    assert codes(judge(record)) == {"bare-f11"}
    assert not is_kept(product)


def test_an_unknown_code_is_kept_for_its_visit_and_is_none_of_our_drugs() -> None:
    assert is_kept(CODE_ONLY)
    assert is_kept(Product(system=NDC, code="00000-0000-00"))
    assert is_kept(FILM)
    assert classify(CODE_ONLY) is None


def test_an_unknown_code_is_a_signal_in_a_visit_that_has_evidence() -> None:
    message = order("06-06 12:00", CODE_ONLY)
    assert not message_signal(message)
    assert message_signal(message, assembled(admit("06-06 10:00", "F11.20")))
    assert not message_signal(message, assembled(admit("06-06 10:00", "I10")))


def test_an_unknown_code_never_stands_before_a_known_product() -> None:
    record = merge(recorded(order("06-06 12:00", CODE_ONLY)), order("06-06 13:00", FILM, key="O2"))
    assert codes(judge(record)) == {"moud-daily"}
