"""What a person of the hospital decides about a referral that is under way: whom to ask, which fallback to take.

The hub never chooses a fallback and never overrules whom a person names; consent is asked as for everybody. What is
decided is kept with the visit and stands on the source Task with the name of who decided.
"""

from datetime import datetime
from typing import Final, cast, get_args

from app.core import json
from app.core.actor import Actor
from app.core.clock import from_micros
from app.core.errors import BadRequest, Conflict, Issue, Unprocessable
from app.rules import lifecycle, steps
from app.rules.codings import need_in
from app.services.disclosures import Disclosures
from app.services.hub import Hub
from app.services.intake.looking import look_of
from app.services.interactions import Done
from app.services.reading.reads import not_found
from app.services.scopes import require
from app.services.writes.operation_parameters import fields_of, path_of
from app.services.writes.resource_plans import current_row
from app.services.writing import Rendition, Resource, decoded
from app.store.queries import ColumnIn, Query
from app.store.reviews import Reviews
from fhir_mappings.triage import REASONS as VERDICTS
from schemas.discharge import MOUD
from schemas.fallback import FallbackKind
from schemas.references import local
from schemas.stub import Chosen

ASK: Final = {
    "partner": ("valueReference", "the Organization to ask"),
    "by": ("valueString", "name or office of the person who decided"),
}
FALLBACK: Final = {
    "fallback": ("valueCode", "which fallback was chosen"),
    "by": ("valueString", "name or office of the person who decided"),
}
_SYSTEM: Final = Actor.system("choices")


def _is_noted(task: Resource, chosen: Chosen) -> bool:
    """Whether the last note is of this very choice: it is told again, because its answer was lost on the way."""
    said = steps.on_fallback(task, chosen.fallback or "", chosen.by, chosen.at)["note"][-1]
    last = task.get("note", ())[-1:]
    return any(one.get("authorString") == chosen.by and one["text"] == said["text"] for one in last)


def _request_of(task: Resource) -> str:
    """FHIR id of the ServiceRequest."""
    return str(task["focus"]["reference"]).rpartition("/")[2]


class Choices:
    """Takes what a person decides about a source Task."""

    def __init__(self, hub: Hub, disclosures: Disclosures) -> None:
        self._hub = hub
        self._disclosures = disclosures

    async def ask(self, actor: Actor, task_id: str, body: object) -> Done:
        """Ask the partner that a person chose, whoever else would be next; the source Task afterwards.

        Args:
            actor: the hospital.
            task_id: a source Task of it.
            body: Parameters with ``partner`` (valueReference) and ``by`` (valueString: who decided).

        Raises:
            BadRequest: a parameter is missing or unknown.
            NotFound: no such Task of this organisation.
            Unprocessable: the partner can't be asked; why, and what would cure it.
        """
        fields = fields_of(body, ASK)
        kind, partner = local(fields["partner"].get("reference", "")) or ("", "")
        profile = (await self._hub.registry.current()).partners.get(partner)
        task = await self._source(actor, task_id)
        if kind != "Organization" or profile is None or not profile.active:
            raise Unprocessable(
                "No active partner of this hub has this id.", path=path_of("partner", ASK["partner"][0])
            )
        await self._decide(task, Chosen(by=fields["by"], at=self._now(), partner=partner))
        if not await self._was_asked(task_id, partner):
            raise Unprocessable("The partner was not asked.", issues=await self._why(task))
        return await self._done(actor, task_id)

    async def choose_fallback(self, actor: Actor, task_id: str, body: object) -> Done:
        """Record which fallback a person chose; the source Task afterwards.

        Args:
            actor: the hospital.
            task_id: a source Task of it.
            body: Parameters with ``fallback`` (valueCode) and ``by`` (valueString: who decided).

        Raises:
            BadRequest: a parameter is missing or unknown.
            NotFound: no such Task of this organisation.
            Unprocessable: the Task is not about the medication.
        """
        fields = fields_of(body, FALLBACK)
        kinds = get_args(FallbackKind)
        if fields["fallback"] not in kinds:
            wrong = path_of("fallback", FALLBACK["fallback"][0])
            raise BadRequest(f"One of {', '.join(kinds)} is expected.", path=wrong)
        task = await self._source(actor, task_id)
        request = await current_row(self._hub, actor, "ServiceRequest", _request_of(task))
        if need_in(decoded(request)) != MOUD:
            raise Unprocessable(
                "A fallback is for the medication, and this Task is for another need.", path="Task.focus"
            )
        chosen = Chosen(by=fields["by"], at=self._now(), fallback=cast("FallbackKind", fields["fallback"]))
        if not _is_noted(task, chosen):
            await self._decide(task, chosen)
        return await self._done(actor, task_id)

    # ---- behind them

    def _now(self) -> datetime:
        return from_micros(self._hub.clock.now_us())

    async def _source(self, actor: Actor, task_id: str) -> Resource:
        require(actor, "Task", "u")
        task = decoded(await current_row(self._hub, actor, "Task", task_id))
        mine = task.get("requester", {}).get("reference") == f"Organization/{actor.organization}"
        if "partOf" in task or not mine:
            not_found()
        if task["status"] in lifecycle.TERMINAL:
            raise Unprocessable("The referral is over: nobody is asked any more.", path="Task.status")
        return task

    async def _done(self, actor: Actor, task_id: str) -> Done:
        row = await current_row(self._hub, actor, "Task", task_id)
        await self._disclosures.record(actor, [row], "update")
        return Done(200, "Task", task_id, row.version, Rendition.of(row))

    async def _decide(self, task: Resource, chosen: Chosen) -> None:
        request = _request_of(task)
        if not await look_of(self._hub, request, (task["id"], chosen)):
            raise Conflict("The visit of this referral is not kept any more: nothing can be decided about it.")

    async def _was_asked(self, task_id: str, partner: str) -> bool:
        conditions = (ColumnIn("part_of", (f"Task/{task_id}",)), ColumnIn("owner", (f"Organization/{partner}",)))
        rows = await self._hub.store.reader(_SYSTEM).search(Query("Task", conditions, limit=50))
        return any(decoded(row)["status"] == "requested" for row in rows)

    async def _why(self, task: Resource) -> tuple[Issue, ...]:
        """What is in the way, as the visit's row in the review queue says it."""
        request = _request_of(task)
        visit_id = await self._hub.store.intake(_SYSTEM).visit_of(request)
        item = await Reviews(self._hub.store.database).item(visit_id or "")
        reasons = json.loads(item.reasons.encode()) if item is not None and item.closed_at is None else []
        return tuple(Issue("business-rule", one["text"]) for one in reasons if one["code"] not in VERDICTS)
