"""Collects single callers into batches: each awaits its own result, the work is done together."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Batcher(Generic[T, R]):
    """Runs ``work`` over what has gathered, at most ``size`` items at a time.

    While one batch is under way the next one gathers, so the size of a batch follows the load by
    itself: one item when idle, ``size`` when busy. ``work`` answers one result per item, in order;
    a result that is an exception is raised at its caller.
    """

    def __init__(
        self, work: Callable[[Sequence[T]], Awaitable[Sequence[R | BaseException]]], *, size: int = 64, runners: int = 1
    ) -> None:
        self._work = work
        self._size = size
        self._runners = runners
        self._queue: deque[tuple[T, asyncio.Future[R]]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._active = 0

    async def submit(self, item: T) -> R:
        """Hand in one item and wait for its result."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._queue.append((item, future))
        if self._active < self._runners:
            self._active += 1
            task = asyncio.create_task(self._run())
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return await future

    async def _run(self) -> None:
        try:
            while self._queue:
                await self._run_one()
        finally:
            self._active -= 1

    async def _run_one(self) -> None:
        taken = [self._queue.popleft() for _ in range(min(self._size, len(self._queue)))]
        try:
            results = await self._work([item for item, _ in taken])
        except BaseException as error:  # noqa: BLE001 - every caller must hear of it, whatever it is
            results = [error] * len(taken)
        for (_, future), result in zip(taken, results, strict=True):
            if future.done():
                continue
            if isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)
