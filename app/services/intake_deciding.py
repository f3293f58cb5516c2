"""The second half of intake: facts to what is written, for one message. Pure but for keys and new ids.

Every message ends in exactly one ledger state; earlier messages of the visit move with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, Final, NamedTuple

from app.core.clock import from_micros, micros
from app.core.crypto import Keys
from app.services.intake_reading import AckCode, Arrival, Refusal
from app.services.referrals import NotConforming, Origin, Reason, Settlement, Situation, Stored, settle
from app.services.visit_file import VisitFile, is_open_at, reasons_json
from app.services.writing import Draft
from app.store.accounts import Directory
from app.store.changes import (
    Changes,
    Job,
    LedgerMove,
    LedgerRow,
    LedgerState,
    Receipt,
    ReviewItem,
    VisitMoves,
)
from app.store.lookups import Received
from fhir_mappings import gate, triage, visit
from schemas.facts import Facts

_OPEN_DAYS: Final = 90
"""A stub whose visit never ends is kept this long after its last message."""
_LOOK_AGAIN: Final = timedelta(seconds=5)
"""Longer than a commit takes: two messages decided at the same moment did not see each other."""
_FOLLOWS: Final = frozenset({"admit", "discharge"})
"""Kinds of message that open a visit of their own when none is known."""
_COURSE: Final = frozenset({"discharge", "cancel-discharge", "cancel-visit"})
"""Kinds of message that take the verdict of their visit, without a signal of their own."""


@dataclass(frozen=True, slots=True)
class WaitingFacts:
    """A message that came before its visit was known, read again."""

    ledger: str
    facts: Facts


@dataclass(frozen=True, slots=True)
class Known:
    """What the store knows about one arrival."""

    copies: tuple[Received, ...] = ()
    """Earlier messages with the same identity."""
    by_number: tuple[VisitFile, ...] = ()
    """Visits that carry one of its visit identifiers, each once."""
    by_person: tuple[VisitFile, ...] = ()
    """Visits of its person; asked for only where the message names no visit."""
    waiting: tuple[WaitingFacts, ...] = ()
    rows: Mapping[str, Stored] = field(default_factory=dict)


class Decision(NamedTuple):
    """What is written for one message, and how it is answered."""

    changes: Changes
    state: LedgerState
    reasons: tuple[Reason, ...]
    code: AckCode = "AA"
    visit: str | None = None
    referral: str | None = None
    notes: tuple[Reason, ...] = ()
    """What is said of the message whatever becomes of it."""
    drafts: tuple[Draft, ...] = ()
    """Resources that it writes as well, once they have passed the gate."""


@dataclass(frozen=True, slots=True)
class _Standing:
    """A state with its reasons."""

    state: LedgerState
    reasons: tuple[Reason, ...]


def refused(refusal: Refusal, keys: Keys) -> Decision:
    """A refused message is kept, so that it can be looked into and decided again."""
    inbound = refusal.inbound
    reasons = ((refusal.reason, refusal.text),)
    if inbound.replay_of:
        move = LedgerMove(refusal.ledger, inbound.received_at, "rejected", reasons_json(reasons))
        return Decision(Changes(moves=(move,)), "rejected", reasons, code=refusal.code)
    row = LedgerRow(
        id=refusal.ledger,
        sender=refusal.sender,
        control_id=refusal.header.control_id if refusal.header else None,
        message_type=refusal.message_type,
        received_at=inbound.received_at,
        state="rejected",
        reasons=reasons_json(reasons),
        raw=keys.seal_raw(refusal.ledger, inbound.data),
    )
    return Decision(Changes(ledger=(row,)), "rejected", reasons, code=refusal.code)


def decide(arrival: Arrival, known: Known, directory: Directory, keys: Keys) -> Decision:
    """Where one message goes and what it changes."""
    replay = arrival.inbound.replay_of
    others = [copy for copy in known.copies if copy.ledger != replay]
    same = next((copy for copy in others if copy.mac == arrival.mac), None)
    if same is not None and not replay:
        return _duplicate(arrival, same)
    notes: tuple[Reason, ...] = ()
    if others and arrival.source == "json":
        reasons = (("identity-conflict", "This event id was already used for other content."),)
        return _plain(arrival, "rejected", reasons, keys, code="AE")
    if others:
        if arrival.sender.control_id_reuse == "quarantine":
            reasons = (("control-id-conflict", "This MSH-10 was already used for other content."),)
            return _plain(arrival, "rejected", reasons, keys, code="AE")
        notes = (("control-id-reused", "This MSH-10 was used before, for other content."),)
    if arrival.test:
        return _plain(arrival, "not-ours", (*notes, ("test-message", "MSH-11 says that this is a test.")), keys)
    try:
        return _Filing(arrival, known, directory, keys, notes).decide()
    except NotConforming as error:
        return _unfit(arrival, notes, error.problems, keys)


def gated(arrival: Arrival, decision: Decision, keys: Keys) -> Decision:
    """``decision``; or, where one of its resources does not pass the gate, a review that says why."""
    for draft in decision.drafts:
        problems = gate.check(draft.resource, draft.text)
        if problems:
            return _unfit(arrival, decision.notes, [(problem.path, problem.rule) for problem in problems], keys)
    return decision


def indexed(decision: Decision) -> Decision:
    """A decision that passed the gate, with its resources as they are written."""
    resources = tuple([draft.change() for draft in decision.drafts])
    return decision._replace(changes=decision.changes._replace(resources=resources), drafts=())


def _unfit(arrival: Arrival, notes: tuple[Reason, ...], problems: Sequence[tuple[str, str]], keys: Keys) -> Decision:
    reasons = [("not-conforming", f"{path}: {rule}") for path, rule in problems]
    return _plain(arrival, "review", (*notes, *reasons), keys)


def _duplicate(arrival: Arrival, same: Received) -> Decision:
    reasons = (("duplicate", "The same message was already accounted for."),)
    row = _row(arrival, "duplicate", reasons, visit=same.visit, referral=same.referral)
    return Decision(Changes(ledger=(row,)), "duplicate", reasons, visit=same.visit, referral=same.referral)


def _plain(
    arrival: Arrival, state: LedgerState, reasons: Sequence[Reason], keys: Keys, *, code: AckCode = "AA"
) -> Decision:
    """A message that touches no visit."""
    raw = None if state == "not-ours" else arrival.inbound.data
    changes = _recorded(arrival, state, reasons, keys, raw=raw, receipt=code == "AA")
    return Decision(changes, state, tuple(reasons), code=code)


def _row(
    arrival: Arrival,
    state: LedgerState,
    reasons: Sequence[Reason],
    *,
    visit: str | None = None,
    referral: str | None = None,
    person: str | None = None,
    raw: bytes | None = None,
) -> LedgerRow:
    return LedgerRow(
        id=arrival.ledger,
        sender=arrival.sender.id,
        control_id=arrival.key,
        message_type=arrival.message_type,
        received_at=arrival.inbound.received_at,
        state=state,
        reasons=reasons_json(reasons),
        visit=visit,
        referral=referral,
        person=person,
        raw=raw,
    )


def _recorded(
    arrival: Arrival,
    state: LedgerState,
    reasons: Sequence[Reason],
    keys: Keys,
    *,
    visit: str | None = None,
    referral: str | None = None,
    person: str | None = None,
    raw: bytes | None = None,
    receipt: bool = True,
) -> Changes:
    """The message's own entry: a new row with its receipt, or, decided again, a move of the old row."""
    if arrival.inbound.replay_of:
        at = arrival.inbound.received_at
        move = LedgerMove(arrival.ledger, at, state, reasons_json(reasons), referral, visit)
        return Changes(moves=(move,))
    sealed = keys.seal_raw(arrival.ledger, raw) if raw is not None else None
    row = _row(arrival, state, reasons, visit=visit, referral=referral, person=person, raw=sealed)
    receipts = (Receipt(arrival.scope, arrival.key, arrival.mac, arrival.ledger),) if receipt else ()
    return Changes(ledger=(row,), receipts=receipts)


