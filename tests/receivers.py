"""A partner's server that takes notifications, on a real socket."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from app.core.clock import monotonic
from tests.listeners import HOST, Listener, request_from

Resource = dict[str, Any]
_PATIENCE = 15.0


@dataclass(frozen=True, slots=True)
class Received:
    """One request, as it came."""

    at: float
    """Monotonic seconds."""
    headers: dict[str, str]
    bundle: Resource

    @property
    def status(self) -> dict[str, Any]:
        """Values of the parameters that stand once."""
        parameters = self.bundle["entry"][0]["resource"]["parameter"]
        single = [one for one in parameters if one["name"] != "notification-event"]
        return {one["name"]: next(value for key, value in one.items() if key.startswith("value")) for one in single}

    @property
    def type(self) -> str:
        return str(self.status["type"])

    @property
    def events(self) -> list[dict[str, Any]]:
        """The parts of each event by name."""
        parameters = self.bundle["entry"][0]["resource"]["parameter"]
        return [
            {part["name"]: next(v for k, v in part.items() if k.startswith("value")) for part in one["part"]}
            for one in parameters
            if one["name"] == "notification-event"
        ]

    @property
    def numbers(self) -> list[int]:
        return [int(event["event-number"]) for event in self.events]


@dataclass
class Receiver(Listener):
    """What came, and how it is answered."""

    status: int = 200
    hangs: bool = False
    """Takes requests and never answers."""
    came: list[Received] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}/hook"

    def note(self, received: Received) -> None:
        """For those who want to know at once."""

    async def until(self, holds: Callable[[list[Received]], object]) -> list[Received]:
        """What came, as soon as ``holds`` says yes to it."""
        async with asyncio.timeout(_PATIENCE):
            while not holds(self.came):
                self._changed.clear()
                await self._changed.wait()
        return self.came

    async def of_type(self, kind: str, count: int = 1) -> list[Received]:
        """The first ``count`` of a type."""
        await self.until(lambda came: sum(one.type == kind for one in came) >= count)
        return [one for one in self.came if one.type == kind][:count]

    async def numbers(self, last: int) -> list[int]:
        """The numbers of all events that came, as soon as the last is among them."""
        await self.until(lambda came: any(last in one.numbers for one in came))
        return [number for one in self.came if self.status < 300 for number in one.numbers]

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        request = await request_from(reader)
        received = Received(monotonic(), request.headers, json.loads(request.content))
        self.came.append(received)
        self.note(received)
        self._changed.set()
        if self.hangs:
            await asyncio.sleep(3600)
        writer.write(f"HTTP/1.1 {self.status} X\r\ncontent-length: 2\r\n\r\n{{}}".encode())
        await writer.drain()
        return True


R = TypeVar("R", bound=Receiver)


@asynccontextmanager
async def running(receiver: R) -> AsyncIterator[R]:
    """``receiver``, as long as it runs."""
    await receiver.start()
    try:
        yield receiver
    finally:
        await receiver.stop()


def receiving(**answers: Any) -> AbstractAsyncContextManager[Receiver]:
    """A receiver that runs."""
    return running(Receiver(**answers))
