"""One settlement of a visit's referral in the making: its resources as they become, each once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from app.core.ids import uuid7
from app.rules import labelling, lifecycle, steps
from app.rules.consent import UnitStatus
from app.rules.rides import TRANSPORT
from app.services.referral import checklists, clock_answers, coverage_clock, guests, needs
from app.services.referral.appointments import ride_of
from app.services.referral.parties import status_of
from app.services.referral.sharing import Sharing
from app.services.referral.showing import Showing
from app.services.referral.situation import Settlement, Situation, Stored
from app.services.writing import Resource
from fhir_mappings import build, packet_content
from fhir_mappings.visits import visit
from schemas.discharge import MOUD, Need
from schemas.stub import Child, Held, NeedLink, ReferralLink

StepOf = Callable[[Resource, Sequence[Resource]], steps.SourceStep | None]
Test = Callable[[Resource], bool]


class Work:
    """What all parts of one settlement share."""

    def __init__(self, situation: Situation) -> None:
        clock_answers.take_over(situation)
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
        status = status_of(situation.directory, situation.sender, self.record.visit.unit)
        self._unit_status: UnitStatus = status
        self.labels = build.Labels(
            part2=status != "not-part2", test=situation.sender.mode == "test" or self.record.test
        )
        told = visit.as_event(
            self.record,
            event_id=situation.file.id,
            occurred_at=self.record.ended_at or situation.origin.occurred,
        )
        self.event = guests.with_order(told)
        self.needs = self.event.needs or [Need(kind=MOUD)]
        self.tasks: dict[str, Resource] = {}
        """Source and child Tasks and ServiceRequests as they become, by id."""
        self.forced: set[str] = set()
        """Those of them that are written although nothing in them changes: in another rendition."""
        self.ride = ride_of(situation, self.event, link)
        self.sharing = Sharing(situation, self._status_for, self.ids("Patient", ""), self.held)
        self.showing = Showing(situation, link, self.sharing, self.result, self.task)
        self.clock = coverage_clock.read(situation, self.event, link, self.task)
        self.coverage = self.clock.view if self.clock else None

    def doubted(self) -> bool:
        """Whether the record may hold facts of two persons (A37), and nobody has looked at it yet."""
        return self.record.unlinked and self.record.answer != "refer"

    def _status_for(self, need: str) -> UnitStatus:
        """Whether what is told for a need is a Part 2 record: that a person is driven to such a program is one."""
        return "part2" if need == TRANSPORT and self.ride is not None and self.ride.part2 else self._unit_status

    def tied(self, need: str) -> build.Tied | None:
        """What a need runs by that is not the medication."""
        return needs.tied(self.now, self.event, need, self.ride)

    def ids(self, resource_type: str, key: str) -> str:
        return self.held(resource_type, key).id

    def held(self, resource_type: str, key: str) -> Held:
        name = f"{resource_type}|{key}"
        held = self.link.resources.get(name)
        if held is None:
            held = self.link.resources[name] = Held(id=uuid7(), version=0, digest="")
        return held

    def source(
        self, need: NeedLink, clinical: Sequence[Resource], status: Literal["draft", "requested"]
    ) -> tuple[Resource, Resource]:
        def ids(resource_type: str, key: str) -> str:
            if key.startswith("source|"):
                return need.service_request if resource_type == "ServiceRequest" else need.task
            return self.ids(resource_type, key)

        stated = next((one for one in self.needs if one.kind == need.need), None)
        wanted = stated or Need.model_validate({"kind": need.need})
        return build.source(
            self.event,
            need=wanted,
            placer=wanted.identifier,
            resources=clinical,
            parties=self.parties,
            ids=ids,
            labels=replace(self.labels, part2=self._status_for(need.need) != "not-part2"),
            status=status,
            now=self.now.now,
            group=self.link.group,
            coverage=self.coverage if need.need == MOUD else None,
            tied=self.tied(need.need),
        )

    def refresh(self, clinical: Sequence[Resource]) -> None:
        """New facts into sources and children that are not over; what their owners wrote stays."""
        for need in self.link.needs:
            if self.task(need.task)["status"] not in lifecycle.TERMINAL and need.task in self.now.rows:
                self.renew(need, clinical)

    def renew(self, need: NeedLink, clinical: Sequence[Resource]) -> None:
        """The same for one need; it may have become a record of a Part 2 program, never again one of none."""
        before = self.task(need.task)
        status: Literal["draft", "requested"] = "draft" if before["status"] == "draft" else "requested"
        for built in self.source(need, clinical, status):
            known = build.renewed(self.task(built["id"]), built, now=self.now.now)
            self.put(labelling.labelled(known, built["meta"]["security"]))
        for child in need.children:
            if self.task(child.task)["status"] not in lifecycle.TERMINAL:
                self.put_child(need, child)

    def put_child(self, need: NeedLink, child: Child) -> None:
        def ids(resource_type: str, _: str) -> str:
            return child.service_request if resource_type == "ServiceRequest" else child.task

        name = self.now.directory.names.get(child.partner, "")
        source = self.task(need.service_request), self.task(need.task)
        answer = _answer(child)
        whole = build.child(*source, partner=child.partner, partner_name=name, ids=ids, now=self.now.now, answer=answer)
        packet = self.showing.packet(need.need, child.decided)
        cut = packet_content.cut(*whole, need.need, packet)
        for resource in checklists.told(self.now, need, child, self.showing.clinical, cut):
            known = self.tasks.get(resource["id"]) or _resource(self.now.rows, resource["id"])
            self.put(build.renewed(known, resource, now=self.now.now) if known else resource)

    def task(self, resource_id: str) -> Resource:
        if resource_id in self.tasks:
            return self.tasks[resource_id]
        return self.now.rows[resource_id].resource

    def put(self, resource: Resource) -> None:
        self.tasks[resource["id"]] = resource

    def apply_to_all(self, step_of: StepOf, *, only: Test = lambda _: True) -> bool:
        """Take a step with every source that it concerns; True when one of them ended by it."""
        ended = False
        for need in list(self.link.needs):
            source = self.task(need.task)
            step = step_of(source, [self.task(child.task) for child in need.children]) if only(source) else None
            if step is None:
                continue
            self.apply(need, step)
            if self.task(need.task)["status"] == "cancelled":
                self.link.needs.remove(need)
                self.link.former.append(need)
                ended = True
        return ended

    def apply(self, need: NeedLink, step: steps.SourceStep) -> None:
        for task in (*((step.source,) if step.source else ()), *step.children):
            self.put(task)
        for reference, status in step.requests.items():
            request = self.task(reference.rpartition("/")[2])
            self.put(request | {"status": status})
        for child in need.children:
            if self.task(child.task)["status"] == "cancelled":
                # It keeps its own Task and loses the packet.
                self.showing.hide(child)


def _answer(child: Child) -> build.AnswerView | None:
    if child.answer_by is None:
        return None
    place_until = child.missed.place_until if child.missed else None
    return build.AnswerView(child.answer_by, child.reminded_at, child.together, place_until)


def _resource(rows: Mapping[str, Stored], resource_id: str) -> Resource | None:
    stored = rows.get(resource_id)
    return stored.resource if stored else None
