"""The life of one visit's referral: opened as draft, requested from a partner, updated, taken back.

``settle`` looks at a visit as it now stands, at the rows as they are stored, and answers with what
is to be written. It decides nothing by itself: triage, consent, routing, coverage and lifecycle do.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal, cast

from app.core.ids import uuid7
from app.rules import labelling, lifecycle, routing
from app.services.referral_facts import choices, coverage_of, offer_facts
from app.services.sharing import Sharing, told_of
from app.services.showing import OFFERED, Outcome, Showing
from app.services.situation import NotConforming, Reason, Settlement, Situation, Stored
from app.services.visit_file import VisitFile
from app.services.writing import Draft, Resource, digest, last_modified, without_server_meta
from app.store.changes import Grant, Revocation
from fhir_mappings import build, gate, packet_content, triage, visit
from fhir_mappings.labels import security
from fhir_mappings.offer import offer_of
from schemas.discharge import Need
from schemas.facts import VisitRecord
from schemas.stub import Child, Decided, Held, NeedLink, ReferralLink

StepOf = Callable[[Resource, Sequence[Resource]], lifecycle.SourceStep | None]
Test = Callable[[Resource], bool]
Waits = Literal["needs-a-person", "consent-needed", "route-needed"]
MOUD = "moud-continuation"
_UNMERGE: Reason = ("unmerge", triage.REASONS["unmerge"])
_TWICE: Reason = ("two-referrals", "Two visits turned out to be one, and a partner has accepted for each.")
_NOT_OURS_TO_SEND: dict[str, Reason] = {
    "custody": ("custody", "The person goes to court or law enforcement: a human decides, nothing is sent."),
    "other-hcf": ("transferred", "The person goes to another facility that may dose: a human decides."),
    "psy": ("transferred", "The person goes to another facility that may dose: a human decides."),
}


def settle(situation: Situation) -> Settlement:
    """Bring the referral to where the visit stands."""
    link = situation.file.content.referral
    if link is None and not _opens(situation):
        return Settlement()
    work = _Work(situation)
    work.run()
    return work.result


def _opens(situation: Situation) -> bool:
    record = situation.file.content.record
    return situation.triage.outcome == "referral" and not record.cancelled and not _died(record)


def _died(record: VisitRecord) -> bool:
    return record.ended_at is not None and record.visit.disposition == "exp"


class _Work:
    """One settlement in the making: collects new versions, each resource once."""

    def __init__(self, situation: Situation) -> None:
        self.now = situation
        self.record = situation.file.content.record
        self.result = Settlement()
        link = situation.file.content.referral
        if link is None:
            link = situation.file.content.referral = ReferralLink(group=uuid7())
        self.link = link
        hospital = situation.file.organization
        names = situation.directory.names
        hub = situation.directory.hub
        self.parties = build.Parties(hospital, hub, names.get(hospital, hospital), names.get(hub, build.HUB_NAME))
        status = situation.sender.unit_status(self.record.visit.unit)
        self.unit_status = status
        self.labels = build.Labels(
            part2=status != "not-part2", test=situation.sender.mode == "test" or self.record.test
        )
        self.event = visit.as_event(
            self.record,
            event_id=situation.file.id,
            occurred_at=self.record.ended_at or situation.origin.occurred,
        )
        self.needs = self.event.needs or [Need(kind=MOUD)]
        self.tasks: dict[str, Resource] = {}
        """Source and child Tasks and ServiceRequests as they become, by id."""
        self.forced: set[str] = set()
        """Those of them that are written although nothing in them changes: in another rendition."""
        self.sharing = Sharing(situation, status, self._ids("Patient", ""), self._held)
        self.showing = Showing(situation, link, self.sharing, self.result, self._task)
        # After a discharge that was cancelled when a partner had accepted already, the clock runs on.
        engaged = any(self._task(need.task)["status"] in lifecycle.ENGAGED for need in link.needs)
        self.coverage = coverage_of(situation, self.event, engaged=engaged)

    # ---- the course of the visit

    def run(self) -> None:
        self.showing.clinical = clinical = self._clinical()
        for other in self.now.absorbed:
            self._absorb(other)
        for need, child in self.showing.children():
            self.showing.decide(need, child)
        if self._doubted():
            self.result.review.append(_UNMERGE)
        if self.record.cancelled:
            self._apply_to_all(lifecycle.on_cancel_visit)
        elif _died(self.record):
            self._apply_to_all(lifecycle.on_died)
        elif self.record.answer == "not-ours" and self.now.triage.outcome == "not-ours":
            self._apply_to_all(lifecycle.on_request_withdrawn)
        elif self.now.triage.outcome != "referral" and not self._doubted():
            self._apply_to_all(lambda source, _: lifecycle.on_order_withdrawn(source))
        elif self.record.ended_at is None:
            self._while_open(clinical)
        else:
            self._when_ended(clinical)
        self._share()
        self._write_tasks()
        self._write_provenance()
        current = self.link.needs or self.link.former[-1:]
        self.result.referral = current[0].service_request if current else None

    def _absorb(self, other: VisitFile) -> None:
        """The referral of a visit that turned out to be this one: a draft that nobody else saw goes without a trace."""
        link = other.content.referral
        if link is None:
            return
        for need in link.needs:
            source = self._task(need.task)
            if source["status"] in lifecycle.ENGAGED:
                self.link.needs.append(need)
                self.result.review.append(_TWICE)
                for child in need.children:
                    # Nothing of this visit was shown to it yet.
                    child.decided = None
                continue
            self.link.former.append(need)
            if source["status"] == "draft" and not need.children:
                self._revoke({self.now.file.organization}, [need.task, need.service_request])
                self.link.former.remove(need)
                continue
            step = lifecycle.on_duplicate(source, [self._task(child.task) for child in need.children])
            if step is not None:
                self._apply(need, step)
        self.link.former += link.former
        seen_by = {child.partner for need in (*link.needs, *link.former) for child in need.children}
        self._revoke({self.now.file.organization, *seen_by}, [held.id for held in link.resources.values()])

    def _revoke(self, organizations: set[str], resource_ids: Sequence[str]) -> None:
        self.result.revocations += [Revocation(one, held) for one in sorted(organizations) for held in resource_ids]

    def _while_open(self, clinical: list[Resource]) -> None:
        step = self._taken_back_by()
        if step is not None and self._apply_to_all(step, only=lambda task: task["status"] != "draft"):
            self.link.awaits_discharge = not self.record.asked_for
        self.link.departed = False
        if not self.link.awaits_discharge:
            self._open(clinical)
        self._refresh(clinical)
        for need in self.link.needs:
            # The case manager offers early, or a clinician asked by name: requested while the person is in the bed.
            early = self._task(need.task)["status"] == "requested" or self.record.asked_for
            if early and not need.children:
                self._request(need)

    def _taken_back_by(self) -> StepOf | None:
        """What took back that a partner was asked, while the visit is open."""
        if self.event.kind == "cancel-discharge":
            return lifecycle.on_cancel_discharge
        if self.link.departed:
            return lifecycle.on_admitted
        return lifecycle.on_request_withdrawn if visit.request_withdrawn(self.record) else None

    def _when_ended(self, clinical: list[Resource]) -> None:
        self.link.awaits_discharge = False
        if visit.request_withdrawn(self.record):
            self._apply_to_all(lifecycle.on_request_withdrawn)
            return
        self.link.departed = True
        self._open(clinical)
        self._apply_to_all(lifecycle.on_discharge_again, only=lambda task: task["status"] in lifecycle.ENGAGED)
        self._refresh(clinical)
        for need in self.link.needs:
            if self._task(need.task)["status"] in lifecycle.ASKED and not need.children:
                self._request(need)

    def _open(self, clinical: list[Resource]) -> None:
        """A source for each need that has none; one that is stated later joins the others of its group."""
        linked = {link.need for link in self.link.needs}
        wanted = self.event.needs if linked else self.needs
        self.result.opened = not linked
        for need in (one for one in wanted if one.kind not in linked):
            opened = NeedLink(need=need.kind, service_request=uuid7(), task=uuid7())
            self.link.needs.append(opened)
            request, task = self._source(opened, clinical, "draft")
            self._put(request)
            self._put(task)

    def _request(self, need: NeedLink) -> None:
        """Ask a partner, where a human need not decide first, a route is known and consent permits."""
        held = _NOT_OURS_TO_SEND.get(self.record.visit.disposition or "")
        if held or self._doubted():
            self._hold(need, "needs-a-person", [held] if held else [])
            return
        product = self.now.triage.product
        route = routing.choose(
            need=need.need,
            product=routing.drug_of(product.drug) if product and need.need == MOUD else None,
            routes=self.now.sender.routes,
            partners=choices(self.now.directory),
        )
        if route.partner is None:
            self._hold(need, "route-needed", [(reason.code, reason.text) for reason in route.reasons])
            return
        verdict = self.sharing.verdict(route.partner.organization, need.need)
        if verdict.level == "packet" or (verdict.level == "offer" and self._may_offer(need)):
            self._ask(need, route.partner.organization)
        else:
            self._hold(need, "consent-needed", told_of(verdict))

    def _may_offer(self, need: NeedLink) -> bool:
        """Whether a partner may be asked for room before anybody consents: a person asks, or the sender says so."""
        by_hand = self._task(need.task)["status"] == "requested"
        return by_hand or self.now.sender.minimum_offer == "at-once"

    def _ask(self, need: NeedLink, partner: str) -> None:
        asked = lifecycle.on_asked(self._task(need.task))
        if asked is not None:
            self._apply(need, asked)
        child = Child(partner=partner, service_request=uuid7(), task=uuid7())
        need.children.append(child)
        outcome = self.showing.decide(need, child)
        self._put_child(need, child)
        if outcome.shared.decided.level != "packet":
            for task in (child.task, need.task):
                self._put(lifecycle.on_consent(self._task(task), code="consent-needed"))

    def _doubted(self) -> bool:
        """Whether the record may hold facts of two persons (A37), and nobody has looked at it yet."""
        return self.record.unlinked and self.record.answer != "refer"

    def _hold(self, need: NeedLink, code: Waits, reasons: list[Reason]) -> None:
        self.result.review += reasons
        step = lifecycle.on_held(self._task(need.task), code)
        if step is not None:
            self._apply(need, step)

    # ---- resources

    def _ids(self, resource_type: str, key: str) -> str:
        return self._held(resource_type, key).id

    def _held(self, resource_type: str, key: str) -> Held:
        name = f"{resource_type}|{key}"
        held = self.link.resources.get(name)
        if held is None:
            held = self.link.resources[name] = Held(id=uuid7(), version=0, digest="")
        return held

    def _clinical(self) -> list[Resource]:
        resources = build.clinical(self.event, parties=self.parties, ids=self._ids, labels=self.labels)
        by_id = {held.id: held for held in self.link.resources.values()}
        for resource in resources:
            held = by_id[resource["id"]]
            draft = _draft(resource, held.version + 1)
            if held.digest == (fingerprint := digest(draft.body)):
                continue
            if not held.digest:
                self.showing.new_to_hospital(held.id)
            held.version = draft.version
            held.digest = fingerprint
            self.result.drafts.append(draft)
        self._hide_retracted({resource["id"] for resource in resources})
        return resources

    def _hide_retracted(self, stated: set[str]) -> None:
        """What the visit no longer says (a dose charted in error, a removed diagnosis) nobody sees any more."""
        for key, held in self.link.resources.items():
            if held.digest and held.id not in stated and not key.startswith(("Provenance|", OFFERED)):
                held.digest = ""
                self.showing.retract(held.id)

    # ---- who sees it

    def _share(self) -> None:
        """Show everybody who was asked what the decision about them permits, and say on the Tasks where it changed."""
        for need, child in self.showing.children():
            outcome = self.showing.decide(need, child)
            if outcome.changed and outcome.before is not None:
                self._consent_changed(need, child, outcome)
            if outcome.back.row is not None:
                self._way_back(need, child)
            waits = self._task(child.task)["status"] not in lifecycle.TERMINAL
            if outcome.shared.decided.level != "packet" and waits:
                self.result.review += told_of(outcome.shared.verdict)
            self.showing.show(need, child)

    def _consent_changed(self, need: NeedLink, child: Child, outcome: Outcome) -> None:
        """The partner may see more, or less, than before: its Task says so, which also tells who holds it."""
        before, now = cast("Decided", outcome.before).level, outcome.shared.decided.level
        if (before == "packet") == (now == "packet"):
            return
        code: Literal["consent-withdrawn"] | None = None if now == "packet" else "consent-withdrawn"
        for task in (child.task, need.task):
            self._put(lifecycle.on_consent(self._task(task), code=code))
        self.forced |= {child.task, child.service_request}
        self._put(self._task(child.service_request))
        if now != "packet":
            self.showing.hide(child)
        else:
            self.result.revocations.append(Revocation(child.partner, self._ids("Patient", f"offer|{child.task}")))

    def _way_back(self, need: NeedLink, child: Child) -> None:
        """The hospital may be told from now on what the partner reports, or no more."""
        covered = cast("Decided", child.back).level == "packet"
        if covered and need in self.link.needs:
            step = lifecycle.on_covered(self._task(need.task), self._task(child.task))
            if step is not None:
                self._apply(need, step)
                if cast("Decided", child.back).notice is not None:
                    under_part2 = security(replace(self.labels, part2=True))
                    self._put(labelling.labelled(self._task(need.task), under_part2))
        self.showing.back(need, child)

    # ---- resources

    def _source(
        self, need: NeedLink, clinical: Sequence[Resource], status: Literal["draft", "requested"]
    ) -> tuple[Resource, Resource]:
        def ids(resource_type: str, key: str) -> str:
            if key.startswith("source|"):
                return need.service_request if resource_type == "ServiceRequest" else need.task
            return self._ids(resource_type, key)

        stated = next((one for one in self.needs if one.kind == need.need), None)
        wanted = stated or Need.model_validate({"kind": need.need})
        return build.source(
            self.event,
            need=wanted,
            placer=wanted.identifier,
            resources=clinical,
            parties=self.parties,
            ids=ids,
            labels=self.labels,
            status=status,
            now=self.now.now,
            group=self.link.group,
            coverage=self.coverage if need.need == MOUD else None,
        )

    def _refresh(self, clinical: Sequence[Resource]) -> None:
        """New facts into sources and children that are not over; what their owners wrote stays."""
        for need in self.link.needs:
            before = self._task(need.task)
            if before["status"] in lifecycle.TERMINAL or need.task not in self.now.rows:
                continue
            request, task = self._source(need, clinical, "draft" if before["status"] == "draft" else "requested")
            request = build.renewed(self._task(need.service_request), request, now=self.now.now)
            task = build.renewed(before, task, now=self.now.now)
            self._put(request)
            self._put(task)
            for child in need.children:
                if self._task(child.task)["status"] not in lifecycle.TERMINAL:
                    self._put_child(need, child)

    def _put_child(self, need: NeedLink, child: Child) -> None:
        def ids(resource_type: str, _: str) -> str:
            return child.service_request if resource_type == "ServiceRequest" else child.task

        name = self.now.directory.names.get(child.partner, "")
        source = self._task(need.service_request), self._task(need.task)
        whole = build.child(*source, partner=child.partner, partner_name=name, ids=ids, now=self.now.now)
        packet = self.showing.packet(need.need, child.decided)
        for resource in packet_content.cut(*whole, need.need, packet):
            known = self.tasks.get(resource["id"]) or _resource(self.now.rows, resource["id"])
            self._put(build.renewed(known, resource, now=self.now.now) if known else resource)

    def _task(self, resource_id: str) -> Resource:
        if resource_id in self.tasks:
            return self.tasks[resource_id]
        return self.now.rows[resource_id].resource

    def _put(self, resource: Resource) -> None:
        self.tasks[resource["id"]] = resource

    def _apply_to_all(self, step_of: StepOf, *, only: Test = lambda _: True) -> bool:
        """Take a step with every source that it concerns; True when one of them ended by it."""
        ended = False
        for need in list(self.link.needs):
            source = self._task(need.task)
            step = step_of(source, [self._task(child.task) for child in need.children]) if only(source) else None
            if step is None:
                continue
            self._apply(need, step)
            if self._task(need.task)["status"] == "cancelled":
                self.link.needs.remove(need)
                self.link.former.append(need)
                ended = True
        return ended

    def _apply(self, need: NeedLink, step: lifecycle.SourceStep) -> None:
        for task in (*((step.source,) if step.source else ()), *step.children):
            self._put(task)
        for reference, status in step.requests.items():
            request = self._task(reference.rpartition("/")[2])
            self._put(request | {"status": status})
        for child in need.children:
            if self._task(child.task)["status"] == "cancelled":
                # It keeps its own Task and loses the packet.
                self.showing.hide(child)

    def _write_tasks(self) -> None:
        stamp = self.now.now.isoformat()
        sent = {i for _, child in self.showing.children() for i in (child.task, child.service_request)}
        offers = self._offers()
        for resource_id, resource in self.tasks.items():
            stored = self.now.rows.get(resource_id)
            forced = resource_id in self.forced
            if stored is not None and resource is stored.resource and not forced:
                continue
            plain = without_server_meta(resource)
            if stored is not None and _same(without_server_meta(stored.resource), plain) and not forced:
                continue
            if resource["resourceType"] == "Task":
                plain["lastModified"] = last_modified(plain, stamp)
            before = stored.resource if stored else None
            version = stored.version + 1 if stored else 1
            self.result.drafts.append(_draft(plain, version, before, offers.get(resource_id)))
            if stored is None and resource_id not in sent:
                self.result.grants.append(Grant(self.now.file.organization, resource_id))

    def _offers(self) -> dict[str, Resource]:
        """The offer renditions of what is sent to partners that may not see the packet, by id."""
        found: dict[str, Resource] = {}
        for need, child in self.showing.children():
            own = {child.service_request, child.task}
            if cast("Decided", child.decided).level == "packet" or own.isdisjoint(self.tasks):
                continue
            offer = offer_of(
                self._task(child.service_request),
                self._task(child.task),
                facts=offer_facts(self.now, self.event, need.need, self.showing.clinical, self.coverage),
                parties=self.parties,
                ids=self._ids,
                labels=self.labels,
            )
            found |= {child.service_request: offer.request, child.task: offer.task}
            self._put_offered(child, offer.patient)
        return found

    def _put_offered(self, child: Child, patient: Resource) -> None:
        """The Patient of an offer, which its partner alone sees."""
        held = self._held("Patient", f"offer|{child.task}")
        draft = _draft(patient, held.version + 1)
        self.result.grants.append(Grant(child.partner, held.id, decision=cast("Decided", child.decided).id))
        if held.digest != (fingerprint := digest(draft.body)):
            held.version, held.digest = draft.version, fingerprint
            self.result.drafts.append(draft)

    def _write_provenance(self) -> None:
        """One for the hospital, and one for each partner whose own request was written."""
        audiences = self.showing.audiences(self.result.drafts)
        for audience, targets in audiences.items():
            provenance = build.provenance(
                targets,
                key=f"{self.now.origin.ledger}{audience}",
                message_hash=self.now.origin.content_hash,
                control_id=self.now.origin.control_id,
                sender=self.now.sender.id,
                recorded=self.now.now,
                occurred=self.now.origin.occurred,
                parties=self.parties,
                ids=self._ids,
                labels=self.labels,
                activity="CREATE" if self.result.opened else "UPDATE",
            )
            held = self.link.resources[f"Provenance|{self.now.origin.ledger}{audience}"]
            held.version += 1
            self.result.drafts.append(_draft(provenance, held.version))
            self.showing.show_origin(held.id, audience)


def _resource(rows: Mapping[str, Stored], resource_id: str) -> Resource | None:
    stored = rows.get(resource_id)
    return stored.resource if stored else None


def _draft(resource: Resource, version: int, before: Resource | None = None, offer: Resource | None = None) -> Draft:
    try:
        return Draft.of(resource, version, before, offer)
    except TypeError:
        # What JSON can't hold does not pass the gate, which says so in its own words.
        raise NotConforming(gate.check(resource)) from None


def _same(before: Resource, after: Resource) -> bool:
    return {**before, "lastModified": ""} == {**after, "lastModified": ""}
