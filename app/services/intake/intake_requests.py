"""Whole requests to intake: one body or frame in, its answers out.

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
from app.core.errors import BadRequest, Forbidden, HubError, Issue, Unavailable, Unprocessable
from app.core.ids import uuid7
from app.services.hub import Hub
from app.services.intake import intake_reading
from app.services.intake.accounting import counted, original
from app.services.intake.intake import Intake, Outcome, Reading, split
from app.services.intake.intake_reading import Arrival, Refusal
from app.services.intake.ledger_views import LedgerLine, line_of_outcome
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
    """Interfaces that ``actor`` may send as; ``named`` narrows.

    Those of its organisation, all for the hub itself, and only the one that the client is bound to where it is.
    """
    senders = (await hub.registry.current()).senders.values()
    return [
        sender
        for sender in senders
        if (actor.is_system or sender.organization == actor.organization)
        and actor.sender in {None, sender.id}
        and named in {None, sender.id}
    ]


# ---- HL7 v2


async def receive_hl7_body(hub: Hub, intake: Intake, data: bytes, senders: Sequence[Sender]) -> list[bytes]:
    """The acknowledgements of one body or frame, in order; [] where its sender asked for none.

    A batch is answered by a batch, a file of batches by a file. Raises BadRequest where no acknowledgement can be
    formed (the ledger has the content as rejected), Unavailable when something could not be made durable.
    """
    if not data.startswith(b"MSH") and hl7v2.enveloped(data):
        return await _answered_file(hub, intake, data, senders)
    answers = await _answered(hub, intake, split(data), senders)
    if not any(answer.formed for answer in answers):
        raise _unanswerable()
    return [ack for answer in answers for ack in answer.acks]


async def receive_frame(hub: Hub, intake: Intake, data: bytes, peer: str) -> list[bytes] | None:
    """What came in by MLLP from the address ``peer``: its acknowledgements, or None where there can be none."""
    try:
        senders = intake_reading.of_peer((await hub.registry.current()).senders.values(), peer)
        return await receive_hl7_body(hub, intake, data, senders)
    except Unavailable:
        log.warning("mllp.not-durable", size=len(data))
    except BadRequest:
        log.warning("mllp.not-hl7", size=len(data))
    return None


@dataclass(frozen=True, slots=True)
class _Answer:
    """How one message is answered."""

    acks: list[bytes]
    formed: bool
    """False: there is no header to answer to."""
    implied: bool
    """Accepted, by a sender that wants to hear of errors only."""


async def _answered(hub: Hub, intake: Intake, messages: Sequence[bytes], senders: Sequence[Sender]) -> list[_Answer]:
    inbound = [intake.inbound(message, senders) for message in messages]
    return [_answer(hub, counted(outcome)) for outcome in await intake.receive_all(inbound)]


def _answer(hub: Hub, outcome: Outcome) -> _Answer:
    header, code = outcome.reading.header, outcome.decision.code
    if header is None or outcome.ack is None:
        return _Answer([], formed=False, implied=False)
    due = acks.due(_mode(outcome.reading), header.accept, header.application, code)
    told = [outcome.ack if one == code else _committed(hub, outcome.reading, header, one) for one in due]
    return _Answer(told, formed=True, implied=code == "AA" and "ER" in {header.accept, header.application})


def _committed(hub: Hub, reading: Reading, header: acks.Header, code: acks.AckCode) -> bytes:
    # Of what can be filed only a reused control id is ever refused.
    error = reading.error if isinstance(reading, Refusal) else acks.CONTROL_ID_CONFLICT
    return acks.ack(header, code, at=from_micros(hub.clock.now_us()), control_id=uuid7(), error=error)


def _mode(reading: Reading) -> acks.Mode:
    if isinstance(reading, Arrival):
        return reading.sender.ack
    return next((sender.ack for sender in reading.inbound.senders if sender.id == reading.sender), "original")


async def _answered_file(hub: Hub, intake: Intake, data: bytes, senders: Sequence[Sender]) -> list[bytes]:
    """The answer to every batch, in the envelope of a file where they came in one."""
    told: list[bytes] = []
    formed = False
    for part in hl7v2.batches(data):
        answers = await _answered(hub, intake, split(part), senders)
        formed = formed or any(answer.formed for answer in answers)
        told += _batch(hub, part, answers)
    if not told and not formed:
        raise _unanswerable()
    header = acks.file_header(data)
    if header is None or not told:
        return told
    return [acks.file(told, header, at=from_micros(hub.clock.now_us()), control_id=uuid7())]


def _batch(hub: Hub, data: bytes, answers: Sequence[_Answer]) -> list[bytes]:
    """A batch without an answer says that all is accepted, so it is not sent where that is not so."""
    told = [ack for answer in answers for ack in answer.acks]
    header = acks.batch_header(data)
    if header is None or not (told or all(answer.implied for answer in answers)):
        return told
    return [acks.batch(told, header, at=from_micros(hub.clock.now_us()), control_id=uuid7())]


def _unanswerable() -> BadRequest:
    return BadRequest("The body is not HL7 v2: no acknowledgement can be formed without an MSH segment.", path="MSH")


# ---- events


async def receive_event(
    hub: Hub, intake: Intake, data: bytes, senders: Sequence[Sender], key: str | None = None
) -> EventAnswer:
    """One DischargeEvent; ``key`` overrides its ``event_id`` as identity.

    Raises BadRequest with the path of everything that is wrong, Forbidden where it would be another's, Unprocessable
    where a fault of ours keeps it from being decided (the ledger has all three as rejected), and Unavailable when it
    could not be made durable.
    """
    outcome = counted(await intake.receive(_read(hub, intake, data, senders, key)))
    reading = outcome.reading
    if isinstance(reading, Refusal):
        raise _error_of(reading)(reading.text, issues=tuple(_issues(reading)))
    if outcome.decision.state == "duplicate":
        return EventAnswer(200, await original(hub, reading) or _entry(outcome))
    if outcome.decision.state == "rejected":
        return EventAnswer(422, _entry(outcome))
    if outcome.decision.state in _CHANGED and outcome.decision.referral:
        return EventAnswer(201, _entry(outcome), outcome.decision.referral)
    return EventAnswer(202, _entry(outcome))


def _error_of(refusal: Refusal) -> type[HubError]:
    if refusal.of_another:
        return Forbidden
    return Unprocessable if refusal.reason == intake_reading.HUB_FAULT else BadRequest


async def receive_event_lines(hub: Hub, intake: Intake, data: bytes, senders: Sequence[Sender]) -> list[LedgerLine]:
    """One event per line (NDJSON), one ledger entry for each; a line that is refused says why in its entry.

    Raises BadRequest when there is no line at all, Unavailable when a line could not be made durable.
    """
    lines = [line for line in data.split(b"\n") if line.strip()]
    if not lines:
        raise BadRequest("The body holds no event.")
    entries = []
    readings = [_read(hub, intake, line, senders, None) for line in lines]
    for outcome in map(counted, await intake.receive_all(readings)):
        known = None
        if isinstance(outcome.reading, Arrival) and outcome.decision.state == "duplicate":
            known = await original(hub, outcome.reading)
        entries.append(known or _entry(outcome))
    return entries


def _read(hub: Hub, intake: Intake, data: bytes, senders: Sequence[Sender], key: str | None) -> Reading:
    return intake_reading.read_event(intake.inbound(data, senders), hub.keys, key)


def _issues(refusal: Refusal) -> Iterator[Issue]:
    code = "structure" if refusal.reason == "not-json" else "invalid"
    if not refusal.faults:
        yield Issue(code, refusal.text, "sender" if refusal.reason == "unknown-sender" else None)
    for path, rule in refusal.faults:
        yield Issue(code, rule, path or None)


def _entry(outcome: Outcome) -> LedgerLine:
    """The entry of a message just accounted for; one that is refused says here, and only here, where it is wrong."""
    line = line_of_outcome(outcome)
    if isinstance(outcome.reading, Refusal):
        line["reasons"] += [
            {"code": outcome.reading.reason, "text": f"{path}: {rule}" if path else rule}
            for path, rule in outcome.reading.faults
        ]
    return line
