"""Tables that leave the hub as text for a terminal, CSV for a spreadsheet, or one page to print.

Each carries the notice of 42 CFR 2.32(a)(2). Cells that a spreadsheet would take for a formula are made texts.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, Literal

from schemas.packs.base import notice

Format = Literal["table", "csv", "html"]
SHORT_NOTICE: Final = notice("part2-2-32").short
"""42 CFR 2.32(a)(2)."""
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_WIDEST: Final = 60
_STYLE: Final = (
    "body{font:11pt/1.35 sans-serif;margin:2rem}table{border-collapse:collapse;width:100%}"
    "th,td{border:1px solid #777;padding:.3rem .4rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}"
    "th{background:#eee}p.notice{border:1px solid;padding:.5rem;font-weight:bold}"
    "@media print{body{margin:0;font-size:9pt}thead{display:table-header-group}tr{break-inside:avoid}}"
    "@page{size:landscape;margin:12mm}"
)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table with what must stand around it."""

    title: str
    """Stands in the title of the page too: it names nobody."""
    about: Sequence[tuple[str, str]]
    """What the table is of: (what, which)."""
    columns: tuple[str, ...]
    rows: Sequence[Sequence[str]]


def written(sheet: Sheet, output: Format) -> str:
    """``sheet`` in a format."""
    return {"table": _table, "csv": _csv, "html": _html}[output](sheet)


def _table(sheet: Sheet) -> str:
    cells = [sheet.columns, *sheet.rows]
    widths = [min(_WIDEST, max(len(row[place]) for row in cells)) for place in range(len(sheet.columns))]
    lines = [
        "  ".join(_printable(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
    head = [sheet.title, *(f"{what}: {which}" for what, which in sheet.about), ""]
    return "\n".join((*head, *lines, "", SHORT_NOTICE))


def _printable(cell: str) -> str:
    """A terminal obeys what is not printed."""
    return "".join(character if character.isprintable() else " " for character in cell)


def _csv(sheet: Sheet) -> str:
    """With a byte order mark, so that a spreadsheet reads it as UTF-8."""
    text = io.StringIO()
    text.write("\ufeff")
    lines = csv.writer(text)
    lines.writerow(sheet.columns)
    lines.writerows([_plain(cell) for cell in row] for row in sheet.rows)
    lines.writerow([SHORT_NOTICE])
    return text.getvalue()


def _plain(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _html(sheet: Sheet) -> str:
    """Without scripts and without anything from elsewhere."""
    about = "".join(f"<dt>{escape(what)}</dt><dd>{escape(which)}</dd>" for what, which in sheet.about)
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in sheet.columns)
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>\n" for row in sheet.rows)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f'<meta name="referrer" content="no-referrer"><title>{escape(sheet.title)}</title>'
        f"<style>{_STYLE}</style></head>"
        f"<body><h1>{escape(sheet.title)}</h1><dl>{about}</dl>"
        f'<p class="notice">{escape(SHORT_NOTICE)}</p>\n'
        f"<table><thead><tr>{head}</tr></thead><tbody>\n{rows}</tbody></table></body></html>\n"
    )
