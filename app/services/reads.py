"""Reading: the one way in which resources leave, by id, search, history or packet.

Every function takes an Actor. What it may not see does not exist. The first disclosure of each
version is durable before its bytes are returned.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn
from urllib.parse import urlencode

import orjson

from app.core import json
from app.core.actor import Actor
from app.core.clock import from_micros, iso
from app.core.crypto import Unreadable
from app.core.errors import NotFound, NotSupported, Unavailable
from app.core.ids import uuid7
from app.services.disclosures import Disclosures
from app.services.hub import Hub
from app.services.scopes import require
from app.services.search_params import Asked, Pairs, parse
from app.services.writing import Rendition, Resource, decoded, served
from app.store.database import Gone
from app.store.reader import (
    ColumnIs,
    Counted,
    IndexIn,
    Page,
    Query,
    Reader,
    Row,
    WrittenPage,
    earliest,
    first_end,
    written,
    written_entry,
)
from app.store.together import ReadsTogether
from fhir_mappings.packet import packet as packet_of
from schemas.resources import ALL

_SLICE: Final = 200
_SCANNED: Final = 20_000
"""How many resources a search may look through where no index helps."""
_ROUNDS: Final = 4
"""How far ``_include:iterate`` and a packet follow references."""


@dataclass(frozen=True, slots=True)
class Found:
    """A search result: the Bundle's bytes and the state of the organisation's view that it shows."""

    body: bytes
    changed: int
    until: int | None
    """When the first of what it shows ceases to be visible (microseconds); None: never."""


def not_found() -> NoReturn:
    """The one answer for what is not known and what is not visible."""
    raise NotFound("Not known here.")


def admit(actor: Actor, resource_type: str, letter: str) -> None:
    """NotFound for what is no type here, Forbidden where the scopes do not cover it."""
    if resource_type not in ALL:
        not_found()
    require(actor, resource_type, letter)


class Reads:
    """Reads resources for actors."""

    def __init__(self, hub: Hub, disclosures: Disclosures) -> None:
        self._hub = hub
        self._disclosures = disclosures
        self._together = ReadsTogether(hub.store)

    def _reader(self, actor: Actor, resource_type: str, letter: str) -> Reader:
        admit(actor, resource_type, letter)
        return self._hub.store.reader(actor)

    async def read(self, actor: Actor, resource_type: str, resource_id: str) -> Rendition:
        """The current version of one resource."""
        admit(actor, resource_type, "r")
        try:
            row = await self._together.read(actor, resource_type, resource_id)
        except Gone as error:
            raise _away() from error
        if row is None:
            not_found()
        await self._disclosures.record(actor, [row], "read")
        return Rendition.of(row)

    async def version(self, actor: Actor, resource_type: str, resource_id: str, version: str) -> Rendition:
        """One version of one resource."""
        try:
            reader = self._reader(actor, resource_type, "r")
            number = int(version) if version.isdecimal() and len(version) < 9 else 0
            row = await reader.version(resource_type, resource_id, number)
        except Gone as error:
            raise _away() from error
        if row is None:
            not_found()
        await self._disclosures.record(actor, [row], "vread")
        return Rendition.of(row)

    async def last_change(self, actor: Actor) -> int:
        """A number that grows with every change of what the actor's organisation may see."""
        try:
            return await self._hub.store.reader(actor).last_change()
        except Gone as error:
            raise _away() from error

    async def search(self, actor: Actor, resource_type: str, pairs: Pairs, *, lenient: bool = False) -> Found:
        """Matches and includes as a searchset Bundle (https://hl7.org/fhir/R4/http.html#search)."""
        reader = self._reader(actor, resource_type, "s")
        after, pairs = self._resume(actor, resource_type, pairs)
        asked = parse(resource_type, pairs, lenient=lenient)
        try:
            return await self._found(actor, reader, asked, after)
        except Gone as error:
            raise _away() from error

    async def _found(self, actor: Actor, reader: Reader, asked: Asked, after: int | None) -> Found:
        if asked.count_only:
            counted = await _count(reader, asked)
            self._disclosures.access(actor, "search")
            return Found(self._bundle(asked, None, [], total=counted.number), 0, counted.until)
        page, matches = await self._page(reader, asked, after)
        included = await self._included(reader, asked, matches)
        until = earliest((page.until, first_end(included)))
        total = None if page.more or after is not None else page.count
        if asked.total:
            total, first_of_all = await _count(reader, asked)
            until = earliest((until, first_of_all))
        cursor = self._cursor(actor, asked, page.last) if page.more else None
        fresh = [*page.fresh, *((row.id, row.version, row.level) for row in included if row.disclosed < row.version)]
        await self._disclosures.record_fresh(actor, fresh, "search")
        return Found(self._bundle(asked, page, included, total=total, cursor=cursor), page.changed, until)

    async def _page(self, reader: Reader, asked: Asked, after: int | None) -> tuple[WrittenPage, Sequence[Row]]:
        """One page, and its rows where something else must be looked up from them."""
        base = self._hub.settings.fhir_base
        if not asked.tests and not asked.includes and not asked.iterate:
            return await reader.written_page(_query(asked, after, asked.count), base), ()
        page = await _tested_page(reader, asked, after)
        return written(page, asked.count, base), page.rows[: asked.count]

    async def _included(self, reader: Reader, asked: Asked, matches: Sequence[Row]) -> list[Row]:
        if not asked.includes and not asked.iterate:
            return []
        known = {row.id for row in matches}
        found: list[Row] = []
        frontier: Sequence[Row] = matches
        for number in range(_ROUNDS):
            names = {*asked.iterate, *(asked.includes if number == 0 else ())}
            wanted = sorted(_targets(frontier, names) - known)
            if not wanted:
                break
            frontier = await reader.by_ids(wanted)
            known.update(wanted)
            found += frontier
        return found

    # ---- paging

    def _scope(self, actor: Actor, resource_type: str) -> str:
        return f"{actor.organization or ''}|{resource_type}"

    def _cursor(self, actor: Actor, asked: Asked, last: int) -> str:
        content = orjson.dumps({"after": last, "query": asked.used})
        return self._hub.keys.seal_cursor(self._scope(actor, asked.type), content)

    def _resume(self, actor: Actor, resource_type: str, pairs: Pairs) -> tuple[int | None, Pairs]:
        cursor = next((value for name, value in pairs if name == "_cursor"), None)
        if cursor is None:
            return None, pairs
        try:
            content = orjson.loads(self._hub.keys.open_cursor(self._scope(actor, resource_type), cursor))
        except Unreadable:
            not_found()
        return content["after"], tuple((name, value) for name, value in content["query"])

    # ---- rendering

    def _bundle(
        self,
        asked: Asked,
        page: WrittenPage | None,
        included: Sequence[Row],
        *,
        total: int | None = None,
        cursor: str | None = None,
    ) -> bytes:
        base = self._hub.settings.fhir_base
        links = [{"relation": "self", "url": f"{base}/{asked.type}{asked.link}"}]
        if cursor is not None:
            links.append({"relation": "next", "url": f"{base}/{asked.type}?{urlencode({'_cursor': cursor})}"})
        entries = [page.entries] if page and page.count else []
        entries += [written_entry(base, row, "include") for row in included]
        if asked.ignored:
            entries.append(_ignored(asked.ignored))
        stamp = iso(page.stamp) if page and page.stamp else iso(self._hub.clock.now_us())
        head = f'{{"resourceType":"Bundle","id":"{uuid7()}","meta":{{"lastUpdated":"{stamp}"}},"type":"searchset"'
        parts = [head.encode()]
        if total is not None:
            parts.append(b',"total":%d' % total)
        parts += [b',"link":', orjson.dumps(links)]
        if entries:
            parts += [b',"entry":[', b",".join(entries), b"]"]
        parts.append(b"}")
        return b"".join(parts)

    async def history(self, actor: Actor, resource_type: str, resource_id: str, since: int | None = None) -> bytes:
        """Every version that the actor may see, newest first (https://hl7.org/fhir/R4/http.html#history)."""
        try:
            rows = await self._reader(actor, resource_type, "r").history(resource_type, resource_id)
        except Gone as error:
            raise _away() from error
        if not rows:
            not_found()
        shown = [row for row in rows if since is None or row.last_updated >= since]
        await self._disclosures.record(actor, shown[:1], "history")
        base = self._hub.settings.fhir_base
        url = f"{base}/{resource_type}/{resource_id}"
        head = (
            f'{{"resourceType":"Bundle","id":"{uuid7()}","type":"history","total":{len(shown)},'
            f'"link":[{{"relation":"self","url":"{url}/_history"}}]'
        )
        entries = [_history_entry(url, row) for row in shown]
        tail = b',"entry":[' + b",".join(entries) + b"]}" if entries else b"}"
        return head.encode() + tail

    async def packet(self, actor: Actor, task_id: str) -> bytes:
        """All that the actor may see of one referral, as a document Bundle."""
        reader = self._reader(actor, "Task", "r")
        try:
            task = await reader.read("Task", task_id)
            if task is None:
                not_found()
            rows = await reachable(reader, task)
        except Gone as error:
            raise _away() from error
        await self._disclosures.record(actor, rows, "packet")
        directory = await self._hub.registry.current()
        document = packet_of(
            [decoded(row) for row in rows],
            base=self._hub.settings.fhir_base,
            document=uuid7(),
            task=task_id,
            author=directory.hub,
            now=from_micros(self._hub.clock.now_us()),
        )
        return json.dumps(document)


