"""A load generator for HTTP: keep-alive connections, no pipelining, as little work per request as Python allows.

``closed`` keeps every connection busy and tells the rate that a server sustains. ``paced`` starts jobs at a constant
rate, whatever became of those before, and counts each from the moment it was due: a server that stalls can't hide the
wait of those that queue behind the stall.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, cast
from urllib.parse import urlsplit

from app.core.clock import monotonic

Job = Sequence[bytes]
"""Requests that follow each other on one connection."""
Check = Callable[[int, bytes], bool]
"""Whether an answer (status, body) is what was asked for."""

_HEAD_END: Final = b"\r\n\r\n"
_TICK: Final = 0.001
_DRAIN_SECONDS: Final = 30.0
_KEPT: Final = 4096
"""Bytes of a body that are kept for the check; long pages are only counted."""


@dataclass(frozen=True, slots=True)
class Target:
    """A server."""

    host: str
    port: int

    @classmethod
    def of(cls, base_url: str) -> "Target":
        """The server of an ``http`` URL. Raises ValueError for any other."""
        parts = urlsplit(base_url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError("the load generator speaks plain HTTP: http://host:port")
        return cls(parts.hostname, parts.port or 80)


@dataclass(slots=True)
class Load:
    """What a run of load saw. Latencies are seconds, in the order in which answers came."""

    seconds: float = 0.0
    """From the first request to the last answer."""
    jobs: list[float] = field(default_factory=list)
    exchanges: list[float] = field(default_factory=list)
    failed: int = 0
    """Answers that the check refused, and connections that broke."""
    received: int = 0
    """Bytes."""

    @property
    def rate(self) -> float:
        """Jobs per second."""
        return len(self.jobs) / self.seconds if self.seconds else 0.0


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile; 0 where there is nothing."""
    if not values:
        return 0.0
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def request(
    method: str, path: str, *, token: str | None = None, body: bytes = b"", headers: Sequence[tuple[str, str]] = ()
) -> bytes:
    """One HTTP/1.1 request as bytes."""
    lines = [f"{method} {path} HTTP/1.1", "Host: bench"]
    lines += [f"{name}: {value}" for name, value in headers]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    if body or method not in {"GET", "HEAD"}:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


async def closed(target: Target, source: Iterator[Job], check: Check, *, connections: int, seconds: float) -> Load:
    """Keep ``connections`` busy with the jobs of ``source`` until it ends or ``seconds`` are over."""
    run = _Closed(source, check)
    async with asyncio.timeout(seconds + _DRAIN_SECONDS):
        members = await run.connect(target, connections)
        run.until = monotonic() + seconds
        for member in members:
            run.idle(member)
        return await run.finish()


async def paced(
    target: Target, source: Iterator[Job], check: Check, *, connections: int, seconds: float, rate: float
) -> Load:
    """Start ``rate`` jobs a second for ``seconds``; latencies count from the moment each was due."""
    run = _Paced(source, check, rate, int(rate * seconds))
    async with asyncio.timeout(seconds + _DRAIN_SECONDS):
        run.free.extend(await run.connect(target, connections))
        run.start()
        return await run.finish()


async def once(target: Target, sent: bytes) -> tuple[int, dict[str, str], bytes]:
    """One request on a connection of its own: status, headers (lower-case names) and body."""
    reader, writer = await asyncio.open_connection(target.host, target.port)
    try:
        writer.write(sent)
        head = await reader.readuntil(_HEAD_END)
        first, *lines = head.decode("latin-1").strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    finally:
        writer.close()
    return int(first.split(" ", 2)[1]), headers, body


class _Run:
    """What both kinds of load share: results, and the end."""

    def __init__(self, source: Iterator[Job], check: Check) -> None:
        self.source = source
        self.check = check
        self.load = Load()
        self.members: list[_Connection] = []
        self.open = 0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.began = 0.0

    async def connect(self, target: Target, count: int) -> "list[_Connection]":
        loop = asyncio.get_running_loop()
        for _ in range(count):
            _, member = await loop.create_connection(lambda: _Connection(self), target.host, target.port)
            self.members.append(member)
        self.open = count
        self.began = monotonic()
        return list(self.members)

    async def finish(self) -> Load:
        await self.ended
        self.load.seconds = monotonic() - self.began
        for member in self.members:
            member.close()
        return self.load

    def idle(self, member: "_Connection") -> None:
        """``member`` has nothing to do."""
        raise AssertionError(f"{type(self).__name__} gives {member} nothing to do")

    def lost(self, member: "_Connection") -> None:
        """``member`` was closed by the server."""
        raise AssertionError(f"{type(self).__name__} does not know what to do without {member}")

    def leave(self) -> None:
        """One connection takes no more part."""
        self.open -= 1
        if self.open == 0:
            self.end()

    def end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


