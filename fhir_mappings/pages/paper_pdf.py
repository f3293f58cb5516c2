"""Pages as PDF (PDF/UA-1: tagged, real text), set by Typst with the fonts that come with it.

The fonts have the letters of most of Europe, Greek, Cyrillic, Armenian, Georgian, Hebrew, Arabic and Devanagari;
``paper_glyphs.json`` lists them all (``python -m tools.build_glyphs`` makes it). What can't be set is shown as
``[?]``, and the first page says so: the HTML page has every letter. The same paper gives the same bytes.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

import typst

from fhir_mappings.pages.paper import Block, Lines, Pairs, Paper, Sheet, Table

MISSING: Final = "[?]"
"""Stands for a run of what no font here has."""
GLYPHS: Final = Path(__file__).with_name("paper_glyphs.json")
_NOTE: Final = Sheet(
    "About this print",
    (
        Lines(
            (f"This print has no letters for some signs: {MISSING} stands for them. The HTML page has them all.",),
            strong=True,
        ),
    ),
)
_LONG_WORD: Final = re.compile(r"\S{24}(?=\S)")
_MAY_BREAK: Final = "\u200b"


def pdf(paper: Paper) -> bytes:
    """``paper`` as PDF. It takes some milliseconds a page, so a server calls it in a thread."""
    lost = any(_not_settable().search(text) for text in (paper.title, paper.foot, *_texts(paper.sheets)))
    return _set(replace(paper, sheets=(_NOTE, *paper.sheets)) if lost else paper, _shown)


def can_set(characters: Sequence[str]) -> bool:
    """Whether the fonts have all of these; Typst is asked, not the list."""
    probe = Paper("Probe", (Sheet("Probe", (Lines(tuple(characters)),)),), "2000-01-01T00:00:00+00:00")
    try:
        _set(probe, str)
    except typst.TypstError:
        return False
    return True


def _set(paper: Paper, shown: Any) -> bytes:
    data = {
        "title": shown(paper.title),
        "language": paper.language,
        "made": paper.made,
        "foot": shown(paper.foot),
        "sheets": [
            {"title": shown(one.title), "alone": one.alone, "blocks": [_block(block, shown) for block in one.blocks]}
            for one in paper.sheets
        ],
    }
    made: bytes = typst.compile(
        _template(),
        ignore_system_fonts=True,
        sys_inputs={"paper": json.dumps(data)},
        timestamp=int(datetime.fromisoformat(paper.made).timestamp()),
        pdf_standards="ua-1",
    )
    return made


def _block(block: Block, shown: Any) -> dict[str, Any]:
    match block:
        case Pairs():
            return {"kind": "pairs", "rows": [[shown(cell) for cell in row] for row in block.rows]}
        case Table():
            return {
                "kind": "table",
                "caption": shown(block.caption),
                "columns": [shown(one) for one in block.columns],
                "rows": [[shown(cell) for cell in row] for row in block.rows],
            }
        case Lines():
            return {"kind": "lines", "strong": block.strong, "paragraphs": [shown(one) for one in block.paragraphs]}


def _texts(sheets: Sequence[Sheet]) -> list[str]:
    found = [one.title for one in sheets]
    for block in (block for one in sheets for block in one.blocks):
        match block:
            case Pairs():
                found += [cell for row in block.rows for cell in row]
            case Table():
                found += [block.caption, *block.columns, *(cell for row in block.rows for cell in row)]
            case Lines():
                found += block.paragraphs
    return found


def _shown(text: str) -> str:
    """What is printed: a mark for what can't be, and long words with places where a line may end."""
    return _LONG_WORD.sub(lambda found: found[0] + _MAY_BREAK, _not_settable().sub(MISSING, text))


@cache
def _not_settable() -> re.Pattern[str]:
    ranges = json.loads(GLYPHS.read_text(encoding="utf-8"))["ranges"]
    known = "".join(f"\\U{int(first, 16):08x}-\\U{int(last, 16):08x}" for first, last in ranges)
    return re.compile(f"[^{known}\u200c\u200d]+")


@cache
def _template() -> bytes:
    return Path(__file__).with_name("paper.typ").read_bytes()
