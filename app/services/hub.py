"""What every use case holds: the store, the keys, the clock and who takes part."""

from dataclasses import dataclass, field, replace
from typing import Final

from app.core.clock import Clock, monotonic
from app.core.crypto import Keys
from app.core.errors import Unavailable
from app.core.settings import Settings
from app.core.turns import Turns
from app.store.accounts import Directory
from app.store.database import Gone
from app.store.store import Store

_SECONDS = 1.0
NOTICED: Final = 2_000_000
"""Microseconds: longer than any process takes to notice that somebody was registered anew."""


class Registry:
    """The directory of senders, partners and agreements, never more than a second old.

    It is read whole when a sender, partner or agreement has changed; in between only two numbers are asked for.
    """

    def __init__(self, store: Store, *, agreements_required: bool = False) -> None:
        self._store = store
        self._agreements_required = agreements_required
        self._checked = float("-inf")
        self._stamp: tuple[int, int, int] | None = None
        self._directory: Directory | None = None

    async def current(self) -> Directory:
        """The directory as it is now."""
        if self._directory is None or monotonic() - self._checked > _SECONDS:
            try:
                stamp = await self._store.accounts.registrations_stamp()
                if self._directory is None or stamp != self._stamp:
                    self._directory = replace(
                        await self._store.accounts.directory(),
                        agreements=await self._store.agreements.on_file(),
                        agreed=await self._store.working_agreements.all(),
                        agreements_required=self._agreements_required,
                    )
                    self._stamp = stamp
            except Gone as error:
                raise Unavailable("The database can't be reached; try again.") from error
            self._checked = monotonic()
        return self._directory

    def forget(self) -> None:
        """Read everything again at the next question."""
        self._directory = None


@dataclass(frozen=True, slots=True)
class Hub:
    """One running hub."""

    settings: Settings
    store: Store
    keys: Keys
    clock: Clock
    registry: Registry
    turns: Turns = field(default_factory=Turns)
    """Of changes that are planned before they are written; by source Task."""
