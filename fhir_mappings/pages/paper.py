"""Pages for people: what stands on them, before it is known whether they become HTML or PDF.

Text from elsewhere is made harmless here, once for both: what steers a reader's eye instead of telling something
(control characters, marks that turn the direction of writing round) is left out, and white space is one blank.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

_BLANK: Final = re.compile(r"\s+")
_JOINERS: Final = "\u200c\u200d"
"""They change how letters join in Persian and in scripts of India, and nothing else."""
_LEFT_OUT: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
SHORTENED: Final = " ... (shortened)"


@dataclass(frozen=True, slots=True)
class Pairs:
    """What, and which."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under their headings."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Lines:
    """Paragraphs; ``strong`` ones must not be overlooked."""

    paragraphs: tuple[str, ...]
    strong: bool = False


Block = Pairs | Table | Lines


@dataclass(frozen=True, slots=True)
class Sheet:
    """A part with a heading; ``alone`` it is one page, printed and handed on without the others."""

    title: str
    blocks: tuple[Block, ...]
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Paper:
    """All of it; ``foot`` stands on every page. The title names nobody: it is shown outside the page too."""

    title: str
    sheets: tuple[Sheet, ...]
    made: str
    """When, as FHIR instant."""
    foot: str = ""
    language: str = "en"


def plain(text: str) -> str:
    """``text`` in one line, without what is not printed."""
    one_line = _BLANK.sub(" ", unicodedata.normalize("NFC", text)).strip()
    if one_line.isprintable():
        return one_line
    kept = (one for one in one_line if one in _JOINERS or unicodedata.category(one) not in _LEFT_OUT)
    return "".join(kept).strip()


def short(text: str, most: int) -> str:
    """``text``, or its beginning, marked as such."""
    return text if len(text) <= most else text[: most - len(SHORTENED)].rstrip() + SHORTENED
