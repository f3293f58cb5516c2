"""What is put on paper: the cover sheet names nobody, the packet holds what it was given, and neither acts."""

from fhir_mappings.cover_sheet import Cover, page
from fhir_mappings.printed import printed

COVER = Cover(
    partner="HTEST <b>Harbor</b>",
    number="",
    hospital="HTEST Mercy",
    call_back="+1 555 0120",
    need="Continue medication",
    due_by="Friday, 5 June 2026, 16:40 EDT",
    reference="0197a2c4",
    packet_follows=False,
    notices=["HTEST & notice"],
)


def test_a_cover_sheet_is_one_page_that_nothing_acts_in() -> None:
    made = page(COVER)
    assert "HTEST &lt;b&gt;Harbor&lt;/b&gt;" in made
    assert "HTEST &amp; notice" in made
    assert "<dt>Number</dt><dd>________________</dd>" in made
    assert "No record follows" in made
    assert "<script" not in made
    assert "default-src 'none'" in made


def test_the_packet_on_paper_has_every_element_for_people_and_the_notice_first() -> None:
    notice = {"title": "Notice", "text": {"status": "generated", "div": "<div>HTEST notice</div>"}}
    patient = {
        "resourceType": "Patient",
        "id": "p",
        "meta": {"versionId": "1"},
        "name": [{"family": "Htest<script>", "given": ["Sam"]}],
        "active": True,
    }
    bundle = {"entry": [{"resource": {"resourceType": "Composition", "section": [notice]}}, {"resource": patient}]}
    made = printed(bundle)
    assert made.index("HTEST notice") < made.index("Patient")
    assert "<dt>name family</dt><dd>Htest&lt;script&gt;</dd>" in made
    assert "versionId" not in made
    assert "<script>" not in made
