"""Break-glass: medical personnel are shown one referral in a medical emergency, once (42 CFR 2.51).

Nothing becomes visible by it: the answer is the packet, and the next look needs its own reason. The decision, the
incident that is reviewed afterwards and the disclosure are durable in one commit before the bytes leave.
"""

from collections.abc import Mapping
from typing import Final

from app.core import json
from app.core.actor import Actor
from app.core.clock import from_micros
from app.core.errors import BadRequest, Conflict, Forbidden, Unavailable
from app.core.ids import uuid7
from app.rules import consent
from app.services.disclosures import Disclosures
from app.services.hub import Hub
from app.services.packets.packets import document, reachable, with_author, written
from app.services.privacy.incidents import incident
from app.services.reading.reads import not_found
from app.services.referral.parties import party_of
from app.services.scopes import require
from app.services.writes import operation_parameters
from app.services.writing import Disclosed
from app.store.accounts import Directory
from app.store.changes import Changes, Decision, Disclosure, Level
from app.store.database import Gone
from app.store.queries import Row
from schemas.resources.times import date_range

BASIS: Final[consent.Basis] = "emergency-2-51"
FIELDS: Final = {
    "recipient": ("valueString", "name and affiliation of the medical personnel who receive it"),
    "discloser": ("valueString", "name of the person who makes the disclosure"),
    "at": ("valueDateTime", "date and time of the disclosure"),
    "nature": ("valueString", "nature of the emergency"),
}
"""The four things that 42 CFR 2.51(c) has documented: parameter, its element, what it says."""
_SYSTEM: Final = Actor.system("break-glass")
_LEFT_OUT: Final = frozenset({"Provenance", "Consent"})
"""They name other recipients and other referrals, which no emergency needs."""


def fields_of(body: object) -> dict[str, str]:
    """The four fields of a Parameters resource. Raises BadRequest with each one that is missing or unknown."""
    given = operation_parameters.fields_of(body, FIELDS, source=" (42 CFR 2.51(c))")
    if operation_parameters.instant_of(given["at"]) is None:
        raise BadRequest("A date with its time is expected.", path=operation_parameters.path_of("at", FIELDS["at"][0]))
    return given


class BreakGlass:
    """Shows a referral in an emergency."""

    def __init__(self, hub: Hub, disclosures: Disclosures) -> None:
        self._hub = hub
        self._disclosures = disclosures

    async def packet(self, actor: Actor, task_id: str, body: object) -> Disclosed:
        """The packet of a Task that the actor's organisation was asked with, as a document Bundle.

        Raises:
            Forbidden: an organisation without medical personnel, or a token that does not cover it.
            BadRequest: one of the four fields is missing.
            NotFound: no Task that the organisation was ever asked with; that it was tried is recorded.
        """
        require(actor, "Task", "r")
        directory = await self._hub.registry.current()
        today = from_micros(self._hub.clock.now_us()).date()
        if actor.organization is None or not party_of(directory, actor.organization, today).medical:
            raise Forbidden("Only an organisation with medical personnel may do this (42 CFR 2.51(a)).")
        fields = fields_of(body)
        try:
            found = await self._found(actor.organization, task_id)
            if found is None:
                self._disclosures.access(actor, "break-glass")
                not_found()
            standing, rows = found
            decision = await self._record(actor, standing, rows, fields)
        except Gone as error:
            raise Unavailable("The database can't be reached; try again.") from error
        notices = () if decision.notice is None else (decision.notice,)
        return await written(document(self._hub, directory.hub, task_id, rows, notices=notices), "json")

    async def _found(self, organization: str, task_id: str) -> tuple[Decision, list[Row]] | None:
        """The decision that brought the Task to the organisation, and all of its referral."""
        standing = await self._hub.store.accounting(_SYSTEM).decision_for(task_id, organization)
        reader = self._hub.store.reader(_SYSTEM)
        task = await reader.read("Task", task_id) if standing is not None else None
        if standing is None or task is None or task.deleted:
            return None
        author = (await self._hub.registry.current()).hub
        rows = await with_author(reader, author, await reachable(reader, task))
        return standing, [row for row in rows if row.type not in _LEFT_OUT]

    async def _record(self, actor: Actor, standing: Decision, rows: list[Row], fields: dict[str, str]) -> Decision:
        now = self._hub.clock.now_us()
        decision = _decided(await self._hub.registry.current(), standing, fields, now)
        made = incident(
            self._hub.keys, "break-glass", now, fields, organization=decision.discloser, decision=decision.id
        )
        level: Level = "full"
        entries = tuple((row.id, row.version, level, decision.id) for row in rows)
        told = Disclosure(uuid7(), decision.recipient, actor.client, decision.purpose, entries, actor.user)
        try:
            await self._hub.store.commit(Changes(decisions=(decision,), incidents=(made,), disclosures=(told,)))
        except Conflict as error:
            raise Unavailable("The disclosure could not be recorded, so nothing is shown; try again.") from error
        return decision


def _decided(directory: Directory, standing: Decision, fields: Mapping[str, str], now: int) -> Decision:
    """The decision of this one moment. Which unit's record it is isn't asked: it goes as one of a Part 2 program.

    Raises Forbidden where the rule does not permit it.
    """
    at = from_micros(now)
    moment = date_range(fields["at"])
    verdict = consent.decide(
        unit_status="unknown",
        discloser=party_of(directory, standing.discloser, at.date()),
        recipient=party_of(directory, standing.recipient, at.date()),
        need="",
        purpose=consent.EMERGENCY,
        direction=standing.direction,
        consents=(),
        emergency=consent.Emergency(
            recipient=fields["recipient"],
            discloser=fields["discloser"],
            at=from_micros(moment[0]) if moment else None,
            nature=fields["nature"],
        ),
        at=at,
    )
    if verdict.level != "packet":
        raise Forbidden("; ".join(reason.text for reason in verdict.reasons))
    return standing._replace(
        id=uuid7(),
        at=now,
        purpose=consent.EMERGENCY,
        level=verdict.level,
        basis=verdict.legal_reason,
        consent=None,
        consent_version=None,
        redisclosure=verdict.redisclosure,
        notice=verdict.notice,
        until=now,
        reasons=json.dumps([{"code": one.code, "text": one.text} for one in verdict.reasons]).decode(),
        cure="[]",
    )
