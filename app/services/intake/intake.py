"""Intake: messages come in, durable ledger entries and acknowledgements go out.

Messages that arrive together are read, looked up, decided and committed together; each has its own
entry and its own answer, and one that fails harms no other. Nothing is acknowledged before its
commit; what is not durable is not acknowledged at all.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from app.core import log
from app.core.actor import Actor
from app.core.batch import Batcher
from app.core.clock import from_micros
from app.core.crypto import Keys
from app.core.errors import Conflict, NotFound, Unavailable, Unprocessable
from app.core.ids import uuid7
from app.services.hub import Hub
from app.services.intake import intake_reading
from app.services.intake.intake_deciding import Known, WaitingFacts, decide, gated, indexed
from app.services.intake.intake_finding import needs_the_person
from app.services.intake.intake_reading import Arrival, Inbound, Refusal, read_hl7
from app.services.intake.intake_recording import Decision, refused
from app.services.intake.sender_counts import SenderCounts
from app.services.referral.referral_rows import referral_rows
from app.services.referral.situation import Stored
from app.services.referral.visit_file import VisitFile
from app.store.accounts import Directory
from app.store.database import Gone
from app.store.lookups import Found, StoredVisit, Waiting
from fhir_mappings import acks, hl7v2
from schemas.sender import Sender

_SYSTEM = Actor.system("intake")
_TRIES = 6

T = TypeVar("T")
Reading = Arrival | Refusal
"""One message that was read."""
Files = tuple[tuple[VisitFile, ...], tuple[VisitFile, ...]]
"""The visits of one message, by its visit identifiers and by its person."""


class _Deferred(Conflict):
    """An earlier message of the same batch goes first."""


class _Fault(Unavailable):
    """A fault of ours that this message meets each time: sent again, it would hold up for ever what stands behind."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One message, accounted for."""

    reading: Reading
    decision: Decision
    ack: bytes | None
    """None where no acknowledgement can be formed."""


