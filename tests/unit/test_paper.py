"""Pages for people: what comes from elsewhere stays text, on a page and in a print, and one page stays one."""

import base64
import hashlib
import json
import re
from importlib.metadata import version
from io import BytesIO
from typing import Any

import pytest
from pypdf import PdfReader

from fhir_mappings.pages.packet_paper import letter_paper, packet_paper
from fhir_mappings.pages.paper import SHORTENED, Lines, Pairs, Paper, Sheet, Table, plain, short
from fhir_mappings.pages.paper_html import POLICY, html
from fhir_mappings.pages.paper_pdf import GLYPHS, MISSING, can_set, pdf
from tests.unit.letters import NOTICE, document_of, html_texts, pdf_pages, squeezed, texts, told

SCRIPT = '<script>alert("HTEST")</script>'
TYPST = '#panic("HTEST") *bold* $x$ #read("/etc/passwd") \\ ```'
MADE = "2026-06-09T20:06:00+00:00"


def one_page(*cells: str) -> Paper:
    return Paper("HTEST page", (Sheet("HTEST part", (Pairs((("What", " ".join(cells)),)),)),), MADE)


def named(name: str) -> Paper:
    person = {"identifiers": [{"system": "urn:htest", "value": "HTEST1"}], "name": {"family": name, "given": ["A"]}}
    return packet_paper(document_of(told("methadone", patient=person)), notices=(NOTICE.text,), foot=NOTICE.short)


# ---- what is harmless


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("a\u202eb\u202c", "ab"),
        ("\u2067right\u2069 left\u200f", "right left"),
        ("two\r\n lines\tand\u00a0more", "two lines and more"),
        ("\x00bell\x07", "bell"),
        ("soft\u00adhyphen \ufeff", "softhyphen"),
        ("\u0645\u06cc\u200c\u062e\u0648", "\u0645\u06cc\u200c\u062e\u0648"),
        ("e\u0301", "é"),
    ],
)
def test_what_steers_the_eye_is_left_out_and_what_joins_letters_is_not(sent: str, kept: str) -> None:
    assert plain(sent) == kept


def test_a_long_text_is_shortened_and_says_so() -> None:
    assert short("x" * 90, 90) == "x" * 90
    assert short("x" * 91, 90) == "x" * (90 - len(SHORTENED)) + SHORTENED


# ---- HTML


@pytest.mark.parametrize("name", [SCRIPT, '" onload="x', "<!--", "&lt;b&gt;", "</title><style>*{display:none}", "]]>"])
def test_a_name_is_text_and_nothing_else(name: str) -> None:
    page = html(named(name)).decode()
    assert not re.search(r"<(script|img|iframe|object|link|form|svg)|<[^>]*\son\w+=", page.partition("<body>")[2])
    assert page.count("<style>") == page.count("</style>") == 1
    assert name in "".join(html_texts(html(named(name))))


def test_a_page_is_its_own_style_and_nothing_from_elsewhere() -> None:
    page = html(named("HTEST")).decode()
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in POLICY
    assert "default-src 'none'" in POLICY
    assert re.findall(r"\s(?:src|href|style|action)=|url\(|@import|https?://", page) == []


def test_a_page_can_be_heard() -> None:
    page = html(named("HTEST")).decode()
    assert re.search(r'<html lang="en">', page)
    assert page.count("<h1>") == 1
    sections = re.findall(r'<section[^>]* aria-labelledby="([^"]+)">', page)
    assert sections == re.findall(r'<h2 id="([^"]+)">', page)
    assert len(sections) > 5
    tables = re.findall(r"<table>.*?<tbody>", page, re.DOTALL)
    assert all('<th scope="col">' in one and "<caption>" in one for one in tables)
    assert re.findall(r"<tr>(?!<th scope=)", page) == []


# ---- PDF


@pytest.mark.parametrize("name", [SCRIPT, TYPST, "Łukasz Żółć", "Георгій", "Γιώργος", "Nguyễn Thị Hằng", "Հայկ"])
def test_a_name_is_set_as_it_is_written(name: str) -> None:
    assert squeezed(name) in squeezed("".join(pdf_pages(pdf(named(name)))))


def test_a_name_that_no_font_has_is_marked_and_the_first_page_says_so() -> None:
    pages = pdf_pages(pdf(named("王小明")))
    assert "About this print" in pages[0]
    assert f"A {MISSING}" in " ".join(pages)
    assert "王小明" in "".join(html_texts(html(named("王小明"))))
    assert "About this print" not in pdf_pages(pdf(named("HTEST")))[0]


