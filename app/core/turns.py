"""Turns within one process, for work that is decided before it is written.

Of many that change the same thing at the same moment all but one would be decided in vain and then be done again. Who
finds that somebody else is at it waits until that is written. Correctness never hangs on it: other processes know
nothing of it, and what is written is checked in any case.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Turn:
    """What somebody holds from the first that is taken until all of it is given back."""

    def __init__(self) -> None:
        self.keys: set[str] = set()
        self._over = asyncio.Event()

    def end(self) -> None:
        """Let those that wait go on."""
        self._over.set()

    async def over(self) -> None:
        """Wait for the end."""
        await self._over.wait()


class NotYet(Exception):
    """Somebody else is at it: give back what you hold, wait for the end of ``turn`` and begin anew."""

    def __init__(self, turn: Turn) -> None:
        super().__init__("It is somebody else's turn.")
        self.turn = turn


_MINE: ContextVar[Turn | None] = ContextVar("turn", default=None)


class Turns:
    """Who is at what. Nobody waits while holding something, so that no two wait for each other."""

    def __init__(self) -> None:
        self._held: dict[str, Turn] = {}

    @contextmanager
    def kept(self) -> Iterator[None]:
        """What is taken inside is held until the end."""
        mine = Turn()
        before = _MINE.set(mine)
        try:
            yield
        finally:
            _MINE.reset(before)
            for key in mine.keys:
                del self._held[key]
            mine.end()

    def take(self, key: str) -> None:
        """Begin to work on ``key``; nothing outside of ``kept``, where nobody would give it back. Raises NotYet."""
        mine = _MINE.get()
        if mine is None:
            return
        holder = self._held.setdefault(key, mine)
        if holder is not mine:
            raise NotYet(holder)
        mine.keys.add(key)
