"""A client's server that publishes its key set, on a real socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

HOST = "127.0.0.1"


@dataclass
class Publisher:
    """What is published, and who came for it."""

    content: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    hangs: bool = False
    port: int = 0
    came: list[str] = field(default_factory=list)
    """Request lines."""

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}/jwks.json"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.came.append(head.partition(b"\r\n")[0].decode())
            if self.hangs:
                await reader.read()
            headers = {"content-length": str(len(self.content)), "connection": "close", **self.headers}
            lines = [f"HTTP/1.1 {self.status} X", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
            writer.write("\r\n".join(lines).encode() + self.content)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def publishing(content: bytes = b"", **more: str) -> AsyncIterator[Publisher]:
    """A publisher that listens; ``more`` are headers of its answers."""
    made = Publisher(content, headers={name.replace("_", "-"): value for name, value in more.items()})
    server = await asyncio.start_server(made.answer, HOST, 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
