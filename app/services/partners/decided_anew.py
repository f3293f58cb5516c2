"""What an organisation is, or two have agreed, has changed: every referral that it bears on is decided anew at once.

Nothing waits for the next message or the next deadline, since meanwhile somebody could read on what is not theirs to
read any more. What is over is looked at too: its packet may still be in sight.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from app.core.actor import Actor
from app.services.due_looks import follow_job
from app.services.hub import NOTICED, Hub
from app.services.writing import Resource, decoded
from app.store.changes import Changes
from app.store.queries import OLDEST_FIRST, Beyond, ColumnIn, ColumnMissing, Condition, Query

_SYSTEM: Final = Actor.system("decided-anew")
_SLICE: Final = 500


async def of_pair(hub: Hub, partner: str, hospital: str | None = None) -> None:
    """Every referral that a partner was asked for by a hospital, or by any."""
    asked = (ColumnIn("owner", (f"Organization/{partner}",)), ColumnMissing("part_of", missing=False))
    async for children in _tasks(hub, asked):
        sources = sorted({one["partOf"][0]["reference"].rpartition("/")[2] for one in children})
        held = [decoded(row) for row in await hub.store.reader(_SYSTEM).by_ids(sources)]
        await _look(hub, partner, [one for one in held if hospital is None or _is_by(one, hospital)])


async def of_hospital(hub: Hub, hospital: str) -> None:
    """Every referral of a hospital."""
    made = (ColumnIn("requester", (f"Organization/{hospital}",)), ColumnMissing("part_of", missing=True))
    async for sources in _tasks(hub, made):
        await _look(hub, hospital, sources)


def _is_by(source: Resource, hospital: str) -> bool:
    return bool(source["requester"]["reference"] == f"Organization/{hospital}")


async def _tasks(hub: Hub, conditions: tuple[Condition, ...]) -> AsyncIterator[list[Resource]]:
    """Tasks that meet ``conditions``, in slices."""
    reader, further = hub.store.reader(_SYSTEM), conditions
    while rows := await reader.search(Query("Task", further, limit=_SLICE)):
        yield [decoded(row) for row in rows]
        further = (*conditions, Beyond(OLDEST_FIRST, (rows[-1].last_updated,)))


async def _look(hub: Hub, cause: str, sources: Sequence[Resource]) -> None:
    now = hub.clock.now_us()
    requests = sorted({one["focus"]["reference"].rpartition("/")[2] for one in sources})
    jobs = tuple(follow_job(request, f"{cause}:{request}:{now}", now + NOTICED) for request in requests)
    if jobs:
        await hub.store.commit(Changes(jobs=jobs))
