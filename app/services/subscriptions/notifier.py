"""Tells subscribers, each in a lane of its own.

PostgreSQL tells of it in the commit; on SQLite, the one process that serves tells itself. The rest: ``lane_watch``.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from app.core.ids import uuid7
from app.services.disclosures import Disclosures
from app.services.hub import Hub
from app.services.lane_watch import Ear, LaneWatch
from app.services.subscriptions.subscription_lanes import Delivery
from app.services.subscriptions.subscriptions import channels_of
from app.store.postgres import PostgresDatabase
from app.store.sqlite import SqliteDatabase
from app.store.subscriptions import CHANNEL, Lanes

_SWEEP_SECONDS: Final = 3600.0
_AT_ONCE: Final = 256


class Notifier:
    """Serves the lanes of all subscribers that no other process serves."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._disclosures = Disclosures(hub.store)
        self._channels = channels_of(hub.settings)
        self._lanes = Lanes(hub.store.database, uuid7())
        self._delivery = Delivery(hub, self._disclosures, self._lanes, self._channels)
        database = hub.store.database
        ear = Ear(database, CHANNEL) if isinstance(database, PostgresDatabase) else None
        self._watch = LaneWatch("notify", self, at_once=_AT_ONCE, sweep_seconds=_SWEEP_SECONDS, ear=ear)

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until ``stop`` is set."""
        database = self._hub.store.database
        self._disclosures.start()
        if isinstance(database, SqliteDatabase):
            database.when_subscribers_wait(self._watch.look)
        await self._watch.run(stop, self._close)

    async def due(self) -> Sequence[str]:
        """Subscriptions that have something to be told now."""
        return await self._lanes.due(self._hub.clock.now_us())

    async def serve(self, lane: str) -> None:
        """Tell one of them."""
        await self._delivery.serve(lane)

    async def release(self, lane: str) -> None:
        """The lane was broken off."""
        await self._lanes.release(lane)

    async def postpone(self, lane: str) -> None:
        """The hub itself was at fault."""
        await self._delivery.postpone(lane)

    async def sweep(self) -> None:
        """Drop what belongs to Subscriptions that are no more."""
        await self._lanes.sweep()

    async def _close(self) -> None:
        for channel in self._channels.values():
            await channel.close()
        await self._disclosures.stop()


async def run(hub: Hub, stop: asyncio.Event) -> None:
    """Deliver notifications until ``stop`` is set."""
    await Notifier(hub).run(stop)
