"""Reads by id that arrive in the same moment, asked together: one round trip for many callers.

Each keeps its own actor. The organisation travels with the id, every row is joined with the visibility of
the organisation that asked for it, and the position of a question is the position of its answer.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from app.core.actor import Actor
from app.core.batch import Batcher
from app.store import fence
from app.store.queries import Row, row_of
from app.store.statements import array
from app.store.store import Store
from app.store.writes import joined

_SIZE: Final = 64
_RUNNERS: Final = 2
"""Questions under way at once, so that a slow one does not hold up everybody."""
_TOGETHER: Final = f"""
select u.n, q.*
from unnest({array("text", 1)}, {array("text", 2)}, {array("text", 3)})
    with ordinality as u(organization, type, id, n)
cross join lateral {fence.setting("u.organization")} f
cross join lateral (
    select r.id, r.type, r.version, r.last_updated, b.content, v.level, v.disclosed, v.until,
        v.decision, v.notice
    from visibility v
    join resource r on r.id = v.id and r.type = u.type
    join body b on b.id = r.id and b.version = r.version and b.rendition = v.level
    where v.organization = f.organization and v.id = u.id and (v.until is null or v.until > $4) offset 0
) q
"""
"""Each question is answered before the next one makes its own setting, so the second fence holds for each alone."""


class _Asked(NamedTuple):
    organization: str
    type: str
    id: str


class ReadsTogether:
    """Reads current versions by id, each as its own actor may see it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._batcher: Batcher[_Asked, Row | None] = Batcher(self._answers, size=_SIZE, runners=_RUNNERS)

    async def read(self, actor: Actor, resource_type: str, resource_id: str) -> Row | None:
        """The same as ``Reader.read``. The hub itself, which no row names, and SQLite are asked one by one."""
        if actor.organization is None or self._store.database.name != "postgresql":
            return await self._store.reader(actor).read(resource_type, resource_id)
        return await self._batcher.submit(_Asked(actor.organization, resource_type, resource_id))

    async def _answers(self, asked: Sequence[_Asked]) -> Sequence[Row | None]:
        organizations, types, ids = zip(*asked, strict=True)
        now = self._store.clock.now_us()
        records = await self._store.database.fetch_fenced(
            _TOGETHER, joined(organizations), joined(types), joined(ids), now
        )
        found: list[Row | None] = [None] * len(asked)
        for position, *row in records:
            found[position - 1] = row_of(row)
        return found
