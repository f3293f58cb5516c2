"""docs/matching.md is true: who pastes its commands sees what it shows, and its tables are those of the code."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from app.rules import policies
from schemas.facets import FACETS
from tests.journeys.test_readme import Reader

GUIDE = (Path(__file__).parents[2] / "docs" / "matching.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(console)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def steps() -> Iterator[tuple[str, list[str]]]:
    """Each console block, with the lines that the guide shows after it."""
    block: str | None = None
    shown: list[str] = []
    for match in FENCE.finditer(GUIDE):
        if match[1]:
            if block is not None:
                yield block, shown
            block, shown = match[2], []
        else:
            shown += [line for line in match[2].splitlines() if line.strip()]
    assert block is not None
    yield block, shown


def rows(first: str) -> dict[str, list[str]]:
    """First cell, without its ticks, to the rest of the row, of the table whose first column is called so."""
    table = GUIDE.split(f"\n| {first} |", 1)[1].partition("\n\n")[0]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]
    return {cells[0].strip("`"): cells[1:] for cells in lines}


def ticked(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def test_every_facet_stands_in_the_guide_with_its_question_and_its_clauses() -> None:
    told = rows("Facet")
    reading = {name: [clause.name for clause in policies.ALL.values() if name in clause.facets] for name in FACETS}
    assert told == {
        name: [kind.question, ticked(sorted(kind.details)), ticked(reading[name])] for name, kind in FACETS.items()
    }


def test_every_clause_stands_in_the_guide_with_what_it_reads_and_does() -> None:
    assert rows("Clause") == {
        name: [ticked(clause.reads), clause.weight, f"`{clause.reason}`"] for name, clause in policies.ALL.items()
    }


def test_the_commands_of_the_guide_show_what_it_says_when_pasted_in_order(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    missing = []
    for block, shown in steps():
        printed = reader.paste(block)
        missing += [(block.splitlines()[-1], line) for line in shown if line not in printed]
    assert missing == []
    partners = json.loads((tmp_path / "partners.json").read_text("utf-8"))
    assert [(one["partner"], one["standing"]) for one in partners] == [
        ("HTEST Harbor OTP", "eligible"),
        ("HTEST Bridge Clinic", "excluded"),
    ]
