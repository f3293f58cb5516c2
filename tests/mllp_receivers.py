"""A hospital's engine that takes answers over MLLP, on a real socket, and behaves as it is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

from tests.listeners import HOST, Listener

_PATIENCE = 15.0
Manner = Literal["answers", "hangs", "closes", "says-garbage", "speaks-garbage", "of-another", "endless"]


@dataclass(frozen=True, slots=True)
class Came:
    """One message, as it came."""

    line: int
    """Which connection."""
    data: bytes

    def field(self, segment: str, number: int, nth: int = 0) -> str:
        """A field as sent; of the nth segment of that name."""
        lines = [one for one in self.data.decode().split("\r") if one.startswith(segment)]
        fields = lines[nth].split("|")
        position = number - 1 if segment == "MSH" else number
        return fields[position] if position < len(fields) else ""

    @property
    def control_id(self) -> str:
        return self.field("MSH", 10)

    @property
    def text(self) -> str:
        return self.data.decode()


@dataclass
class MllpReceiver(Listener):
    """What came, and how it is acknowledged."""

    code: str = "AA"
    manner: Manner = "answers"
    seconds: float = 0
    """How long it takes to acknowledge."""
    heard: Callable[[Came], None] = lambda _: None
    """Done with each message before it is acknowledged."""
    answered: Callable[[Came], None] = lambda _: None
    """Done with each message as soon as its acknowledgement is on its way."""
    afterwards: tuple[str, ...] = ()
    """Codes by which each message is acknowledged once more, in pieces, when the next has come on its connection."""
    codes: dict[str, str] = field(default_factory=dict)
    """Text that stands in a message, to how that one is acknowledged."""
    came: list[Came] = field(default_factory=list)
    lines: int = 0
    """Connections so far."""
    at_once: int = 0
    """Most connections at a time."""
    _line_of: dict[asyncio.Task[None] | None, int] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def to(self) -> str:
        return f"{'mllps' if self.tls else 'mllp'}://{HOST}:{self.port}"

    async def until(self, holds: Callable[[list[Came]], object]) -> list[Came]:
        """What came, as soon as ``holds`` says yes to it."""
        async with asyncio.timeout(_PATIENCE):
            while not holds(self.came):
                self._changed.clear()
                await self._changed.wait()
        return self.came

    async def several(self, count: int) -> list[Came]:
        """The first ``count`` that came."""
        return (await self.until(lambda came: len(came) >= count))[:count]

    def opened(self) -> None:
        self.lines += 1
        self._line_of[asyncio.current_task()] = self.lines
        self.at_once = max(self.at_once, len(self._open))

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        framed = await reader.readuntil(b"\x1c\r")
        assert framed.startswith(b"\x0b")
        came = Came(self._line_of[asyncio.current_task()], framed[1:-2])
        self.came.append(came)
        self._changed.set()
        self.heard(came)
        if self.manner == "hangs":
            await asyncio.sleep(3600)
        if self.manner == "closes":
            return False
        await asyncio.sleep(self.seconds)
        for before in (one for one in self.came[:-1] if one.line == came.line):
            for code in self.afterwards:
                await _in_pieces(writer, self._acknowledged(before, code))
        writer.write(self._answer(came))
        await writer.drain()
        self.answered(came)
        return self.manner != "speaks-garbage"

    def _answer(self, came: Came) -> bytes:
        if self.manner == "speaks-garbage":
            return b"HTTP/1.1 400 Bad Request\r\n\r\n"
        if self.manner == "says-garbage":
            return b"\x0bwhat is this?\x1c\r"
        if self.manner == "endless":
            return b"\x0b" + b"x" * 200_000
        return self._acknowledged(
            came, next((code for text, code in self.codes.items() if text in came.text), self.code)
        )

    def _acknowledged(self, came: Came, code: str) -> bytes:
        number = "HTEST-OTHER" if self.manner == "of-another" else came.control_id
        header = rf"MSH|^~\&|HTEST|ENGINE|THROUGHLINE|HUB|20260608150000||ACK|{came.control_id}A|P|2.5.1"
        return f"\x0b{header}\rMSA|{code}|{number}\r\x1c\r".encode()


async def _in_pieces(writer: asyncio.StreamWriter, data: bytes) -> None:
    for place in range(0, len(data), 40):
        writer.write(data[place : place + 40])
        await writer.drain()
        await asyncio.sleep(0)


@asynccontextmanager
async def taking_answers(receiver: MllpReceiver | None = None) -> AsyncIterator[MllpReceiver]:
    """A receiver that runs."""
    made = receiver or MllpReceiver()
    await made.start()
    try:
        yield made
    finally:
        await made.stop()