class _Closed(_Run):
    def __init__(self, source: Iterator[Job], check: Check) -> None:
        super().__init__(source, check)
        self.until = 0.0

    def idle(self, member: "_Connection") -> None:
        job = next(self.source, None) if monotonic() < self.until else None
        if job is not None:
            member.begin(job, monotonic())
            return
        self.leave()

    def lost(self, member: "_Connection") -> None:
        if member.busy:
            self.load.failed += 1
            self.leave()


class _Paced(_Run):
    def __init__(self, source: Iterator[Job], check: Check, rate: float, count: int) -> None:
        super().__init__(source, check)
        self.rate = rate
        self.count = count
        self.free: deque[_Connection] = deque()
        self.queue: deque[float] = deque()
        self.started = 0
        self.done = 0

    def start(self) -> None:
        self.began = monotonic()
        self._tick()

    def _tick(self) -> None:
        due = min(self.count, int((monotonic() - self.began) * self.rate) + 1)
        while self.started < due:
            self.queue.append(self.began + self.started / self.rate)
            self.started += 1
            if self.free:
                self._give(self.free.popleft())
        if self.started < self.count:
            asyncio.get_running_loop().call_later(_TICK, self._tick)

    def _give(self, member: "_Connection") -> None:
        member.begin(next(self.source), self.queue.popleft())

    def idle(self, member: "_Connection") -> None:
        if self.queue:
            self._give(member)
        else:
            self.free.append(member)
        self._count()

    def lost(self, member: "_Connection") -> None:
        if member.busy:
            self.load.failed += 1
            self._count()
        else:
            self.free.remove(member)
        self.leave()

    def _count(self) -> None:
        self.done += 1
        if self.done == self.count:
            self.end()


class _Connection(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self, run: _Run) -> None:
        self.run = run
        self.busy = False
        self.closing = False
        self.job: Job = ()
        self.position = 0
        self.due = 0.0
        """When the job was due."""
        self.sent = 0.0
        """When the present exchange was due."""
        self.buffer = b""
        self.status = 0
        self.missing = -1
        """Bytes of the body that are still to come; -1 while the head is."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def begin(self, job: Job, due: float) -> None:
        self.busy = True
        self.job, self.position = job, 0
        self.due = self.sent = due
        self.transport.write(job[0])

    def close(self) -> None:
        self.closing = True
        self.transport.close()

    def data_received(self, data: bytes) -> None:
        self.run.load.received += len(data)
        if self.missing < 0:
            self.buffer += data
            end = self.buffer.find(_HEAD_END)
            if end < 0:
                return
            self.status = int(self.buffer[9:12])
            self.missing = _length(self.buffer[:end]) - (len(self.buffer) - end - 4)
            self.buffer = self.buffer[end + 4 :]
        else:
            self.missing -= len(data)
            if self.missing >= 0 and len(self.buffer) < _KEPT:
                self.buffer += data
        if self.missing == 0:
            self._answered()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio gives it
        if not self.closing:
            self.run.lost(self)

    def _answered(self) -> None:
        now = monotonic()
        run, body = self.run, self.buffer
        self.missing, self.buffer = -1, b""
        run.load.exchanges.append(now - self.sent)
        if not run.check(self.status, body):
            run.load.failed += 1
        self.position += 1
        if self.position < len(self.job):
            self.sent = now
            self.transport.write(self.job[self.position])
            return
        run.load.jobs.append(now - self.due)
        self.busy = False
        run.idle(self)


def _length(head: bytes) -> int:
    """Content-Length of an answer; 0 where there is none (204, 304)."""
    position = head.lower().find(b"\r\ncontent-length:")
    return int(head[position + 17 :].split(b"\r\n", 1)[0]) if position >= 0 else 0
