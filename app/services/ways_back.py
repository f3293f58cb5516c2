"""Whether the hospital may be told now what a partner reports."""

from typing import Any, Final

from app.core.actor import Actor
from app.services.hub import Hub
from app.store.decisions import Standing

_SYSTEM: Final = Actor.system("way-back")


async def way_back(hub: Hub, child: dict[str, Any]) -> Standing | None:
    """The decision that lets the hospital be told what the owner of a child Task reports; None where none does.

    A Part 2 program's word needs one; of anybody else, nothing but a decision against it keeps it back.
    """
    found = (await hub.store.decisions(_SYSTEM).way_back([child["id"]])).get(child["id"])
    if found is not None:
        return found if found.permits(hub.clock.now_us()) else None
    partner = (await hub.registry.current()).partners.get(child["owner"]["reference"].rpartition("/")[2])
    return None if partner is None or partner.part2_program else Standing("", "packet", None, None)
