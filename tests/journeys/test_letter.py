"""A case manager prints: the letter with a card for the patient, the packet for the partner; a browser shows it."""

import stat
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright
from pypdf import PdfReader

from fhir_mappings.pages.letter import TITLE, UNVERIFIED
from tests.chromium import QUIET, Chromium
from tests.contract.http_messages import event
from tests.journeys.running_hub import Caller, RunningHub, command, running
from tests.unit.letters import pdf_pages, squeezed

HOSPITAL = {"id": "mercy", "organization": "HTEST Mercy", "dialect": "adt_generic", "timezone": "America/New_York"}
OTP = {
    "name": "HTEST Harbor OTP",
    "covered_entity": True,
    "needs": ["moud-continuation"],
    "time_zone": "America/New_York",
    "phone": "555-0100",
}
BOOKED = {"at": "2026-06-06T07:30:00-04:00", "where": "HTEST Harbor intake"}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str) -> Iterator[RunningHub]:
    senders = [HOSPITAL | {"part2": "none"}]
    with running(monkeypatch, tmp_path, database_url, senders=senders, partners=[OTP]) as started:
        yield started


def sent(hub: RunningHub, **changes: Any) -> tuple[str, Caller]:
    """The id of a referral, and its partner."""
    hospital = hub.caller("mercy", "ingest")
    answer = hub.post_event(hospital, event(7, next_appointment=BOOKED, **changes), "mercy")
    assert answer.status_code == 201, answer.text
    return str(answer.json()["referral"]), hub.caller(OTP["name"])  # type: ignore[arg-type]


def printed(file: Path, referral: str, audience: str) -> bytes:
    command("letter", referral, "--for", audience, "--out", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    return file.read_bytes()


def test_the_patient_takes_the_letter_and_a_card_along(hub: RunningHub, tmp_path: Path) -> None:
    referral, partner = sent(hub)
    pages = pdf_pages(printed(tmp_path / "patient.pdf", referral, "patient"))
    assert [TITLE in page for page in pages] == [True, False]
    assert "not settled yet" in pages[1]
    (task,) = partner.search("Task")
    partner.moved(task, "accepted")
    letter, card = pdf_pages(printed(tmp_path / "patient.pdf", referral, "patient"))
    assert squeezed(UNVERIFIED) in squeezed(letter)
    for said in ("HTEST Harbor OTP", "555-0100", "Sat 6 Jun 2026, 07:30 (UTC-04:00), HTEST Harbor intake", "photo ID"):
        assert squeezed(said) in squeezed(card), said
    assert [word for word in ("methadone", "80 mg", "F11", "code") if word in card.lower()] == []
    page = printed(tmp_path / "patient.html", task["id"], "patient").decode()
    assert "HTEST Harbor OTP" in page


def test_the_partner_gets_its_packet_on_paper_and_it_is_on_record(hub: RunningHub, tmp_path: Path) -> None:
    referral, partner = sent(hub)
    text = "".join(pdf_pages(printed(tmp_path / "partner.pdf", referral, "partner")))
    assert "What is asked" in text
    assert TITLE in text
    (task,) = partner.search("Task")
    patient = task["for"]["reference"].rpartition("/")[2]
    accounts = command("accounting", "show", patient, "--format", "json")
    assert "HTEST Harbor OTP" in {one["recipient_name"] for one in accounts}


def test_what_can_not_be_printed_is_said_in_one_line(hub: RunningHub, tmp_path: Path) -> None:
    referral, partner = sent(hub)
    command("letter", "unknown", "--out", str(tmp_path / "x.pdf"), code=1)
    command("letter", referral, "--out", str(tmp_path / "x.docx"), code=1)
    (task,) = partner.search("Task")
    partner.moved(task, "rejected", {"op": "add", "path": "/statusReason", "value": {"text": "HTEST full"}})
    command("letter", referral, "--for", "partner", "--out", str(tmp_path / "x.pdf"), code=1)
    assert list(tmp_path.glob("x.*")) == []


def test_over_a_socket_page_and_print_are_the_same_packet(hub: RunningHub) -> None:
    _, partner = sent(hub)
    (task,) = partner.search("Task")
    for accept, begins in (("text/html", b"<!DOCTYPE html>"), ("application/pdf", b"%PDF-")):
        answer = partner.get(f"/fhir/R4/Task/{task['id']}/$packet", accept=accept)
        assert (answer.status_code, answer.content[:15].startswith(begins)) == (200, True)
        assert (answer.headers["content-type"].partition(";")[0], answer.headers["vary"]) == (accept, "Accept")


@pytest.mark.chromium
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_browser_shows_the_page_and_prints_the_letter_on_one_sheet(
    hub: RunningHub, chromium: Chromium, tmp_path: Path
) -> None:
    _, partner = sent(hub)
    (task,) = partner.search("Task")
    refused: list[str] = []
    with sync_playwright() as player, player.chromium.launch(executable_path=chromium.path, args=[*QUIET]) as browser:
        page = browser.new_page(extra_http_headers=partner.headers)
        page.on("console", lambda said: refused.append(said.text))
        page.goto(f"{hub.base}/fhir/R4/Task/{task['id']}/$packet")
        assert page.title() == "Referral packet"
        strong = page.locator(".strong").first
        assert strong.evaluate("one => getComputedStyle(one).borderTopWidth") == "3px", "the style is taken"
        page.screenshot(path=tmp_path / "packet.png", full_page=True)
        on_paper = PdfReader(BytesIO(page.pdf(format="Letter", path=tmp_path / "packet.pdf")))
        assert page.get_by_role("heading", level=1).count() == 1
        assert page.get_by_role("table", name="Doses of the last seven days, as charted").count() == 1
    assert [text for text in refused if "favicon" not in text] == []
    letters = [one.extract_text() for one in on_paper.pages if TITLE in one.extract_text()]
    assert len(letters) == 1
    assert "Scheduling support, never a dosing recommendation" in letters[0]
