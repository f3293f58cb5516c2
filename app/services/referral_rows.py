"""The rows that decisions about a visit's referral are made from."""

from collections.abc import Iterable
from typing import Final

from app.core.actor import Actor
from app.services.hub import Hub
from app.services.situation import Stored
from app.services.visit_file import VisitFile
from app.services.writing import decoded

_SYSTEM: Final = Actor.system("referral")


async def referral_rows(hub: Hub, files: Iterable[VisitFile]) -> dict[str, Stored]:
    """ServiceRequests and Tasks of the referrals that these visits have, as they are now, by id."""
    ids: set[str] = set()
    for file in files:
        link = file.content.referral
        for need in (*link.needs, *link.former) if link else ():
            ids.update((need.service_request, need.task))
            ids.update(i for child in need.children for i in (child.service_request, child.task))
            ids.update(child.checklist for child in need.children if child.checklist)
            ids.update(child.missed.outreach for child in need.children if child.missed)
    found = await hub.store.reader(_SYSTEM).by_ids(sorted(ids))
    return {row.id: Stored(row.version, decoded(row)) for row in found}
