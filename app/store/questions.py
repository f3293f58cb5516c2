"""What partners have not said, and how often it would have mattered lately. Nothing here tells of a person."""

from app.core.actor import Actor
from app.store.database import Database


class Questions:
    """Reads what is open; for the hub itself only."""

    def __init__(self, actor: Actor, database: Database) -> None:
        if not actor.is_system:
            raise PermissionError("questions to partners are read by the hub itself only")
        self.actor = actor
        self._database = database

    async def counts(self, organization: str) -> dict[str, int]:
        """Facet to the number of referrals for which it would have mattered."""
        rows = await self._database.fetch(
            "select facet, count(*) from question where organization = $1 group by facet", organization
        )
        return {row[0]: row[1] for row in rows}

    async def forget(self, before: int) -> None:
        """Drop what is older."""
        await self._database.execute("delete from question where at < $1", before)
