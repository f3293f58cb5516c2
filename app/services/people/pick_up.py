"""The hospital says in one word whether the prescription was picked up."""

from typing import Final, Literal

from app.core import log
from app.core.actor import Actor
from app.core.errors import Conflict, NotFound, Unavailable, Unprocessable
from app.core.ids import uuid7
from app.services.hub import Hub
from app.services.intake.looking import look
from app.services.referral.clock_answers import DUE
from app.services.referral.visit_file import VisitFile
from app.store.changes import Changes, Job
from schemas.base import changed
from schemas.facts import PickUp, VisitRecord

_SYSTEM: Final = Actor.system("pick-up")
_TRIES: Final = 5


async def pick_up(hub: Hub, referral: str, filled: Literal["yes", "no"], *, by: str) -> None:
    """Record whether the prescription was filled, and have the clock computed anew at once.

    Args:
        hub: the hub.
        referral: id of the source ServiceRequest.
        filled: what the hospital says.
        by: who says it.

    Raises:
        NotFound: there is no such referral.
        Unprocessable: its visit has no prescription to take home that waits for an answer.
        Unavailable: the visit keeps changing.
    """
    visit = await hub.store.intake(_SYSTEM).visit_of(referral)
    answer = uuid7()
    for _ in range(_TRIES):
        file = await _file(hub, visit)
        if file is None or visit is None:
            raise NotFound("No referral has this id.")
        record = file.content.record
        if not _prescribed(record):
            raise Unprocessable("No prescription to take home is known of it: there is nothing to pick up.")
        said = PickUp(filled=filled, at=hub.clock.now(), by=by)
        file.content.record = changed(record, {"pick_up": said})
        # Should this process end before it has looked again, whoever runs due jobs does.
        job = Job(f"{DUE}:{answer}", DUE, visit, hub.clock.now_us())
        changes = Changes(scope=frozenset({visit}), visits=(file.change((), ()),), jobs=(job,))
        try:
            await hub.store.commit(changes)
        except Conflict:
            continue
        await look(hub, visit, cause=f"answer:{answer}")
        log.info("coverage.pick-up", outcome=filled)
        return
    raise Unavailable("The visit keeps changing; try again.")


def _prescribed(record: VisitRecord) -> bool:
    orders = any(order.discharge and not order.withdrawn for order in record.orders.values())
    return orders or any(one.kind == "prescribed" and not one.withdrawn for one in record.supplies.values())


async def _file(hub: Hub, visit: str | None) -> VisitFile | None:
    stored = await hub.store.intake(_SYSTEM).visit(visit) if visit else None
    return VisitFile.opened(hub.keys, "", stored) if stored else None
