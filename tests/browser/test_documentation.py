"""The documentation as a developer's browser shows it, on a machine that reaches nothing but the hub."""

from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.chromium import QUIET, Chromium
from tests.journeys.running_hub import running

pytestmark = pytest.mark.chromium
MILLISECONDS = 60_000


@pytest.mark.parametrize(
    ("path", "words"),
    [("/docs", ("Ways in", "/ingest/hl7v2", "/fhir/R4/Task/{id}/$packet")), ("/redoc", ("Ways in", "Download"))],
)
def test_the_pages_show_the_operations_without_the_internet(
    path: str, words: tuple[str, ...], chromium: Chromium, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    faults: list[str] = []
    elsewhere: list[str] = []
    with (
        running(monkeypatch, tmp_path, f"sqlite:///{tmp_path / 'hub.db'}", senders=[], partners=[]) as hub,
        sync_playwright() as player,
        player.chromium.launch(executable_path=chromium.path, args=[*QUIET]) as browser,
    ):
        page = browser.new_page()
        page.on("pageerror", lambda error: faults.append(error.message))
        page.on("request", lambda asked: elsewhere.append(asked.url) if "://127.0.0.1:" not in asked.url else None)
        page.goto(hub.base + path)
        for word in words:
            expect(page.get_by_text(word, exact=True).first).to_be_visible(timeout=MILLISECONDS)
        page.screenshot(path=tmp_path / "page.png")
    assert (faults, [url for url in elsewhere if not url.startswith(("data:", "blob:"))]) == ([], [])
