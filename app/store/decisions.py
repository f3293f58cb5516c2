"""Decisions of consent, read by the hub itself."""

from collections.abc import Sequence
from typing import NamedTuple

from app.core.actor import Actor
from app.store.database import Database


class Standing(NamedTuple):
    """What of a decision must be known to act on it."""

    id: str
    level: str
    notice: str | None
    until: int | None
    """Microseconds; None: it does not end by itself."""

    def permits(self, now: int) -> bool:
        """Whether it lets the packet be seen at ``now`` (microseconds)."""
        return self.level == "packet" and (self.until is None or self.until > now)


class Permitted(NamedTuple):
    """What of a decision the recipient is told."""

    basis: str | None
    redisclosure: str | None
    until: int | None
    """Microseconds; None: it does not end by itself."""


class Decisions:
    """Reads decisions; for the hub itself only."""

    def __init__(self, actor: Actor, database: Database) -> None:
        if not actor.is_system:
            raise PermissionError("decisions are read by the hub itself")
        self._database = database

    async def way_back(self, tasks: Sequence[str]) -> dict[str, Standing]:
        """The newest decision on what the hospital may see of what a partner reports, by the partner's Task."""
        rows = await self._database.fetch(
            "select task, id, level, notice, until from decision "
            f"where {self._database.any_of('task', '$1')} and direction = 'back' order by id",
            self._database.array(tasks),
        )
        return {row[0]: Standing(*row[1:]) for row in rows}

    async def permits(self, ids: Sequence[str]) -> list[Permitted]:
        """What decisions permit, oldest first."""
        if not ids:
            return []
        rows = await self._database.fetch(
            f"select basis, redisclosure, until from decision where {self._database.any_of('id', '$1')} order by id",
            self._database.array(ids),
        )
        return [Permitted(*row) for row in rows]
