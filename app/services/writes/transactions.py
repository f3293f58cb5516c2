"""transaction: all entries or none (https://hl7.org/fhir/R4/http.html#transaction, #trules).

New resources get their ids first; then every reference to an entry, and every conditional one, is resolved; then each
entry is planned as if it came alone, in the order of the specification, and all plans are written as one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.core.actor import Actor
from app.core.errors import BadRequest, Conflict, HubError, Issue, PreconditionFailed
from app.core.ids import uuid7
from app.services.hub import Hub
from app.services.interactions import Done, Planned, Wanted
from app.services.writes.bundle_entries import Entry, named, operations_of
from app.services.writes.criteria import criteria_of, single
from app.services.writes.resource_plans import Known, known_to
from app.services.writes.resource_requests import conforming, patching, put
from app.services.writes.resource_writes import ResourceWrites
from app.services.writing import Resource
from schemas.references import references, replaced, walk

_ORDER: Final = {"DELETE": 0, "POST": 1, "PUT": 2, "PATCH": 3}
_CONDITIONAL: Final = re.compile(r"[A-Z][A-Za-z]+\?")


@dataclass(frozen=True, slots=True)
class _Resolved:
    """The entries as they are to be planned."""

    resources: Mapping[int, Resource]
    """By index of the entry, references resolved."""
    names: Mapping[int, str]
    """By index of the entry, the id that references to it were given."""
    known: Known


class Transaction:
    """The writing entries of one transaction Bundle."""

    def __init__(self, hub: Hub, writes: ResourceWrites, actor: Actor, entries: Sequence[Entry]) -> None:
        self._hub = hub
        self._writes = writes
        self._actor = actor
        self._entries = sorted(
            (entry for entry in entries if entry.method in _ORDER),
            key=lambda entry: (_ORDER[entry.method], entry.index),
        )
        self._ids = {entry.index: uuid7() for entry in self._entries if entry.id is None}
        """The id of what an entry creates, if it does."""

    async def run(self) -> dict[int, Done]:
        """What came of each writing entry, by its index; all of them happened.

        Raises what a single entry would raise, with its place, and BadRequest where two entries write one resource.
        """
        for entry in self._entries:
            try:
                self._writes.admit(self._actor, entry.type, entry.interaction)
            except HubError as error:
                raise named(entry, error) from error
        _refuse_same_target(self._entries)
        done = await self._writes.carry_out(self._actor, self._plan, "what this transaction is about")
        return {entry.index: one for entry, one in zip(self._entries, done, strict=True)}

    async def _plan(self) -> list[Planned]:
        resolved = await self._resolved()
        planned = []
        for entry in self._entries:
            try:
                one = await self._plan_entry(entry, resolved)
            except HubError as error:
                raise named(entry, error) from error
            if one.id != resolved.names[entry.index]:
                raise Conflict("Somebody else created it meanwhile; what refers to it must be resolved anew.")
            planned.append(one)
        _refuse_overlap(self._entries, planned)
        return planned

    async def _plan_entry(self, entry: Entry, resolved: _Resolved) -> Planned:
        writes, actor, known = self._writes, self._actor, resolved.known
        resource = resolved.resources.get(entry.index, {})
        match entry.method, entry.id:
            case "DELETE", str(name):
                return await writes.plan_delete(actor, entry.type, name, entry.if_match)
            case "POST", None:
                return await self._plan_post(entry, resource, known)
            case "PUT", str(name):
                return await writes.plan_update(actor, put(entry.type, name, resource, entry.if_match), known.new)
            case "PUT", None:
                criteria = criteria_of(entry.type, entry.query, f"{entry.place}.request.url")
                return await writes.plan_found(
                    actor, resource, self._ids[entry.index], criteria, if_match=entry.if_match, known=known
                )
            case "PATCH", str(name):
                edit = patching(operations_of(entry))
                wanted = Wanted(entry.type, name, edit, entry.if_match, relative=True)
                return await writes.plan_update(actor, wanted, known.new)
        raise BadRequest("This is no address of this interaction.", path=f"{entry.place}.request.url")

    async def _plan_post(self, entry: Entry, resource: Resource, known: Known) -> Planned:
        resource_id = self._ids[entry.index]
        if entry.if_none_exist is None:
            return await self._writes.plan_create(self._actor, resource, resource_id, known)
        criteria = criteria_of(entry.type, entry.if_none_exist, f"{entry.place}.request.ifNoneExist")
        return await self._writes.plan_unless_found(self._actor, resource, resource_id, criteria, known=known)

    # ---- references

    async def _resolved(self) -> _Resolved:
        """Every resource with the references to other entries, and conditional ones, put right."""
        names, new = await self._names()
        places = {
            entry.full_url: f"{entry.type}/{names[entry.index]}"
            for entry in self._entries
            if entry.full_url is not None and entry.method != "DELETE"
        }
        found = {entry.index: entry for entry in self._entries if entry.method in {"POST", "PUT"}}
        stated = {index: _conforming(entry) for index, entry in found.items()}
        links = {index: references(resource) for index, resource in stated.items()}
        queries = await self._conditional(found, stated, links)
        known = {**places, **queries}
        resources = {index: replaced(resource, known) if known else resource for index, resource in stated.items()}
        followed = {known.get(link, link) for one in links.values() for link in one}
        return _Resolved(resources, names, await known_to(self._hub, self._actor, followed, new))

    async def _names(self) -> tuple[dict[int, str], dict[str, str]]:
        """The id that each entry is about, by its index; id to type of what is new."""
        names: dict[int, str] = {}
        new: dict[str, str] = {}
        for entry in self._entries:
            name = entry.id or await self._found(entry)
            if name is None:
                name = self._ids[entry.index]
                new[name] = entry.type
            names[entry.index] = name
        return names, new

    async def _found(self, entry: Entry) -> str | None:
        """The id of what a conditional entry finds; None where it creates."""
        query = entry.if_none_exist if entry.method == "POST" else entry.query
        if not query:
            return None
        try:
            criteria = criteria_of(entry.type, query, f"{entry.place}.request")
            row = await single(self._hub, self._actor, criteria, f"{entry.place}.request")
        except HubError as error:
            raise named(entry, error) from error
        return row.id if row else None

    async def _conditional(
        self, entries: Mapping[int, Entry], stated: Mapping[int, Resource], links: Mapping[int, Sequence[str]]
    ) -> dict[str, str]:
        """Each conditional reference to the one resource that it finds."""
        found: dict[str, str] = {}
        for index, resource in stated.items():
            asked = {one for one in links[index] if _CONDITIONAL.match(one)} - found.keys()
            paths = {one: path for path, one in walk(resource, resource["resourceType"])} if asked else {}
            for reference in sorted(asked):
                try:
                    found[reference] = await self._one(reference, paths[reference])
                except HubError as error:
                    raise named(entries[index], error) from error
        return found

    async def _one(self, reference: str, path: str) -> str:
        kind, _, query = reference.partition("?")
        row = await single(self._hub, self._actor, criteria_of(kind, query, path), path)
        if row is None:
            raise PreconditionFailed("A conditional reference finds one resource; this one finds none.", path=path)
        return f"{row.type}/{row.id}"


def _conforming(entry: Entry) -> Resource:
    try:
        return conforming(entry.type, entry.resource)
    except HubError as error:
        raise named(entry, error) from error


def _refuse_same_target(entries: Sequence[Entry]) -> None:
    """BadRequest where two entries name the same resource, both named."""
    seen: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        target = entry.id or entry.if_none_exist or entry.query
        if target:
            _refuse_both(seen.setdefault((entry.type, target), entry), entry)


def _refuse_overlap(entries: Sequence[Entry], planned: Sequence[Planned]) -> None:
    """BadRequest where two entries come to write the same resource (two Tasks of one referral)."""
    seen: dict[str, Entry] = {}
    for entry, one in zip(entries, planned, strict=True):
        written = {change.id for change in one.changes.resources} if one.changes else {one.id}
        for resource_id in sorted(written):
            _refuse_both(seen.setdefault(resource_id, entry), entry)


def _refuse_both(first: Entry, second: Entry) -> None:
    if first is second:
        return
    text = "Two entries write the same resource, or what follows from it; send them one after the other."
    issues = tuple(
        Issue("duplicate", text, f"{entry.place}.request.url")
        for entry in sorted((first, second), key=lambda one: one.index)
    )
    raise BadRequest(text, issues=issues)
