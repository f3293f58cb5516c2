"""The first half of intake: bytes to facts, in memory, before anything is written.

What is checked here decides the acknowledgement: is it HL7, whose is it, can it be filed. What is
found wrong later shows in the ledger, not in the ACK.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

from app.core import json
from app.core.crypto import Keys
from app.core.errors import BadRequest, Issue
from app.core.ids import uuid7
from fhir_mappings import acks, hl7v2, triage
from fhir_mappings.dialects import find
from fhir_mappings.dialects.base import Unmapped
from fhir_mappings.dialects.event_json.dialect import Refused, parse, to_facts
from fhir_mappings.fhir_in import fhir_bundle, fhir_identity
from fhir_mappings.visits import visit
from schemas.base import changed
from schemas.facts import Facts, VisitRecord
from schemas.sender import Sender
from schemas.stub import Chosen

AckCode = Literal["AA", "AE", "AR"]
HUB_FAULT: Final = "hub-fault"
_PROCESSING = frozenset({"", "P", "T", "D"})


@dataclass(frozen=True, slots=True)
class Inbound:
    """One message as it came in."""

    data: bytes
    senders: tuple[Sender, ...]
    """Whose message it may be: of the token's organisation, the peer's address, or the command line."""
    received_at: int
    replay_of: str | None = None
    """Ledger id, when the message is decided again."""


class _Fault(NamedTuple):
    """Why a message is refused: ACK code, ledger reason, ERR segment."""

    code: AckCode
    reason: str
    error: acks.AckError


_OURS: Final = _Fault(
    "AE",
    HUB_FAULT,
    acks.AckError("207", "a fault of the hub's own; it is kept for an operator, and to send it again changes nothing"),
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that is kept, but not filed."""

    ledger: str
    inbound: Inbound
    code: AckCode
    reason: str
    text: str
    message_type: str | None
    sender: str | None
    header: acks.Header | None = None
    error: acks.AckError | None = None
    faults: tuple[tuple[str, str], ...] = ()
    """(path, rule) of everything that is wrong with an event."""
    issues: tuple[Issue, ...] = ()
    """The same of a FHIR Bundle."""

    @property
    def of_another(self) -> bool:
        """Whether the caller may send as none of those that it could be from."""
        return self.reason == "unknown-sender" and not self.inbound.senders


class Part(NamedTuple):
    """What a message says of one person or pair of numbers, and the keyed hashes that find its visits."""

    facts: Facts
    numbers: tuple[str, ...]
    persons: tuple[str, ...]


class Arrival(NamedTuple):
    """A message that can be filed: its facts and the keyed hashes that find its visit."""

    ledger: str
    inbound: Inbound
    sender: Sender
    source: Literal["hl7v2", "json", "fhir"]
    facts: Facts
    signal: bool
    """Whether this message by itself points to MOUD or OUD."""
    test: bool
    key: str
    """Control id or event id: with the scope, the message's identity."""
    mac: str
    """Keyed hash of its content, MSH-7 left out."""
    numbers: tuple[str, ...]
    persons: tuple[str, ...]
    message_type: str
    header: acks.Header | None = None
    more: tuple[Part, ...] = ()
    """What it says of further persons (A40 repeats its groups)."""
    unmapped: tuple[Unmapped, ...] = ()
    sent_at: datetime | None = None
    visit: str | None = None
    """Id of its visit, where that is known beforehand."""
    chosen: tuple[str, Chosen] | None = None
    """What a person decided about a need: id of its source Task, and what."""
    cause: str | None = None
    """Why the visit is looked at again, where no message came."""

    @property
    def parts(self) -> tuple[Part, ...]:
        """All that it says, person by person."""
        return (Part(self.facts, self.numbers, self.persons), *self.more)

    @property
    def control_id(self) -> str:
        """What the ledger calls it."""
        return self.key

    @property
    def scope(self) -> str:
        """Within which the key is unique."""
        return f"{self.source}:{self.sender.id}"


def of_peer(senders: Iterable[Sender], address: str) -> tuple[Sender, ...]:
    """Senders that may speak from ``address``; a sender without ``--peer`` may from anywhere."""
    try:
        host = ipaddress.ip_address(address)
    except ValueError:
        return ()
    return tuple(s for s in senders if not s.peers or any(host in ipaddress.ip_network(p) for p in s.peers))


def of_header(senders: Iterable[Sender], application: str, facility: str) -> tuple[Sender, ...]:
    """Senders that ``MSH-3|MSH-4`` leaves; one without ``--match-msh`` matches any."""
    said = f"{application}|{facility}"
    return tuple([s for s in senders if not s.match_msh or said in s.match_msh])


def read_hl7(inbound: Inbound, keys: Keys) -> Arrival | Refusal:
    """One HL7 v2 message; never raises, whatever the bytes."""
    try:
        message = hl7v2.parse(inbound.data)
    except hl7v2.Unreadable as error:
        return _unreadable(inbound, error)
    header = acks.header_of(message)
    able = (sender for sender in inbound.senders if find(sender.dialect).source == "hl7v2")
    senders = of_header(able, message.sending_application, message.sending_facility)
    if len(senders) != 1:
        text = "MSH-3 and MSH-4 do not name exactly one registered sender"
        fault = _Fault("AR", "unknown-sender", acks.AckError("207", text, "MSH", 1, 3))
        return _refused(inbound, fault, header, message.type)
    return _filed(inbound, message, header, senders[0], keys)


