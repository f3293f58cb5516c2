"""Who wrote which resource, and what a conditional create made."""

from collections.abc import Iterable

from app.core.actor import Actor
from app.store import fence
from app.store.database import Database


class Authorship:
    """Reads authors and claims as ``actor`` may know them."""

    def __init__(self, actor: Actor, database: Database) -> None:
        self._actor = actor
        self._database = database

    async def own(self, ids: Iterable[str]) -> frozenset[str]:
        """Those of ``ids`` that the actor's organisation wrote."""
        asked = sorted(set(ids))
        if not asked or self._actor.organization is None:
            return frozenset()
        test = self._database.any_of("id", "$2")
        rows = await fence.read(
            self._database,
            self._actor,
            f"select id from author where organization = $1 and {test}",
            self._actor.organization,
            self._database.array(asked),
        )
        return frozenset(row[0] for row in rows)

    async def authors(self, ids: Iterable[str]) -> dict[str, str]:
        """Resource id to the organisation that wrote it, where one did. For the hub itself only."""
        asked = sorted(set(ids))
        if not asked or not self._actor.is_system:
            return {}
        rows = await fence.read(
            self._database,
            self._actor,
            f"select id, organization from author where {self._database.any_of('id', '$1')}",
            self._database.array(asked),
        )
        return {row[0]: row[1] for row in rows}

    async def claimed(self, key: str) -> str | None:
        """The resource that the claim ``key`` stands for now."""
        rows = await fence.read(self._database, self._actor, "select id from claim where key = $1", key)
        return rows[0][0] if rows else None
