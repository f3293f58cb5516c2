"""The documentation agrees with the code: the glossary is complete, links lead somewhere, commands exist."""

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, parsed

TERMS = (
    "discharge", "visit", "referral", "partner", "sender", "offer", "packet", "consent", "verdict", "coverage",
    "deadline", "notice", "ledger",
)  # fmt: skip
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
OPEN_FOLDERS = ("app/channels", "app/rules/policies", "fhir_mappings/dialects", "schemas/resources")


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def glossary() -> dict[str, list[str]]:
    """Word -> its meaning and the words not to use."""
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    return {row[0]: row[1:] for row in rows[2:]}


@pytest.mark.parametrize("term", TERMS)
def test_each_word_of_the_design_is_explained(term: str) -> None:
    meaning, instead = glossary()[term]
    assert len(meaning.split()) > 5
    assert re.findall(r"`[a-z]+`", instead)


def test_no_word_is_both_used_and_banned() -> None:
    banned = {word for _, instead in glossary().values() for word in re.findall(r"`(\w+)`", instead)}
    assert not banned & set(glossary())


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    links = re.findall(r"\]\((?!\w+://|#)([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_page_is_reached_from_the_list_of_pages() -> None:
    listed = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in PAGES[1:] if path.name != "README.md"]
    assert [page for page in pages if f"({page})" not in listed] == []


def test_the_first_screen_says_what_it_is_and_gives_the_two_commands() -> None:
    screen = "\n".join((ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:32])
    for wanted in ("medication for opioid use disorder", "make demo", "make test", "COMMIT", "ACK", "child Task"):
        assert wanted in screen


def test_every_make_command_of_the_documentation_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    said = {
        word for page in PAGES for word in re.findall(r"(?:^|`)make ([a-z]+)", page.read_text("utf-8"), re.MULTILINE)
    }
    assert {"demo", "test", "lint", "bench", "chaos", "fuzz", "docs"} <= targets
    assert said <= targets


@pytest.mark.parametrize("floor", ["app/services", "fhir_mappings"])
def test_every_room_stands_in_the_architecture_with_its_purpose(floor: str) -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    told = dict(re.findall(rf"^\| `{Path(floor).name}/(\w+)` \| (.+) \|$", text, re.MULTILINE))
    rooms = {path.parent.name: path for path in (ROOT / floor).glob("*/__init__.py") if path.parent.name != "dialects"}
    assert told == {name: ast.get_docstring(parsed(path)) for name, path in rooms.items()}


@pytest.mark.parametrize("folder", OPEN_FOLDERS)
def test_each_open_folder_says_how_to_add_a_member(folder: str) -> None:
    assert "add" in (ROOT / folder / "README.md").read_text(encoding="utf-8").lower()
