"""The cover sheet: what stands on it, in HTML to print and in PDF to fax. It names nobody and nothing in it acts."""

from dataclasses import replace

import pytest

from fhir_mappings.pages.cover_sheet import Cover, cover_paper
from fhir_mappings.pages.paper_html import html
from fhir_mappings.pages.paper_pdf import pdf
from tests.unit.letters import pdf_pages, squeezed

COVER = Cover(
    partner="HTEST <b>Harbor</b>",
    number="",
    hospital="HTEST Mercy",
    call_back="+1 555 0120",
    need="Continue medication",
    due_by="Friday, 5 June 2026, 16:40 EDT",
    reference="0197a2c4",
    packet_follows=False,
    made="2026-06-05T14:40:00-04:00",
    notices=["HTEST & notice"],
)


def test_a_cover_sheet_is_one_page_that_nothing_acts_in() -> None:
    made = html(cover_paper(COVER)).decode()
    assert "HTEST &lt;b&gt;Harbor&lt;/b&gt;" in made
    assert "HTEST &amp; notice" in made
    assert "<dt><bdi>Number</bdi></dt><dd><bdi>________________</bdi></dd>" in made
    assert "<script" not in made
    assert "http:" not in made


@pytest.mark.parametrize(("follows", "said"), [(True, "The referral follows."), (False, "No record follows.")])
def test_the_same_is_faxed_as_one_page_of_text(*, follows: bool, said: str) -> None:
    (page,) = pdf_pages(pdf(cover_paper(replace(COVER, packet_follows=follows))))
    for wanted in ("HTEST Mercy", "+1 555 0120", "Friday, 5 June 2026, 16:40 EDT", "HTEST & notice", said, "Call us"):
        assert squeezed(wanted) in squeezed(page), wanted
