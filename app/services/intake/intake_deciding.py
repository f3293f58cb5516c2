"""The second half of intake: facts to what is written, for one message. Pure but for keys and new ids.

Every message ends in exactly one ledger state; earlier messages of the visit move with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, Final

from app.core.clock import from_micros, micros
from app.core.crypto import Keys
from app.services.intake.intake_finding import Candidates, Joined, NoVisit, find, fused, joined, of_the_person_alone
from app.services.intake.intake_reading import Arrival, Part, Refusal, identity_macs
from app.services.intake.intake_recording import Decision, plain, recorded, refused, row
from app.services.intake.review_rows import item_of, review_row
from app.services.referral import coming_back, coverage_clock
from app.services.referral.referrals import settle
from app.services.referral.situation import NotConforming, Origin, Reason, Settlement, Situation, Stored
from app.services.referral.visit_file import VisitFile, is_open_at, reasons_json
from app.store.accounts import Directory
from app.store.changes import (
    Changes,
    Job,
    LedgerMove,
    LedgerState,
    ReviewItem,
    VisitAbsorbed,
    VisitMoves,
)
from app.store.lookups import Received
from fhir_mappings import gate, triage
from fhir_mappings.visits import visit
from schemas.facts import Facts, VisitRecord

_TEST_MESSAGE: Final[Reason] = ("test-message", "It says that it is a test (MSH-11 T or D, or a test event).")
_OPEN_DAYS: Final = 90
"""A stub whose visit never ends is kept this long after its last message."""
_LOOK_AGAIN: Final = timedelta(seconds=5)
"""Longer than a commit takes: two messages decided at the same moment did not see each other."""
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
    """Other visits of its person; asked for only where the number of the visit does not settle everything."""
    waiting: tuple[WaitingFacts, ...] = ()
    rows: Mapping[str, Stored] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Standing:
    """A state with its reasons."""

    state: LedgerState
    reasons: tuple[Reason, ...]


def decide(arrival: Arrival, known: Known, directory: Directory, keys: Keys) -> Decision:
    """Where one message goes and what it changes."""
    replay = arrival.inbound.replay_of
    others = [copy for copy in known.copies if copy.ledger != replay]
    same = next((copy for copy in others if copy.mac == arrival.mac), None)
    if same is not None and not replay:
        return _duplicate(arrival, same)
    notes: tuple[Reason, ...] = ()
    if others and arrival.source != "hl7v2":
        reasons = (("identity-conflict", "This identifier was already used for other content."),)
        return plain(arrival, "rejected", reasons, keys, code="AE")
    if others:
        if arrival.sender.control_id_reuse == "quarantine":
            reasons = (("control-id-conflict", "This MSH-10 was already used for other content."),)
            return plain(arrival, "rejected", reasons, keys, code="AE")
        notes = (("control-id-reused", "This MSH-10 was used before, for other content."),)
    if arrival.test:
        return plain(arrival, "not-ours", (*notes, _TEST_MESSAGE), keys)
    try:
        return _Filing(arrival, known, directory, keys, notes).decide()
    except NotConforming as error:
        return _unfit(arrival, notes, error.problems, keys)


def decide_alone(reading: Arrival | Refusal, directory: Directory, keys: Keys) -> Decision:
    """What one message would come to by itself: no visit is known, and nothing is written."""
    if isinstance(reading, Refusal):
        return refused(reading, keys)
    return gated(reading, decide(reading, Known(), directory, keys), keys)


def gated(arrival: Arrival, decision: Decision, keys: Keys) -> Decision:
    """``decision``; or, where one of its resources does not pass the gate, a review that says why."""
    for draft in decision.drafts:
        problems = gate.check(draft.resource, draft.text) + (gate.check(draft.offer) if draft.offer else [])
        if problems:
            return _unfit(arrival, decision.notes, [(problem.path, problem.rule) for problem in problems], keys)
    return decision


def indexed(decision: Decision) -> Decision:
    """A decision that passed the gate, with its resources as they are written."""
    resources = tuple([draft.change() for draft in decision.drafts])
    return decision._replace(changes=decision.changes._replace(resources=resources), drafts=())


def _unfit(arrival: Arrival, notes: tuple[Reason, ...], problems: Sequence[tuple[str, str]], keys: Keys) -> Decision:
    reasons = (*notes, *(("not-conforming", f"{path}: {rule}") for path, rule in problems))
    decision = plain(arrival, "review", reasons, keys)
    # Nothing was filed, so that the row is the message's own, or of the visit that was looked at without one.
    subject = arrival.visit or arrival.ledger
    item = ReviewItem(subject, arrival.sender.id, arrival.inbound.received_at, reasons_json(reasons))
    return decision._replace(changes=decision.changes._replace(reviews=(item,)))


def _duplicate(arrival: Arrival, same: Received) -> Decision:
    reasons = (("duplicate", "The same message was already accounted for."),)
    entry = row(arrival, "duplicate", reasons, visit=same.visit, referral=same.referral)
    return Decision(Changes(ledger=(entry,)), "duplicate", reasons, visit=same.visit, referral=same.referral)


@dataclass(frozen=True, slots=True)
class _Filed:
    """What a message does to one visit, and where it leaves the message."""

    file: VisitFile
    standing: _Standing
    settlement: Settlement
    changes: Changes


_WEIGHT: Final[Mapping[LedgerState, int]] = {"not-ours": 0, "waiting": 1, "updated": 2, "referral": 3, "review": 4}
"""Where a message concerns several visits, the state that most needs to be seen."""


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
        placed = self._placed()
        if isinstance(placed, NoVisit):
            return self._without_visit(placed.code, placed.text)
        visits = [self._filed(one) for one in placed]
        chief = max(visits, key=lambda one: _WEIGHT[one.standing.state])
        own = self._own_part(chief)
        gone = {other.id for one in placed for other in one.absorbed}
        others = [one for one in self.known.by_person if one.id not in gone]
        told = coming_back.told(self.arrival.facts, [one.file for one in visits], others)
        visits += [self._filed(Joined(file)) for file in told]
        return Decision(
            _joined([own, *(one.changes for one in visits)]),
            chief.standing.state,
            chief.standing.reasons,
            visit=chief.file.id,
            referral=chief.settlement.referral if chief.standing.state in {"referral", "updated", "review"} else None,
            notes=self.notes,
            drafts=tuple(draft for one in visits for draft in one.settlement.drafts),
        )

    # ---- which visits

    def _placed(self) -> list[Joined] | NoVisit:
        """The visits with the message's facts in them, those that turned out to be one as one."""
        arrival = self.arrival
        candidates = Candidates(self.known.by_number, self.known.by_person)
        if not arrival.more:
            return self._places(arrival.parts[0], candidates)
        placed: dict[str, Joined] = {}
        none: NoVisit | None = None
        for part in arrival.parts:
            begun = [one.file for one in placed.values() if not set(one.numbers).isdisjoint(part.numbers)]
            found = self._places(part, candidates.of(part).also(begun))
            if isinstance(found, NoVisit):
                none = none or found
                continue
            for one in found:
                before = placed.get(one.file.id, Joined(one.file))
                placed[one.file.id] = one._replace(
                    absorbed=(*before.absorbed, *one.absorbed),
                    numbers=(*before.numbers, *one.numbers),
                    persons=(*before.persons, *one.persons),
                )
        gone = {other.id for one in placed.values() for other in one.absorbed}
        return [one for name, one in placed.items() if name not in gone] or none or []

    def _places(self, part: Part, candidates: Candidates) -> list[Joined] | NoVisit:
        sender, rows = self.arrival.sender, self.known.rows
        within = timedelta(hours=sender.admission_hours)
        found = find(part, candidates, timedelta(days=sender.stub_days))
        if isinstance(found, NoVisit):
            return found
        files = found.files if found else (VisitFile.new(self.keys, sender.organization, sender.id),)
        if found and found.one and len(files) > 1:
            together = fused(files, rows, within)
            self._merge(together.file, part.facts, within)
            return [together._replace(numbers=part.numbers, persons=part.persons)]
        if len(files) == 1:
            (file,) = files
            self._merge(file, part.facts, within)
            others = [other for other in candidates.by_person if other is not file]
            return [joined(file, others, rows, within)._replace(numbers=part.numbers, persons=part.persons)]
        for file in files:
            mine = file in candidates.by_number
            self._merge(file, part.facts if mine else of_the_person_alone(part.facts), within)
        return [Joined(file, (), part.numbers if file in candidates.by_number else (), part.persons) for file in files]

    def _merge(self, file: VisitFile, facts: Facts, within: timedelta) -> None:
        file.content.record = visit.merge(file.content.record, facts, within)

    def _without_visit(self, code: str, text: str) -> Decision:
        arrival = self.arrival
        if not arrival.signal:
            return plain(arrival, "not-ours", (*self.notes, ("no-signal", triage.REASONS["no-signal"])), self.keys)
        reasons = (*self.notes, (code, text))
        person = arrival.persons[0] if arrival.persons else None
        raw = arrival.inbound.data
        changes = recorded(arrival, "waiting", reasons, self.keys, person=person, raw=raw)
        due = micros(self.now + timedelta(days=arrival.sender.stub_days))
        jobs = (
            Job(f"again:{arrival.ledger}", "look-again", arrival.ledger, micros(self.now + _LOOK_AGAIN)),
            Job(f"waiting:{arrival.ledger}", "review-waiting", arrival.ledger, due),
        )
        return Decision(_joined([changes, Changes(jobs=jobs)]), "waiting", reasons)

    # ---- what it changes

    def _filed(self, one: Joined) -> "_Filed":
        file = one.file
        content = file.content
        adopted = self._adopted(file)
        had_referral = content.referral is not None
        for other in one.absorbed:
            file.absorb(other)
        if self.arrival.chosen is not None and content.referral is not None:
            content.referral.choose(*self.arrival.chosen)
        verdict = triage.judge(content.record)
        settlement = settle(self._situation(one, verdict))
        standing = self._standing(file, verdict, settlement)
        file.expires_at = self._expiry(file)
        parts = [
            self._visit_part(one, settlement),
            self._moves(file, verdict, standing, settlement, adopted, had_referral=had_referral),
            coverage_clock.written(settlement, file, self.keys),
        ]
        return _Filed(file, standing, settlement, _joined(parts))

    def _adopted(self, file: VisitFile) -> list[WaitingFacts]:
        """Messages of the person that waited for this visit, and are now part of it."""
        others = [w for w in self.known.waiting if w.ledger != self.arrival.ledger]
        adopted = [w for w in others if is_open_at(file.content.record, w.facts.at)]
        within = timedelta(hours=self.arrival.sender.admission_hours)
        for message in adopted:
            file.content.record = visit.merge(file.content.record, message.facts, within)
        return adopted

    def _situation(self, one: Joined, verdict: triage.Triage) -> Situation:
        arrival = self.arrival
        origin = Origin(arrival.ledger, arrival.key, arrival.mac, arrival.facts.at, arrival.cause or "")
        rows, now = self.known.rows, self.now
        return Situation(one.file, arrival.sender, verdict, self.directory, rows, now, origin, one.absorbed)

    def _standing(self, file: VisitFile, verdict: triage.Triage, settlement: Settlement) -> _Standing:
        found = tuple((reason.code, reason.text) for reason in verdict.reasons)
        record = file.content.record
        own = triage.message_signal(self.arrival.facts, record)
        looked_into = file.content.referral is not None or verdict.outcome != "not-ours"
        if self.arrival.facts.kind == "unlink" and looked_into:
            return _Standing("review", (*self.notes, *(settlement.review or found)))
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
            now = ended or _at_once(verdict, record)
            return _Standing("review" if now else _while_open(verdict), (*self.notes, *found))
        if record.answer == "not-ours" and verdict.outcome == "not-ours":
            return _Standing("not-ours", (*self.notes, *found))
        if own and verdict.outcome == "referral":
            died = ("visit-over", "The visit was cancelled or ended by death: nothing is referred.")
            return _Standing("not-ours", (*self.notes, died))
        return _Standing("not-ours", (*self.notes, ("no-signal", triage.REASONS["no-signal"])))

    def _visit_part(self, one: Joined, settlement: Settlement) -> Changes:
        arrival, file = self.arrival, one.file
        job = Job(f"expire:{file.id}", "expire-visit", file.id, file.expires_at or 0)
        lapses = (job,) if file.version == 0 and file.expires_at is not None else ()
        kept = identity_macs(file.content.record, file.organization, self.keys) if self._moved() else None
        change = file.change(one.numbers, one.persons, kept)
        at, referral = arrival.inbound.received_at, settlement.referral
        stored = [other for other in one.absorbed if other.version > 0]
        return Changes(
            scope=frozenset({file.id, *(other.id for other in stored)}),
            visits=(change,),
            absorbed=tuple(VisitAbsorbed(other.id, other.version, file.id, at, referral) for other in stored),
            referrals=tuple(settlement.referrals),
            jobs=(*lapses, *settlement.jobs),
            grants=tuple(settlement.grants),
            revocations=tuple(settlement.revocations),
            decisions=tuple(settlement.decisions),
            questions=tuple(settlement.questions),
        )

    def _moved(self) -> bool:
        """Whether the visit was another person's (A45), whose numbers no longer find it."""
        return any(part.facts.kind == "move" for part in self.arrival.parts)

    def _own_part(self, chief: "_Filed") -> Changes:
        standing, keep = chief.standing, chief.standing.state != "not-ours"
        return recorded(
            self.arrival,
            standing.state,
            standing.reasons,
            self.keys,
            visit=chief.file.id,
            referral=chief.settlement.referral if keep else None,
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
            # Decided again, the message's own entry is one of these.
            held_again = self.arrival.inbound.replay_of and standing.state == "review"
            moved: tuple[LedgerState, ...] = ("waiting",) if held_again else ("waiting", "review")
            visit_moves = (VisitMoves(file.id, at, "updated", reasons, settlement.referral, moved),)
        elif verdict.outcome == "review" and ended and not has_referral and file.version > 0:
            visit_moves = (VisitMoves(file.id, at, "review", reasons, None, ("waiting",)),)
        reviews = self._review(file, verdict, standing, settlement)
        return Changes(moves=moves, visit_moves=visit_moves, reviews=reviews)

    def _review(
        self, file: VisitFile, verdict: triage.Triage, standing: _Standing, settlement: Settlement
    ) -> tuple[ReviewItem, ...]:
        """The visit's row in the review queue as it is now; closed where nothing waits for a human any more."""
        record, sender, at = file.content.record, self.arrival.sender, self.arrival.inbound.received_at
        ended = record.ended_at is not None
        waits = [*settlement.review, *settlement.attention]
        held = bool(settlement.attention) or (bool(settlement.review) and (ended or standing.state == "review"))
        if held or (verdict.outcome == "review" and (ended or _at_once(verdict, record))):
            row = review_row(record, verdict, waits, sender)
            return (item_of(file.id, row, sender.id, at, settlement.referral),)
        may_be_open = ended or record.cancelled or record.unhandled_signal or record.unlinked
        if may_be_open and file.version > 0:
            return (ReviewItem(file.id, sender.id, at, "[]", closed=True),)
        return ()

    def _expiry(self, file: VisitFile) -> int | None:
        """A visit with a referral stays; a stub lapses some days after its end."""
        if file.content.referral is not None:
            return None
        record = file.content.record
        if record.ended_at is not None:
            return micros(max(record.ended_at, self.now) + timedelta(days=self.arrival.sender.stub_days))
        return micros(self.now + timedelta(days=_OPEN_DAYS))


def _at_once(verdict: triage.Triage, record: VisitRecord) -> bool:
    """What a human must look at while the visit is open: nothing that follows would settle it."""
    return not verdict.pending and not record.cancelled


def _while_open(verdict: triage.Triage) -> LedgerState:
    return "waiting" if verdict.pending else "not-ours"


def _joined(parts: Sequence[Changes]) -> Changes:
    """Several parts of one decision as one."""
    scope = frozenset[str]().union(*(part.scope for part in parts))
    rest: list[tuple[Any, ...]] = [tuple(chain(*column)) for column in zip(*(part[1:] for part in parts), strict=True)]
    return Changes(scope, *rest)
