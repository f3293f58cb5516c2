"""Who was shown what: first disclosures before the bytes leave, everything else in a batched log.

42 CFR 2.25 and 45 CFR 164.528 ask for an accounting; a row per response with the ids gives it. A repeat is no new
disclosure, but it is a look: it is counted by reader and by what was shown, and written within a second.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple, cast

from app.core import log
from app.core.actor import Actor
from app.core.errors import Conflict, Unavailable
from app.core.ids import uuid7
from app.core.periodic import Periodic
from app.store import accesses
from app.store.accesses import AccessPage, AccessRow
from app.store.changes import Changes, Disclosure, Level
from app.store.database import Doubt, Gone, VersionMiss
from app.store.queries import Fresh, Row, fresh_of
from app.store.store import Store

_SECONDS = 1.0
_PAGES: Final = 10_000
"""How many pages a process remembers to have written; one that it forgot is written again, without effect."""


class _Look(NamedTuple):
    """What is counted together."""

    organization: str
    client: str
    user: str | None
    interaction: str
    resource: str | None
    page: str | None


class _Unwritten(NamedTuple):
    rows: list[AccessRow]
    pages: list[AccessPage]


class Disclosures(Periodic):
    """Records what leaves."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._looks: Counter[_Look] = Counter()
        self._pages: dict[str, AccessPage] = {}
        self._kept_pages: set[str] = set()
        self._unwritten: _Unwritten | None = None
        super().__init__(_SECONDS)

    async def record(self, actor: Actor, rows: Sequence[Row], interaction: str) -> None:
        """Make the first disclosure of each of ``rows`` durable; only then may their bytes leave."""
        if not await self.record_first(actor, fresh_of(rows)):
            self.access(actor, interaction, [row.id for row in rows])

    async def record_first(self, actor: Actor, fresh: Sequence[Fresh]) -> bool:
        """Make the disclosure of versions that have not been given yet durable; False where there is none.

        Raises Unavailable where it can't be recorded: then nothing may leave.
        """
        if actor.organization is None or not fresh:
            return False
        first = tuple((one.id, one.version, cast("Level", one.level), one.decision) for one in fresh)
        entry = Disclosure(uuid7(), actor.organization, actor.client, actor.purpose, first, actor.user)
        try:
            await self._store.commit(Changes(disclosures=(entry,)))
        except Conflict as error:
            raise Unavailable("The disclosure could not be recorded, so nothing is shown; try again.") from error
        return True

    def access(
        self, actor: Actor, interaction: str, shown: Sequence[str] | None = None, page: str | None = None
    ) -> None:
        """Count a look; written within a second.

        Args:
            actor: who looks.
            interaction: FHIR's word for it, or the hub's.
            shown: ids of what is shown; None: nothing, or what was told to be on ``page`` before.
            page: a name for all of it that is only ever given to the same ids; one is made where it is needed.
        """
        organization = actor.organization or ""
        resource = None
        if page is None and shown:
            if len(shown) == 1:
                resource = shown[0]
            else:
                page = _name(organization, shown)
        self._looks[_Look(organization, actor.client, actor.user, interaction, resource, page)] += 1
        if page is None or shown is None or page in self._kept_pages or page in self._pages:
            return
        self._pages[page] = AccessPage(page, organization, self._store.clock.now_us(), " ".join(shown))

    async def flush(self) -> None:
        """Write what was counted so far; what can't be written now is tried again, under the same ids."""
        self._unwritten = self._unwritten or self._taken()
        rows, pages = self._unwritten
        if not rows:
            self._unwritten = None
            return
        try:
            await accesses.write(self._store.database, rows, pages)
        except (Gone, Doubt):
            log.warning("access-log.not-written", rows=len(rows))
            return
        except VersionMiss:
            log.info("access-log.written-before", rows=len(rows))
        self._unwritten = None
        if len(self._kept_pages) > _PAGES:
            self._kept_pages.clear()
        self._kept_pages.update(page.id for page in pages)

    @property
    def waits(self) -> bool:
        """Whether something that was counted could not be written yet."""
        return self._unwritten is not None

    def _taken(self) -> _Unwritten:
        looks, self._looks = self._looks, Counter()
        pages, self._pages = self._pages, {}
        now = self._store.clock.now_us()
        rows = [AccessRow(uuid7(), now, *look[:4], count, *look[4:]) for look, count in looks.items()]
        return _Unwritten(rows, list(pages.values()))


async def note(store: Store, actor: Actor, interaction: str, shown: Sequence[str]) -> None:
    """Record one look of those who run the hub, before they see anything. Raises Unavailable."""
    one = Disclosures(store)
    one.access(actor, interaction, shown)
    await one.flush()
    if one.waits:
        raise Unavailable("The look could not be recorded, so nothing is shown; try again.")


def _name(organization: str, shown: Sequence[str]) -> str:
    return hashlib.sha256(" ".join((organization, *shown)).encode()).hexdigest()[:32]
