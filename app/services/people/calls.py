"""Call attempts of the hospital: who was called when, at which number, and what came of it. Partners never see them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from app.core import json
from app.core.actor import Actor
from app.core.errors import Issue, NotFound, Unprocessable
from app.core.ids import uuid7
from app.rules import spoken
from app.services.disclosures import Disclosures, note
from app.services.feed import Feed
from app.services.hub import Hub
from app.services.interactions import Done, Planned, carried_out
from app.services.people import talks
from app.services.people.spoken_requests import Call, call_of, refuse
from app.services.scopes import require
from app.services.sheets import Sheet
from app.services.writes.resource_plans import current_row, unchanged
from app.services.writes.resource_requests import conforming
from app.services.writing import Resource, change_of, decoded
from app.store.changes import OWN, Changes, Claim, Grant
from app.store.queries import ColumnIn, Query
from fhir_mappings.building import build_spoken
from fhir_mappings.building.build_spoken import Talk

_SYSTEM: Final = Actor.system("calls")


class Calls:
    """Keeps call attempts. Nobody changes or deletes one."""

    def __init__(self, hub: Hub, disclosures: Disclosures, feed: Feed) -> None:
        self._hub = hub
        self._disclosures = disclosures
        self._feed = feed

    async def record(self, actor: Actor, task_id: str, body: object) -> Done:
        """Keep one call about the hospital's Task, as a Communication. Twice the same is once.

        Raises BadRequest, NotFound, Forbidden (not the hospital that asked), Unprocessable (no such partner, a time
        that can't be).
        """
        require(actor, "Task", "u")
        told = call_of(body)

        async def plan() -> Sequence[Planned]:
            return [await self._plan(actor, task_id, told)]

        try:
            (planned,), stamps = await carried_out(self._hub, plan, "this Task")
        finally:
            if actor.organization is not None:
                self._feed.doubt(actor.organization)
        self._disclosures.access(actor, "record-call", [planned.id])
        return planned.done(stamps)

    async def _plan(self, actor: Actor, task_id: str, told: Call) -> Planned:
        source = await talks.source_of(self._hub, actor, task_id)
        said = json.canonical(json.loads(json.dumps(talks.plain(told)))).decode()
        key = self._hub.keys.mac("spoken", "call", source["id"], said)
        held = await self._hub.store.authorship(_SYSTEM).claimed(key)
        if held is not None:
            return unchanged(await current_row(self._hub, actor, "Communication", held))
        refuse(spoken.faults(told.exchange, asked=None, now=self._hub.clock.now()))
        directory = await self._hub.registry.current()
        if told.partner not in directory.partners:
            text = "No partner of this hub."
            path = "Parameters.parameter.where(name='partner')"
            raise Unprocessable(text, issues=(Issue("business-rule", text, path),))
        hospital = source["requester"]["reference"].rpartition("/")[2]
        caller = replace(talks.side_of(directory, hospital), person=told.exchange.by)
        called = replace(talks.side_of(directory, told.partner), person=told.talked_to, number=told.exchange.number)
        talk = Talk("call", told.exchange.at, "phone", caller, called, outcome=told.outcome, note=told.note)
        security = talks.labels_of(directory, source, told.partner)
        made = build_spoken.communication(talk, resource_id=uuid7(), task=source, security=security)
        change = change_of(conforming("Communication", made), 1)
        changes = Changes(
            scope=frozenset({source["id"]}),
            resources=(change,),
            grants=(Grant(hospital, change.id, disclosed=OWN),),
            claims=(Claim(key, change.id),),
        )
        return Planned(201, "Communication", change.id, 1, change.content, changes)


# ---- the list of one referral


@dataclass(frozen=True, slots=True)
class Said:
    """One line of what was said about a referral."""

    at: str
    kind: str
    """``call``, ``answer`` or ``dispute``."""
    partner: str
    """Name of the organisation."""
    person: str
    """Who spoke for it."""
    number: str
    outcome: str
    """Of a call; of an answer, the status."""
    by: str
    """Who of the hospital."""
    note: str
    communication: str
    """FHIR id."""


async def listed(hub: Hub, actor: Actor, referral: str) -> list[Said]:
    """What was said about a referral, oldest first; it is recorded that it was looked at.

    Args:
        hub: the hub.
        actor: the hub itself.
        referral: id of the hospital's ServiceRequest or Task.

    Raises NotFound where there is none.
    """
    source = await _source(hub, referral)
    if source is None:
        raise NotFound("No referral has this id.")
    found = await talks.of_request(hub, source["focus"]["reference"])
    ours = [one for one in found if build_spoken.category_of(one) is not None]
    await note(hub.store, actor, "calls", [source["id"], *(one["id"] for one in ours)])
    return [_line(one) for one in ours]


async def _source(hub: Hub, referral: str) -> Resource | None:
    reader = hub.store.reader(_SYSTEM)
    row = await reader.read("Task", referral)
    if row is not None:
        return decoded(row)
    rows = await reader.search(Query("Task", (ColumnIn("focus", (f"ServiceRequest/{referral}",)),), limit=1))
    return decoded(rows[0]) if rows else None


def _line(made: Resource) -> Said:
    kind = str(build_spoken.category_of(made))
    sender, recipient = (build_spoken.side_of(made, "sender"), build_spoken.side_of(made, "recipient"))
    partner, hospital = (recipient, sender) if kind == "call" else (sender, recipient)
    outcome = build_spoken.outcome_of(made) if kind == "call" else build_spoken.answer_of(made)
    said = " ".join(str(one.get("text", "")) for one in made.get("note", ()))
    return Said(
        made.get("sent", ""),
        kind,
        partner.name,
        partner.person,
        partner.number,
        outcome or "",
        hospital.person,
        said,
        made["id"],
    )


def calls_sheet(found: Sequence[Said]) -> Sheet:
    """One line for each."""
    columns = ("when", "what", "organization", "person", "number", "outcome", "by", "note")
    rows: list[tuple[Any, ...]] = [
        (one.at, one.kind, one.partner, one.person, one.number, one.outcome, one.by, one.note) for one in found
    ]
    return Sheet("What was said about a referral", (), columns, rows)
