"""What an answer to a hospital is made from: its Task as it may read it, who accepted, and its own messages."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from app.core.actor import Actor
from app.rules import answering
from app.rules.codings import need_in
from app.services.answers.ways_back import way_back
from app.services.hub import Hub
from app.services.packets.packets import permits_of
from app.services.referral.partner_hours import intake_calendar
from app.services.writing import Resource, decoded
from app.store.accounts import Directory
from app.store.answers import Answer
from app.store.lookups import LedgerEntry
from app.store.queries import ColumnIn, Query, Row
from fhir_mappings import notices, outcome_identity, outcome_text, outcomes
from fhir_mappings.hl7v2 import Field, Message, Raw, Unreadable, parse
from fhir_mappings.outreach import is_beside
from schemas.discharge import MOUD
from schemas.packs import base as packs
from schemas.partner import PartnerProfile
from schemas.sender import Sender

_SYSTEM: Final = Actor.system("answer")
_ASKS: Final = frozenset({"REF^I12", "REF^I13"})
_ASKED_IN: Final = (3, 5, 10)
"""Fields of RF1 that say what is asked for."""
_BEFORE_ACCEPTANCE: Final = frozenset({"asked", "needs-a-person", "consent-needed", "route-needed"})


@dataclass(frozen=True, slots=True)
class Referral:
    """A referral as it stands for its hospital."""

    row: Row = field(repr=False)
    """The version of the source Task that is told of, as the hospital may read it."""
    task: Resource = field(repr=False)
    """Without what an earlier partner reported."""
    request: Resource = field(repr=False)
    """The source ServiceRequest."""
    partner: Resource | None = field(repr=False)
    """The Task of who accepted."""
    covered: bool
    """Whether what that partner reports may be told now."""

    @property
    def need(self) -> str:
        """Code of what was asked for."""
        return need_in(self.request) or MOUD


def hospital(organization: str) -> Actor:
    """Whose eyes an answer is written with, and who is on record as having received it."""
    return Actor(organization, "hl7v2-out")


async def referral(hub: Hub, answer: Answer) -> Referral | None:
    """What the version is about; None where the hospital may not read it."""
    actor = hospital(answer.organization)
    reader = hub.store.reader(actor)
    row = await reader.version("Task", answer.task, answer.version)
    if row is None or row.deleted:
        return None
    task = decoded(row)
    request = await reader.read("ServiceRequest", _id(task, "focus"))
    if request is None:
        return None
    of_source = ColumnIn("part_of", (f"Task/{answer.task}",))
    parts = await hub.store.reader(_SYSTEM).search(Query("Task", (of_source,), limit=500))
    children = [child for part in parts if not is_beside(child := decoded(part))]
    partner = answering.partner_of(task, children)
    task = answering.as_it_stands(task, partner, children)
    covered = partner is None or await way_back(hub, partner) is not None
    return Referral(row, task, decoded(request), partner, covered)


async def receiver(hub: Hub, directory: Directory, told: Referral, organization: str) -> Sender | None:
    """Which interface of the hospital is told: the one that the referral came by, else the first that can be."""
    able = [one for one in directory.senders.values() if one.organization == organization and one.answers]
    if len(able) < 2:
        return able[0] if able else None
    entry = await _opening(hub, told)
    came_by = None if entry is None else entry.sender
    return min(able, key=lambda one: (one.id != came_by, one.id))


async def written(hub: Hub, told: Referral, progress: answering.Progress, sender: Sender, control_id: str) -> bytes:
    """The message, with ``control_id`` as MSH-10; ``sender`` is one that is answered. Pure but for what it reads."""
    if sender.answers is None:
        raise ValueError("a sender that is answered says where")
    messages = await _messages(hub, told, sender)
    asking = next((one for one in messages if one.type in _ASKS and told.need in _needs(one, sender)), None)
    name, profile = await _who(hub, told, progress)
    intake = None if profile is None else intake_calendar(profile)
    said_at = datetime.fromisoformat(progress.task["lastModified"])
    telling = outcome_text.Telling(
        task=progress.task,
        need=told.need,
        progress=progress.code,
        said_at=said_at,
        zone=sender.zone(),
        partner=name,
        phone=None if profile is None else profile.phone,
        next_intake=None if intake is None else intake.next_open(hub.clock.now()),
        notice=await _notice(hub, told),
    )
    outcome = outcomes.Outcome(
        control_id=control_id,
        at=hub.clock.now(),
        said_at=said_at,
        document=told.row.id,
        need=told.need,
        progress=progress.code,
        final=progress.final,
        lines=outcome_text.lines(telling),
        placer=_placer(told, asking, sender),
        restricted=told.row.notice is not None,
        request=asking,
        partner=name,
    )
    return outcomes.written(outcome, await _identity(hub, told, sender, asking, messages), sender.answers)


async def _who(hub: Hub, told: Referral, progress: answering.Progress) -> tuple[str | None, PartnerProfile | None]:
    """Name and profile of who accepted: the hospital's own records were disclosed to it, so it knows of it."""
    if told.partner is None or progress.code in _BEFORE_ACCEPTANCE:
        return None, None
    organization = _id(told.partner, "owner")
    directory = await hub.registry.current()
    return directory.names.get(organization), directory.partners.get(organization)


