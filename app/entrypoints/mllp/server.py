"""The MLLP door: frames come in over TCP (or TLS), each is answered with the acknowledgements that the hub decides.

It knows bytes only. One message per connection is in process at a time and answers go out in the
order of the messages, each acknowledgement in a frame of its own; while a connection's queue is full,
or its sender does not read its answers, its socket is not read, so a sender that is faster than the
database is slowed down by TCP. No answer and a closed connection mean "send again": when ``receive``
returns None or fails, nothing is written and the connection closes. Where the sender asked for no
acknowledgement, nothing is written and the connection stays.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ssl import SSLContext
from typing import cast

from app.core import log
from app.core.mllp import Framer, TooLong, frame

Receive = Callable[[bytes, str], Awaitable[Sequence[bytes] | None]]
"""Takes a message and the address of the peer; gives its acknowledgements, or None where there can be none."""

_QUEUE = 16
_PATIENCE = 1.0
"""Seconds that the CR after FS is waited for; a sender that never sends it would wait for ever."""
_LINGER = 10.0
"""Seconds that a connection to be closed has to take what was written, and a new one to agree on TLS."""


@dataclass(slots=True)
class Counts:
    """What went through the door since it opened."""

    connections: int = 0
    refused: int = 0
    """Connections beyond the limit."""
    messages: int = 0
    answers: int = 0
    """Acknowledgements written."""
    unanswered: int = 0
    """Messages that got no acknowledgement: not durable, or nothing to acknowledge."""
    garbage: int = 0
    """Bytes outside of frames."""
    torn: int = 0
    """Frames that were begun and never ended."""
    too_long: int = 0


class MllpServer:
    """Listens for MLLP connections.

    Args:
        receive: Called for each message; see ``Receive``.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one (see ``port``).
        max_bytes: Longest message; a longer one closes its connection.
        idle_seconds: A connection on which nothing came for so long, and nothing is in process, is closed; so is
            one that did not take its answers for so long.
        max_connections: More than these are closed at once.
        ssl: TLS, with client certificates if the context asks for them.
        reuse_port: Several processes may listen on the same port.
    """

    def __init__(
        self,
        receive: Receive,
        *,
        host: str,
        port: int,
        max_bytes: int = 16 * 1024 * 1024,
        idle_seconds: float = 3600.0,
        max_connections: int = 1000,
        ssl: SSLContext | None = None,
        reuse_port: bool = False,
    ) -> None:
        self.receive = receive
        self.max_bytes = max_bytes
        self.idle_seconds = idle_seconds
        self.tls = ssl is not None
        self.counts = Counts()
        self._host = host
        self._port = port
        self._max_connections = max_connections
        self._ssl = ssl
        self._reuse_port = reuse_port
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()

    @property
    def port(self) -> int:
        """The port that is listened on, once started."""
        if self._server is None or not self._server.sockets:
            return self._port
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def open_connections(self) -> int:
        """How many senders are connected now."""
        return len(self._connections)

    async def start(self) -> None:
        """Open the door.

        Raises:
            OSError: The address can't be listened on.
        """
        self._server = await asyncio.get_running_loop().create_server(
            lambda: _Connection(self),
            self._host,
            self._port,
            ssl=self._ssl,
            ssl_handshake_timeout=_LINGER if self.tls else None,
            reuse_port=self._reuse_port or None,
        )

    async def stop(self, *, grace_seconds: float = 10.0) -> None:
        """Accept no more, answer what was received in whole, then close.

        What is not done within ``grace_seconds`` is cut off without an answer, so its sender repeats it.
        """
        if self._server is None:
            return
        self._server.close()
        closing = [connection.drain() for connection in list(self._connections)]
        if closing:
            await asyncio.wait(closing, timeout=grace_seconds)
        for connection in list(self._connections):
            connection.abort()
        if closing:
            await asyncio.wait(closing)
        await self._server.wait_closed()
        self._server = None

    def admit(self, connection: "_Connection") -> bool:
        """Whether there is room for one more."""
        self.counts.connections += 1
        if len(self._connections) >= self._max_connections or self._server is None or not self._server.is_serving():
            self.counts.refused += 1
            return False
        self._connections.add(connection)
        return True

    def forget(self, connection: "_Connection") -> None:
        """The connection is gone."""
        self._connections.discard(connection)


class _Connection(asyncio.Protocol):
    """One sender: framer, queue of messages, and at most one task that works them off."""

    def __init__(self, server: MllpServer) -> None:
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._framer = Framer(server.max_bytes)
        self._queue: deque[bytes] = deque()
        self._work: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self._ending = False
        self._heard = self._loop.time()
        self._stuck = self._heard
        self._watching: asyncio.TimerHandle | None = None
        self._waiting: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport
        self._peer = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        address = transport.get_extra_info("peername")
        self._peer = str(address[0]) if address else ""
        if self._server.admit(self):
            self._watch()
        else:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._ending:
            return
        self._heard = self._loop.time()
        self._take(data)
        self._wait_for_cr()
        self._go_on()

    def eof_received(self) -> bool:
        # A sender may close its half after the last message and still wait for the answers (TLS can't).
        if self._framer.lacks_cr and not self._ending:
            self._take(b"\r")
        self._ending = True
        self._go_on()
        return not self._server.tls

    def pause_writing(self) -> None:
        self._writable.clear()
        self._stuck = self._loop.time()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc  # a reset is as good as a close: what was not answered is sent again
        self._server.counts.garbage += self._framer.garbage
        self._server.counts.torn += self._framer.torn + self._framer.unfinished
        self._ending = True
        self._queue.clear()
        self._writable.set()
        for timer in (self._watching, self._waiting):
            if timer is not None:
                timer.cancel()
        self._server.forget(self)
        if not self._gone.done():
            self._gone.set_result(None)

    def drain(self) -> asyncio.Future[None]:
        """Read no more, answer what is here, close; done when the connection is gone."""
        self._ending = True
        self._transport.pause_reading()
        self._go_on()
        return self._gone

    def abort(self) -> None:
        """Close at once, without the answers that are still owed."""
        if self._work is not None:
            self._work.cancel()
        self._transport.abort()

    def _take(self, data: bytes) -> None:
        try:
            self._queue.extend(self._framer.feed(data))
        except TooLong:
            self._server.counts.too_long += 1
            self._ending = True
        if len(self._queue) >= _QUEUE:
            self._transport.pause_reading()

    def _wait_for_cr(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
        lacks = self._framer.lacks_cr and not self._ending
        self._waiting = self._loop.call_later(_PATIENCE, self._supply_cr) if lacks else None

    def _supply_cr(self) -> None:
        if self._queue:  # nothing is read meanwhile, perhaps: the CR may have come
            self._wait_for_cr()
        elif not self._ending:
            self._take(b"\r")
            self._go_on()

    def _go_on(self) -> None:
        if self._work is not None:
            return
        if self._queue:
            self._work = self._loop.create_task(self._answer_all())
        elif self._ending:
            self._close()

    def _close(self) -> None:
        """A sender that does not take what was written, or does not end TLS, is not waited for without end."""
        self._transport.close()
        if self._watching is not None:
            self._watching.cancel()
        if not self._gone.done():
            self._watching = self._loop.call_later(_LINGER, self._transport.abort)

    async def _answer_all(self) -> None:
        try:
            while self._queue:
                await self._answer(self._queue.popleft())
                if not self._ending and len(self._queue) < _QUEUE // 2:
                    self._transport.resume_reading()
        finally:
            self._work = None
            self._heard = self._loop.time()
        if self._ending:
            self._close()

    async def _answer(self, message: bytes) -> None:
        counts = self._server.counts
        counts.messages += 1
        answers = await self._ask(message)
        if answers is None:
            counts.unanswered += 1
            self._ending = True
            self._queue.clear()
        elif answers and self._transport.is_closing():
            counts.unanswered += 1
        elif answers:
            self._transport.write(b"".join(map(frame, answers)))
            counts.answers += len(answers)
            await self._writable.wait()

    async def _ask(self, message: bytes) -> Sequence[bytes] | None:
        try:
            return await self._server.receive(message, self._peer)
        except Exception as error:  # noqa: BLE001 - whatever failed, the sender must send again
            log.error("mllp message not acknowledged", error)
            return None

    def _watch(self) -> None:
        """Close when idle, else look again when it could be so."""
        now, limit = self._loop.time(), self._server.idle_seconds
        if not self._writable.is_set():
            left = self._stuck + limit - now
        elif self._work is not None:
            left = limit
        else:
            left = self._heard + limit - now
        if left > 0:
            self._watching = self._loop.call_later(left, self._watch)
        elif self._writable.is_set():
            self._close()
        else:
            self._transport.abort()
