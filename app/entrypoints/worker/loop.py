"""Time comes in here: due jobs, the sealing of disclosures, and what subscribers and organisations are to be told."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from app.core import log
from app.core.errors import Unavailable
from app.services.answers import answer_lanes
from app.services.hub import Hub
from app.services.jobs import DueWork
from app.services.privacy.seals import seal_due
from app.services.push import push_lanes
from app.services.senders import sender_health
from app.services.subscriptions import notifier

_JOBS_SECONDS: Final = 1.0
_SEAL_SECONDS: Final = 60.0
_WATCH_SECONDS: Final = 60.0
_LONGEST_WAIT: Final = 30.0

Step = Callable[[], Awaitable[int]]
"""Does some of what there is to do; 0 = there is nothing left now."""


async def run(hub: Hub, stop: asyncio.Event, *, concurrency: int = 1) -> None:
    """Work until ``stop`` is set; what is under way is finished first.

    An outage of the database is waited out, with growing pauses.
    """
    log.info("worker.started", count=concurrency)
    work = DueWork(hub)
    loops = [_every(_JOBS_SECONDS, work.run, stop) for _ in range(concurrency)]
    sealing = _every(_SEAL_SECONDS, partial(seal_due, hub), stop)
    watching = _every(_WATCH_SECONDS, partial(sender_health.watch, hub), stop)
    lanes = (notifier.run(hub, stop), answer_lanes.run(hub, stop), push_lanes.run(hub, stop))
    await asyncio.gather(*loops, sealing, watching, *lanes)


async def _every(seconds: float, step: Step, stop: asyncio.Event) -> None:
    pause = seconds
    while not stop.is_set():
        try:
            while await step() and not stop.is_set():
                pass
            pause = seconds
        except Unavailable:
            pause = min(pause * 2, _LONGEST_WAIT)
            log.warning("worker.database-away")
        except Exception as error:  # noqa: BLE001 - a fault in one round must not end the worker
            pause = min(pause * 2, _LONGEST_WAIT)
            log.error("worker.round-failed", error)
        await _pause(pause, stop)


async def _pause(seconds: float, stop: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
