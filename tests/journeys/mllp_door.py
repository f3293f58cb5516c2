"""A door of its own with a hub that answers by itself, and senders that may behave as badly as they like."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from app.entrypoints.mllp.server import MllpServer

ONE = b"MSH|^~\\&|A|B|||||ADT^A01|1|P|2.5\rPID|1||HTEST1\r"
TWO = b"MSH|^~\\&|A|B|||||ADT^A03|2|P|2.5\rPID|1||HTEST2\x1c\x0b\r"
"""With the bytes of frames in its content, which may not be there and must not cut it."""
HOST = "127.0.0.1"
WAIT = 5.0


def framed(message: bytes) -> bytes:
    """As a sender frames it, whatever it holds."""
    return b"\x0b" + message + b"\x1c\r"


Receive = Callable[[bytes, str], Awaitable[Sequence[bytes] | None]]


class Hub:
    """Answers each message with its own bytes in front of ``ok``, and remembers what it was asked.

    MSH-3 may say otherwise: ``nothing`` there is no answer, ``broken`` a fault, ``silent`` wants none, ``both`` two.
    """

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.peers: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.running = 0
        self.most = 0

    async def receive(self, message: bytes, peer: str) -> Sequence[bytes] | None:
        self.asked.append(message)
        self.peers.append(peer)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.gate.wait()
            await asyncio.sleep(0)
            if b"|nothing|" in message:
                return None
            if b"|broken|" in message:
                raise RuntimeError("HTEST must not be logged")
            if b"|silent|" in message:
                return []
            if b"|both|" in message:
                return [message[:40] + b"first", message[:40] + b"ok"]
        finally:
            self.running -= 1
        return [message[:40] + b"ok"]


class Sender:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> bytes:
        async with asyncio.timeout(WAIT):
            return (await self.reader.readuntil(b"\x1c\r"))[1:-2]

    async def rest(self) -> bytes:
        """What comes until the server closes; a reset counts as a close."""
        async with asyncio.timeout(WAIT):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""

    async def close(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except (ConnectionError, ssl.SSLError):
            return


@asynccontextmanager
async def door(receive: Receive, **options: object) -> AsyncIterator[MllpServer]:
    server = MllpServer(receive, host=HOST, port=0, **options)  # type: ignore[arg-type] # options of one test each
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def sender(server: MllpServer, tls: ssl.SSLContext | None = None) -> AsyncIterator[Sender]:
    reader, writer = await asyncio.open_connection(HOST, server.port, ssl=tls)
    one = Sender(reader, writer)
    try:
        yield one
    finally:
        await one.close()


@asynccontextmanager
async def rude(server: MllpServer) -> AsyncIterator[asyncio.StreamWriter]:
    """A connection that ends by a reset, and is not read."""
    _, writer = await asyncio.open_connection(HOST, server.port, limit=1024)
    # A linger of no time makes the close a reset.
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    try:
        yield writer
    finally:
        writer.transport.abort()
        await asyncio.sleep(0.01)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT):
        while not condition():  # noqa: ASYNC110 - what is waited for is a figure, not an event
            await asyncio.sleep(0.001)
