"""All of one referral that a reader may see: what its Task leads to, as a document or as pages."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple

from app.core import json
from app.core.actor import Actor
from app.core.clock import from_micros
from app.core.errors import Deleted, Forbidden, NotFound, Unavailable
from app.core.ids import uuid7
from app.services.disclosures import Disclosures
from app.services.hub import Hub
from app.services.scopes import readable
from app.services.writing import Disclosed, Resource, decoded
from app.store.database import Gone
from app.store.decisions import Decisions
from app.store.queries import IndexIn, Query, Row, notices_of
from app.store.reader import Reader
from fhir_mappings.notices import Permit
from fhir_mappings.packet import packet, said_with
from fhir_mappings.pages.packet_paper import packet_paper
from fhir_mappings.pages.paper import Paper
from fhir_mappings.pages.paper_html import POLICY, html
from fhir_mappings.pages.paper_pdf import pdf
from schemas.packs.base import notice
from schemas.references import local, references

Form = Literal["json", "html", "pdf"]
"""A document Bundle for a program, pages for a person, pages to print or to keep."""
PAGE_POLICY: Final = POLICY
"""Content-Security-Policy that goes with the HTML."""
_SYSTEM: Final = Actor.system("packet")
Bound = Literal["leave-out", "refuse"]
"""A program that reads a packet is told what is left out of it; a person would take a part for the whole."""
_ROUNDS: Final = 4
"""How far references are followed."""
_OF_NOBODY: Final = frozenset(
    {"Organization", "HealthcareService", "Location", "Practitioner", "PractitionerRole", "Provenance"}
)
"""Types of a packet that tell of no person by themselves."""
_ORIGINS: Final = 200
"""How many Provenances of one Task are shown."""


async def reachable(reader: Reader, task: Row) -> list[Row]:
    """The Task, its request, all that they lead to and where that comes from, as far as the reader may see it."""
    return (await reachable_each(reader, [task]))[task.id]


async def reachable_each(reader: Reader, tasks: Sequence[Row]) -> dict[str, list[Row]]:
    """``reachable`` of several Tasks, by their ids; what they share is read once."""
    walks = {task.id: _Walk(task) for task in tasks}
    known = {task.id: task for task in tasks}
    links = {task.id: _links(task) for task in tasks}
    for _ in range(_ROUNDS):
        wanted = {link for walk in walks.values() for row in walk.frontier for link in links[row.id]} - known.keys()
        found = await reader.by_ids(sorted(wanted))
        known |= {row.id: row for row in found}
        links |= {row.id: _links(row) for row in found}
        for walk in walks.values():
            walk.on(known, links)
        if not any(walk.frontier for walk in walks.values()):
            break
    await _add_origins(reader, list(walks.values()))
    return {name: list(walk.rows.values()) for name, walk in walks.items()}


class _Walk:
    """What one Task leads to, so far."""

    def __init__(self, task: Row) -> None:
        self.rows = {task.id: task}
        self.frontier = [task]
        self._focus = _focus(task)

    @property
    def asked(self) -> set[str]:
        """What a Provenance may have as target."""
        return {f"{row.type}/{row.id}" for row in self.rows.values() if row.type in {"Task", "ServiceRequest"}}

    def on(self, known: Mapping[str, Row], links: Mapping[str, set[str]]) -> None:
        """One reference further."""
        wanted = {link for row in self.frontier for link in links[row.id]} - self.rows.keys()
        self.frontier = [known[link] for link in sorted(wanted & known.keys()) if self._is_of_it(known[link])]
        self.rows.update((row.id, row) for row in self.frontier)

    def _is_of_it(self, row: Row) -> bool:
        return row.type != "Task" and (row.type != "ServiceRequest" or row.id == self._focus)


async def _add_origins(reader: Reader, walks: Sequence[_Walk]) -> None:
    asked = [walk.asked for walk in walks]
    values = tuple(sorted({one for of_it in asked for one in of_it}))
    origins = await reader.search(Query("Provenance", (IndexIn("target", values),), limit=_ORIGINS * len(walks)))
    targets = [{one["reference"].partition("/_history/")[0] for one in decoded(row)["target"]} for row in origins]
    for walk, of_it in zip(walks, asked, strict=True):
        found = (row for row, named in zip(origins, targets, strict=True) if named & of_it)
        walk.rows.update((row.id, row) for row in found)


def _links(row: Row) -> set[str]:
    links = (local(link) for link in references(decoded(row)))
    return {link[1] for link in links if link is not None}


async def with_author(reader: Reader, author: str, rows: list[Row]) -> list[Row]:
    """``rows`` with the hub, which stands as author in a document (https://hl7.org/fhir/R4/documents.html#content)."""
    return rows if author in {row.id for row in rows} else [*rows, *await reader.by_ids([author])]


class Packet(NamedTuple):
    """What a reader is given of one referral, before it is known in which form."""

    document: Resource
    """A document Bundle."""
    notices: tuple[str, ...]
    said: tuple[str, ...]
    """Paragraphs of the notices, and of what the recipient may do with the records."""

    @property
    def foot(self) -> str:
        """The notices in their short form, for a page that is parted from the others."""
        return " ".join(notice(name).short for name in self.notices)


def document(
    hub: Hub,
    author: str,
    task: str,
    rows: Sequence[Row],
    *,
    notices: tuple[str, ...],
    permits: Sequence[Permit] = (),
    left_out: Sequence[str] = (),
) -> Packet:
    """The packet of ``rows`` about the Task ``task``; it says of which types it leaves something out."""
    members = [decoded(row) for row in rows]
    made = packet(
        members,
        base=hub.settings.fhir_base,
        document=uuid7(),
        task=task,
        author=author,
        now=from_micros(hub.clock.now_us()),
        notices=notices,
        permits=permits,
        left_out=left_out,
    )
    return Packet(made, notices, tuple(said_with(members, notices, permits)))


async def packet_of(
    hub: Hub,
    actor: Actor,
    task_id: str,
    disclosures: Disclosures,
    interaction: str = "packet",
    *,
    bound: Bound | None = None,
) -> Packet:
    """All that the actor may see of one referral; that it is disclosed is durable.

    Args:
        hub: the hub.
        actor: who reads.
        task_id: the Task that it is about.
        disclosures: where it goes on record.
        interaction: as what.
        bound: what becomes of that which the token of a client does not cover; None: nothing bounds it.

    Raises NotFound, also for what is not visible, Deleted, Unavailable where the database is away, and Forbidden where
    it is refused by its bound.
    """
    reader = hub.store.reader(actor)
    try:
        task = await reader.read("Task", task_id)
        if task is None:
            raise NotFound("Not known here.")
        if task.deleted:
            raise Deleted("It was deleted; its history has the versions before.")
        author = (await hub.registry.current()).hub
        rows = await with_author(reader, author, await reachable(reader, task))
        left_out = _not_covered(actor, rows) if bound is not None else []
        if left_out and bound == "refuse":
            raise Forbidden(f"The token does not cover all of this packet: it needs {_scopes(left_out)} too.")
        rows = [row for row in rows if row.type not in left_out]
        permits = await permits_of(hub.store.decisions(_SYSTEM), rows)
    except Gone as error:
        raise Unavailable("The database can't be reached; try again.") from error
    await disclosures.record(actor, rows, interaction)
    return document(hub, author, task_id, rows, notices=notices_of(rows), permits=permits, left_out=left_out)


def _not_covered(actor: Actor, rows: Sequence[Row]) -> list[str]:
    return sorted({row.type for row in rows if row.type not in _OF_NOBODY and not readable(actor, row.type)})


def _scopes(types: Sequence[str]) -> str:
    return ", ".join(f"system/{one}.r" for one in types)


async def written(made: Packet, form: Form) -> Disclosed:
    """A packet in a form."""
    if form == "json":
        return Disclosed(json.dumps(made.document), made.notices)
    pages = packet_paper(made.document, notices=made.said, foot=made.foot)
    return Disclosed(await printed(pages, form), made.notices)


async def printed(pages: Paper, form: Literal["html", "pdf"]) -> bytes:
    """Pages in a form; the setting of a PDF does not hold up others."""
    return html(pages) if form == "html" else await asyncio.to_thread(pdf, pages)


async def permits_of(decisions: Decisions, rows: Sequence[Row]) -> list[Permit]:
    """What the decisions permit that those of ``rows`` go under with which a notice must travel."""
    ids = sorted({row.decision for row in rows if row.notice is not None and row.decision is not None})
    return [
        Permit(one.basis, one.redisclosure, from_micros(one.until) if one.until is not None else None)
        for one in await decisions.permits(ids)
    ]


def _focus(task: Row) -> str:
    reference: str = decoded(task).get("focus", {}).get("reference", "")
    return reference.rpartition("/")[2]
