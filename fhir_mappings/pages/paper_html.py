"""Pages as HTML: one file, with its style and without scripts, pictures or anything from elsewhere."""

import base64
import hashlib
from collections.abc import Iterator
from html import escape
from typing import Final

from fhir_mappings.pages.paper import Block, Lines, Pairs, Paper, Sheet, Table

_STYLE: Final = (
    "body{font:11pt/1.4 sans-serif;color:#111;background:#fff;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "h1{font-size:1.5rem}h2{font-size:1.2rem;border-bottom:2px solid #333;margin:2rem 0 .6rem}"
    "dl{display:grid;grid-template-columns:minmax(9rem,1fr) 3fr;gap:.2rem 1rem;margin:.6rem 0}"
    "dt{font-weight:bold}dd{margin:0;overflow-wrap:anywhere}"
    "table{border-collapse:collapse;width:100%;margin:.6rem 0}caption{text-align:left;font-weight:bold}"
    "th,td{border:1px solid #777;padding:.2rem .4rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}"
    "th{background:#eee}.strong{border:3px solid #a00;padding:.4rem .7rem;margin:.6rem 0;font-weight:bold}"
    "p{margin:.4rem 0;overflow-wrap:anywhere}.foot{border-top:1px solid #777;margin-top:2rem;font-size:.85rem}"
    "@media(min-width:50rem){.alone dl{grid-template-columns:minmax(7rem,1fr) 2fr minmax(7rem,1fr) 2fr}}"
    "@media print{body{margin:0;padding:0;font-size:9pt;max-width:none}h2{margin-top:1rem}"
    "thead{display:table-header-group}tr,.strong{break-inside:avoid}"
    ".alone{break-before:page;break-after:page;font-size:8pt;line-height:1.25}.alone h2{margin-top:0}"
    "h1+.alone{break-before:auto}"
    ".alone dl{grid-template-columns:minmax(7rem,1fr) 2fr minmax(7rem,1fr) 2fr;gap:.1rem .6rem}}"
    "@page{margin:12mm}"
)
_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy of a page: its own style and nothing else."""


def html(paper: Paper) -> bytes:
    """``paper`` as one HTML page. Each text is told to be of its own direction, so that none turns its neighbours."""
    sheets = "\n".join(_sheet(one, number) for number, one in enumerate(paper.sheets, start=1))
    foot = f'<footer class="foot"><p>{escape(paper.foot)}</p></footer>' if paper.foot else ""
    return (
        f'<!DOCTYPE html>\n<html lang="{escape(paper.language)}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="referrer" content="no-referrer"><title>{escape(paper.title)}</title>'
        f"<style>{_STYLE}</style></head>\n<body><main><h1>{escape(paper.title)}</h1>\n{sheets}\n</main>{foot}"
        "</body></html>\n"
    ).encode()


def _sheet(sheet: Sheet, number: int) -> str:
    kind = ' class="alone"' if sheet.alone else ""
    blocks = "\n".join(_block(one) for one in sheet.blocks)
    name = f"part-{number}"
    return f'<section{kind} aria-labelledby="{name}"><h2 id="{name}">{_own(sheet.title)}</h2>\n{blocks}</section>'


def _block(block: Block) -> str:
    match block:
        case Pairs():
            rows = "".join(f"<dt>{_own(what)}</dt><dd>{_own(which)}</dd>" for what, which in block.rows)
            return f"<dl>{rows}</dl>"
        case Table():
            return _table(block)
        case Lines():
            text = "".join(f"<p>{_own(one)}</p>" for one in block.paragraphs)
            return f'<div class="strong" role="note">{text}</div>' if block.strong else text


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{_own(one)}</th>' for one in table.columns)
    body = "\n".join(f"<tr>{''.join(_cells(row))}</tr>" for row in table.rows)
    return (
        f"<table><caption>{_own(table.caption)}</caption><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>"
    )


def _cells(row: tuple[str, ...]) -> Iterator[str]:
    yield f'<th scope="row">{_own(row[0])}</th>'
    for one in row[1:]:
        yield f"<td>{_own(one)}</td>"


def _own(text: str) -> str:
    return f"<bdi>{escape(text)}</bdi>"
