"""Whether the hospital may be told now what a partner reports."""

from collections.abc import Sequence
from typing import Any, Final

from app.core.actor import Actor
from app.services.hub import Hub
from app.store.decisions import Standing

_SYSTEM: Final = Actor.system("way-back")


async def way_back(hub: Hub, child: dict[str, Any]) -> Standing | None:
    """The decision that lets the hospital be told what the owner of a child Task reports; None where none does.

    A Part 2 program's word needs one; of anybody else, nothing but a decision against it keeps it back.
    """
    return (await ways_back(hub, [child])).get(child["id"])


async def ways_back(hub: Hub, children: Sequence[dict[str, Any]]) -> dict[str, Standing]:
    """The same of several child Tasks, by id; those of which the hospital may be told nothing are not there."""
    decided = await hub.store.decisions(_SYSTEM).way_back([child["id"] for child in children])
    partners = (await hub.registry.current()).partners
    found = {one: standing for one, standing in decided.items() if standing.permits(hub.clock.now_us())}
    for child in children:
        partner = partners.get(child["owner"]["reference"].rpartition("/")[2])
        if child["id"] not in decided and partner is not None and not partner.part2_program:
            found[child["id"]] = Standing("", "packet", None, None)
    return found