class _Filing:
    """One message finds its visit, changes it, and is accounted for."""

    def __init__(
        self, arrival: Arrival, known: Known, directory: Directory, keys: Keys, notes: tuple[Reason, ...]
    ) -> None:
        self.arrival = arrival
        self.known = known
        self.directory = directory
        self.keys = keys
        self.notes = notes
        self.now: datetime = from_micros(arrival.inbound.received_at)

    def decide(self) -> Decision:
        file = self._find()
        if isinstance(file, VisitFile):
            return self._filed(file)
        return file

    # ---- which visit

    def _find(self) -> VisitFile | Decision:
        arrival = self.arrival
        by_number = self.known.by_number
        if len(by_number) == 1:
            return by_number[0]
        if len(by_number) > 1:
            return self._without_visit("visit-ambiguous", "Its identifiers belong to more than one visit.")
        if arrival.numbers:
            return self._new()
        open_then = [f for f in self.known.by_person if is_open_at(f.content.record, arrival.facts.at)]
        if len(open_then) == 1:
            return open_then[0]
        if not open_then and arrival.facts.kind in _FOLLOWS and arrival.facts.handled:
            return self._new()
        if open_then:
            return self._without_visit("visit-ambiguous", "More than one visit of this person was open then.")
        return self._without_visit("visit-unknown", "No visit of this person is known to have been open then.")

    def _new(self) -> VisitFile:
        return VisitFile.new(self.keys, self.arrival.sender.organization, self.arrival.sender.id)

    def _without_visit(self, code: str, text: str) -> Decision:
        arrival = self.arrival
        if not arrival.signal:
            return _plain(arrival, "not-ours", (*self.notes, ("no-signal", triage.REASONS["no-signal"])), self.keys)
        reasons = (*self.notes, (code, text))
        person = arrival.persons[0] if arrival.persons else None
        raw = arrival.inbound.data
        changes = _recorded(arrival, "waiting", reasons, self.keys, person=person, raw=raw)
        due = micros(self.now + timedelta(days=arrival.sender.stub_days))
        jobs = (
            Job(f"again:{arrival.ledger}", "look-again", arrival.ledger, micros(self.now + _LOOK_AGAIN)),
            Job(f"waiting:{arrival.ledger}", "review-waiting", arrival.ledger, due),
        )
        return Decision(_joined([changes, Changes(jobs=jobs)]), "waiting", reasons)

    # ---- what it changes

    def _filed(self, file: VisitFile) -> Decision:
        arrival = self.arrival
        content = file.content
        content.record = visit.merge(content.record, arrival.facts)
        others = [w for w in self.known.waiting if w.ledger != arrival.ledger]
        adopted = [w for w in others if is_open_at(content.record, w.facts.at)]
        for message in adopted:
            content.record = visit.merge(content.record, message.facts)
        had_referral = content.referral is not None
        verdict = triage.judge(content.record)
        settlement = settle(self._situation(file, verdict))
        standing = self._standing(file, verdict, settlement)
        file.expires_at = self._expiry(file)
        parts = [
            self._visit_part(file, settlement),
            self._own_part(file, standing, settlement),
            self._moves(file, verdict, standing, settlement, adopted, had_referral=had_referral),
        ]
        return Decision(
            _joined(parts),
            standing.state,
            standing.reasons,
            visit=file.id,
            referral=settlement.referral if standing.state in {"referral", "updated", "review"} else None,
            notes=self.notes,
            drafts=tuple(settlement.drafts),
        )

    def _situation(self, file: VisitFile, verdict: triage.Triage) -> Situation:
        arrival = self.arrival
        origin = Origin(arrival.ledger, arrival.key, arrival.mac, arrival.facts.at)
        return Situation(file, arrival.sender, verdict, self.directory, self.known.rows, self.now, origin)

    def _standing(self, file: VisitFile, verdict: triage.Triage, settlement: Settlement) -> _Standing:
        found = tuple((reason.code, reason.text) for reason in verdict.reasons)
        record = file.content.record
        own = triage.message_signal(self.arrival.facts, record)
        if settlement.opened and not settlement.review:
            return _Standing("referral", (*self.notes, *found))
        if settlement.review and (settlement.opened or self.arrival.facts.kind == "discharge"):
            return _Standing("review", (*self.notes, *settlement.review, *found))
        if file.content.referral is not None:
            # Decided again, the message that opened the referral is still the one that did.
            replay = self.arrival.inbound.replay_of
            opened = any(copy.ledger == replay and copy.state == "referral" for copy in self.known.copies)
            return _Standing("referral" if opened else "updated", (*self.notes, *found))
        ended = record.ended_at is not None
        if verdict.outcome == "review" and (own or (ended and self.arrival.facts.kind in _COURSE)):
            now = ended or not self.arrival.facts.handled
            return _Standing("review" if now else _while_open(verdict), (*self.notes, *found))
        if own and verdict.outcome == "referral":
            died = ("visit-over", "The visit was cancelled or ended by death: nothing is referred.")
            return _Standing("not-ours", (*self.notes, died))
        return _Standing("not-ours", (*self.notes, ("no-signal", triage.REASONS["no-signal"])))

    def _visit_part(self, file: VisitFile, settlement: Settlement) -> Changes:
        arrival = self.arrival
        job = Job(f"expire:{file.id}", "expire-visit", file.id, file.expires_at or 0)
        jobs = (job,) if file.version == 0 and file.expires_at is not None else ()
        change = file.change(arrival.numbers, arrival.persons)
        return Changes(
            scope=frozenset({file.id}),
            visits=(change,),
            jobs=jobs,
            grants=tuple(settlement.grants),
            revocations=tuple(settlement.revocations),
        )

    def _own_part(self, file: VisitFile, standing: _Standing, settlement: Settlement) -> Changes:
        keep = standing.state != "not-ours"
        return _recorded(
            self.arrival,
            standing.state,
            standing.reasons,
            self.keys,
            visit=file.id,
            referral=settlement.referral if keep else None,
            raw=self.arrival.inbound.data if keep else None,
        )

    def _moves(
        self,
        file: VisitFile,
        verdict: triage.Triage,
        standing: _Standing,
        settlement: Settlement,
        adopted: Sequence[WaitingFacts],
        *,
        had_referral: bool,
    ) -> Changes:
        at = self.arrival.inbound.received_at
        ended = file.content.record.ended_at is not None
        reasons = reasons_json(standing.reasons)
        has_referral = file.content.referral is not None
        state: LedgerState = "updated" if has_referral else "review" if ended else "waiting"
        moves = tuple(
            LedgerMove(w.ledger, at, state, reasons, settlement.referral, file.id, ("waiting",)) for w in adopted
        )
        visit_moves: tuple[VisitMoves, ...] = ()
        if has_referral and (not had_referral or not settlement.review) and file.version > 0:
            visit_moves = (VisitMoves(file.id, at, "updated", reasons, settlement.referral, ("waiting", "review")),)
        elif verdict.outcome == "review" and ended and not has_referral and file.version > 0:
            visit_moves = (VisitMoves(file.id, at, "review", reasons, None, ("waiting",)),)
        return Changes(moves=moves, visit_moves=visit_moves, reviews=self._review(file, standing, settlement, ended))

    def _review(
        self,
        file: VisitFile,
        standing: _Standing,
        settlement: Settlement,
        ended: bool,  # noqa: FBT001 - internal
    ) -> tuple[ReviewItem, ...]:
        at = self.arrival.inbound.received_at
        if standing.state == "review":
            item = ReviewItem(file.id, self.arrival.sender.id, at, reasons_json(standing.reasons), settlement.referral)
            return (item,)
        if ended and file.content.referral is not None and not settlement.review and file.version > 0:
            return (ReviewItem(file.id, self.arrival.sender.id, at, "[]", closed=True),)
        return ()

    def _expiry(self, file: VisitFile) -> int | None:
        """A visit with a referral stays; a stub lapses some days after its end."""
        if file.content.referral is not None:
            return None
        record = file.content.record
        if record.ended_at is not None:
            return micros(max(record.ended_at, self.now) + timedelta(days=self.arrival.sender.stub_days))
        return micros(self.now + timedelta(days=_OPEN_DAYS))


def _while_open(verdict: triage.Triage) -> LedgerState:
    return "waiting" if verdict.pending else "not-ours"


def _joined(parts: Sequence[Changes]) -> Changes:
    """Several parts of one decision as one."""
    scope = frozenset[str]().union(*(part.scope for part in parts))
    rest: list[tuple[Any, ...]] = [tuple(chain(*column)) for column in zip(*(part[1:] for part in parts), strict=True)]
    return Changes(scope, *rest)
