"""The code tables and the traps that other tables fall into."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from fhir_mappings.triage import is_overdose
from schemas.codes import tables

FOLDER = Path(tables.__file__).parent
SOURCE = Path(__file__).parents[2].parent / "shared" / "terminology"
FILES = sorted(path.name for path in FOLDER.glob("*.csv"))


def rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def of_class(name: str) -> set[str]:
    return {row.code for row in tables.drugs().values() if row.triage_class == name}


@pytest.mark.parametrize("name", FILES)
def test_every_row_names_the_source_in_which_it_was_read(name: str) -> None:
    found = list(rows(FOLDER / name))
    assert found
    for row in found:
        assert row["source"]
        assert "memory" not in row["source"]
        assert row["verified"] == "yes" or row["verified"].startswith("yes (map")
        assert "UNVERIFIED" not in row["display"]
    assert len({row["code"] for row in found}) == len(found)


@pytest.mark.parametrize("name", [name for name in FILES if name not in ("ndc_hints.csv", "ub04_discharge_status.csv")])
def test_a_table_says_what_its_source_table_says(name: str) -> None:
    if not SOURCE.is_dir():
        pytest.skip("the shared terminology folder is not beside this checkout")
    origin = {row["code"]: row for row in rows(SOURCE / name)}
    for row in rows(FOLDER / name):
        assert row == origin[row["code"]]


def test_no_procedure_terminology_of_the_ama_is_shipped() -> None:
    assert not {"cpt.csv", "nucc.csv"} & set(FILES)
    assert all("ama-assn" not in path.read_text(encoding="utf-8").lower() for path in FOLDER.glob("*.csv"))


def test_the_classes_that_decide_are_disjoint_and_complete() -> None:
    referral, ambiguous, never, rescue = (
        of_class("daily") | of_class("lai"),
        of_class("needs-dx"),
        of_class("not-oud"),
        of_class("rescue"),
    )
    assert (len(referral), len(ambiguous), len(never), len(rescue)) == (55, 15, 31, 23)
    assert referral | ambiguous | never | rescue == set(tables.drugs())
    assert sum(map(len, (referral, ambiguous, never, rescue))) == len(tables.drugs())


@pytest.mark.parametrize("code", ["238129", "205533", "1655032", "904870", "1716069", "1594650", "2599846"])
def test_pain_and_veterinary_products_of_measure_value_sets_are_not_for_opioid_use_disorder(code: str) -> None:
    assert code in of_class("not-oud")


@pytest.mark.parametrize("code", ["1542390", "1010604", "351265", "864978", "991147"])
def test_products_of_treatment_programs_need_no_diagnosis(code: str) -> None:
    assert code in of_class("daily")


@pytest.mark.parametrize("code", ["864706", "864761", "637213", "1483744", "246474", "250426"])
def test_products_with_other_uses_need_a_diagnosis(code: str) -> None:
    assert code in of_class("needs-dx")


@pytest.mark.parametrize("code", ["1819", "6813", "7243", "352364"])
def test_ingredient_codes_that_nobody_read_in_a_source_are_not_in_the_table(code: str) -> None:
    assert tables.drug(tables.RXNORM, code) is None


def test_the_clock_of_brixadi_follows_its_concentration() -> None:
    for row in tables.drugs().values():
        if "356 MG/ML" in row.display:
            assert row.clock_class == "bup-lai-monthly-brixadi"
        if "buprenorphine 50 MG/ML" in row.display:
            assert row.clock_class == "bup-lai-weekly-brixadi"


@pytest.mark.parametrize("system", [tables.RXNORM, "urn:oid:2.16.840.1.113883.6.88", "RXNORM", "RxN"])
def test_a_drug_is_found_by_any_name_of_its_code_system(system: str) -> None:
    found = tables.drug(system, "1010604")
    assert found is not None
    assert (found.drug, found.form, found.triage_class, found.clock_class) == (
        "buprenorphine-naloxone",
        "sl-film",
        "daily",
        "bup-daily",
    )


def test_a_drug_code_of_another_system_is_not_taken_for_rxnorm() -> None:
    assert tables.drug("urn:local:drugs", "1010604") is None
    assert tables.drug(None, "1010604") is None


@pytest.mark.parametrize("code", ["F11.91", "F1191", "f11.91"])
def test_the_remission_code_that_older_tables_miss_is_there_with_and_without_dot(code: str) -> None:
    found = tables.diagnosis(tables.ICD10CM, code)
    assert found is not None
    assert found.role == "opioid-use-unspecified-remission"


def test_category_headers_are_told_apart_from_billable_codes() -> None:
    header, leaf = tables.icd10cm()["F11.2"], tables.icd10cm()["F11.20"]
    assert (header.billable, leaf.billable) == (False, True)


def test_cocaine_is_no_opioid_and_an_analgesic_history_is_no_disorder() -> None:
    assert not [code for code in tables.icd10cm() if code.startswith("T40.5")]
    assert tables.icd10cm()["Z79.891"].role == "long-term-opiate-analgesic(NOT OUD)"


def test_an_overdose_is_a_poisoning_at_its_initial_encounter_only() -> None:
    found = {code for code, row in tables.icd10cm().items() if is_overdose(row)}
    assert found
    assert all(code.startswith("T40.") and code[-1] == "A" and code[-2] in "1234" for code in found)
    assert {code[:5] for code in found} == {"T40.0", "T40.1", "T40.2", "T40.3", "T40.4", "T40.6"}


def test_too_wide_snomed_findings_are_left_out() -> None:
    assert "70545002" not in tables.snomed()
    assert tables.snomed()["1254709001"].display.startswith("Referral to substance use disorder")


def test_a_code_without_system_is_read_as_icd_only_where_the_table_has_it() -> None:
    assert tables.diagnosis(None, "F1120") is not None
    assert tables.diagnosis("", "F11.20") is not None
    assert tables.diagnosis(None, "75544000") is None
    assert tables.diagnosis("urn:local:dx", "F11.20") is None
    assert tables.diagnosis("SCT", "75544000") is not None


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("58284-224-01", "58284022401"),
        ("58284022401", "58284022401"),
        ("0054-0176-13", "00054017613"),
        ("12345-6789-1", "12345678901"),
        ("5828422401", None),
        ("58284-224", None),
        ("58284-22A-01", None),
        ("582840-224-01", None),
    ],
)
def test_an_ndc_is_normalised_only_where_its_segments_are_told(written: str, normal: str | None) -> None:
    assert tables.ndc11(written) == normal


def test_an_ndc_hints_at_its_drug_under_the_ndc_system_only() -> None:
    hint = tables.ndc_hint(tables.NDC, "58284-224-01")
    assert hint is not None
    assert hint.drug == "buprenorphine"
    assert tables.ndc_hint("NDC", "00000-0000-00") is None
    assert tables.ndc_hint(tables.RXNORM, "58284-224-01") is None


def test_discharge_statuses_say_what_the_hub_makes_of_them() -> None:
    found = {code: row.disposition for code, row in tables.ub04().items()}
    assert found["01"] == "home"
    assert found["07"] == "aadvice"
    assert found["20"] == "exp"
    assert found["21"] == "custody"
    assert {code for code, disposition in found.items() if disposition == "not-a-discharge"} == {"09", "30"}
    known = {row["code"] for row in rows(FOLDER / "fhir_discharge_disposition.csv")} | {"custody", "not-a-discharge"}
    assert set(found.values()) <= known
    assert "50" not in found


def test_displays_and_encounter_classes_are_those_of_hl7() -> None:
    assert tables.disposition_display("snf") == "Skilled nursing facility"
    assert tables.disposition_display("custody") is None
    assert tables.act_display("OBSENC") == "observation encounter"
    assert tables.act_display("OPIOIDUD") is not None
    assert [tables.encounter_class(code) for code in "IEOPNC"] == ["IMP", "EMER", "AMB", None, None, None]
