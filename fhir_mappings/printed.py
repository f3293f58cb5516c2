"""A document Bundle as one HTML page for people: its notices, then every element of every resource as it stands.

Nothing is chosen or left out but what only machines read. Pure.
"""

from collections.abc import Iterator
from html import escape
from typing import Any, Final

from fhir_mappings.labels import Resource

_FOR_MACHINES: Final = frozenset({"resourceType", "id", "meta", "text", "extension", "system", "profile", "reference"})
_STYLE: Final = (
    "body{font:10pt/1.35 sans-serif;margin:2rem}h2{font-size:12pt;border-bottom:1px solid}dl{display:grid;"
    "grid-template-columns:16rem 1fr;gap:.2rem}dt{font-weight:bold}dd{margin:0}section{break-inside:avoid}"
)


def printed(bundle: Resource) -> str:
    """The page."""
    composition, *others = (entry["resource"] for entry in bundle["entry"])
    notices = "".join(one["text"]["div"] for one in composition.get("section", ()) if "text" in one)
    parts = "".join(_section(one) for one in others)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>Referral packet</title><style>{_STYLE}</style></head><body><h1>Referral packet</h1>"
        f"{notices}{parts}</body></html>\n"
    )


def _section(resource: Resource) -> str:
    rows = "".join(f"<dt>{escape(path)}</dt><dd>{escape(text)}</dd>" for path, text in _leaves(resource, ""))
    return f"<section><h2>{escape(resource['resourceType'])}</h2><dl>{rows}</dl></section>" if rows else ""


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name not in _FOR_MACHINES:
                yield from _leaves(inner, f"{path} {name}".strip())
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, path)
    elif value is not None:
        yield path, str(value)
