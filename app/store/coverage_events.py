"""What the coverage clock has shown, read by the hub itself."""

from typing import NamedTuple

from app.core.actor import Actor
from app.store.database import Database


class StoredEvent(NamedTuple):
    """One event as it is stored; see ``changes.CoverageEvent``."""

    id: str
    visit: str
    at: int
    cause: str
    why: str
    digest: str
    inputs: bytes
    outputs: str


class CoverageEvents:
    """Reads the history of clocks; for the hub itself only."""

    def __init__(self, actor: Actor, database: Database) -> None:
        if not actor.is_system:
            raise PermissionError("the history of coverage clocks is read by the hub itself")
        self._database = database

    async def of(self, referral: str) -> list[StoredEvent]:
        """The events of one referral (id of its source ServiceRequest), oldest first."""
        rows = await self._database.fetch(
            "select id, visit, at, cause, why, digest, inputs, outputs from coverage_event "
            "where referral = $1 order by at, id",
            referral,
        )
        return [StoredEvent(*row) for row in rows]
