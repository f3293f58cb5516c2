"""HTTP that goes out, to addresses that others named.

A connection goes to an address that passed (``app.core.resolving``), never to a name. No redirect is followed and no
proxy of the environment used.
"""

import asyncio
import ssl
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import SplitResult, urlsplit

import httpx

from app.core.addresses import Network
from app.core.resolving import Resolver, Unreachable

__all__ = ["Answer", "Outbound", "Request", "Unreachable", "retry_after"]

_HOSTS: Final = 256
"""Hosts whose connections are kept."""
_ANSWER: Final = 64 * 1024
"""Bytes of an answer that are read, so that its connection can be used again; nobody looks at them."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """By their names in lower case."""
    content: bytes = field(default=b"", repr=False)


def retry_after(headers: Mapping[str, str], now: datetime) -> int | None:
    """For how many seconds a server asks not to be asked again (RFC 9110, 10.2.3); None where it says nothing of it.

    A date is counted from the server's own ``Date``, since its clock may be another; from ``now`` where it has none.
    """
    said = headers.get("retry-after", "").strip()
    if said.isascii() and said.isdecimal():
        # What has more digits is years, whatever they are.
        return int(said.lstrip("0")[:9] or "0")
    until = _http_date(said)
    if until is None:
        return None
    since = _http_date(headers.get("date", "")) or now
    return max(round((until - since).total_seconds()), 0)


def _http_date(text: str) -> datetime | None:
    """Any of the three forms of RFC 9110, 5.6.7; each is in UTC."""
    try:
        found = parsedate_to_datetime(text.strip())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


class Outbound:
    """Speaks to addresses that others named.

    Args:
        networks: networks that may be reached besides the Internet.
        loopback: whether this machine itself may be reached.
    """

    def __init__(self, *, networks: Sequence[Network] = (), loopback: bool = False) -> None:
        self._resolver = Resolver(networks, loopback=loopback)
        self._trust = ssl.create_default_context()
        # One client per host: a connection whose certificate was checked for one name serves no other.
        self._clients: OrderedDict[str, httpx.AsyncClient] = OrderedDict()

    async def post(self, url: str, *, content: bytes, headers: Sequence[tuple[str, str]], seconds: float) -> int:
        """The status of the answer, within ``seconds`` from now for all of it. Raises Unreachable."""
        return (await self._within(seconds, _Call("POST", url, content, headers))).status

    async def get(self, url: str, *, headers: Sequence[tuple[str, str]], limit: int, seconds: float) -> Answer:
        """What is there, at most ``limit`` bytes of it, within ``seconds`` from now. Raises Unreachable."""
        return await self._within(seconds, _Call("GET", url, None, headers, limit))

    async def exchange(self, request: "Request", *, limit: int, seconds: float) -> Answer:
        """What is answered to any request, at most ``limit`` bytes of it, within ``seconds``. Raises Unreachable."""
        call = _Call(request.method, request.url, request.content, request.headers, limit)
        return await self._within(seconds, call)

    async def _within(self, seconds: float, call: "_Call") -> Answer:
        try:
            async with asyncio.timeout(seconds):
                return await self._send(call, urlsplit(call.url), seconds)
        except (TimeoutError, httpx.TimeoutException):
            raise Unreachable("timeout") from None
        except ssl.SSLError:
            raise Unreachable("certificate") from None
        except httpx.ConnectError as error:
            raise Unreachable("certificate" if _is_tls(error) else "no-connection") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError):
            raise Unreachable("no-connection") from None

    async def close(self) -> None:
        """Close every connection."""
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()
        self._resolver.close()

    async def _send(self, call: "_Call", url: SplitResult, seconds: float) -> Answer:
        host = url.hostname or ""
        port = url.port or (443 if url.scheme == "https" else 80)
        address = await self._resolver.address(host, port)
        place = f"[{address}]" if address.version == 6 else str(address)
        client = await self._client(f"{url.scheme}://{host}:{port}")
        request = client.build_request(
            call.method,
            url._replace(netloc=f"{place}:{port}").geturl(),
            content=call.content,
            headers=[("host", url.netloc), *call.headers],
            timeout=seconds,
            extensions={"sni_hostname": host},
        )
        answer = await client.send(request, stream=True)
        try:
            if call.limit is None:
                await _read_off(answer)
                return Answer(answer.status_code, answer.headers)
            return Answer(answer.status_code, answer.headers, await _read(answer, call.limit))
        finally:
            await answer.aclose()

    async def _client(self, origin: str) -> httpx.AsyncClient:
        known = self._clients.get(origin)
        if known is None:
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=4, keepalive_expiry=15)
            known = self._clients[origin] = httpx.AsyncClient(
                verify=self._trust, trust_env=False, follow_redirects=False, limits=limits, headers={"accept": "*/*"}
            )
            # The oldest is not in use where many are kept: an attempt lasts a minute at most.
            while len(self._clients) > _HOSTS:
                _, oldest = self._clients.popitem(last=False)
                await oldest.aclose()
        self._clients.move_to_end(origin)
        return known


@dataclass(frozen=True, slots=True)
class Request:
    """One request of HTTP."""

    method: str
    url: str = field(repr=False)
    headers: Sequence[tuple[str, str]] = field(default=(), repr=False)
    content: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class _Call:
    method: str
    url: str
    content: bytes | None
    headers: Sequence[tuple[str, str]]
    limit: int | None = None
    """Bytes of the answer that are wanted; None: nobody looks at it."""


async def _read(answer: httpx.Response, limit: int) -> bytes:
    """The content as it came: what is compressed stays so, and can't grow here."""
    content = bytearray()
    async for part in answer.aiter_raw():
        content += part
        if len(content) > limit:
            raise Unreachable("too-large")
    return bytes(content)


async def _read_off(answer: httpx.Response) -> None:
    size = 0
    async for part in answer.aiter_raw():
        size += len(part)
        if size > _ANSWER:
            return


def _is_tls(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