def _filed(
    inbound: Inbound, message: hl7v2.Message, header: acks.Header, sender: Sender, keys: Keys
) -> Arrival | Refusal:
    key, processing = message.control_id, message.processing_id
    wrong = _wrong_header(key, processing, message.version)
    if wrong:
        return _refused(inbound, wrong, header, message.type, sender.id)
    dialect = find(sender.dialect)
    reading = dialect.read(message, sender)
    problem = dialect.filing(message, reading.facts)
    if problem is not None:
        error = acks.AckError(problem.code, problem.rule, problem.segment, 1, problem.field)
        return _refused(inbound, _Fault("AE", "required-field-missing", error), header, message.type, sender.id)
    numbers, persons = identity_macs(reading.facts, sender.organization, keys)
    return Arrival(
        ledger=inbound.replay_of or uuid7(),
        inbound=inbound,
        sender=sender,
        source="hl7v2",
        facts=_with_source(reading.facts, f"hl7v2:{sender.id}"),
        signal=triage.message_signal(reading.facts),
        test=processing in {"T", "D"} and sender.mode == "production",
        key=key,
        mac=keys.mac(f"content:{sender.id}", hl7v2.fingerprint(message)),
        numbers=numbers,
        persons=persons,
        message_type=message.type,
        header=header,
        more=tuple([Part(more, *identity_macs(more, sender.organization, keys)) for more in reading.more]),
        unmapped=reading.unmapped,
        sent_at=reading.sent_at,
    )


def _wrong_header(control_id: str, processing: str, version: str) -> _Fault | None:
    if not control_id:
        error = acks.AckError("101", "MSH-10 message control id is missing", "MSH", 1, 10)
        return _Fault("AE", "control-id-missing", error)
    if processing not in _PROCESSING:
        return _Fault("AR", "processing-id", acks.AckError("202", "MSH-11 must be P, T or D", "MSH", 1, 11))
    if version and not version.startswith("2."):
        return _Fault("AR", "version", acks.AckError("203", "MSH-12 must be a version 2 release", "MSH", 1, 12))
    return None


def identity_macs(facts: Facts | VisitRecord, organization: str, keys: Keys) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Keyed hashes of the visit identifiers and of the patient identifiers, under the organisation's key."""
    numbers, persons = visit.identity(facts)
    scope = f"visit:{organization}"
    return (
        tuple([keys.mac(scope, "number", number) for number in numbers]),
        tuple([keys.mac(scope, "person", person) for person in persons]),
    )


def _unreadable(inbound: Inbound, error: hl7v2.Unreadable) -> Refusal:
    header = acks.rough_header(inbound.data)
    text = "the message can't be read as HL7 v2"
    if header is None:
        return _refused(inbound, _Fault("AR", "not-hl7", acks.AckError("207", text, "MSH", 1, 1)), None)
    fault = acks.AckError("207", text, error.segment or "MSH", 1, error.field or 1)
    return _refused(inbound, _Fault("AE", error.reason, fault), header)


def _with_source(facts: Facts, source: str) -> Facts:
    """The facts, their doses marked with who told them: two who tell the last dose differently contradict."""
    if not facts.doses:
        return facts
    return changed(facts, {"doses": [changed(dose, {"source": source}) for dose in facts.doses]})


def _refused(
    inbound: Inbound,
    fault: _Fault,
    header: acks.Header | None,
    message_type: str | None = None,
    sender: str | None = None,
) -> Refusal:
    return Refusal(
        ledger=inbound.replay_of or uuid7(),
        inbound=inbound,
        code=fault.code,
        reason=fault.reason,
        text=fault.error.text,
        message_type=message_type,
        sender=sender,
        header=header,
        error=fault.error,
    )


def unread(inbound: Inbound) -> Refusal:
    """An HL7 v2 message that could not be read by a fault of ours: kept, and refused like one of a fault of its own."""
    return _refused(inbound, _OURS, acks.rough_header(inbound.data))


def put_aside(arrival: Arrival) -> Refusal:
    """A message that could not be decided by a fault of ours: kept for an operator, who has it decided again."""
    return _refused(arrival.inbound, _OURS, arrival.header, arrival.message_type, arrival.sender.id)


