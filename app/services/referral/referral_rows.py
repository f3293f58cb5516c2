"""The rows that decisions about a visit's referral are made from."""

from collections.abc import Iterable, Iterator
from typing import Final

from app.core.actor import Actor
from app.rules.reporting import appointment_of
from app.services.hub import Hub
from app.services.referral.situation import Stored, Stuck
from app.services.referral.visit_file import VisitFile
from app.services.writing import Resource, decoded
from schemas.pushed import Pushed

_SYSTEM: Final = Actor.system("referral")


async def referral_rows(hub: Hub, files: Iterable[VisitFile]) -> dict[str, Stored]:
    """ServiceRequests and Tasks of the referrals that these visits have, and Appointments that partners tell, by id."""
    ids: set[str] = set()
    for file in files:
        link = file.content.referral
        for need in (*link.needs, *link.former) if link else ():
            ids.update((need.service_request, need.task))
            ids.update(i for child in need.children for i in (child.service_request, child.task))
            ids.update(child.checklist for child in need.children if child.checklist)
            ids.update(child.missed.outreach for child in need.children if child.missed)
    reader = hub.store.reader(_SYSTEM)
    stuck = await _stuck(hub)
    rows = await reader.by_ids(sorted(ids))
    found = {row.id: Stored(row.version, decoded(row), stuck.get(row.id)) for row in rows}
    told = sorted({name for row in found.values() for name in _appointments(row.resource)} - found.keys())
    more = await reader.by_ids(told) if told else ()
    return found | {row.id: Stored(row.version, decoded(row)) for row in more}


def _appointments(task: Resource) -> Iterator[str]:
    """Ids of the Appointments that a Task tells as output."""
    for one in task.get("output", ()):
        kind, _, name = (appointment_of(one) or "").partition("/")
        if kind == "Appointment":
            yield name


async def _stuck(hub: Hub) -> dict[str, Stuck]:
    """Partners' Tasks of which somebody must see to it that the partner's own server has them right."""
    if not any(one.pushes_to for one in (await hub.registry.current()).partners.values()):
        return {}
    parked = await hub.store.pushes(_SYSTEM).parked()
    return {
        one.task: "at-odds" if Pushed.model_validate_json(one.known or "{}").task else "not-reached"
        for one in parked.values()
    }