async def _tested_page(reader: Reader, asked: Asked, after: int | None) -> Page:
    """One page and one match more, if there is one; parameters without an index are tested row by row."""
    if not asked.tests:
        return await reader.page(_query(asked, after, asked.count + 1))
    found: list[Row] = []
    first: Page | None = None
    async for page in _pages(reader, asked, after):
        first = first or page
        found += [row for row in page.rows if all(test(decoded(row)) for test in asked.tests)]
        if len(found) > asked.count:
            break
    return Page(first.stamp, first.changed, found[: asked.count + 1]) if first else Page(0, 0, [])


async def _pages(reader: Reader, asked: Asked, after: int | None) -> AsyncIterator[Page]:
    for _ in range(_SCANNED // _SLICE):
        page = await reader.page(_query(asked, after, _SLICE))
        yield page
        if len(page.rows) < _SLICE:
            return
        after = page.rows[-1].last_updated
    raise NotSupported("Too many resources to look through; name a patient, an identifier or ids as well.")


async def _count(reader: Reader, asked: Asked) -> Counted:
    if not asked.tests:
        return await reader.count(_query(asked, None, 0))
    number, until = 0, None
    async for page in _pages(reader, asked, None):
        rows = [row for row in page.rows if all(test(decoded(row)) for test in asked.tests)]
        number += len(rows)
        until = earliest((until, first_end(rows)))
    return Counted(number, until)


def _query(asked: Asked, after: int | None, limit: int) -> Query:
    conditions = tuple(asked.conditions)
    if after is not None:
        conditions += (ColumnIs("last_updated", "lt" if asked.descending else "gt", after),)
    return Query(asked.type, conditions, asked.descending, limit)


def _away() -> Unavailable:
    return Unavailable("The database can't be reached; try again.")


def _targets(rows: Iterable[Row], names: Iterable[str]) -> set[str]:
    """Ids that the named references of ``rows`` point to."""
    by_type: dict[str, list[Callable[[Resource], list[str]]]] = {}
    for name in names:
        source = name.partition(":")[0]
        by_type.setdefault(source, []).append(ALL[source].references[name])
    found: set[str] = set()
    for row in rows:
        extractors = by_type.get(row.type)
        if extractors:
            resource = decoded(row)
            found.update(reference.rpartition("/")[2] for extract in extractors for reference in extract(resource))
    return found


async def reachable(reader: Reader, task: Row) -> list[Row]:
    """The Task, its request, all that they lead to and where that comes from, as far as the reader may see it."""
    rows = {task.id: task}
    frontier = [task]
    for _ in range(_ROUNDS):
        wanted = {i for row in frontier for i in _references(decoded(row))} - rows.keys()
        found = await reader.by_ids(sorted(wanted))
        frontier = [
            row for row in found if row.type != "Task" and (row.type != "ServiceRequest" or row.id == _focus(task))
        ]
        rows.update((row.id, row) for row in frontier)
        if not frontier:
            break
    origins = await reader.search(Query("Provenance", (IndexIn("target", _origins_of(rows.values())),), limit=200))
    rows.update((row.id, row) for row in origins)
    return list(rows.values())


def _origins_of(rows: Iterable[Row]) -> tuple[str, ...]:
    """Task and request, and the ones that they were made from: what is told of those holds for the copies too."""
    asked = [row for row in rows if row.type in {"Task", "ServiceRequest"}]
    above = [decoded(row).get("partOf" if row.type == "Task" else "basedOn", []) for row in asked]
    return (*(f"{row.type}/{row.id}" for row in asked), *(one["reference"] for found in above for one in found))


def _focus(task: Row) -> str:
    reference: str = decoded(task).get("focus", {}).get("reference", "")
    return reference.rpartition("/")[2]


def _references(value: object) -> Iterable[str]:
    """Ids of all literal local references anywhere inside."""
    if isinstance(value, dict):
        reference = value.get("reference")
        if isinstance(reference, str) and ":" not in reference and not reference.startswith("#"):
            yield reference.partition("/_history/")[0].rpartition("/")[2]
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def _history_entry(url: str, row: Row) -> bytes:
    method, status = ("POST", "201") if row.version == 1 else ("PUT", "200")
    target = row.type if row.version == 1 else f"{row.type}/{row.id}"
    tail = (
        f',"request":{{"method":"{method}","url":"{target}"}},"response":{{"status":"{status}",'
        f'"etag":"W/\\"{row.version}\\"","lastModified":"{iso(row.last_updated)}"}}}}'
    )
    return b"".join((f'{{"fullUrl":"{url}","resource":'.encode(), served(row), tail.encode()))


def _ignored(names: Sequence[str]) -> bytes:
    issues = [
        {
            "severity": "warning",
            "code": "not-supported",
            "diagnostics": "A search parameter was left out because this server does not know it.",
            "expression": ["http." + "".join(c for c in name[:64] if c.isalnum() or c in "_:-.")],
        }
        for name in names
    ]
    outcome = {"resourceType": "OperationOutcome", "issue": issues}
    return orjson.dumps({"resource": outcome, "search": {"mode": "outcome"}})
