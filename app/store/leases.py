"""Rows that one process at a time works on: leased, so that when their holder dies another goes on.

A table of such rows has the columns ``holder``, ``leased_until``, ``attempts``, ``failing_since`` and ``due_at``.
"""

from typing import Any

from app.store.database import Database


class Leases:
    """Leases of the rows of one table to ``holder``; a row is named by the values of ``key``. Times in microseconds."""

    def __init__(self, database: Database, table: str, key: tuple[str, ...], holder: str) -> None:
        self._database = database
        self._table = table
        self._mine = " and ".join(f"{name} = ${place}" for place, name in enumerate(("holder", *key), 1))
        self._named = " and ".join(f"{name} = ${place}" for place, name in enumerate(key, 2))
        self._next = len(key) + 2
        self.holder = holder

    async def claim(self, *key: Any, now: int, lease: int) -> bool:
        """Whether the row is held for ``lease`` from ``now``; not where another holds it, or where there is none."""
        last = self._next
        held = await self._database.execute(
            f"update {self._table} set holder = $1, leased_until = ${last + 1} "
            f"where {self._named} and (leased_until <= ${last} or holder = $1)",
            self.holder,
            *key,
            now,
            now + lease,
        )
        return held > 0

    async def failed(self, *key: Any, now: int, due_at: int) -> None:
        """An attempt failed; the next one is due at ``due_at``, and the row is free."""
        await self._set(
            f"attempts = attempts + 1, failing_since = coalesce(failing_since, ${self._next}), "
            f"due_at = ${self._next + 1}, leased_until = 0",
            key,
            (now, due_at),
        )

    async def release(self, *key: Any) -> None:
        """The row is free; nothing else has changed."""
        await self._set("leased_until = 0", key, ())

    async def done(self, *key: Any, **values: Any) -> bool:
        """The work is done: ``values`` are written, and the row is free; False where it is no longer held."""
        names = ", ".join(f"{name} = ${place}" for place, name in enumerate(values, self._next))
        return await self._set(
            f"{names}, attempts = 0, failing_since = null, due_at = 0, leased_until = 0", key, (*values.values(),)
        )

    async def _set(self, what: str, key: tuple[Any, ...], values: tuple[Any, ...]) -> bool:
        text = f"update {self._table} set {what} where {self._mine}"
        return await self._database.execute(text, self.holder, *key, *values) > 0
