"""What partners were asked of whether people are in care, and what they said. Rows are added, never changed."""

from collections.abc import Sequence
from typing import NamedTuple

from app.core import json
from app.core.actor import Actor
from app.store.changes import RetentionAnswer
from app.store.database import Database


class ShownList(NamedTuple):
    """One weekly list as it was shown: what an answer to it is an answer to."""

    id: str
    organization: str
    week: str
    """Day of the list, ISO."""
    entries: tuple[tuple[str, str], ...]
    """(id of the partner's Task, what is asked)."""
    at: int


class Retention:
    """Reads answers, keeps and reads lists; for the hub itself only."""

    def __init__(self, actor: Actor, database: Database) -> None:
        if not actor.is_system:
            raise PermissionError("what partners say of people in care is read by the hub itself only")
        self.actor = actor
        self._database = database

    async def said(self, tasks: Sequence[str]) -> list[RetentionAnswer]:
        """All that was said of these Tasks, oldest first."""
        if not tasks:
            return []
        rows = await self._database.fetch(
            "select id, task, organization, point, answer, day, attested_by, at, list, week from retention_answer "
            f"where {self._database.any_of('task', '$1')} order by at, id",
            self._database.array(tasks),
        )
        return [RetentionAnswer(*row) for row in rows]

    async def keep(self, shown: ShownList) -> None:
        """Keep a list; the same again changes nothing."""
        await self._database.execute(
            "insert into retention_list (id, organization, week, entries, at) values ($1, $2, $3, $4, $5) "
            "on conflict (id) do nothing",
            shown.id,
            shown.organization,
            shown.week,
            json.dumps([list(one) for one in shown.entries]).decode(),
            shown.at,
        )

    async def shown(self, list_id: str, organization: str) -> ShownList | None:
        """A list of this organisation; None where it was shown none of this id."""
        rows = await self._database.fetch(
            "select id, organization, week, entries, at from retention_list where id = $1 and organization = $2",
            list_id,
            organization,
        )
        if not rows:
            return None
        found, owner, week, entries, at = rows[0]
        return ShownList(found, owner, week, tuple((task, point) for task, point in json.loads(entries.encode())), at)
