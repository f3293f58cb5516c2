"""Watches for lanes that have something to be sent, and serves each in a task of its own.

What is sent in a lane leaves in order; lanes wait for nobody but their own receivers. A look each second finds what was
not heard: attempts that fall due again, writes of the command line, a connection that was lost.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from app.core import log
from app.core.clock import monotonic
from app.core.errors import Unavailable
from app.store.database import Doubt, Gone
from app.store.postgres import PostgresDatabase

_LOOK_SECONDS: Final = 1.0
_GRACE_SECONDS: Final = 3.0
"""How long lanes may go on after the end was asked for."""


class Serving(Protocol):
    """What serves lanes."""

    async def due(self) -> Sequence[str]:
        """Lanes that have something to be sent now and that no other process serves."""

    async def serve(self, lane: str) -> None:
        """Send what is to be sent now; at once over where another process does."""

    async def release(self, lane: str) -> None:
        """The lane is free again: it was broken off."""

    async def postpone(self, lane: str) -> None:
        """After a fault of the hub itself: try again a little later."""

    async def sweep(self) -> None:
        """Drop what is no longer needed."""


@dataclass(frozen=True, slots=True)
class Ear:
    """Where PostgreSQL tells which lane has something to be sent."""

    database: PostgresDatabase
    channel: str


class LaneWatch:
    """Serves the lanes that no other process serves.

    Args:
        name: the kind of lane in its log lines.
        serving: what serves a lane.
        at_once: lanes that are served at a time; most of a lane's time is waiting for its receiver.
        sweep_seconds: how often what is no longer needed is dropped.
        ear: where it is told of lanes; without it, a look each second finds them.
    """

    def __init__(
        self, name: str, serving: Serving, *, at_once: int, sweep_seconds: float, ear: Ear | None = None
    ) -> None:
        self._name = name
        self._serving = serving
        self._slots = asyncio.Semaphore(at_once)
        self._sweep_seconds = sweep_seconds
        self._ear = ear
        self._running: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._look = asyncio.Event()
        self._deaf = True
        self._swept = float("-inf")

    def look(self) -> None:
        """Look for lanes now."""
        self._look.set()

    async def run(self, stop: asyncio.Event, close: Callable[[], Awaitable[None]]) -> None:
        """Serve until ``stop`` is set, then ``close`` what the lanes used."""
        ended = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                self._look.clear()
                await self._round()
                await self._pause(ended)
        finally:
            ended.cancel()
            await self._end()
            await close()

    async def _round(self) -> None:
        try:
            if self._ear is not None and self._deaf:
                await self._ear.database.listen(self._ear.channel, self.wake, self._lost)
                self._deaf = False
            for lane in await self._serving.due():
                self.wake(lane)
            if monotonic() - self._swept > self._sweep_seconds:
                await self._serving.sweep()
                self._swept = monotonic()
        except (Gone, Doubt, Unavailable) as error:
            log.warning("lanes.database-away", kind=self._name, error=type(error).__name__)
        except Exception as error:  # noqa: BLE001 - a fault in one round must not end the rest of the worker
            log.error("lanes.round-failed", error, kind=self._name)

    def _lost(self) -> None:
        self._deaf = True

    def wake(self, lane: str) -> None:
        """Look at one lane; once more, where it is being served."""
        if lane in self._running:
            self._again.add(lane)
            return
        task = self._running[lane] = asyncio.create_task(self._serve(lane))
        task.add_done_callback(lambda _: self._served(lane))

    def _served(self, lane: str) -> None:
        del self._running[lane]
        if lane in self._again:
            self._again.discard(lane)
            self.wake(lane)

    async def _serve(self, lane: str) -> None:
        try:
            async with self._slots:
                await self._serving.serve(lane)
        except asyncio.CancelledError:
            await self._serving.release(lane)
            raise
        except (Gone, Doubt, Unavailable) as error:
            log.warning("lanes.database-away", kind=self._name, error=type(error).__name__)
        except Exception as error:  # noqa: BLE001 - one lane may be at fault; the others must not suffer
            log.error("lanes.failed", error, kind=self._name)
            await self._serving.postpone(lane)

    async def _pause(self, ended: asyncio.Task[bool]) -> None:
        looking = asyncio.create_task(self._look.wait())
        await asyncio.wait((looking, ended), timeout=_LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        looking.cancel()

    async def _end(self) -> None:
        if self._ear is not None:
            self._ear.database.unlisten(self._ear.channel)
        self._again.clear()
        running = [*self._running.values()]
        if running:
            _, late = await asyncio.wait(running, timeout=_GRACE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