def read_event(inbound: Inbound, keys: Keys, idempotency_key: str | None = None) -> Arrival | Refusal:
    """One DischargeEvent in JSON; never raises, whatever the bytes.

    The event's identity is ``event_id`` unless ``idempotency_key`` says otherwise. What is kept and read again may be
    a FHIR Bundle, which is JSON too.
    """
    if inbound.replay_of is not None and fhir_identity.looks_like_fhir(inbound.data):
        return read_fhir(inbound, keys)
    senders = inbound.senders
    if len(senders) != 1:
        return _refused_event(inbound, "unknown-sender", "not exactly one registered sender; name it by ?sender=")
    sender = senders[0]
    try:
        document = json.loads(inbound.data)
        event = parse(document, sender)
    except BadRequest as error:
        faults = tuple((issue.path or "", issue.text) for issue in error.issues)
        return _refused_event(inbound, "not-json", "not strict JSON", faults=faults, sender=sender.id)
    except Refused as error:
        faults = tuple((fault.path, fault.rule) for fault in error.faults)
        return _refused_event(inbound, "not-an-event", "not a discharge event", faults=faults, sender=sender.id)
    facts = to_facts(event)
    problem = find("event_json").filing(document, facts)
    if problem is not None:
        faults = (("patient.identifiers", problem.rule),)
        return _refused_event(inbound, "required-field-missing", problem.rule, faults=faults, sender=sender.id)
    numbers, persons = identity_macs(facts, sender.organization, keys)
    return Arrival(
        ledger=inbound.replay_of or uuid7(),
        inbound=inbound,
        sender=sender,
        source="json",
        facts=_with_source(facts, f"json:{sender.id}"),
        signal=triage.message_signal(facts),
        test=event.test and sender.mode == "production",
        key=idempotency_key or event.event_id,
        mac=keys.mac(f"content:{sender.id}", json.canonical(document)),
        numbers=numbers,
        persons=persons,
        message_type=f"event:{event.kind}",
    )


def _refused_event(
    inbound: Inbound, reason: str, text: str, *, faults: tuple[tuple[str, str], ...] = (), sender: str | None = None
) -> Refusal:
    return Refusal(inbound.replay_of or uuid7(), inbound, "AE", reason, text, "event", sender, faults=faults)


def read_fhir(inbound: Inbound, keys: Keys, expected: fhir_bundle.Kind | None = None) -> Arrival | Refusal:
    """One FHIR Bundle, a message or a transaction; never raises, whatever the bytes.

    A message is known by its identifier, a transaction without one by its content.
    """
    try:
        document = json.loads(inbound.data)
        kind = fhir_identity.kind_of(document, expected)
        return _filed_fhir(inbound, document, kind, keys)
    except BadRequest as error:
        return _refused_fhir(inbound, "not-json", error.issues)
    except fhir_bundle.Refused as refused:
        return _refused_fhir(inbound, refused.reason, _issues_of(refused))


def _filed_fhir(inbound: Inbound, document: dict[str, Any], kind: fhir_bundle.Kind, keys: Keys) -> Arrival | Refusal:
    sender = _fhir_sender(inbound.senders, kind)
    if sender is None:
        issue = Issue("invalid", "not exactly one registered sender; name it by ?sender=", "sender")
        return _refused_fhir(inbound, "unknown-sender", (issue,))
    dialect = find(f"fhir_{kind}")
    try:
        reading = dialect.read(document, sender)
        key = fhir_identity.key_of(document, kind)
    except fhir_bundle.Refused as refused:
        return _refused_fhir(inbound, refused.reason, _issues_of(refused), sender.id)
    facts = reading.facts
    problem = dialect.filing(document, facts)
    if problem is not None:
        issue = Issue("required", problem.rule, problem.segment)
        return _refused_fhir(inbound, "required-field-missing", (issue,), sender.id)
    mac = keys.mac(f"content:{sender.id}", json.canonical(fhir_identity.content_of(document, kind)))
    numbers, persons = identity_macs(facts, sender.organization, keys)
    return Arrival(
        ledger=inbound.replay_of or uuid7(),
        inbound=inbound,
        sender=sender,
        source="fhir",
        facts=_with_source(facts, f"fhir:{sender.id}"),
        signal=triage.message_signal(facts),
        test=facts.test and sender.mode == "production",
        key=key or mac,
        mac=mac,
        numbers=numbers,
        persons=persons,
        message_type=facts.trigger,
        unmapped=reading.unmapped,
        sent_at=reading.sent_at,
    )


def _issues_of(refused: fhir_bundle.Refused) -> tuple[Issue, ...]:
    return tuple(Issue(fault.code, fault.rule, fault.path) for fault in refused.faults)


def _fhir_sender(senders: tuple[Sender, ...], kind: fhir_bundle.Kind) -> Sender | None:
    """The only one; of several the only one that is registered for such Bundles."""
    fitting = senders if len(senders) == 1 else [s for s in senders if s.dialect == f"fhir_{kind}"]
    return fitting[0] if len(fitting) == 1 else None


def _refused_fhir(inbound: Inbound, reason: str, issues: tuple[Issue, ...], sender: str | None = None) -> Refusal:
    text = fhir_identity.REFUSALS.get(reason, "not a Bundle that can be taken")
    return Refusal(inbound.replay_of or uuid7(), inbound, "AE", reason, text, "fhir", sender, issues=issues)


def acknowledgement(
    code: AckCode, header: acks.Header | None, error: acks.AckError | None, at: datetime, control_id: str
) -> bytes | None:
    """The ACK of one message; None where not even a header could be read."""
    return None if header is None else acks.ack(header, code, at=at, control_id=control_id, error=error)