class Intake:
    """Takes messages in."""

    def __init__(self, hub: Hub, counts: SenderCounts | None = None) -> None:
        self._hub = hub
        self._counts = counts
        # One batch at a time: of two that overlap each is half as large, and costs as many round trips.
        self._batcher: Batcher[Inbound | Reading, Outcome] = Batcher(self._work, size=64)

    async def receive_hl7(self, data: bytes, senders: Sequence[Sender]) -> Outcome:
        """One HL7 v2 message of one of ``senders``.

        Raises Unavailable when it could not be made durable: then there is no acknowledgement.
        """
        return await self.receive(self.inbound(data, senders))

    async def receive_all(self, arrived: Sequence[Inbound | Reading]) -> list[Outcome]:
        """The messages of one request, in order; they share commits.

        Raises Unavailable when one of them could not be made durable; the others are duplicates when sent again.
        """
        done = await asyncio.gather(*(self.receive(one) for one in arrived), return_exceptions=True)
        fault = next((one for one in done if isinstance(one, BaseException)), None)
        if fault is not None:
            raise fault
        return [one for one in done if isinstance(one, Outcome)]

    def inbound(self, data: bytes, senders: Sequence[Sender], replay_of: str | None = None) -> Inbound:
        """The bytes as they came in, now."""
        return Inbound(data, tuple(senders), self._hub.clock.now_us(), replay_of)

    async def receive(self, arrived: Inbound | Reading) -> Outcome:
        """One message, HL7 v2 or read already."""
        return await self._batcher.submit(arrived)

    async def replay(self, ledger_id: str) -> Outcome:
        """Decide a kept message again, with the registrations and rules of today."""
        reader = self._hub.store.intake(_SYSTEM)
        entry = await reader.entry(ledger_id)
        if entry is None:
            raise NotFound("No ledger entry has this id.")
        sealed = await reader.raw(ledger_id)
        if sealed is None:
            raise Unprocessable("content not kept")
        data = self._hub.keys.open_raw(ledger_id, sealed)
        directory = await self._hub.registry.current()
        senders = [s for s in directory.senders.values() if entry.sender is None or s.id == entry.sender]
        inbound = self.inbound(data, senders, replay_of=ledger_id)
        reading = intake_reading.read_event(inbound, self._hub.keys) if data[:1] == b"{" else self._read(inbound)
        if isinstance(reading, Unavailable):
            raise reading
        return await self.receive(reading)

    async def settle_again(self, service_request: str) -> bool:
        """Decide the message again that opened a referral, because its source Task was changed by hand.

        False where no message is kept that did: a further need of a visit, or a request by name.
        """
        opener = await self._hub.store.intake(_SYSTEM).opener(service_request)
        if opener is not None:
            await self.replay(opener)
        return opener is not None

    # ---- one batch

    async def _work(self, arrived: Sequence[Inbound | Reading]) -> Sequence[Outcome | BaseException]:
        read = [self._read(one) if isinstance(one, Inbound) else one for one in arrived]
        results: dict[int, Outcome | BaseException] = {p: r for p, r in enumerate(read) if isinstance(r, Unavailable)}
        pending = {p: r for p, r in enumerate(read) if not isinstance(r, Unavailable)}
        tries: Counter[int] = Counter()
        while pending:
            done = await self._attempt(list(pending.values()))
            for position, result in zip(list(pending), done, strict=True):
                reading = pending[position]
                if isinstance(result, _Fault) and isinstance(reading, Arrival) and not reading.inbound.replay_of:
                    pending[position] = intake_reading.put_aside(reading)
                    continue
                results[position] = result
                # To wait for another of the batch is no try: the first that waits is decided each time.
                tries[position] += not isinstance(result, _Deferred)
                if not isinstance(result, Conflict) or tries[position] == _TRIES:
                    del pending[position]
        told = [results[position] for position in range(len(arrived))]
        return [Unavailable("Nothing was kept; send it again.") if isinstance(r, Conflict) else r for r in told]

    def _read(self, inbound: Inbound) -> Reading | Unavailable:
        """A fault of ours in one message must not stop the others, neither those beside it nor those behind it."""
        try:
            return read_hl7(inbound, self._hub.keys)
        except Exception as error:  # noqa: BLE001 - whatever it is
            log.error("intake.reading-failed", error, size=len(inbound.data))
        if inbound.replay_of:
            return Unavailable("This message could not be read again; it stands as it was.")
        return intake_reading.unread(inbound)

    async def _attempt(self, batch: Sequence[Reading]) -> Sequence[Outcome | BaseException]:
        """One try: messages of the same visit or identity that stand together wait for the next one."""
        try:
            directory = await self._hub.registry.current()
            first = _first_of_each(batch)
            known = await self._look_up([batch[p] for p in first])
        except Gone:
            return [Unavailable("The database can't be reached; nothing was kept.")] * len(batch)
        decided = self._decided([batch[p] for p in first], known, directory)
        written = [(p, d) for p, d in zip(first, decided, strict=True) if isinstance(d, Decision)]
        committed = await self._hub.store.committer.commit_all([d.changes for _, d in written])
        results: list[Outcome | BaseException] = [_Deferred("Another message of the same visit goes first.")] * len(
            batch
        )
        for position, fault in zip(first, decided, strict=True):
            if isinstance(fault, BaseException):
                results[position] = fault
        for (position, decision), result in zip(written, committed, strict=True):
            answer = partial(self._answer, batch[position], decision)
            results[position] = result if isinstance(result, BaseException) else answer()
        return results

    def _decided(
        self, readings: Sequence[Reading], known: Sequence[Known | _Fault], directory: Directory
    ) -> list[Decision | BaseException]:
        """What becomes of each; stage by stage, since the next message then finds code and tables in the caches."""
        keys = self._hub.keys
        decided: list[Decision | BaseException] = [
            _decide(reading, found, directory, keys) for reading, found in zip(readings, known, strict=True)
        ]
        for stage in (lambda reading, decision: gated(reading, decision, keys), lambda _, decision: indexed(decision)):
            decided = [
                _safely(reading, partial(stage, reading, decision))
                if isinstance(reading, Arrival) and isinstance(decision, Decision) and decision.drafts
                else decision
                for reading, decision in zip(readings, decided, strict=True)
            ]
        return decided

    def _answer(self, reading: Reading, decision: Decision) -> Outcome:
        at = from_micros(self._hub.clock.now_us())
        refused = None if decision.code == "AA" else acks.CONTROL_ID_CONFLICT
        error = reading.error if isinstance(reading, Refusal) else refused
        if self._counts is not None:
            self._count(reading, decision)
        ack = intake_reading.acknowledgement(decision.code, reading.header, error, at, uuid7())
        return Outcome(reading, decision, ack)

    def _count(self, reading: Reading, decision: Decision) -> None:
        assert self._counts is not None
        unmapped, sent_at = (reading.unmapped, reading.sent_at) if isinstance(reading, Arrival) else ((), None)
        reason = decision.reasons[0][0] if decision.reasons else ""
        self._counts.note(reading, decision.state, reason, unmapped=unmapped, sent_at=sent_at)

    # ---- what must be known

    async def _look_up(self, batch: Sequence[Reading]) -> list[Known | _Fault]:
        reader = self._hub.store.intake(_SYSTEM)
        arrivals = [r for r in batch if isinstance(r, Arrival)]
        live = [part for a in arrivals if not a.test for part in a.parts]
        found = await reader.known(
            receipts=[(a.scope, a.key) for a in arrivals],
            numbers=[n for part in live for n in part.numbers],
            persons=[p for part in live if needs_the_person(part.facts, part.numbers) for p in part.persons],
            waiting=[p for part in live for p in part.persons],
        )
        pinned = {a.visit: await reader.visit(a.visit) for a in arrivals if a.visit is not None}
        files = [_safely(r, partial(self._opened, r, found, pinned)) for r in batch]
        opened = (file for file in files if not isinstance(file, _Fault))
        rows = await referral_rows(
            self._hub, (file for numbered, of_person in opened for file in (*numbered, *of_person))
        )
        return [
            file if isinstance(file, _Fault) else _safely(r, partial(self._known, r, found, file, rows))
            for r, file in zip(batch, files, strict=True)
        ]

    def _known(self, reading: Reading, found: Found, files: Files, rows: Mapping[str, Stored]) -> Known:
        if isinstance(reading, Refusal):
            return Known()
        theirs = (w for w in found.waiting if any(w.person in part.persons for part in reading.parts))
        again = (self._read_again(reading, waiting) for waiting in theirs)
        return Known(
            copies=tuple(c for c in found.receipts if (c.scope, c.key) == (reading.scope, reading.key)),
            by_number=files[0],
            by_person=files[1],
            waiting=tuple(one for one in again if one is not None),
            rows=rows,
        )

    def _opened(self, reading: Reading, found: Found, pinned: Mapping[str, StoredVisit | None]) -> Files:
        """The visits of one message."""
        if isinstance(reading, Refusal):
            return (), ()
        numbers = {mac for part in reading.parts for mac in part.numbers}
        one = pinned.get(reading.visit) if reading.visit is not None else None
        numbered = [one] if one is not None else [v for v in found.by_number if v.mac in numbers]
        persons = {mac for part in reading.parts if needs_the_person(part.facts, part.numbers) for mac in part.persons}
        known = {visit.id for visit in numbered}
        of_person = [v for v in found.by_person if v.mac in persons and v.id not in known]
        return self._files(reading, numbered), self._files(reading, of_person)

    def _files(self, arrival: Arrival, stored: Sequence[StoredVisit]) -> tuple[VisitFile, ...]:
        """Each visit once, opened for this message alone: a decision changes what it holds."""
        distinct = {visit.id: visit for visit in stored}
        files = (VisitFile.opened(self._hub.keys, arrival.sender.organization, v) for v in distinct.values())
        return tuple(file for file in files if file is not None)

    def _read_again(self, arrival: Arrival, waiting: Waiting) -> WaitingFacts | None:
        """A message that waits for its visit; None where the settings of today don't read it: it waits on."""
        data = self._hub.keys.open_raw(waiting.ledger, waiting.raw)
        reread = intake_reading.read_event if data[:1] == b"{" else read_hl7
        again = reread(Inbound(data, (arrival.sender,), waiting.received_at, waiting.ledger), self._hub.keys)
        if isinstance(again, Refusal):
            log.warning("intake.waiting-unreadable", ledger=waiting.ledger, reason=again.reason)
            return None
        return WaitingFacts(waiting.ledger, again.facts)


