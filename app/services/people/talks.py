"""What was said outside the hub about a referral, as it is kept, and who said it."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from app.core.actor import Actor
from app.core.errors import Forbidden
from app.rules import labelling
from app.services.hub import Hub
from app.services.people.spoken_requests import Answer, Call, Correction
from app.services.writes.resource_plans import current_row
from app.services.writing import Resource, decoded
from app.store.accounts import Directory
from app.store.queries import ColumnIn, IndexIn, Query
from fhir_mappings.building.build_spoken import Side
from fhir_mappings.labels import Labels, security
from fhir_mappings.outreach import is_beside

_SYSTEM: Final = Actor.system("talks")
DISPUTES: Final = "spoken:dispute"
"""Row of the generic index beside the search parameters: a dispute by the hospital that it concerns."""
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_MANY: Final = 500
"""So many are looked at of one referral."""


async def source_of(hub: Hub, actor: Actor, task_id: str) -> Resource:
    """The hospital's Task that is named; for the hub itself also by that of a partner.

    Raises NotFound, and Forbidden where it is not the hospital's that asks.
    """
    task = decoded(await current_row(hub, actor, "Task", task_id))
    if actor.is_system and "partOf" in task:
        task = decoded(await current_row(hub, actor, "Task", task["partOf"][0]["reference"].rpartition("/")[2]))
    mine = task.get("requester", {}).get("reference") == f"Organization/{actor.organization}"
    if "partOf" in task or not (mine or actor.is_system):
        raise Forbidden("Only the hospital that asked records what was said to it; the owner of a Task changes it.")
    return task


async def children_of(hub: Hub, source: str) -> list[Resource]:
    """The Tasks of all partners that were asked, oldest first."""
    asked = Query("Task", (ColumnIn("part_of", (f"Task/{source}",)),), limit=_MANY)
    tasks = [decoded(row) for row in await hub.store.reader(_SYSTEM).search(asked)]
    found = [task for task in tasks if not is_beside(task)]
    return sorted(found, key=lambda task: (task.get("authoredOn", ""), task["id"]))


async def of_request(hub: Hub, *requests: str) -> list[Resource]:
    """The Communications about source ServiceRequests (literal references), oldest first."""
    if not requests:
        return []
    asked = Query("Communication", (IndexIn("based-on", requests),), limit=_MANY)
    found = [decoded(row) for row in await hub.store.reader(_SYSTEM).search(asked) if not row.deleted]
    return sorted(found, key=lambda one: (instant(one.get("sent", "")) or _NEVER, one["id"]))


def side_of(directory: Directory, organization: str) -> Side:
    """An organisation as one side of a talk."""
    return Side(organization, directory.names.get(organization, ""))


def labels_of(directory: Directory, source: Resource, partner: str) -> list[Resource]:
    """Labels of what was said about the hospital's Task; what a Part 2 program says is a record of its own."""
    profile = directory.partners.get(partner)
    program = security(Labels(part2=True, test=False)) if profile and profile.part2_program else []
    return labelling.united(labelling.held(source), program)


def plain(told: Answer | Call | Correction) -> dict[str, Any]:
    """What was told, as JSON has it."""
    return {name: _plain(value) for name, value in asdict(told).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return value.isoformat() if isinstance(value, datetime) else value


def instant(text: str) -> datetime | None:
    """A FHIR dateTime with its offset; None where it is a day, or nothing."""
    found = datetime.fromisoformat(text) if len(text) > len("2026-06-05") else None
    return found if found is not None and found.tzinfo is not None else None
