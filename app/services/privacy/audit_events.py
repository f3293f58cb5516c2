"""AuditEvents, rendered from the accounting when they are read; nobody writes one.

Who sees what is decided by ``app.store.audit_trail``, for service accounts as for everybody. An event is one row, or of
a disclosure that stands on several decisions one part of it; its id is that of the row and the number of the part.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Final, NamedTuple

import orjson

from app.core.actor import Actor
from app.core.clock import iso
from app.core.errors import NotSupported, Unavailable
from app.services.disclosures import Disclosures
from app.services.hub import Hub
from app.services.privacy import break_glass
from app.services.privacy.disclosure_accounts import by_decision
from app.services.reading import search_cursors as cursors
from app.services.reading.reads import admit, not_found
from app.services.reading.search_asked import Asked
from app.services.reading.search_bundle import Links, searchset, subset_entry
from app.services.reading.search_cursors import Position
from app.services.reading.search_params import Pairs, parse
from app.services.reading.subset_params import subset_of_read
from app.services.writing import Disclosed, Rendition, Resource, decoded
from app.store.accounting import Access, Entry, Given
from app.store.audit_trail import READING_THE_TRAIL, Asking, Period, Trail
from app.store.changes import Decision
from app.store.database import Gone
from app.store.pages import written_entry
from app.store.queries import Row, notices_of
from fhir_mappings import audit
from fhir_mappings.subsets import reduced
from schemas.resources.times import date_range
from schemas.served import to_body

_TYPE: Final = "AuditEvent"
_SLICE: Final = 200
_SCANNED: Final = 20_000
_STARTS: Final = frozenset({"ge", "gt", "sa", "eq"})
_ENDS: Final = frozenset({"le", "lt", "eb", "eq"})


_ALL_PARTS: Final = 2**31


class _Last(NamedTuple):
    """Where an event stands among all."""

    at: int
    row: str
    part: int


class _Event(NamedTuple):
    row: Row
    last: _Last


class AuditEvents:
    """Reads and searches AuditEvents."""

    def __init__(self, hub: Hub, disclosures: Disclosures) -> None:
        self._hub = hub
        self._disclosures = disclosures

    async def read(self, actor: Actor, event_id: str, pairs: Pairs = ()) -> Rendition:
        """One event. Raises NotFound where there is none that the actor's organisation may see."""
        admit(actor, _TYPE, "r")
        subset = subset_of_read(_TYPE, pairs)
        row_id = event_id.rpartition(".")[0] or event_id
        try:
            trail = await self._hub.store.audit_trail(actor).one(row_id)
            events = await self._events(actor, trail)
        except Gone as error:
            raise _away() from error
        row = next((event.row for event in events if event.row.id == event_id), None)
        if row is None:
            not_found()
        self._disclosures.access(actor, READING_THE_TRAIL, [event_id])
        if subset is None:
            return Rendition.of(row)
        return Rendition(row.version, row.last_updated, orjson.dumps(reduced(decoded(row), subset)), notices_of((row,)))

    async def search(self, actor: Actor, pairs: Pairs, *, lenient: bool = False) -> Disclosed:
        """A searchset, oldest first unless asked otherwise (https://hl7.org/fhir/R4/http.html#search)."""
        admit(actor, _TYPE, "s")
        position, own = cursors.resumed(self._hub.keys, actor, _TYPE, pairs)
        asked = parse(_TYPE, own, lenient=lenient).at(self._hub.clock.now_us())
        links = Links(self._hub.settings.fhir_base, asked, pairs if position is not None else None)
        try:
            found = await self._found(actor, asked, position)
            total = await self._total(actor, asked, found) if position is None else None
        except Gone as error:
            raise _away() from error
        shown = found[: asked.count]
        self._disclosures.access(actor, READING_THE_TRAIL, [event.row.id for event in shown])
        cursor = None
        if shown and len(found) > asked.count:
            cursor = cursors.seal(self._hub.keys, actor, asked, Position((*shown[-1].last,), 0))
        entry = written_entry if asked.subset is None else subset_entry(asked.subset)
        entries = b",".join(entry(self._hub.settings.fhir_base, event.row, "match") for event in shown)
        notices = notices_of(event.row for event in shown)
        now = self._hub.clock.now_us()
        return Disclosed(searchset(links, now, entries, total=total, cursor=cursor, notices=notices), notices)

    async def _total(self, actor: Actor, asked: Asked, found: list[_Event]) -> int | None:
        if asked.count_only or asked.total:
            return len([event async for event in self._matching(actor, asked, None)])
        return len(found) if len(found) <= asked.count else None

    async def _found(self, actor: Actor, asked: Asked, position: Position | None) -> list[_Event]:
        """The matches of a page, and one more if there is one."""
        found: list[_Event] = []
        if asked.count_only:
            return found
        async for event in self._matching(actor, asked, position):
            found.append(event)
            if len(found) > asked.count:
                break
        return found

    async def _matching(self, actor: Actor, asked: Asked, position: Position | None) -> AsyncIterator[_Event]:
        trail_of = self._hub.store.audit_trail(actor)
        last = None if position is None else _Last._make(position.after)
        newest_first = asked.order[0].descending
        asking = Asking(_period(asked), _patients(asked), newest_first=newest_first)
        for _ in range(_SCANNED // _SLICE):
            # The row of the last event is read again: others of its parts may have had no place.
            trail = await trail_of.page(asking, None if last is None else (last.at, last.row), _SLICE)
            events = await self._events(actor, trail)
            if last is not None:
                events = [event for event in events if (event.last < last if newest_first else event.last > last)]
            for event in sorted(events, key=lambda event: event.last, reverse=newest_first):
                if all(test(decoded(event.row)) for test in asked.tests):
                    yield event
            if len(trail.rows) < _SLICE:
                return
            end = trail.rows[-1]
            last = _Last(end.at, end.id, -1 if newest_first else _ALL_PARTS)
        raise NotSupported("Too many events to look through; name a patient or a date as well.")

    async def _events(self, actor: Actor, trail: Trail) -> list[_Event]:
        directory = await self._hub.registry.current()
        view = _View(actor.organization, audit.Hub(directory.hub, self._hub.settings.fhir_base), trail)
        return [
            _Event(
                Row(event["id"], _TYPE, 1, row.at, to_body(event), "full", 0, notice=notice),
                _Last(row.at, row.id, part),
            )
            for row in trail.rows
            for part, event, notice in view.events(row)
        ]


class _View(NamedTuple):
    """Rows as one organisation (None: the hub itself) sees them."""

    organization: str | None
    hub: audit.Hub
    trail: Trail

    def events(self, row: Given | Decision | Access) -> Iterator[tuple[int, Resource, str | None]]:
        """(number of the part, event, notice that must travel with it)."""
        if isinstance(row, Given):
            yield from self._disclosed(row)
        elif isinstance(row, Decision):
            yield 0, self._decided(row), row.notice
        elif row.resources:
            what = [self._reference(resource) for resource in row.resources]
            event = self._event(row.id, row.at)
            yield 0, audit.access_event(event, _reader(row), row.interaction, what, row.times), None

    def _disclosed(self, given: Given) -> Iterator[tuple[int, Resource, str | None]]:
        for part, (why, entries) in enumerate(by_decision(given.entries).items()):
            decision = self.trail.decisions.get(why or "")
            event, reader = self._event(f"{given.id}.{part}", given.at), _reader(given)
            what = [self._reference(entry.id, entry.version) for entry in entries]
            discloser = decision is not None and self.organization in {None, decision.discloser}
            recipient = self.organization in {None, given.organization}
            if decision is not None and (discloser or (recipient and _knows_the_person(entries))):
                yield part, audit.disclosure_event(event, reader, _why(decision), what), decision.notice
            elif recipient:
                yield part, audit.access_event(event, reader, "first", what), None

    def _decided(self, decision: Decision) -> Resource:
        said = [one["text"] for one in orjson.loads(decision.reasons)]
        said += [f"cure: {text}" for text in orjson.loads(decision.cure)]
        return audit.decision_event(
            self._event(decision.id, decision.at),
            _why(decision),
            permitted=decision.level != "nothing",
            reasons="; ".join(said),
            emergency=decision.basis == break_glass.BASIS,
        )

    def _event(self, event_id: str, at: int) -> audit.Event:
        return audit.Event(event_id, iso(at), self.hub)

    def _reference(self, resource: str, version: int = 0) -> str:
        kind = self.trail.types.get(resource, "Resource")
        return f"{kind}/{resource}/_history/{version}" if version else f"{kind}/{resource}"


def _knows_the_person(entries: list[Entry]) -> bool:
    """Whether the recipient was given more than an offer: of an offer it does not know whose it is."""
    return any(entry.level == "full" and entry.version for entry in entries)


def _reader(row: Given | Access) -> audit.Viewer:
    return audit.Viewer(row.organization, row.client, row.user)


def _why(decision: Decision) -> audit.Why:
    consent = None
    if decision.consent is not None and decision.consent_version is not None:
        consent = f"Consent/{decision.consent}/_history/{decision.consent_version}"
    return audit.Why(
        decision.patient,
        decision.discloser,
        decision.recipient,
        decision.purpose,
        consent,
        part2=decision.notice is not None,
    )


def _patients(asked: Asked) -> list[str] | None:
    """Ids that a match is about one of, where that is said; what is asked is asked of each event all the same."""
    for name, value in asked.used:
        if name == "patient":
            return [one.rpartition("/")[2] for one in value.split(",")]
    return None


def _period(asked: Asked) -> Period:
    """Within which a match was recorded, as far as plain dates say it."""
    starts, ends = [], []
    for name, value in asked.used:
        if name in {"date", "_lastUpdated"} and "," not in value:
            prefix, text = (value[:2], value[2:]) if value[:2].isalpha() else ("eq", value)
            found = date_range(text.replace(" ", "+"))
            if found is not None:
                starts += [found[0]] if prefix in _STARTS else []
                ends += [found[1]] if prefix in _ENDS else []
    return Period(max(starts, default=None), min(ends, default=None))


def _away() -> Unavailable:
    return Unavailable("The database can't be reached; try again.")
