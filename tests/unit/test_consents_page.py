"""The page about consents says what the code does."""

import json
import re
from datetime import date
from pathlib import Path

from app.rules.consent_elements import ELEMENTS, STATED_BY_FORM, missing_elements
from fhir_mappings.fhir_in.by_name import CONSENT_ELEMENTS
from schemas.discharge import ConsentGiven
from schemas.packs.forms import form_texts

PAGE = (Path(__file__).parents[2] / "docs" / "consents.md").read_text(encoding="utf-8")


def test_the_consent_of_the_page_is_whole() -> None:
    (told,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert missing_elements(ConsentGiven.model_validate(json.loads(told)), on=date(2026, 6, 4)) == ()


def test_the_table_of_elements_is_that_of_the_rule() -> None:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("|")]
    table = {row[0]: row for row in rows if row[0].isdigit()}
    assert list(table) == list(ELEMENTS) == list(CONSENT_ELEMENTS)
    assert {number for number, row in table.items() if row[4].startswith("yes")} == STATED_BY_FORM
    assert all(path.split(".")[-1] in table[number][3] for number, path in CONSENT_ELEMENTS.items())


def test_each_element_of_the_form_has_words_and_a_source() -> None:
    texts = form_texts("us-part2-2024", "en")
    assert texts is not None
    assert [one.number for one in texts.sections] == list(ELEMENTS)
    assert all(f"2.31(a)({one.number})" in one.source and one.lines for one in texts.sections)
    assert form_texts("us-part2-2024", "fr") is None