def _decide(reading: Reading, found: Known | _Fault, directory: Directory, keys: Keys) -> Decision | BaseException:
    if isinstance(reading, Refusal):
        return refused(reading, keys)
    return found if isinstance(found, _Fault) else _safely(reading, partial(decide, reading, found, directory, keys))


def _safely(reading: Reading, work: Callable[[], T]) -> T | _Fault:
    """A fault of ours in one message must not stop the others."""
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - whatever it is
        log.error("intake.decision-failed", error, sender=_sender_of(reading), ledger=reading.ledger)
        return _Fault("This message could not be decided; nothing was kept.")


def _sender_of(reading: Reading) -> str | None:
    return reading.sender.id if isinstance(reading, Arrival) else reading.sender


def _first_of_each(batch: Sequence[Reading]) -> list[int]:
    """Positions of the messages that no earlier one of the batch shares an identity, visit or person with."""
    taken: set[str] = set()
    first = []
    for position, reading in enumerate(batch):
        if isinstance(reading, Arrival):
            marks = {mac for part in reading.parts for mac in (*part.numbers, *part.persons)}
            marks.add(f"{reading.scope}|{reading.key}")
            if not taken.isdisjoint(marks):
                taken |= marks
                continue
            taken |= marks
        first.append(position)
    return first


def split(data: bytes) -> list[bytes]:
    """The messages of a file or request body."""
    return list(hl7v2.split(data))
