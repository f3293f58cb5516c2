"""What partners say of whether people are in care, as it is kept beside the Tasks that say it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final, cast

from app.core.actor import Actor
from app.core.ids import uuid7
from app.rules import retention
from app.services.hub import Hub
from app.store.changes import RetentionAnswer
from fhir_mappings.outreach import is_beside
from schemas.partner import PartnerProfile

_SYSTEM: Final = Actor.system("retention")
Task = dict[str, Any]


def local_day(profile: PartnerProfile | None, at: datetime) -> date:
    """The day of a moment where the partner is."""
    return at.astimezone((profile.zone if profile else None) or UTC).date()


async def told(hub: Hub, actor: Actor, before: Task, after: Task) -> tuple[RetentionAnswer, ...]:
    """What the outputs that a change adds to a partner's Task say, by whoever changes it, of today."""
    added = after.get("output", [])[len(before.get("output", ())) :]
    new = [found for one in added if (found := retention.said_in(one))]
    if not new or "partOf" not in after or is_beside(after):
        return ()
    partner = after["owner"]["reference"].rpartition("/")[2]
    now = hub.clock.now()
    day = local_day((await hub.registry.current()).partners.get(partner), now).isoformat()
    by, at = actor.user or actor.client, hub.clock.now_us()
    return tuple(RetentionAnswer(uuid7(), after["id"], partner, point, said, day, by, at) for point, said in new)


async def said_of(
    hub: Hub, tasks: Sequence[Task], profile: PartnerProfile | None
) -> Mapping[str, list[retention.Said]]:
    """What was said of each of a partner's Tasks, the newest last.

    An output of which no row is kept (its Task was written before there were any) counts as of the day on which its
    Task changed last, and as older than all rows.
    """
    found: dict[str, list[retention.Said]] = defaultdict(list)
    rows = await hub.store.retention(_SYSTEM).said([task["id"] for task in tasks])
    kept = {(row.task, row.point, row.answer) for row in rows}
    for task in tasks:
        day = local_day(profile, datetime.fromisoformat(str(task.get("lastModified", task["authoredOn"]))))
        outputs: Iterable[Any] = task.get("output", ())
        said = [one for output in outputs if (one := retention.said_in(output))]
        found[task["id"]] = [retention.Said(*one, day) for one in said if (task["id"], *one) not in kept]
    for row in rows:
        week = date.fromisoformat(row.week) if row.week else None
        point = cast("retention.Point", row.point)
        found[row.task].append(retention.Said(point, row.answer, date.fromisoformat(row.day), week))
    return found
