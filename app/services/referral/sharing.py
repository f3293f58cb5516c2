"""Who may see how much of one visit's referral: consent decided for each partner, in both directions.

``rules.consent`` decides; here its inputs are gathered and its verdict becomes the row that is kept and the
permit that every grant names.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, time
from typing import Final, NamedTuple

from app.core import json
from app.core.clock import micros
from app.core.ids import uuid7
from app.rules import consent
from app.rules.consent import ConsentDecision, UnitStatus
from app.rules.consent_flaws import Direction
from app.services.referral.agreed import as_agreed, turning_points
from app.services.referral.parties import party_of
from app.services.referral.situation import Situation
from app.store.changes import Decision, Grant, Job
from fhir_mappings import build
from schemas.facts import VisitRecord
from schemas.stub import Child, Decided, Held, NeedLink

CONSENT_ENDS: Final = "consent-ends"
HeldOf = Callable[[str, str], Held]
"""(resource type, logical key) -> what is held of that resource."""
StatusOf = Callable[[str], UnitStatus]
"""Kind of need -> whether what is told for it is a Part 2 record."""


class Shared(NamedTuple):
    """One decision: the verdict, the permit that stands, and the row to be written where it is a new one."""

    verdict: ConsentDecision
    decided: Decided
    row: Decision | None


class Sharing:
    """Decides about one visit at one moment."""

    def __init__(self, situation: Situation, status_of: StatusOf, patient: str, held_of: HeldOf) -> None:
        self._now = situation
        self._record: VisitRecord = situation.file.content.record
        self._status_of = status_of
        self._patient = patient
        self._held_of = held_of
        self._at = situation.now.astimezone(situation.sender.zone(self._record.facility))

    @property
    def today(self) -> date:
        """The day of the decision, where the hospital is."""
        return self._at.date()

    def verdict(self, partner: str, need: str, direction: Direction = "to-recipient") -> ConsentDecision:
        """What ``partner`` may see, or on the way back what the hospital may see of what it reports.

        It ends by itself on the day on which agreements make it another one: then it is decided anew.
        """
        decided = self._verdict_on(self.today, partner, need, direction)
        for day in sorted(turning_points(self._now.directory, (self._now.file.organization, partner), self.today)):
            if self._verdict_on(day, partner, need, direction).level != decided.level:
                turn = datetime.combine(day, time.min, self._at.tzinfo)
                return decided if decided.until is not None and decided.until <= turn else replace(decided, until=turn)
        return decided

    def _verdict_on(self, day: date, partner: str, need: str, direction: Direction) -> ConsentDecision:
        """The same as it is now, with the agreements of ``day``."""
        directory, hospital = self._now.directory, self._now.file.organization
        theirs, ours = (party_of(directory, one, day) for one in (partner, hospital))
        back = direction == "back"
        status: UnitStatus = "part2" if theirs.part2_program else "not-part2"
        decided = consent.decide(
            unit_status=status if back else self._status_of(need),
            discloser=theirs if back else ours,
            recipient=ours if back else theirs,
            need=need,
            direction=direction,
            consents=self._record.circumstances.consents,
            person=(*self._record.patient.identifiers, *self._record.former_identifiers),
            at=self._at,
        )
        return as_agreed(directory, (hospital, partner), direction, decided, day)

    def decide(self, need: NeedLink, child: Child, direction: Direction) -> Shared:
        """Decide anew for a partner that was asked; the decision that stood stays where it comes out the same."""
        before = child.back if direction == "back" else child.decided
        verdict = self.verdict(child.partner, need.need, direction)
        found = self._decided(before.id if before else "", verdict)
        if before is not None and found == before:
            return Shared(verdict, before, None)
        found = self._decided(uuid7(), verdict)
        return Shared(verdict, found, self._row(need, child, direction, verdict, found))

    def _decided(self, decision_id: str, verdict: ConsentDecision) -> Decided:
        held = self._consent(verdict)
        return Decided(
            id=decision_id,
            level=verdict.level,
            basis=verdict.legal_reason,
            consent=held.id if held else None,
            until=verdict.until,
            notice=verdict.notice,
            codes=list(verdict.codes),
        )

    def _consent(self, verdict: ConsentDecision) -> Held | None:
        """What is held of the Consent that permits."""
        if verdict.consent is None:
            return None
        return self._held_of("Consent", build.consent_keys(self._record.circumstances.consents)[verdict.consent])

    def _row(
        self, need: NeedLink, child: Child, direction: Direction, verdict: ConsentDecision, found: Decided
    ) -> Decision:
        hospital = self._now.file.organization
        back = direction == "back"
        held = self._consent(verdict)
        reasons = [{"code": reason.code, "text": reason.text} for reason in verdict.reasons]
        if verdict.reading is not None:
            reasons.append({"code": "class-reading", "text": f"read as holding the recipient: {verdict.reading}"})
        return Decision(
            id=found.id,
            at=micros(self._now.now),
            referral=need.service_request,
            task=child.task,
            patient=self._patient,
            discloser=child.partner if back else hospital,
            recipient=hospital if back else child.partner,
            direction=direction,
            purpose=consent.TREATMENT,
            level=verdict.level,
            basis=verdict.legal_reason,
            consent=held.id if held else None,
            consent_version=held.version if held else None,
            redisclosure=verdict.redisclosure,
            notice=verdict.notice,
            until=micros(verdict.until) if verdict.until else None,
            reasons=json.dumps(reasons).decode(),
            cure=json.dumps(list(verdict.cure)).decode(),
        )


def granted(organization: str, resource: str, decided: Decided, cause: tuple[str, int] | None) -> Grant:
    """The grant of one resource that a decision permits, as long as it does."""
    return Grant(
        organization,
        resource,
        level="full" if decided.level == "packet" else "offer",
        decision=decided.id,
        notice=decided.notice if decided.level == "packet" else None,
        until=micros(decided.until) if decided.until and decided.level == "packet" else None,
        cause=cause,
    )


def ends_of(visit: str, *decided: Decided) -> list[Job]:
    """What falls due when permits end by themselves: the visit is looked at again at that moment."""
    ends = {micros(one.until) for one in decided if one.until is not None}
    return [Job(f"consent-ends:{visit}:{end}", CONSENT_ENDS, visit, end) for end in sorted(ends)]


def told_of(verdict: ConsentDecision) -> list[tuple[str, str]]:
    """A refusal as the hospital reads it: its reasons, then what would cure it."""
    return [*((one.code, one.text) for one in verdict.reasons), *(("cure", text) for text in verdict.cure)]
