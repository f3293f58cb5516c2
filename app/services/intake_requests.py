"""Whole requests to intake: one body or frame in, its answer out.

Messages of one request are taken in one after the other, since their order may matter; requests
overlap. When one of them could not be made durable the whole request has no answer: it is sent
again, and what was kept is then found as a duplicate.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from app.core import log
from app.core.actor import Actor
from app.core.clock import from_micros
from app.core.errors import BadRequest, Issue, Unavailable
from app.core.ids import uuid7
from app.core.metrics import MESSAGES
from app.services import intake_reading
from app.services.hub import Hub
from app.services.intake import Intake, Outcome, split
from app.services.intake_reading import Arrival, Refusal
from app.services.ledger_views import LedgerLine, line_of, line_of_outcome
from app.store.database import Gone
from fhir_mappings import acks, hl7v2
from schemas.sender import Sender

_SYSTEM: Final = Actor.system("ingest")
_CHANGED: Final = frozenset({"referral", "updated"})


@dataclass(frozen=True, slots=True)
class EventAnswer:
    """How one event is answered."""

    status: int
    """201 opened or changed a referral, 202 otherwise accepted, 200 a replay, 422 same identity with other content."""
    entry: LedgerLine
    referral: str | None = None
    """ServiceRequest that was opened or changed by it."""


async def senders_of(hub: Hub, actor: Actor, named: str | None = None) -> list[Sender]:
    """Interfaces that ``actor`` may send as: those of its organisation, all for the hub itself; ``named`` narrows."""
    senders = (await hub.registry.current()).senders.values()
    return [
        sender
        for sender in senders
        if (actor.is_system or sender.organization == actor.organization) and named in {None, sender.id}
    ]


# ---- HL7 v2


async def receive_hl7_body(hub: Hub, intake: Intake, data: bytes, senders: Sequence[Sender]) -> bytes:
    """The acknowledgement of one message, or those of a batch: as a batch where it has an envelope.

    Raises BadRequest where no acknowledgement can be formed (the ledger has the content as rejected), Unavailable
    when something could not be made durable.
    """
    each = [await _acknowledged(intake, message, senders) for message in split(data)]
    answers = [ack for ack in each if ack is not None]
    if not answers:
        raise BadRequest("The body is not HL7 v2: no acknowledgement can be formed without an MSH segment.", path="MSH")
    if not data.startswith(b"MSH") and hl7v2.enveloped(data):
        at = from_micros(hub.clock.now_us())
        return acks.batch(answers, acks.batch_header(data), at=at, control_id=uuid7())
    return b"".join(answers)


async def _acknowledged(intake: Intake, message: bytes, senders: Sequence[Sender]) -> bytes | None:
    outcome = await intake.receive_hl7(message, senders)
    _count(outcome)
    return outcome.ack


async def receive_frame(hub: Hub, intake: Intake, data: bytes, peer: str) -> bytes | None:
    """What came in by MLLP from the address ``peer``: its acknowledgement, or None where there can be none."""
    try:
        senders = intake_reading.of_peer((await hub.registry.current()).senders.values(), peer)
        return await receive_hl7_body(hub, intake, data, senders)
    except Unavailable:
        log.warning("mllp.not-durable", size=len(data))
    except BadRequest:
        log.warning("mllp.not-hl7", size=len(data))
    return None


def _count(outcome: Outcome) -> None:
    reading = outcome.reading
    sender = reading.sender.id if isinstance(reading, Arrival) else reading.sender
    MESSAGES.add(sender or "unknown", outcome.decision.state)


# ---- events


async def receive_event(
    hub: Hub, intake: Intake, data: bytes, senders: Sequence[Sender], key: str | None = None
) -> EventAnswer:
    """One DischargeEvent; ``key`` overrides its ``event_id`` as identity.

    Raises BadRequest with the path of everything that is wrong (the ledger has it as rejected), Unavailable when it
    could not be made durable.
    """
    outcome = await _taken(hub, intake, data, senders, key)
    reading = outcome.reading
    if isinstance(reading, Refusal):
        raise BadRequest(reading.text, issues=tuple(_issues(reading)))
    if outcome.decision.state == "duplicate":
        return EventAnswer(200, await _original(hub, reading) or _entry(outcome))
    if outcome.decision.state == "rejected":
        return EventAnswer(422, _entry(outcome))
    if outcome.decision.state in _CHANGED and outcome.decision.referral:
        return EventAnswer(201, _entry(outcome), outcome.decision.referral)
    return EventAnswer(202, _entry(outcome))


async def receive_event_lines(hub: Hub, intake: Intake, data: bytes, senders: Sequence[Sender]) -> list[LedgerLine]:
    """One event per line (NDJSON), one ledger entry for each; a line that is refused says why in its entry.

    Raises BadRequest when there is no line at all, Unavailable when a line could not be made durable.
    """
    lines = [line for line in data.split(b"\n") if line.strip()]
    if not lines:
        raise BadRequest("The body holds no event.")
    entries = []
    for line in lines:
        outcome = await _taken(hub, intake, line, senders, None)
        known = None
        if isinstance(outcome.reading, Arrival) and outcome.decision.state == "duplicate":
            known = await _original(hub, outcome.reading)
        entries.append(known or _entry(outcome))
    return entries


async def _taken(hub: Hub, intake: Intake, data: bytes, senders: Sequence[Sender], key: str | None) -> Outcome:
    outcome = await intake.receive(intake_reading.read_event(intake.inbound(data, senders), hub.keys, key))
    _count(outcome)
    return outcome


def _issues(refusal: Refusal) -> Iterator[Issue]:
    code = "structure" if refusal.reason == "not-json" else "invalid"
    if not refusal.faults:
        yield Issue(code, refusal.text, "sender" if refusal.reason == "unknown-sender" else None)
    for path, rule in refusal.faults:
        yield Issue(code, rule, path or None)


async def _original(hub: Hub, arrival: Arrival) -> LedgerLine | None:
    """The entry of the first copy, as it stands now."""
    reader = hub.store.intake(_SYSTEM)
    try:
        copies = (await reader.known(receipts=[(arrival.scope, arrival.key)])).receipts
        first = next((copy.ledger for copy in copies if copy.mac == arrival.mac), None)
        entry = None if first is None else await reader.entry(first)
    except Gone as error:
        raise Unavailable("The database can't be reached; try again.") from error
    return None if entry is None else line_of(entry)


def _entry(outcome: Outcome) -> LedgerLine:
    """The entry of a message just accounted for; one that is refused says here, and only here, where it is wrong."""
    line = line_of_outcome(outcome)
    if isinstance(outcome.reading, Refusal):
        line["reasons"] += [
            {"code": outcome.reading.reason, "text": f"{path}: {rule}" if path else rule}
            for path, rule in outcome.reading.faults
        ]
    return line
