"""A small server on a real socket, for those in tests who are asked: its life, and how an HTTP request is read."""

import asyncio
import ssl
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import NamedTuple

HOST = "127.0.0.1"


class Request(NamedTuple):
    """One request, as it came."""

    method: str
    path: str
    headers: dict[str, str]
    content: bytes


async def request_from(reader: asyncio.StreamReader) -> Request:
    """The next request of a connection. Raises IncompleteReadError where there is none."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
    return Request(method, path, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


@dataclass
class Listener:
    """Listens until it is stopped."""

    port: int = 0
    tls: ssl.SSLContext | None = None
    _server: asyncio.Server | None = None
    _open: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._connected, HOST, self.port, ssl=self.tls)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """As if its machine was switched off: nobody listens, and connections are cut."""
        if self._server is not None:
            self._server.close()
            for task in self._open:
                task.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)
            self._server = None

    def opened(self) -> None:
        """A connection more."""

    @abstractmethod
    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether another may follow on this connection."""

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        self.opened()
        try:
            while await self._one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(task)
            writer.close()
