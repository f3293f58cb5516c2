"""Which characters the fonts of the PDF pages have: ``python -m tools.build_glyphs`` writes the list anew.

Asked of Typst itself, which refuses under PDF/UA what it has no glyph for. It takes about two minutes; needed when
the pinned ``typst`` changes, which a test of the list says.
"""

import json
import unicodedata
from collections.abc import Iterator, Sequence
from importlib.metadata import version

from fhir_mappings.pages.paper_pdf import GLYPHS, can_set

_LAST = 0x3000
"""No font of Typst has the scripts beyond."""
_SLICE = 64


def main() -> None:
    """Write the list."""
    asked = [chr(one) for one in range(0x20, _LAST) if unicodedata.category(chr(one))[0] not in "CZ" or one == 0x20]
    found = [one for start in range(0, len(asked), _SLICE) for one in settable(asked[start : start + _SLICE])]
    ranges = [[f"{first:04x}", f"{last:04x}"] for first, last in joined([ord(one) for one in found])]
    text = json.dumps({"typst": version("typst"), "ranges": ranges})
    GLYPHS.write_text(text.replace("], [", "],\n [") + "\n", encoding="utf-8")


def settable(characters: Sequence[str]) -> list[str]:
    """Those that a font has, by halves."""
    if can_set(characters):
        return [*characters]
    if len(characters) == 1:
        return []
    middle = len(characters) // 2
    return [*settable(characters[:middle]), *settable(characters[middle:])]


def joined(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Rising numbers as ranges, both ends included."""
    first = last = numbers[0]
    for number in numbers[1:]:
        if number != last + 1:
            yield first, last
            first = number
        last = number
    yield first, last


if __name__ == "__main__":
    main()
