"""create, update, patch and delete of one resource, with and without conditions."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from app.core.actor import Actor
from app.core.errors import BadRequest, NotFound, NotSupported
from app.core.ids import uuid7
from app.services.disclosures import Disclosures
from app.services.feed import Feed
from app.services.hub import Hub
from app.services.intake.by_name import ByName
from app.services.intake.intake import Intake
from app.services.intake.looking import look_of
from app.services.interactions import Done, Edit, Plan, Planned, Wanted, carried_out
from app.services.referral import appointments
from app.services.scopes import require
from app.services.subscriptions import subscriptions
from app.services.writes import resource_plans, tasks
from app.services.writes.criteria import Criteria, claim, claim_for, single
from app.services.writes.resource_plans import Known, known_to, unchanged, with_local_references
from app.services.writes.resource_requests import admit_interaction, conforming, said_version
from app.services.writing import Rendition, Resource
from app.store.changes import Changes
from schemas.references import references

_LETTER = {"create": "c", "update": "u", "patch": "u", "delete": "d"}


class ResourceWrites:
    """Writes resources for actors."""

    def __init__(self, hub: Hub, intake: Intake, disclosures: Disclosures, feed: Feed) -> None:
        self._hub = hub
        self._intake = intake
        self._disclosures = disclosures
        self._feed = feed
        self._by_name = ByName(hub, intake)

    def admit(self, actor: Actor, resource_type: str, interaction: str) -> None:
        """NotFound for what is no type here, NotAllowed, or Forbidden where the scopes do not cover it."""
        admit_interaction(resource_type, interaction)
        require(actor, resource_type, _LETTER[interaction])

    async def create(
        self,
        actor: Actor,
        resource_type: str,
        body: object,
        criteria: Criteria | None = None,
        *,
        sender: str | None = None,
    ) -> Done:
        """A new resource; with ``criteria`` the one that they find, where there is one (If-None-Exist).

        ``sender`` is the interface that a hospital with several asks by, where it creates a Task.

        Raises BadRequest, Unprocessable, Forbidden, NotAllowed, and PreconditionFailed where several match.
        """
        self.admit(actor, resource_type, "create")
        resource = with_local_references(self._hub, conforming(resource_type, body))
        resource_id = uuid7()

        if resource_type == "Task":
            return await self._asked(actor, resource, criteria, sender)

        async def plan() -> Sequence[Planned]:
            if criteria is None:
                known = await known_to(self._hub, actor, references(resource))
                return [await self.plan_create(actor, resource, resource_id, known)]
            return [await self.plan_unless_found(actor, resource, resource_id, criteria)]

        return await self._carry_out(actor, plan, resource_type)

    async def _asked(self, actor: Actor, task: Resource, criteria: Criteria | None, sender: str | None) -> Done:
        """A source Task goes into the visit as every message does; asking twice changes nothing."""
        row = await single(self._hub, actor, criteria, "http.If-None-Exist") if criteria is not None else None
        if row is not None:
            done = unchanged(row).done({})
        else:
            done = await self._by_name.ask(actor, task, sender)
        self._doubt(actor)
        return done

    async def update(self, actor: Actor, wanted: Wanted, interaction: str = "update") -> Done:
        """Change a resource by a whole body or a patch; as it is stored afterwards.

        Raises NotFound, Deleted, Forbidden, NotAllowed, PreconditionFailed, BadRequest, Unprocessable, Conflict.
        """
        self.admit(actor, wanted.type, interaction)

        async def plan() -> Sequence[Planned]:
            return [await self.plan_update(actor, wanted)]

        return await self._carry_out(actor, plan, wanted.type)

    async def update_found(self, actor: Actor, criteria: Criteria, body: object, if_match: int | None) -> Done:
        """Change the one resource that the criteria find, or create it (http.html#cond-update).

        Raises as ``create`` and ``update`` do.
        """
        self.admit(actor, criteria.type, "update")
        resource = with_local_references(self._hub, conforming(criteria.type, body))
        resource_id = uuid7()

        async def plan() -> Sequence[Planned]:
            return [await self.plan_found(actor, resource, resource_id, criteria, if_match=if_match)]

        return await self._carry_out(actor, plan, criteria.type)

    async def patch_found(self, actor: Actor, criteria: Criteria, edit: Edit, if_match: int | None) -> Done:
        """Patch the one resource that the criteria find; NotFound where there is none."""
        self.admit(actor, criteria.type, "patch")

        async def plan() -> Sequence[Planned]:
            row = await single(self._hub, actor, criteria, "http.query")
            if row is None:
                raise NotFound("Nothing matches.")
            return [await self.plan_update(actor, Wanted(row.type, row.id, edit, if_match, relative=True))]

        return await self._carry_out(actor, plan, criteria.type)

    async def delete(self, actor: Actor, resource_type: str, resource_id: str, if_match: int | None) -> Done:
        """Delete a resource of the caller's own. Raises NotFound, Forbidden, NotAllowed, InUse."""
        self.admit(actor, resource_type, "delete")

        async def plan() -> Sequence[Planned]:
            return [await self.plan_delete(actor, resource_type, resource_id, if_match)]

        return await self._carry_out(actor, plan, resource_type)

    # ---- plans, also for transactions

    async def plan_create(self, actor: Actor, resource: Resource, resource_id: str, known: Known) -> Planned:
        """What creating a conforming resource comes to."""
        if resource["resourceType"] == "Task":
            raise NotSupported(
                "A Task is created by a POST of its own, or in a transaction with the stay that it belongs to.",
                path="Task",
            )
        if resource["resourceType"] == "Consent":
            await self._by_name.check_consent(actor, {**resource, "id": resource_id})
        if resource["resourceType"] == "Subscription":
            prepare = partial(subscriptions.prepare_create, self._hub, actor)
            return resource_plans.plan_create(actor, resource_id, resource, known, prepare)
        return resource_plans.plan_create(actor, resource_id, resource, known)

    async def plan_unless_found(
        self, actor: Actor, resource: Resource, resource_id: str, criteria: Criteria, *, known: Known | None = None
    ) -> Planned:
        """What a conditional create comes to."""
        held_by = await claim_for(self._hub, actor, criteria)
        row = await single(self._hub, actor, criteria, "http.If-None-Exist")
        if row is not None:
            return unchanged(row)
        known = known or await known_to(self._hub, actor, references(resource))
        planned = await self.plan_create(actor, resource, resource_id, known)
        return _claiming(planned, self._hub, actor, criteria, held_by)

    async def plan_found(
        self,
        actor: Actor,
        resource: Resource,
        resource_id: str,
        criteria: Criteria,
        *,
        if_match: int | None,
        known: Known | None = None,
    ) -> Planned:
        """What a conditional update comes to; ``resource_id`` is the id where it creates."""
        held_by = await claim_for(self._hub, actor, criteria)
        row = await single(self._hub, actor, criteria, "http.query")
        if row is not None:
            return await self.plan_update(actor, _put_found(resource, row.id, if_match), known.new if known else None)
        require(actor, criteria.type, "c")
        if "id" in resource:
            raise BadRequest(
                "Nothing matches, and this server gives the ids: leave the id out.", path=f"{criteria.type}.id"
            )
        known = known or await known_to(self._hub, actor, references(resource))
        planned = await self.plan_create(actor, resource, resource_id, known)
        return _claiming(planned, self._hub, actor, criteria, held_by)

    async def plan_update(self, actor: Actor, wanted: Wanted, new: Mapping[str, str] | None = None) -> Planned:
        """What a change comes to."""
        if wanted.type == "Task":
            return await tasks.plan(self._hub, actor, wanted, new)
        if wanted.type == "Subscription":
            prepare = partial(subscriptions.prepare_update, self._hub, actor)
            return await resource_plans.plan_update(self._hub, actor, wanted, new, prepare)
        planned = await resource_plans.plan_update(self._hub, actor, wanted, new)
        if wanted.type == "Consent":
            await self._by_name.check_consent(actor, planned.resource())
        return await appointments.followed(self._hub, planned) if wanted.type == "Appointment" else planned

    async def plan_delete(self, actor: Actor, resource_type: str, resource_id: str, if_match: int | None) -> Planned:
        """What a deletion comes to."""
        if resource_type == "Subscription":
            prepare = subscriptions.prepare_delete
            return await resource_plans.plan_delete(
                self._hub, actor, resource_type, resource_id, if_match, prepare=prepare
            )
        return await resource_plans.plan_delete(self._hub, actor, resource_type, resource_id, if_match)

    # ---- carrying out

    async def _carry_out(self, actor: Actor, plan: Plan, what: str) -> Done:
        return (await self.carry_out(actor, plan, f"this {what}"))[0]

    async def carry_out(self, actor: Actor, plan: Plan, what: str) -> list[Done]:
        """All that a plan comes to, or nothing of it; what each part then is, in the order of the plan."""
        try:
            planned, stamps = await carried_out(self._hub, plan, what)
            done = [await self._afterwards(actor, one, one.done(stamps)) for one in planned]
        finally:
            self._doubt(actor)
        return done

    def _doubt(self, actor: Actor) -> None:
        """Whatever came of it: what failed on its way back may have been written."""
        if actor.organization is not None:
            self._feed.doubt(actor.organization)

    async def _afterwards(self, actor: Actor, planned: Planned, done: Done) -> Done:
        row = planned.row
        if planned.offered is not None:
            if not await self._intake.settle_again(planned.offered):
                await look_of(self._hub, planned.offered)
            row = await self._hub.store.reader(actor).read(planned.type, planned.id)
            if row is not None:
                done = Done(done.status, done.type, done.id, row.version, Rendition.of(row))
        if planned.type == "Consent":
            # Also where nothing was written: the one before may have failed between the two.
            await self._by_name.tell_consent(actor, planned.resource())
        if row is not None and done.rendition is not None:
            await self._disclosures.record(actor, [row], "update")
        return done


def _claiming(planned: Planned, hub: Hub, actor: Actor, criteria: Criteria, held_by: str | None) -> Planned:
    made = claim(hub, actor, criteria, planned.id, held_by)
    changes = planned.changes or Changes()
    return replace(planned, changes=changes._replace(scope=changes.scope | {made.key}, claims=(made,)))


def _put_found(resource: Resource, resource_id: str, if_match: int | None) -> Wanted:
    if resource.get("id", resource_id) != resource_id:
        raise BadRequest("The id in the body is not that of the match.", path=f"{resource['resourceType']}.id")
    whole = {**resource, "id": resource_id}
    return Wanted(whole["resourceType"], resource_id, lambda _: whole, if_match, said_version(whole))
