"""A partner's spoken answer, recorded for it by the hospital; and what the partner then says of it.

It is the partner's own transition (``services.tasks``), under both names: the hub keeps who said it, who recorded it,
when and at which number. The number is kept in a Communication that the hospital alone sees; the names are told to the
two organisations and to nobody else who was asked.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from app.core import json
from app.core.actor import Actor
from app.core.errors import Forbidden, Issue, Unprocessable
from app.core.ids import uuid7
from app.rules import labelling, lifecycle, spoken
from app.services.disclosures import Disclosures
from app.services.feed import Feed
from app.services.hub import Hub
from app.services.interactions import Done, Planned, Wanted, carried_out
from app.services.people import talks
from app.services.people.spoken_requests import Answer, Correction, answer_of, confirmation_of, correction_of, refuse
from app.services.people.talks import labels_of, side_of, source_of
from app.services.scopes import require
from app.services.writes import tasks
from app.services.writes.resource_plans import current_row
from app.services.writes.resource_requests import conforming
from app.services.writing import Rendition, Resource, change_of, decoded
from app.store.changes import OWN, Changes, Claim, Grant
from app.store.queries import fresh_of
from fhir_mappings.building import build_spoken
from fhir_mappings.building.build_spoken import Talk
from fhir_mappings.outreach import is_beside

_SYSTEM: Final = Actor.system("spoken-answers")


@dataclass(frozen=True, slots=True)
class Asked:
    """The hospital's Task and that of a partner that was asked with it."""

    source: Resource
    child: Resource

    @property
    def partner(self) -> str:
        """FHIR id of the partner."""
        return _id_of(self.child["owner"])

    @property
    def hospital(self) -> str:
        """FHIR id of the hospital."""
        return _id_of(self.source["requester"])


Plan = Callable[[], Awaitable[Sequence[Planned]]]


