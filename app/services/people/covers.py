"""Cover sheets: for what a person faxes or hands over, and for what the hub faxes itself."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from app.core.actor import Actor
from app.core.errors import NotFound, Unprocessable
from app.services.hub import Hub
from app.services.people import talks
from app.services.writing import Resource, decoded
from app.store.accounts import Directory
from app.store.queries import Row
from fhir_mappings.building.answer_view import answer_by
from fhir_mappings.outreach import is_beside
from fhir_mappings.pages.cover_sheet import Cover, cover_paper
from fhir_mappings.pages.paper import Paper
from fhir_mappings.pages.paper_html import html
from schemas.codes.local import NEED
from schemas.packs.base import notice

_SYSTEM: Final = Actor.system("cover-sheet")


async def of_task(hub: Hub, child_id: str) -> str:
    """The cover sheet for a partner's Task, as HTML. Raises NotFound, Unprocessable (not a partner's Task)."""
    row = await hub.store.reader(_SYSTEM).read("Task", child_id)
    if row is None or row.deleted:
        raise NotFound("No Task has this id.")
    child = decoded(row)
    if "partOf" not in child or is_beside(child):
        raise Unprocessable("Name the Task of the partner: throughline todo shows it.")
    actor = Actor(child["owner"]["reference"].rpartition("/")[2], "hub")
    seen = await hub.store.reader(actor).read("Task", child_id)
    return html(await paper(hub, child, seen)).decode()


async def paper(hub: Hub, child: Resource, seen: Row | None) -> Paper:
    """The cover sheet of a partner's Task.

    Args:
        hub: the hub.
        child: the Task, whole.
        seen: as its owner may see it; None: not at all.
    """
    directory = await hub.registry.current()
    partner = child["owner"]["reference"].rpartition("/")[2]
    profile = directory.partners.get(partner)
    source = await talks.source_of(hub, _SYSTEM, child["id"])
    hospital = source["requester"]["reference"].rpartition("/")[2]
    asked = talks.instant(child["authoredOn"]) or hub.clock.now()
    due = answer_by(child) or asked
    follows = seen is not None and seen.level == "full"
    number = profile.fax.number if profile and profile.fax else (profile.phone or "" if profile else "")
    return cover_paper(
        Cover(
            partner=directory.names.get(partner, ""),
            number=number,
            hospital=directory.names.get(hospital, ""),
            call_back=call_back_of(directory, hospital),
            need=await need_of(hub, child),
            due_by=local_time(due, directory, hospital),
            reference=str(source["id"]),
            packet_follows=follows,
            made=hub.clock.now().isoformat(),
            notices=[notice(seen.notice).text] if seen is not None and seen.notice and follows else [],
        )
    )


def call_back_of(directory: Directory, hospital: str) -> str:
    """The number at which a hospital's case manager is reached; empty: not said."""
    own = (one.call_back for one in directory.senders.values() if one.organization == hospital)
    return next((number for number in own if number), "")


async def need_of(hub: Hub, child: Resource) -> str:
    """What is asked for, in words."""
    row = await hub.store.reader(_SYSTEM).read("ServiceRequest", child["focus"]["reference"].rpartition("/")[2])
    if row is None or row.deleted:
        return ""
    return _display(decoded(row).get("category", ()), decoded(row).get("code", {}))


def _display(categories: Sequence[Resource], code: Resource) -> str:
    for one in (*categories, code):
        for held in one.get("coding", ()):
            if held.get("system") == NEED:
                return str(held.get("display", held.get("code", "")))
    return str(code.get("text", ""))


def local_time(due: datetime, directory: Directory, hospital: str) -> str:
    """In the zone of the hospital, where the hub knows one."""
    zones = [one.zone() for one in directory.senders.values() if one.organization == hospital]
    return due.astimezone(zones[0] if zones else None).strftime("%A, %-d %B %Y, %H:%M %Z")
