"""The life of one visit's referral: opened as draft, requested from a partner, updated, taken back.

``settle`` looks at a visit as it now stands, at the rows as they are stored, and answers with what
is to be written. It decides nothing by itself: triage, consent, matching, deadlines, coverage and lifecycle do.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Literal, cast

from app.core.ids import uuid7
from app.rules import labelling, lifecycle, steps
from app.rules.guests import ORDER
from app.services.referral import checklists, coming_back, coverage_clock, rides
from app.services.referral.asking import Asking
from app.services.referral.outreach import Outreach
from app.services.referral.referral_work import StepOf, Work
from app.services.referral.referral_writing import Writing
from app.services.referral.sharing import told_of
from app.services.referral.showing import Outcome
from app.services.referral.situation import Reason, Settlement, Situation
from app.services.referral.visit_file import VisitFile
from app.services.writing import Resource
from app.store.changes import ReferralVisit, Revocation
from fhir_mappings import triage
from fhir_mappings.labels import security
from fhir_mappings.visits import visit
from schemas.stub import Child, Decided, NeedLink

_UNMERGE: Reason = ("unmerge", triage.REASONS["unmerge"])
_ASKED_OR_TAKEN: Final = lifecycle.ENGAGED | {"requested"}
_BACKWARDS: Reason = ("discharge-before-admission", "The stay ends before it begins: which of the two times is wrong?")
_TWICE: Reason = ("two-referrals", "Two visits turned out to be one, and a partner has accepted for each.")


def settle(situation: Situation) -> Settlement:
    """Bring the referral to where the visit stands."""
    link = situation.file.content.referral
    if link is None and not _opens(situation):
        return Settlement()
    course = _Course(situation)
    course.run()
    return course.result


def _opens(situation: Situation) -> bool:
    record = situation.file.content.record
    return situation.triage.outcome == "referral" and not record.cancelled and not visit.has_died(record)


class _Course:
    """The course of one visit, and what it does to its referral."""

    def __init__(self, situation: Situation) -> None:
        self._work = Work(situation)
        self._asking = Asking(self._work)
        self._outreach = Outreach(self._work)
        self._writing = Writing(self._work)

    @property
    def result(self) -> Settlement:
        """What is to be written."""
        return self._work.result

    # ---- the course of the visit

    def run(self) -> None:
        self._work.showing.clinical = clinical = self._writing.clinical()
        for other in self._work.now.absorbed:
            self._absorb(other)
        for need, child in self._work.showing.children():
            self._work.showing.decide(need, child)
        if self._work.doubted():
            self._work.result.review.append(_UNMERGE)
        if visit.ends_before_it_begins(self._work.record) and self._work.record.answer is None:
            self._work.result.review.append(_BACKWARDS)
        if self._work.record.cancelled:
            self._work.apply_to_all(steps.on_cancel_visit)
        elif visit.has_died(self._work.record) or coming_back.died(self._work.link):
            self._work.apply_to_all(steps.on_died)
        elif self._work.record.answer == "not-ours" and self._work.now.triage.outcome == "not-ours":
            self._work.apply_to_all(steps.on_request_withdrawn)
        elif self._work.now.triage.outcome != "referral" and not self._work.doubted():
            self._work.apply_to_all(lambda source, _: steps.on_order_withdrawn(source))
        elif self._work.record.ended_at is None:
            self._while_open(clinical)
        else:
            self._when_ended(clinical)
        self._outreach.follow()
        rides.asked_again(self._work)
        self._share()
        coverage_clock.keep(self._work.now, self._work.result, self._work.clock, self._work.task)
        work = self._work
        work.tasks |= {one["id"]: one for one in checklists.worked_off(work.now, work.showing.children(), work.tasks)}
        self._writing.tasks()
        self._writing.provenance()
        current = self._work.link.needs or self._work.link.former[-1:]
        self._work.result.referral = current[0].service_request if current else None

    def _absorb(self, other: VisitFile) -> None:
        """The referral of a visit that turned out to be this one: a draft that nobody else saw goes without a trace."""
        link = other.content.referral
        if link is None:
            return
        for need in link.needs:
            source = self._work.task(need.task)
            if source["status"] in lifecycle.ENGAGED:
                self._work.link.needs.append(need)
                self._work.result.review.append(_TWICE)
                for child in need.children:
                    # Nothing of this visit was shown to it yet.
                    child.decided = None
                continue
            self._work.link.former.append(need)
            if source["status"] == "draft" and not need.children:
                self._revoke({self._work.now.file.organization}, [need.task, need.service_request])
                self._work.link.former.remove(need)
                continue
            step = steps.on_duplicate(source, [self._work.task(child.task) for child in need.children])
            if step is not None:
                self._work.apply(need, step)
        self._work.link.former += link.former
        seen_by = {child.partner for need in (*link.needs, *link.former) for child in need.children}
        self._revoke({self._work.now.file.organization, *seen_by}, [held.id for held in link.resources.values()])

    def _revoke(self, organizations: set[str], resource_ids: Sequence[str]) -> None:
        self._work.result.revocations += [
            Revocation(one, held) for one in sorted(organizations) for held in resource_ids
        ]

    def _while_open(self, clinical: list[Resource]) -> None:
        step = self._taken_back_by()
        if step is not None and self._work.apply_to_all(step, only=lambda task: task["status"] != "draft"):
            self._work.link.awaits_discharge = not self._work.record.asked_for
        self._work.link.departed = False
        if not self._work.link.awaits_discharge:
            self._open(clinical)
        self._work.refresh(clinical)
        for need in self._work.link.needs:
            # The case manager offers early, or a clinician asked by name: requested while the person is in the bed.
            chosen = any(not one.done for one in need.chosen)
            early = chosen or self._work.task(need.task)["status"] in _ASKED_OR_TAKEN or self._work.record.asked_for
            if early:
                self._asking.follow(need)

    def _taken_back_by(self) -> StepOf | None:
        """What took back that a partner was asked, while the visit is open."""
        if self._work.event.kind == "cancel-discharge":
            return steps.on_cancel_discharge
        if self._work.link.departed:
            return steps.on_admitted
        return steps.on_request_withdrawn if visit.request_withdrawn(self._work.record) else None

    def _when_ended(self, clinical: list[Resource]) -> None:
        self._work.link.awaits_discharge = False
        if visit.request_withdrawn(self._work.record):
            self._work.apply_to_all(steps.on_request_withdrawn)
            return
        self._work.link.departed = True
        self._open(clinical)
        self._work.apply_to_all(steps.on_discharge_again, only=lambda task: task["status"] in lifecycle.ENGAGED)
        self._work.refresh(clinical)
        coming_back.settled(self._work)
        for need in self._work.link.needs:
            if self._work.task(need.task)["status"] not in lifecycle.TERMINAL:
                self._asking.follow(need)

    def _open(self, clinical: list[Resource]) -> None:
        """A source for each need that has none; one that is stated later joins the others of its group."""
        rides.end_cancelled(self._work)
        if not any(one.kind == ORDER for one in self._work.event.needs):
            orders = {one.task for one in self._work.link.needs if one.need == ORDER}
            self._work.apply_to_all(steps.on_request_withdrawn, only=lambda source: source["id"] in orders)
        linked = {link.need for link in self._work.link.needs}
        wanted = self._work.event.needs if linked else self._work.needs
        self._work.result.opened = not linked
        for need in (one for one in wanted if one.kind not in linked and rides.opens(self._work, one.kind)):
            opened = NeedLink(need=need.kind, service_request=uuid7(), task=uuid7())
            self._work.link.needs.append(opened)
            self._work.result.referrals.append(ReferralVisit(opened.service_request, self._work.now.file.id))
            request, task = self._work.source(opened, clinical, "draft")
            self._work.put(request)
            self._work.put(task)

    # ---- who sees it

    def _share(self) -> None:
        """Show everybody who was asked what the decision about them permits, and say on the Tasks where it changed."""
        for need, child in self._work.showing.children():
            outcome = self._work.showing.decide(need, child)
            if outcome.changed and outcome.before is not None:
                self._consent_changed(need, child, outcome)
            if outcome.back.row is not None:
                self._way_back(need, child)
            waits = self._work.task(child.task)["status"] not in lifecycle.TERMINAL
            if outcome.shared.decided.level != "packet" and waits:
                self._work.result.review += told_of(outcome.shared.verdict)
            self._work.showing.show(need, child)

    def _consent_changed(self, need: NeedLink, child: Child, outcome: Outcome) -> None:
        """The partner may see more, or less, than before: its Task says so, which also tells who holds it."""
        before, now = cast("Decided", outcome.before).level, outcome.shared.decided.level
        if (before == "packet") == (now == "packet"):
            return
        code: Literal["consent-withdrawn"] | None = None if now == "packet" else "consent-withdrawn"
        for task in (child.task, need.task):
            self._work.put(steps.on_consent(self._work.task(task), code=code))
        self._work.forced |= {child.task, child.service_request}
        self._work.put(self._work.task(child.service_request))
        if now != "packet":
            self._work.showing.hide(child)
        else:
            self._work.result.revocations.append(
                Revocation(child.partner, self._work.ids("Patient", f"offer|{child.task}"))
            )

    def _way_back(self, need: NeedLink, child: Child) -> None:
        """The hospital may be told from now on what the partner reports, or no more."""
        covered = cast("Decided", child.back).level == "packet"
        if covered and need in self._work.link.needs:
            step = steps.on_covered(self._work.task(need.task), self._work.task(child.task))
            if step is not None:
                self._work.apply(need, step)
                if cast("Decided", child.back).notice is not None:
                    under_part2 = security(replace(self._work.labels, part2=True))
                    self._work.put(labelling.labelled(self._work.task(need.task), under_part2))
        self._work.showing.back(need, child)