class SpokenAnswers:
    """Records spoken answers."""

    def __init__(self, hub: Hub, disclosures: Disclosures, feed: Feed) -> None:
        self._hub = hub
        self._disclosures = disclosures
        self._feed = feed

    async def record(self, actor: Actor, task_id: str, body: object) -> Done:
        """Record what a partner said of a referral; the hospital's Task as it then is. Twice the same is once.

        Args:
            actor: a client of the hospital, or the hub itself.
            task_id: the hospital's Task; for the hub itself also that of the partner.
            body: Parameters, see ``spoken_requests.answer_of``.

        Raises:
            BadRequest: a parameter is missing or unreadable.
            NotFound: no Task that the hospital may see.
            Forbidden: not the hospital that asked.
            Unprocessable: not asked, a time that can't be, or an answer that the lifecycle forbids.
        """
        require(actor, "Task", "u")
        told = answer_of(body)
        return await self._done(actor, task_id, partial(self._recording, actor, task_id, told), "record-answer")

    async def confirm(self, actor: Actor, task_id: str, body: object, *, partner: str | None = None) -> Done:
        """The owner confirms what was recorded for it; its Task as it then is. Confirming again changes nothing.

        Raises NotFound, Forbidden (not the owner), Unprocessable (nothing was recorded for it).
        """
        require(actor, "Task", "u")
        by = confirmation_of(body)
        return await self._done(
            actor, task_id, partial(self._confirming, actor, task_id, by, partner), "confirm-answer"
        )

    async def correct(self, actor: Actor, task_id: str, body: object) -> Done:
        """The owner says that it did not say so, and where it still can, what holds; its Task as it then is.

        What can't be taken back (a rejected request) is marked as disputed, and stands in the hospital's to-do list.

        Raises BadRequest, NotFound, Forbidden, Unprocessable (nothing to correct, or a transition that is forbidden).
        """
        require(actor, "Task", "u")
        told = correction_of(body)
        return await self._done(actor, task_id, partial(self._correcting, actor, task_id, told), "correct-answer")

    async def _done(self, actor: Actor, task_id: str, plan: Plan, interaction: str) -> Done:
        try:
            await carried_out(self._hub, plan, "this Task")
        finally:
            if actor.organization is not None:
                self._feed.doubt(actor.organization)
        row = await current_row(self._hub, actor, "Task", task_id)
        await self._disclosures.record_first(actor, fresh_of([row]))
        self._disclosures.access(actor, interaction, [row.id])
        return Done(200, row.type, row.id, row.version, Rendition.of(row))

    async def standing(self, actor: Actor, task_id: str, partner: str | None) -> dict[str, str | None]:
        """How a referral stands with the partner, for a person at the machine of the hub."""
        asked = await self.asked(actor, task_id, partner)
        return {
            "task": asked.source["id"],
            "status": asked.source["status"],
            "partner": asked.partner,
            "partner_task": asked.child["id"],
            "partner_status": asked.child["status"],
            "mark": spoken.mark_of(asked.child),
        }

    # ---- plans

    async def _recording(self, actor: Actor, task_id: str, told: Answer) -> Sequence[Planned]:
        asked = await self.asked(actor, task_id, told.partner)
        key = self._key("answer", asked, told)
        if await self._hub.store.authorship(_SYSTEM).claimed(key) is not None:
            return []
        since = asked.child["authoredOn"]
        refuse(spoken.faults(told.exchange, asked=talks.instant(since), now=self._hub.clock.now()))
        owner = self._as_owner(actor, asked.partner)
        wanted = Wanted("Task", asked.child["id"], _answering(told), None, mark=spoken.MARKS[told.exchange.how])
        planned = await tasks.plan(self._hub, owner, wanted)
        directory = await self._hub.registry.current()
        partner = replace(side_of(directory, asked.partner), person=told.said_by, number=told.exchange.number)
        hospital = replace(side_of(directory, asked.hospital), person=told.exchange.by)
        talk = Talk(
            "answer", told.exchange.at, told.exchange.how, partner, hospital, answer=told.answer, note=told.note
        )
        changes = await self._with_talk(planned, asked, talk, key)
        if planned.changes is not None:
            build = partial(
                build_spoken.recorded_for,
                partner=partner,
                hospital=hospital,
                occurred=told.exchange.at,
                recorded=self._hub.clock.now(),
            )
            changes = await self._with_provenance(changes, asked, build)
        return [replace(planned, changes=changes)]

    async def _confirming(self, actor: Actor, task_id: str, by: str, partner: str | None) -> Sequence[Planned]:
        asked = await self._own(actor, task_id, partner)
        if spoken.mark_of(asked.child) is None:
            if not await self._was_recorded(asked):
                raise Unprocessable("No answer was recorded for this Task.")
            return []
        planned = await tasks.plan(
            self._hub, self._as_owner(actor, asked.partner), Wanted("Task", asked.child["id"], lambda seen: seen, None)
        )
        if planned.changes is None:
            return []
        side = replace(side_of(await self._hub.registry.current(), asked.partner), person=by)
        build = partial(build_spoken.confirmed_by, partner=side, recorded=self._hub.clock.now())
        changes = await self._with_provenance(_undisclosed(planned), asked, build)
        return [replace(planned, changes=changes)]

    async def _correcting(self, actor: Actor, task_id: str, told: Correction) -> Sequence[Planned]:
        asked = await self._own(actor, task_id, None)
        key = self._key("dispute", asked, told)
        if await self._hub.store.authorship(_SYSTEM).claimed(key) is not None:
            return []
        if spoken.mark_of(asked.child) is None:
            raise Unprocessable("No recorded answer waits for you to confirm it; answer by changing the Task.")
        planned = await tasks.plan(self._hub, self._as_owner(actor, asked.partner), _corrected(asked.child, told))
        directory = await self._hub.registry.current()
        partner = replace(side_of(directory, asked.partner), person=told.by)
        note = told.text if await self._may_be_told(asked) else ""
        talk = Talk(
            "dispute",
            self._hub.clock.now(),
            "written",
            partner,
            side_of(directory, asked.hospital),
            answer=told.answer,
            note=note,
        )
        return [replace(planned, changes=await self._with_talk(planned, asked, talk, key))]

    # ---- who is meant

    async def asked(self, actor: Actor, task_id: str, partner: str | None) -> Asked:
        """The hospital's Task and that of the partner, or of the only one that is asked.

        Raises NotFound, Forbidden (not the hospital that asked), Unprocessable (nobody, several, or not this one).
        """
        source = await source_of(self._hub, actor, task_id)
        children = await talks.children_of(self._hub, source["id"])
        if task_id != source["id"]:
            children = [child for child in children if child["id"] == task_id]
        if partner is not None:
            children = [child for child in children if _id_of(child["owner"]) == partner]
        still_open = [child for child in children if child["status"] not in lifecycle.TERMINAL]
        found = still_open or children
        if not found or (len({_id_of(child["owner"]) for child in found}) > 1):
            several = "Several organisations were asked: name one." if found else "Not asked with this referral."
            path = "Parameters.parameter.where(name='partner')"
            raise Unprocessable(several, issues=(Issue("business-rule", several, path),))
        return Asked(source, found[-1])

    async def _own(self, actor: Actor, task_id: str, partner: str | None) -> Asked:
        """A Task of the actor's own; the hub itself may name it by that of the hospital."""
        if actor.is_system:
            return await self.asked(actor, task_id, partner)
        task = decoded(await current_row(self._hub, actor, "Task", task_id))
        asked = "partOf" in task and not is_beside(task)
        if not asked or _id_of(task.get("owner", {})) != actor.organization:
            raise Forbidden("Only the organisation that was asked may say so.")
        return await self.asked(_SYSTEM, task_id, None)

    def _as_owner(self, actor: Actor, partner: str) -> Actor:
        """The partner, by the hand of who records it."""
        if actor.organization == partner:
            return actor
        return Actor(partner, actor.client, purpose="TREAT" if actor.is_system else actor.purpose, user=actor.user)

    async def _was_recorded(self, asked: Asked) -> bool:
        said = await talks.of_request(self._hub, asked.source["focus"]["reference"])
        return any(
            build_spoken.category_of(one) == "answer"
            and build_spoken.side_of(one, "sender").organization == asked.partner
            for one in said
        )

    async def _may_be_told(self, asked: Asked) -> bool:
        """Whether the hospital may read what the partner writes: see ``rules.returning``."""
        child = asked.child["id"]
        standing = (await self._hub.store.decisions(_SYSTEM).way_back([child])).get(child)
        if standing is not None:
            return standing.permits(self._hub.clock.now_us())
        profile = (await self._hub.registry.current()).partners.get(asked.partner)
        return profile is not None and not profile.part2_program

    # ---- what is written besides

    def _key(self, kind: str, asked: Asked, told: Answer | Correction) -> str:
        """One claim for the same content; tells nothing of it."""
        said = json.canonical(json.loads(json.dumps(talks.plain(told)))).decode()
        return self._hub.keys.mac("spoken", kind, asked.child["id"], said)

    async def _with_talk(self, planned: Planned, asked: Asked, talk: Talk, key: str) -> Changes:
        """What was planned, and in the same commit what was said: seen by the hospital alone."""
        changes = _undisclosed(planned)
        security = labels_of(await self._hub.registry.current(), asked.source, asked.partner)
        made = build_spoken.communication(talk, resource_id=uuid7(), task=asked.source, security=security)
        change = change_of(conforming("Communication", made), 1)
        if talk.category == "dispute":
            row = (talks.DISPUTES, asked.source["requester"]["reference"])
            change = change._replace(found_by=(*(change.found_by or ()), row))
        return changes._replace(
            scope=changes.scope | {asked.source["id"]},
            resources=(*changes.resources, change),
            grants=(*changes.grants, Grant(asked.hospital, made["id"], disclosed=OWN)),
            claims=(*changes.claims, Claim(key, made["id"])),
        )

    async def _with_provenance(self, changes: Changes, asked: Asked, build: Callable[..., Resource]) -> Changes:
        """... and where it comes from: to each of the two in a Provenance of its own, of what it sees."""
        versions = {one.id: f"Task/{one.id}/_history/{one.version}" for one in changes.resources if one.type == "Task"}
        security = labelling.held(asked.source)
        actor = Actor(asked.partner, "hub")
        seen = await self._hub.store.reader(actor).read("Task", asked.child["id"])
        theirs = [versions[asked.child["id"]]]
        ours = [versions[one] for one in (asked.source["id"], asked.child["id"]) if one in versions]
        made = [build(targets, resource_id=uuid7(), security=security) for targets in (ours, theirs)]
        grants = [Grant(asked.hospital, made[0]["id"], disclosed=OWN)]
        if seen is not None:
            grants.append(Grant(asked.partner, made[1]["id"], decision=seen.decision, notice=seen.notice))
        return changes._replace(
            resources=(*changes.resources, *(change_of(conforming("Provenance", one), 1) for one in made)),
            grants=(*changes.grants, *grants),
        )