def test_the_list_of_letters_is_that_of_the_fonts() -> None:
    held = json.loads(GLYPHS.read_text())
    assert held["typst"] == version("typst"), "python -m tools.build_glyphs"
    known = [chr(one) for first, last in held["ranges"] for one in range(int(first, 16), int(last, 16) + 1)]
    assert len(known) > 5000
    assert can_set(known)
    assert not can_set(["王"])


def test_a_print_is_tagged_and_names_its_language_and_title() -> None:
    reader = PdfReader(BytesIO(pdf(named("HTEST"))))
    root: Any = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"
    assert reader.metadata is not None
    assert reader.metadata.title == "Referral packet"
    assert "/JavaScript" not in str(root)


# ---- sizes


def worst(letters: str) -> Paper:
    """The letter where everything is as long as an event may have it."""
    long, token = (letters * 4096)[:4096], (letters * 256)[:256]
    each = {"unit": token, "route": long, "given_by": long, "verified_by": long, "call_back": token, "amount": 1.5}
    doses = [{"at": f"2026-06-0{1 + n // 40}T{n % 24:02}:00:00-04:00", **each} for n in range(320)]
    product = {"code": "x", "display": long}
    bridges = [
        {"kind": kind, "days": 3, "start": "2026-06-10"} for kind in ("dispensed", "take-home", "prescribed")
    ] * 9
    clinical = {"urine_drug_screen": [{"display": long, "result": long}] * 30, "pregnant": True, "qtc_ms": 500}
    event = told(
        "methadone",
        patient={
            "identifiers": [{"system": "urn:htest", "value": "HTEST1"}],
            "name": {"family": long, "given": [long]},
        },
        medications=[
            {"product": product, "schedule": {"interval": "PT12H"}, "doses": doses, "bridges": bridges},
            *({"product": {"code": f"y{n}", "display": long}} for n in range(40)),
        ],
        clinical=clinical,
        current_otp={"name": long, "phone": token},
    )
    found = letter_paper(document_of(event), foot=NOTICE.short)
    assert found is not None
    return found


@pytest.mark.parametrize("letters", ["W", "Wo ", "ﷺ", "م", "\u202eW", "<b>"])
def test_the_letter_stays_one_page_whatever_is_sent(letters: str) -> None:
    paper = worst(letters)
    assert max(len(one) for one in texts(paper)) < 200
    pages = pdf_pages(pdf(paper))
    assert len(pages) - ("About this print" in pages[0]) == 1


def test_a_table_runs_over_pages_and_is_whole() -> None:
    rows = tuple((f"HTEST{number}", "x" * 300) for number in range(200))
    paper = Paper("HTEST page", (Sheet("Rest", (Table("Rows", ("A", "B"), rows), Lines(("end of it",)))),), MADE)
    text = "".join(pdf_pages(pdf(paper)))
    assert [name for name, _ in rows if name not in text] == []
    assert "end of it" in text


def test_a_paper_of_nothing_is_a_page() -> None:
    assert len(pdf_pages(pdf(one_page("")))) == 1
    assert html(one_page(""))


# ---- how the person can be reached


def test_a_packet_says_how_the_person_can_be_reached_and_what_may_be_said() -> None:
    contacts = [
        {"what": "outreach worker", "name": "HTEST R. Diaz", "phone": "555-0192", "permission": True},
        {"what": "sister", "phone": "555-0191", "safe_to_leave_message": False, "best_time": "after 17:00"},
        {"what": "stays at", "where": "Sample Shelter", "permission": True, "safe_to_leave_message": True},
    ]
    document = document_of(told("methadone", contacts=contacts))
    packet = packet_paper(document, notices=(NOTICE.text,), foot=NOTICE.short)
    sheet = next(one for one in packet.sheets if one.title == "How to reach the person")
    table, rule = sheet.blocks
    assert isinstance(table, Table)
    assert table.rows == (
        ("outreach worker", "HTEST R. Diaz", "555-0192", "", "yes", "not said: do not leave one", ""),
        ("sister", "", "555-0191", "", "ask the person first", "do not leave one", "after 17:00"),
        ("stays at", "", "", "Sample Shelter", "yes", "may be left", ""),
    )
    assert isinstance(rule, Lines)
