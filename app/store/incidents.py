"""Incidents for the privacy officer: what was written, and what was said of it."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from app.core.actor import Actor
from app.store.database import Database

_COLUMNS: Final = "id, kind, at, organization, decision, content, reviewed_at, reviewed_by, outcome"


class StoredIncident(NamedTuple):
    """One incident; ``content`` and ``outcome`` are sealed."""

    id: str
    kind: str
    at: int
    organization: str | None
    decision: str | None
    content: bytes
    reviewed_at: int | None
    reviewed_by: str | None
    outcome: bytes | None


class Incidents:
    """Reads and reviews incidents; for the hub itself only."""

    def __init__(self, actor: Actor, database: Database) -> None:
        if not actor.is_system:
            raise PermissionError("incidents are read by the hub itself only")
        self.actor = actor
        self._database = database

    async def all(self, *, still_open: bool) -> Sequence[StoredIncident]:
        """Incidents, oldest first; ``still_open``: only those that nobody has reviewed."""
        condition = "reviewed_at is null" if still_open else "true"
        rows = await self._database.fetch(f"select {_COLUMNS} from incident where {condition} order by at, id")
        return [StoredIncident(*row) for row in rows]

    async def one(self, incident_id: str) -> StoredIncident | None:
        """One incident."""
        rows = await self._database.fetch(f"select {_COLUMNS} from incident where id = $1", incident_id)
        return StoredIncident(*rows[0]) if rows else None

    async def review(self, incident_id: str, *, at: int, by: str, outcome: bytes) -> bool:
        """Keep what was found; False where somebody reviewed it before."""
        touched = await self._database.execute(
            "update incident set reviewed_at = $2, reviewed_by = $3, outcome = $4 "
            "where id = $1 and reviewed_at is null",
            incident_id,
            at,
            by,
            outcome,
        )
        return touched == 1