def _id_of(pointer: Resource) -> str:
    return str(pointer.get("reference", "")).rpartition("/")[2]


def _undisclosed(planned: Planned) -> Changes:
    """What was planned for the owner, which is shown nothing by it: somebody else asks."""
    return (planned.changes or Changes())._replace(disclosures=())


def _answering(told: Answer) -> Callable[[Resource], Resource]:
    def edit(seen: Resource) -> Resource:
        after = {**seen, "status": told.answer}
        if told.reason is not None:
            after["statusReason"] = told.reason
        if told.output is not None:
            after["output"] = [*seen.get("output", []), told.output]
        return after

    return edit


def _corrected(child: Resource, told: Correction) -> Wanted:
    """What the owner wants of its Task. Raises Unprocessable where it must say what holds, and does not."""
    status = child["status"]
    if told.answer is not None and told.answer != status:
        after = {"status": told.answer} | ({"statusReason": told.reason} if told.reason is not None else {})
        return Wanted("Task", child["id"], lambda seen: {**seen, **after}, None)
    if status not in lifecycle.TERMINAL:
        allowed = ", ".join(lifecycle.allowed_from(status, "owner"))
        text = f"Say what holds instead; allowed from {status} for the owner: {allowed}."
        path = "Parameters.parameter.where(name='answer')"
        raise Unprocessable(text, issues=(Issue("business-rule", text, path),))
    return Wanted("Task", child["id"], lambda seen: seen, None, mark=spoken.DISPUTED)
