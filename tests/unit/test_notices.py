"""What must be said with a record, its labels on the outside of a Bundle, and what is said nowhere."""

import json
from pathlib import Path
from typing import Any

import pytest

from fhir_mappings.building.offer import LESS
from fhir_mappings.gate import check
from fhir_mappings.labels import ACT_CODE, ACT_REASON, CONFIDENTIALITY, Labels, high_water_mark, mark_of, security
from fhir_mappings.notices import issues, notice_entry, outcome_entry
from schemas.packs.base import PACKS, TEXTS, headers, notice
from schemas.served import to_text

PART2 = "part2-2-32"
ROOT = Path(__file__).parents[2]
SHORT = "42 CFR part 2 prohibits unauthorized use or disclosure of these records."
STALE = (
    "prohibits unauthorized disclosure of these records",
    "42CFRPart2CD",
    "NOREDISCLOSURE",
    "NOREDISCLOSEWOCON",
    "RedisclosureProhibitionMark",
    "RestrictedConfidentialityMark",
)
"""The short form of before 2024, and codes that v3-ActCode of R4 (2018-08-12) does not have."""
R4_CODES = {
    ACT_CODE: {"42CFRPart2", "ETH", "HIV", "MH", "NORDSCLCD", "OPIOIDUD", "PERSISTLABEL"},
    ACT_REASON: {"HTEST"},
    CONFIDENTIALITY: {"R"},
    "http://terminology.hl7.org/CodeSystem/v3-ObservationValue": {"SUBSETTED", "REDACTED"},
}
"""Codes that the hub puts on resources, each looked up in the code systems that R4 comes with."""


def coding(system: str, code: str) -> dict[str, Any]:
    return {"system": system, "code": code}


def labelled(*labels: dict[str, Any]) -> bytes:
    return to_text({"resourceType": "Task", "meta": {"security": [*labels]}})


# ---- words


def test_the_short_form_is_the_sentence_of_the_regulation() -> None:
    assert headers((PART2,)) == (("X-Part2-Notice", SHORT),)
    assert headers(()) == ()


def test_the_full_notice_is_that_of_2024_and_stands_before_the_scope_of_the_consent() -> None:
    full, scope = (one["details"]["text"] for one in issues([PART2]))
    assert full == notice(PART2).text
    assert "from making any other use or disclosure of this record unless at least one" in full
    assert "supportingInfo" in scope
    assert {(one["severity"], one["code"]) for one in issues([PART2])} == {("information", "informational")}


def test_every_notice_that_a_pack_asks_for_has_its_words_and_every_rule_too() -> None:
    for name, pack in PACKS.items():
        assert set(pack.redisclosure.values()) <= TEXTS[name].redisclosure.keys()
        assert pack.notice is None or notice(pack.notice).text


def test_an_unknown_notice_is_an_error_and_never_silence() -> None:
    with pytest.raises(KeyError):
        notice("HTEST")
    with pytest.raises(KeyError):
        headers(("HTEST",))


def test_the_entry_of_a_notice_conforms_and_is_the_same_bytes_each_time() -> None:
    entry = json.loads(notice_entry((PART2,)))
    assert entry["search"] == {"mode": "outcome"}
    assert check(entry["resource"]) == []
    assert outcome_entry(issues([PART2]), entry["fullUrl"]) == notice_entry((PART2,))


def test_the_documentation_shows_what_is_sent() -> None:
    text = (ROOT / "docs" / "privacy-labels.md").read_text(encoding="utf-8")
    shown = json.loads(text.partition("```json")[2].partition("```")[0])
    assert shown == json.loads(notice_entry((PART2,)))["resource"]
    assert f"`X-Part2-Notice: {SHORT}`" in text


# ---- the outside of a Bundle


@pytest.mark.parametrize("labels", [Labels(part2, test) for part2 in (False, True) for test in (False, True)])
def test_the_mark_found_in_bytes_is_that_of_the_resources(labels: Labels) -> None:
    of = {"resourceType": "Task", "meta": {"security": security(labels)}}
    assert mark_of(to_text(of)) == high_water_mark([of])
    assert [one["code"] for one in mark_of(to_text(of))] == (["R", "HTEST"] if labels.test else ["R"])


def test_the_mark_is_found_however_a_client_wrote_the_label() -> None:
    other_order = {"display": "restricted", "code": "R", "version": "1", "system": CONFIDENTIALITY}
    normal = coding(CONFIDENTIALITY, "N")
    assert [one["code"] for one in mark_of(labelled(normal, other_order))] == ["R"]
    assert mark_of(labelled(normal)) == []
    assert mark_of(labelled(normal, coding("urn:other", "R"))) == []


def test_what_a_text_says_is_no_mark() -> None:
    assert mark_of(to_text({"note": [{"text": json.dumps(coding(CONFIDENTIALITY, "R"))}]})) == []


# ---- what is emitted nowhere


def test_every_label_is_one_that_r4_has() -> None:
    needs = (None, "hcv-hiv", "mental-health", "recovery-housing")
    of_visits = [
        label for need in needs for part2 in (0, 1) for label in security(Labels(bool(part2), test=True), need=need)
    ]
    bases = [label["extension"][0]["valueCoding"] for label in of_visits if "extension" in label]
    assert bases
    for label in (*of_visits, *LESS, *bases):
        assert label["code"] in R4_CODES[label["system"]], label


@pytest.mark.parametrize("folder", ["app", "fhir_mappings", "schemas", "docs"])
def test_no_stale_notice_and_no_invented_code_stands_in_what_is_shipped(folder: str) -> None:
    kinds = {".py", ".json", ".csv", ".md", ".sql", ".html"}
    files = [path for path in (ROOT / folder).rglob("*") if path.suffix in kinds]
    assert files
    found = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in files
        for word in STALE
        if word in path.read_text(encoding="utf-8")
    ]
    assert found == []
