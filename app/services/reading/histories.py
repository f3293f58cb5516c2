"""The history of one resource: its parameters, its pages, its Bundle (https://hl7.org/fhir/R4/http.html#history)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode

import orjson

from app.core.actor import Actor
from app.core.clock import iso
from app.core.crypto import Keys, Unreadable
from app.core.errors import BadRequest, Issue
from app.core.ids import uuid7
from app.services.reading.bundle_marks import marked_meta
from app.services.reading.search_asked import malformed, refused
from app.services.reading.search_params import Pairs
from app.services.writing import served
from app.store.queries import Row, Versions
from schemas.resources.times import date_range

DEFAULT_COUNT: Final = 50
MAX_COUNT: Final = 500


@dataclass(frozen=True, slots=True)
class HistoryAsked:
    """What of a history is wanted."""

    used: Pairs = ()
    count: int = DEFAULT_COUNT
    since: int | None = None
    """Versions from this instant on (microseconds)."""
    at: tuple[int, int] | None = None
    """Versions that were current at some instant of this range (microseconds)."""
    below: int | None = None
    """Versions with a smaller number: those that no earlier page had."""


@dataclass(frozen=True, slots=True)
class HistoryOf:
    """The resource whose history is asked for, and by whom."""

    actor: Actor
    base: str
    """Address of the FHIR API."""
    path: str
    """``Type/id``."""

    @property
    def url(self) -> str:
        """The address of the resource."""
        return f"{self.base}/{self.path}"

    @property
    def scope(self) -> str:
        """What a cursor is bound to."""
        return f"{self.actor.organization or ''}|{self.path}/_history"


def read_history(keys: Keys, of: HistoryOf, pairs: Pairs) -> HistoryAsked:
    """The request's parameters, or those of its cursor.

    Raises NotSupported or BadRequest where one is not known here or can't be read.
    """
    cursor = next((value for name, value in pairs if name == "_cursor"), None)
    if cursor is None:
        return _read(pairs)
    try:
        content: Any = orjson.loads(keys.open_cursor(of.scope, cursor))
    except Unreadable:
        content = None
    if content is None or len(pairs) > 1:
        text = "The cursor is not one of this history; follow a next link as it is, or start again without _cursor."
        raise BadRequest(text, issues=(Issue("value", text, "http._cursor"),))
    return replace(_read(tuple((name, value) for name, value in content["q"])), below=content["b"])


def _read(pairs: Pairs) -> HistoryAsked:
    asked = HistoryAsked(used=pairs)
    for name, value in pairs:
        take = _TAKEN.get(name)
        if take is None:
            raise refused(name, "a history takes _count, _since and _at.")
        asked = take(asked, value)
    return asked


def _count(asked: HistoryAsked, value: str) -> HistoryAsked:
    if not value.isascii() or not value.isdecimal() or len(value) > 6:
        raise malformed("_count", "a whole number from 0 on is expected.")
    return replace(asked, count=min(int(value), MAX_COUNT))


def _since(asked: HistoryAsked, value: str) -> HistoryAsked:
    found = date_range(value.replace(" ", "+"))
    if found is None or "T" not in value:
        raise malformed("_since", "an instant is expected, such as 2026-06-05T14:00:00Z.")
    return replace(asked, since=found[0])


def _at(asked: HistoryAsked, value: str) -> HistoryAsked:
    found = date_range(value.replace(" ", "+"))
    if found is None:
        raise malformed("_at", "a date or an instant is expected.")
    return replace(asked, at=found)


def _unread(asked: HistoryAsked, _value: str) -> HistoryAsked:
    return asked


_TAKEN: Final[dict[str, Callable[[HistoryAsked, str], HistoryAsked]]] = {
    "_count": _count,
    "_since": _since,
    "_at": _at,
    "_format": _unread,
    "_pretty": _unread,
}


def history_bundle(keys: Keys, of: HistoryOf, asked: HistoryAsked, found: Versions) -> bytes:
    """A page of a history; ``found`` has one version more than is shown, where there are more."""
    own = f"?{urlencode(asked.used)}" if asked.used else ""
    links = [{"relation": "self", "url": f"{of.url}/_history{own}"}]
    rows = found.rows[: asked.count]
    if asked.count and len(found.rows) > asked.count:
        content = orjson.dumps({"q": asked.used, "b": rows[-1].version})
        cursor = keys.seal_cursor(of.scope, content)
        links.append({"relation": "next", "url": f"{of.url}/_history?{urlencode({'_cursor': cursor})}"})
    entries = [_entry(of.url, row) for row in rows]
    head = f'{{"resourceType":"Bundle","id":"{uuid7()}",'.encode() + marked_meta(*entries)
    kind = b'"type":"history","total":%d,"link":' % found.number
    tail = b',"entry":[' + b",".join(entries) + b"]}" if entries else b"}"
    return head + kind + orjson.dumps(links) + tail


def _entry(url: str, row: Row) -> bytes:
    method, status, target = _request(row)
    resource = b"" if row.deleted else b'"resource":' + served(row) + b","
    tail = (
        f'"request":{{"method":"{method}","url":"{target}"}},"response":{{"status":"{status}",'
        f'"etag":"W/\\"{row.version}\\"","lastModified":"{iso(row.last_updated)}"}}}}'
    )
    return b"".join((f'{{"fullUrl":"{url}",'.encode(), resource, tail.encode()))


def _request(row: Row) -> tuple[str, str, str]:
    """How the version came to be: method, status and address."""
    if row.deleted:
        return "DELETE", "204", f"{row.type}/{row.id}"
    return ("POST", "201", row.type) if row.version == 1 else ("PUT", "200", f"{row.type}/{row.id}")
