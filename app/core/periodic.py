"""What gathers in memory and is written now and then."""

import asyncio
from abc import ABC, abstractmethod


class Periodic(ABC):
    """Writes every ``seconds`` what has gathered, and the rest when it is stopped."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._flusher: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write."""
        self._flusher = asyncio.create_task(self._flush_for_ever())

    async def stop(self) -> None:
        """Write what is left and stop."""
        if self._flusher is not None:
            self._flusher.cancel()
            await asyncio.gather(self._flusher, return_exceptions=True)
        await self.flush()

    @abstractmethod
    async def flush(self) -> None:
        """Write what has gathered."""

    async def _flush_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            await self.flush()
