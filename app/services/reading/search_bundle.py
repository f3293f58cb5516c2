"""A search result as a Bundle of type searchset (https://hl7.org/fhir/R4/http.html#search)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import orjson

from app.core import json
from app.core.clock import iso
from app.core.ids import uuid7
from app.services.reading.bundle_marks import mark
from app.services.reading.search_asked import Asked, shown
from app.services.reading.search_params import Pairs
from app.services.writing import Resource, decoded
from app.store.pages import written_entry
from app.store.queries import Row
from fhir_mappings.notices import issues, notice_entry, outcome_entry
from fhir_mappings.subsets import Subset, reduced


@dataclass(frozen=True, slots=True)
class Links:
    """What a Bundle says of the search that it answers."""

    base: str
    """Address of the FHIR API."""
    asked: Asked
    resumed: Pairs | None = None
    """The parameters of the request, where it went on from a cursor."""

    def to(self, cursor: str | None) -> list[dict[str, str]]:
        """The link to itself, and to the next page where there is one."""
        url = f"{self.base}/{self.asked.type}"
        own = self.asked.link if self.resumed is None else f"?{urlencode(self.resumed)}"
        links = [{"relation": "self", "url": f"{url}{own}"}]
        if cursor is not None:
            links.append({"relation": "next", "url": f"{url}?{urlencode({'_cursor': cursor})}"})
        return links


def searchset(
    links: Links,
    stamp: int,
    entries: bytes = b"",
    *,
    total: int | None = None,
    cursor: str | None = None,
    notices: tuple[str, ...] = (),
) -> bytes:
    """The Bundle.

    Args:
        links: what it says of the search.
        stamp: the moment whose state it shows (microseconds).
        entries: what was found.
        total: how many match in all, where that is said.
        cursor: of the next page.
        notices: those that must travel with what was found.
    """
    said = _said([*_left_out(links.asked.ignored), *_suppressed(links.asked.suppressed)], notices)
    head = f'{{"resourceType":"Bundle","id":"{uuid7()}","meta":{{"lastUpdated":"{iso(stamp)}"'
    security = mark(entries)
    parts = [head.encode(), b"," if security else b"", security, b'},"type":"searchset"']
    if total is not None:
        parts.append(b',"total":%d' % total)
    parts += [b',"link":', orjson.dumps(links.to(cursor))]
    if entries or said:
        parts += [b',"entry":[', b",".join(part for part in (entries, said) if part), b"]"]
    parts.append(b"}")
    return b"".join(parts)


def subset_entry(subset: Subset) -> Callable[[str, Row, str], bytes]:
    """How an entry is written where only a part of each resource is wanted."""

    def entry(base: str, row: Row, mode: str) -> bytes:
        if mode == "include" and subset.of_matches_only:
            return written_entry(base, row, mode)
        return json.dumps(
            {
                "fullUrl": f"{base}/{row.type}/{row.id}",
                "resource": reduced(decoded(row), subset),
                "search": {"mode": mode},
            }
        )

    return entry


def _said(found: Sequence[Resource], notices: tuple[str, ...]) -> bytes:
    """The one entry that says something of the search: what was left out of it, and the notices."""
    if found:
        return outcome_entry([*found, *issues(notices)], f"urn:uuid:{uuid7()}")
    return notice_entry(notices) if notices else b""


def _suppressed(names: Sequence[str]) -> list[Resource]:
    text = "Nothing comes along by {}: the token does not cover what it leads to."
    return [{"severity": "warning", "code": "suppressed", "diagnostics": text.format(name)} for name in names]


def _left_out(names: Sequence[str]) -> list[Resource]:
    return [
        {
            "severity": "warning",
            "code": "not-supported",
            "diagnostics": "A search parameter was left out because this server does not know it.",
            "expression": [f"http.{shown(name)}"],
        }
        for name in names
    ]
