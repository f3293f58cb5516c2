"""Watches for subscribers that have something to be told, each in a lane of its own.

PostgreSQL tells of it in the commit; on SQLite, the one process that serves tells itself. A look each second finds
what was not heard: retries that fall due, heartbeats, writes of the command line, a connection that was lost.
"""

import asyncio
from typing import Final

from app import channels
from app.core import log
from app.core.clock import monotonic
from app.core.errors import Unavailable
from app.core.ids import uuid7
from app.services.disclosures import Disclosures
from app.services.hub import Hub
from app.services.subscription_lanes import Delivery
from app.services.subscriptions import outside_of
from app.store.database import Doubt, Gone
from app.store.postgres import PostgresDatabase
from app.store.sqlite import SqliteDatabase
from app.store.subscriptions import CHANNEL, Lanes

_LOOK_SECONDS: Final = 1.0
_SWEEP_SECONDS: Final = 3600.0
_AT_ONCE: Final = 256
"""Lanes that are served at a time; most of a lane's time is waiting for its receiver."""
_GRACE_SECONDS: Final = 3.0
"""How long lanes may go on after the end was asked for."""


class Notifier:
    """Serves the lanes of all subscribers that no other process serves."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._disclosures = Disclosures(hub.store)
        outside = outside_of(hub.settings)
        offered = {name: kind for name, kind in channels.ALL.items() if kind.subscribed and kind.offered(outside)}
        self._channels = {name: kind.open(outside) for name, kind in offered.items()}
        self._lanes = Lanes(hub.store.database, uuid7())
        self._delivery = Delivery(hub, self._disclosures, self._lanes, self._channels)
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._look = asyncio.Event()
        self._deaf = True
        self._swept = float("-inf")

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until ``stop`` is set."""
        database = self._hub.store.database
        self._disclosures.start()
        if isinstance(database, SqliteDatabase):
            database.when_subscribers_wait(self._look.set)
        ended = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                self._look.clear()
                await self._round(database if isinstance(database, PostgresDatabase) else None)
                await self._pause(ended)
        finally:
            ended.cancel()
            await self._end()

    async def _round(self, telling: PostgresDatabase | None) -> None:
        try:
            if telling is not None and self._deaf:
                await telling.listen(CHANNEL, self.wake, self._lost)
                self._deaf = False
            for subscription in await self._lanes.due(self._hub.clock.now_us()):
                self.wake(subscription)
            if monotonic() - self._swept > _SWEEP_SECONDS:
                await self._lanes.sweep()
                self._swept = monotonic()
        except (Gone, Doubt) as error:
            log.warning("notify.database-away", error=type(error).__name__)
        except Exception as error:  # noqa: BLE001 - a fault in one round must not end the rest of the worker
            log.error("notify.round-failed", error)

    def _lost(self) -> None:
        self._deaf = True

    def wake(self, subscription: str) -> None:
        """Look at one lane; once more, where it is being served."""
        if subscription in self._running:
            self._again.add(subscription)
            return
        task = self._running[subscription] = asyncio.create_task(self._serve(subscription))
        task.add_done_callback(lambda _: self._served(subscription))

    def _served(self, subscription: str) -> None:
        del self._running[subscription]
        if subscription in self._again:
            self._again.discard(subscription)
            self.wake(subscription)

    async def _serve(self, subscription: str) -> None:
        try:
            async with self._slots:
                await self._delivery.serve(subscription)
        except asyncio.CancelledError:
            await self._lanes.release(subscription)
            raise
        except (Gone, Doubt, Unavailable) as error:
            log.warning("notify.database-away", error=type(error).__name__)
        except Exception as error:  # noqa: BLE001 - one lane may be at fault; the others must not suffer
            log.error("notify.failed", error)
            await self._delivery.postpone(subscription)

    async def _pause(self, ended: asyncio.Task[bool]) -> None:
        looking = asyncio.create_task(self._look.wait())
        await asyncio.wait((looking, ended), timeout=_LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        looking.cancel()

    async def _end(self) -> None:
        if isinstance(self._hub.store.database, PostgresDatabase):
            self._hub.store.database.unlisten(CHANNEL)
        self._again.clear()
        running = [*self._running.values()]
        if running:
            _, late = await asyncio.wait(running, timeout=_GRACE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        for channel in self._channels.values():
            await channel.close()
        await self._disclosures.stop()


async def run(hub: Hub, stop: asyncio.Event) -> None:
    """Deliver notifications until ``stop`` is set."""
    await Notifier(hub).run(stop)
