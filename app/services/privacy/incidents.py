"""What the privacy officer must look at: glass that was broken, and requests by those who have no right of their own.

A request by police, a court or an immigration authority is no purpose of use: it is held as it came, nothing is looked
up, and nothing is confirmed or denied. What an incident says is sealed, for it may name persons.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson

from app.core.actor import Actor
from app.core.clock import iso
from app.core.crypto import Keys
from app.core.errors import NotFound, Unprocessable
from app.core.ids import uuid7
from app.services.disclosures import note
from app.services.hub import Hub
from app.services.sheets import Sheet
from app.store.changes import Changes, Incident
from app.store.incidents import StoredIncident

Authority = Literal["court", "police", "immigration"]
HELD_ANSWER: Final = (
    "The request is held for the privacy officer. "
    "Whether records about anybody are here is neither confirmed nor denied."
)
"""The same whoever is asked about: nothing was looked up."""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """An incident as the privacy officer sees it."""

    id: str
    kind: str
    at: str
    organization: str
    """Name of the organisation whose records it is about; empty where that is not said."""
    decision: str | None
    content: dict[str, str]
    reviewed_at: str | None
    reviewed_by: str | None
    outcome: str | None


def incident(
    keys: Keys,
    kind: Literal["break-glass", "held-request"],
    at: int,
    content: Mapping[str, str],
    *,
    organization: str | None = None,
    decision: str | None = None,
) -> Incident:
    """A new incident."""
    made = uuid7()
    return Incident(made, kind, at, organization, decision, keys.seal_raw(made, orjson.dumps(dict(content))))


async def hold(hub: Hub, authority: Authority, received_from: str, about: str, by: str) -> str:
    """Hold a request; its id. Nothing is looked up."""
    content = {"authority": authority, "received_from": received_from, "about": about, "taken_by": by}
    made = incident(hub.keys, "held-request", hub.clock.now_us(), content)
    await hub.store.commit(Changes(incidents=(made,)))
    return made.id


async def listed(hub: Hub, actor: Actor, *, still_open: bool) -> list[Reviewed]:
    """Incidents, oldest first. It is recorded that they were looked at."""
    await note(hub.store, actor, "incidents", [])
    names = (await hub.registry.current()).names
    return [_opened(hub.keys, one, names) for one in await hub.store.incidents(actor).all(still_open=still_open)]


async def review(hub: Hub, actor: Actor, incident_id: str, *, by: str, outcome: str) -> Reviewed:
    """Keep what the privacy officer found.

    Raises NotFound where there is no such incident, Unprocessable where it was reviewed before or nothing is said.
    """
    if not by.strip() or not outcome.strip():
        raise Unprocessable("A review says who reviewed and what was found.")
    incidents = hub.store.incidents(actor)
    if await incidents.one(incident_id) is None:
        raise NotFound("No incident has this id.")
    sealed = hub.keys.seal_raw(incident_id, outcome.encode())
    if not await incidents.review(incident_id, at=hub.clock.now_us(), by=by, outcome=sealed):
        raise Unprocessable("It was reviewed before; what was said of it stays.")
    found = await incidents.one(incident_id)
    if found is None:
        raise NotFound("No incident has this id.")
    return _opened(hub.keys, found, (await hub.registry.current()).names)


def _opened(keys: Keys, stored: StoredIncident, names: Mapping[str, str]) -> Reviewed:
    return Reviewed(
        stored.id,
        stored.kind,
        iso(stored.at),
        names.get(stored.organization or "", ""),
        stored.decision,
        orjson.loads(keys.open_raw(stored.id, stored.content)),
        iso(stored.reviewed_at) if stored.reviewed_at is not None else None,
        stored.reviewed_by,
        keys.open_raw(stored.id, stored.outcome).decode() if stored.outcome is not None else None,
    )


def incidents_sheet(found: list[Reviewed]) -> Sheet:
    """One line for each."""
    columns = ("id", "kind", "when", "records of", "what", "reviewed", "by", "outcome")
    rows: list[tuple[Any, ...]] = [
        (
            one.id,
            one.kind,
            one.at,
            one.organization,
            "; ".join(f"{name}: {text}" for name, text in one.content.items()),
            one.reviewed_at or "",
            one.reviewed_by or "",
            one.outcome or "",
        )
        for one in found
    ]
    return Sheet("Incidents for the privacy officer", (), columns, rows)