async def _notice(hub: Hub, told: Referral) -> list[str]:
    """What must be said with the record, in full, and what may be done with it (42 CFR 2.32)."""
    if told.row.notice is None:
        return []
    permits = await permits_of(hub.store.decisions(_SYSTEM), [told.row])
    return [packs.notice(told.row.notice).text, *notices.scope(permits, consent_goes=False)]


# ---- the hospital's own messages


async def _opening(hub: Hub, told: Referral) -> LedgerEntry | None:
    intake = hub.store.intake(_SYSTEM)
    opener = await intake.opener(told.request["id"])
    return None if opener is None else await intake.entry(opener)


async def _messages(hub: Hub, told: Referral, sender: Sender) -> list[Message]:
    """HL7 v2 messages about the visit that name one person, newest first, those of the interface that is told first."""
    intake = hub.store.intake(_SYSTEM)
    opening = await _opening(hub, told)
    if opening is None or opening.visit is None:
        return []
    entries = [one for one in await intake.of_visit(opening.visit) if one.message_type and "^" in one.message_type]
    entries.sort(key=lambda one: (one.sender == sender.id, one.received_at, one.id), reverse=True)
    found = []
    for entry in entries:
        sealed = await intake.raw(entry.id)
        message = None if sealed is None else _read(hub.keys.open_raw(entry.id, sealed))
        # Which of several persons the visit is about can't be told from the message alone.
        if message is not None and len(message.all("PID")) == 1:
            found.append(message)
    return found


def _read(data: bytes) -> Message | None:
    try:
        return parse(data)
    except Unreadable:
        return None


def _needs(message: Message, sender: Sender) -> set[str]:
    """What a REF asks for, by the sender's map; continued medication where it says nothing that is mapped."""
    rf1 = message.first("RF1")
    if rf1 is None:
        return set()
    codes = (rf1.text(f, c, repetition=r) for f in _ASKED_IN for r in range(rf1.repetitions(f)) for c in (1, 4))
    known = sender.maps.referral_needs
    return {known[code] for code in codes if code in known} or {MOUD}


async def _identity(
    hub: Hub, told: Referral, sender: Sender, asking: Message | None, messages: Sequence[Message]
) -> outcomes.Identity:
    """Person and visit as the newest message has them that names both, else any; else as FHIR has them.

    A newer message may name the person alone (A31, A40): then the person is who that one says.
    """
    ordered = sorted(messages, key=lambda one: not _visit_of(one))
    newest = ordered[0] if ordered else None
    if asking is not None and (newest is None or newest.separators != asking.separators):
        # What is mirrored of the REF itself must be read with its own delimiters.
        newest = asking
    if newest is not None:
        identity, last = outcomes.identity_of(newest), messages[0]
        if last.separators != newest.separators:
            return identity
        said = {field: value for field, value in outcomes.identity_of(last).pid.items() if value}
        return identity._replace(pid={**identity.pid, **said})
    actor = hospital(_id(told.task, "requester"))
    reader = hub.store.reader(actor)
    patient = await reader.read("Patient", _id(told.task, "for"))
    encounter = await reader.read("Encounter", _id(told.task, "encounter"))
    names = sender.maps.authorities
    directory = await hub.registry.current()
    return outcomes.plain_identity(
        {} if patient is None else outcome_identity.pid_of(decoded(patient), names),
        outcome_identity.pv1_of(None if encounter is None else decoded(encounter), names),
        directory.names.get(sender.organization, ""),
    )


def _visit_of(message: Message) -> bool:
    pv1 = message.first("PV1")
    return pv1 is not None and bool(pv1.raw(19))


def _placer(told: Referral, asking: Message | None, sender: Sender) -> Field:
    rf1 = None if asking is None else asking.first("RF1")
    if rf1 is not None and rf1.raw(6):
        return Raw(rf1.raw(6))
    return outcome_identity.placer_of(told.task, sender.maps.authorities)


def _id(resource: Resource, element: str) -> str:
    reference: str = resource.get(element, {}).get("reference", "")
    return reference.rpartition("/")[2]
