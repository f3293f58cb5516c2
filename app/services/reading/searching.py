"""Searching: matches of one type with what they bring along, page by page, as the actor may see them.

What an actor may not see does not exist. The first disclosure of each version is durable before its bytes are returned.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from app.core.actor import Actor
from app.core.errors import NotSupported, Unavailable
from app.services.disclosures import Disclosures
from app.services.hub import Hub
from app.services.reading import search_cursors as cursors
from app.services.reading.reads import admit
from app.services.reading.search_asked import Asked
from app.services.reading.search_bundle import Links, searchset, subset_entry
from app.services.reading.search_cursors import Position
from app.services.reading.search_includes import follows_of, included, within
from app.services.reading.search_params import Pairs, parse
from app.services.scopes import readable
from app.services.writing import decoded
from app.store.database import Gone
from app.store.pages import written, written_entry
from app.store.queries import OLDEST_FIRST, Counted, Page, Row, WrittenPage, earliest, first_end
from app.store.reader import Reader

_SLICE: Final = 200
_SCANNED: Final = 20_000
"""How many resources a search may look through where no index helps."""


@dataclass(frozen=True, slots=True)
class Found:
    """A search result: the Bundle's bytes and the state of the organisation's view that it shows."""

    body: bytes
    changed: int
    """0: it depends on more than the view, so that it holds for this moment only."""
    until: int | None
    """When the first of what it shows ceases to be visible (microseconds); None: never."""
    shown: tuple[str, ...] = ()
    """Ids of all that it shows."""
    notices: tuple[str, ...] = ()
    """Those that must travel with it."""


class Searching:
    """Searches for actors."""

    def __init__(self, hub: Hub, disclosures: Disclosures) -> None:
        self._hub = hub
        self._disclosures = disclosures

    async def last_change(self, actor: Actor) -> int:
        """A number that grows with every change of what the actor's organisation may see."""
        try:
            return await self._hub.store.reader(actor).last_change()
        except Gone as error:
            raise _away() from error

    async def search(self, actor: Actor, resource_type: str, pairs: Pairs, *, lenient: bool = False) -> Found:
        """Matches and includes as a searchset Bundle (https://hl7.org/fhir/R4/http.html#search)."""
        admit(actor, resource_type, "s")
        position, own = cursors.resumed(self._hub.keys, actor, resource_type, pairs)
        asked = within(parse(resource_type, own, lenient=lenient), partial(readable, actor))
        links = Links(self._hub.settings.fhir_base, asked, pairs if position is not None else None)
        try:
            found = await self._found(actor, asked.at(self._hub.clock.now_us()), position, links)
        except Gone as error:
            raise _away() from error
        return replace(found, changed=0) if asked.late else found

    async def _found(self, actor: Actor, asked: Asked, position: Position | None, links: Links) -> Found:
        reader = self._hub.store.reader(actor)
        if asked.count_only:
            counted = await _count(reader, asked)
            return Found(searchset(links, self._hub.clock.now_us(), total=counted.number), 0, counted.until)
        page = await self._page(reader, asked, position)
        until, total = page.until, None if page.more or position is not None else page.count
        if asked.total:
            total, first_of_all = await _count(reader, asked)
            until = earliest((until, first_of_all))
        further = await _next(reader, asked, position, page)
        cursor = None if further is None else cursors.seal(self._hub.keys, actor, asked, further)
        await self._disclosures.record_first(actor, page.fresh)
        stamp = page.stamp or self._hub.clock.now_us()
        body = searchset(links, stamp, page.entries, total=total, cursor=cursor, notices=page.notices)
        return Found(body, page.changed, until, page.shown, page.notices)

    async def _page(self, reader: Reader, asked: Asked, position: Position | None) -> WrittenPage:
        base, follows = self._hub.settings.fhir_base, follows_of(asked)
        if follows is not None and not asked.tests and asked.subset is None:
            return await reader.written_page(cursors.query_of(asked, position, asked.count), base, follows)
        page = await _tested_page(reader, asked, position)
        brought = await included(reader, asked, page.rows[: asked.count])
        entry = written_entry if asked.subset is None else subset_entry(asked.subset)
        return written(page, asked.count, base, brought, entry)


async def _next(reader: Reader, asked: Asked, position: Position | None, page: WrittenPage) -> Position | None:
    """Where the search goes on after ``page``; None: nowhere."""
    since = page.stamp if position is None else position.since
    if page.more:
        return Position(page.last, since, changed=position is not None and position.changed)
    if asked.order == OLDEST_FIRST or (position is not None and position.changed):
        return None
    if position is None and not asked.tests:
        return None  # all of it came in one statement: nothing can have changed on the way
    further = Position((since,), since, changed=True)
    return further if await reader.search(cursors.query_of(asked, further, 1)) else None


async def _tested_page(reader: Reader, asked: Asked, position: Position | None) -> Page:
    """One page and one match more, if there is one; parameters without an index are tested row by row."""
    if not asked.tests:
        return await reader.page(cursors.query_of(asked, position, asked.count + 1))
    found: list[Row] = []
    first: Page | None = None
    async for page in _pages(reader, asked, position):
        first = first or page
        found += _matching(asked, page.rows)
        if len(found) > asked.count:
            break
    return Page(first.stamp, first.changed, found[: asked.count + 1]) if first else Page(0, 0, [])


async def _pages(reader: Reader, asked: Asked, position: Position | None) -> AsyncIterator[Page]:
    for _ in range(_SCANNED // _SLICE):
        page = await reader.page(cursors.query_of(asked, position, _SLICE))
        yield page
        if len(page.rows) < _SLICE:
            return
        since = page.stamp if position is None else position.since
        position = Position(page.rows[-1].key, since, changed=position is not None and position.changed)
    raise NotSupported("Too many resources to look through; name a patient, an identifier or ids as well.")


def _matching(asked: Asked, rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if _passes(asked, row)]


def _passes(asked: Asked, row: Row) -> bool:
    resource = decoded(row)
    return all(test(resource) for test in asked.tests)


async def _count(reader: Reader, asked: Asked) -> Counted:
    if not asked.tests:
        return await reader.count(cursors.query_of(asked, None, 0))
    number, until = 0, None
    async for page in _pages(reader, asked, None):
        rows = _matching(asked, page.rows)
        number += len(rows)
        until = earliest((until, first_end(rows)))
    return Counted(number, until)


def _away() -> Unavailable:
    return Unavailable("The database can't be reached; try again.")
