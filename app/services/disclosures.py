"""Who was shown what: first disclosures before the bytes leave, everything else in a batched log.

42 CFR 2.25 and 45 CFR 164.528 ask for an accounting; a row per response with the ids gives it.
"""

from collections import Counter
from collections.abc import Sequence
from typing import cast

from app.core import log
from app.core.actor import Actor
from app.core.errors import Conflict, Unavailable
from app.core.ids import uuid7
from app.core.periodic import Periodic
from app.store.changes import Changes, Disclosure, Level
from app.store.database import Gone
from app.store.queries import Fresh, Row, fresh_of
from app.store.store import Store

_SECONDS = 1.0


class Disclosures(Periodic):
    """Records what leaves."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._accesses: Counter[tuple[str, str, str]] = Counter()
        super().__init__(_SECONDS)

    async def record(self, actor: Actor, rows: Sequence[Row], interaction: str) -> None:
        """Make the first disclosure of each of ``rows`` durable; only then may their bytes leave."""
        await self.record_fresh(actor, fresh_of(rows), interaction)

    async def record_fresh(self, actor: Actor, fresh: Sequence[Fresh], interaction: str) -> None:
        """The same for versions that are known not to have been given yet."""
        if actor.organization is None or not fresh:
            self.access(actor, interaction)
            return
        first = tuple((one.id, one.version, cast("Level", one.level), one.decision) for one in fresh)
        entry = Disclosure(uuid7(), actor.organization, actor.client, actor.purpose, first)
        try:
            await self._store.commit(Changes(disclosures=(entry,)))
        except Conflict as error:
            raise Unavailable("The disclosure could not be recorded, so nothing is shown; try again.") from error

    def access(self, actor: Actor, interaction: str) -> None:
        """Count a repeat, an empty page or a 304; written within a second."""
        self._accesses[actor.organization or "", actor.client, interaction] += 1

    async def flush(self) -> None:
        """Write the counts gathered so far."""
        taken, self._accesses = self._accesses, Counter()
        if not taken:
            return
        try:
            await self._store.accounts.log_accesses([(*key, count) for key, count in taken.items()])
        except Gone:
            self._accesses.update(taken)
            log.warning("access-log.not-written", rows=len(taken))
