"""What changed, without asking: the database tells a connected process which organisation sees something new."""

import asyncio
from typing import Final

from app.core import log
from app.core.clock import monotonic
from app.core.ids import uuid7
from app.store.audiences import CHANNEL, change_numbers, tell
from app.store.database import Gone
from app.store.postgres import PostgresDatabase
from app.store.store import Store

_BEAT_SECONDS: Final = 0.4
_FRESH_SECONDS: Final = 1.0
_AGAIN_SECONDS: Final = 1.0
_UNANSWERED: Final = 10
"""Beats under way at which a connection counts as dead, though nothing said so."""
_BEAT: Final = "~"
"""In front of the name in a beat; no organisation's id begins so."""


class Feed:
    """The change number of each organisation, as heard from PostgreSQL, never more than a second old.

    The process sends itself a beat through the same channel. PostgreSQL delivers in the order of
    commits, so a beat that came back proves that everything committed before it was sent has been
    heard; a connection that died without a word stops being believed after a second.
    """

    def __init__(self, store: Store) -> None:
        self._database = store.database
        self._numbers: dict[str, int] = {}
        self._lost = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._name = _BEAT + uuid7()
        self._sent: dict[str, float] = {}
        self._known_as_of = float("-inf")
        self._doubted: dict[str, float] = {}

    def changed(self, organization: str) -> int | None:
        """The change number of ``organization`` (as ``Page.changed`` and ``Reader.last_change`` give it).

        None while it is not known here: on SQLite, without a living connection to the channel, and in doubt.
        """
        if self._lost.is_set() or monotonic() - self._known_as_of > _FRESH_SECONDS:
            return None
        if organization in self._doubted:
            if self._known_as_of <= self._doubted[organization]:
                return None
            del self._doubted[organization]
        return self._numbers.get(organization, 0)

    def doubt(self, organization: str) -> None:
        """``organization`` has just changed something here: its number is not known until that was surely heard.

        That is when a beat comes back that was sent from now on.
        """
        if self._keeper is not None:
            self._doubted[organization] = monotonic()

    async def start(self) -> None:
        """Listen, where the database can tell, and listen again whenever the connection is lost."""
        if isinstance(self._database, PostgresDatabase):
            self._keeper = asyncio.create_task(self._keep(self._database))

    async def stop(self) -> None:
        """Listen no more."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        self._forget()

    async def _keep(self, database: PostgresDatabase) -> None:
        while True:
            try:
                await self._listen(database)
            except Gone as error:
                log.warning("feed.database-away", error=type(error).__name__)
            else:
                log.warning("feed.lost")
            self._forget()
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _listen(self, database: PostgresDatabase) -> None:
        """Until the connection is lost. What is heard while the numbers are read counts too."""
        self._lost.clear()
        await database.listen(CHANNEL, self._hear, self._lost.set)
        for organization, number in (await change_numbers(database)).items():
            self._raise(organization, number)
        beat = 0
        while not self._lost.is_set() and len(self._sent) < _UNANSWERED:
            beat += 1
            self._sent[str(beat)] = monotonic()
            await tell(database, f"{self._name} {beat}")
            await asyncio.sleep(_BEAT_SECONDS)

    def _forget(self) -> None:
        self._known_as_of = float("-inf")
        self._numbers.clear()
        self._sent.clear()

    def _hear(self, payload: str) -> None:
        name, _, number = payload.partition(" ")
        if name == self._name:
            self._known_as_of = max(self._known_as_of, self._sent.pop(number, float("-inf")))
        elif number.isdigit() and not name.startswith(_BEAT):
            self._raise(name, int(number))

    def _raise(self, organization: str, number: int) -> None:
        self._numbers[organization] = max(self._numbers.get(organization, 0), number)
