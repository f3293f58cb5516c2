"""The pages that four synthetic packets become, kept as files: methadone, film, injection, last dose unknown.

A wanted change of them is taken over with ``UPDATE_GOLDEN=1 pytest tests/golden/test_letters.py`` and then read in the
diff.
"""

import os

import pytest

from fhir_mappings.pages.packet_paper import packet_paper
from fhir_mappings.pages.paper import Paper
from fhir_mappings.pages.paper_html import html
from fhir_mappings.pages.paper_pdf import pdf
from tests.unit.letters import FOLDER, NOTICE, document_of, html_texts, pdf_pages, squeezed, texts, texts_of, told

CASES = ("methadone", "film", "injection", "unknown")


def pages(name: str) -> Paper:
    return packet_paper(document_of(told(name)), notices=(NOTICE.text,), foot=NOTICE.short)


@pytest.mark.parametrize("name", CASES)
def test_the_packet_becomes_exactly_this_page(name: str) -> None:
    kept = FOLDER / f"{name}.expected.html"
    now = html(pages(name))
    if os.environ.get("UPDATE_GOLDEN"):
        kept.write_bytes(now)
    assert now == kept.read_bytes()


@pytest.mark.parametrize("name", CASES)
def test_page_and_print_say_the_same(name: str) -> None:
    paper = pages(name)
    assert html_texts(html(paper)) == [*(one for one in texts(paper) if one), paper.foot]
    printed = pdf_pages(pdf(paper))
    whole = squeezed("".join(page.replace(NOTICE.short, "") for page in printed))
    assert [one for one in texts(paper) if squeezed(one) not in whole] == []
    assert all(squeezed(NOTICE.short) in squeezed(page) for page in printed), "each page has the notice"


@pytest.mark.parametrize("name", CASES)
def test_the_letter_is_one_page_of_its_own(name: str) -> None:
    paper = pages(name)
    letter = next(sheet for sheet in paper.sheets if sheet.alone)
    (alone,) = [page for page in pdf_pages(pdf(paper)) if squeezed(letter.title) in squeezed(page[:40])]
    assert [one for one in texts_of(letter) if squeezed(one) not in squeezed(alone)] == []
    assert "Encounter" not in alone


def test_the_same_paper_gives_the_same_bytes() -> None:
    assert pdf(pages("methadone")) == pdf(pages("methadone"))
