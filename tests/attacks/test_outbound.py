"""Attack cases 40 to 46: nobody makes the hub speak to its own network, or wait for ever."""

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from app.core.clock import monotonic
from app.core.http import Outbound, Unreachable
from app.rules.subscribing import Premises, terms_of
from tests.contract.fhir_callers import Caller
from tests.contract.subscribers import body
from tests.receivers import receiving

INNER_HOSTS = [
    "127.0.0.1",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "any.localhost",
    "127.0.0.1.",
    "0.0.0.0",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "169.254.169.254",
    "[fd00:ec2::254]",
    "[fe80::1%25eth0]",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "100.64.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "2130706433",
    "0x7f.1",
    "0x7f000001",
    "127.1",
    "127.0.1",
    "017700000001",
    "0177.0.0.1",
    "0x0a.0.0.1",
]
OTHER_URLS = [
    "file:///etc/passwd",
    "gopher://partner.example.org/",
    "ftp://partner.example.org/",
    "javascript:alert(1)",
    "https://user@partner.example.org/",
    "https://user:word@partner.example.org/",
    "https://partner.example.org@127.0.0.1/",
    "https://\uff11\uff12\uff17.\uff10.\uff10.\uff11/",
    "https://\u24dbocalhost/",
    "https://\u0440\u0430rtner.example.org/",
    "https:///hook",
    "https://",
    "//partner.example.org/",
    "/hook",
    "https://partner.example.org\\@127.0.0.1/",
    "http://partner.example.org/",
]
PUBLIC = "93.184.215.14"
OUT = Premises("https://hub.example.org/fhir/R4", frozenset({"rest-hook"}))
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def outcome(url: str, *, seconds: float = 5, loopback: bool = False) -> int | str:
    """The status of a POST, or why there is none."""
    outbound = Outbound(loopback=loopback)
    try:
        return await outbound.post(url, content=b"{}", headers=[("authorization", "HTEST")], seconds=seconds)
    except Unreachable as error:
        return error.reason
    finally:
        await outbound.close()


@asynccontextmanager
async def talking(talk: Talk) -> AsyncIterator[str]:
    """The URL of a server that does as it likes."""
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()


@pytest.mark.parametrize("url", [*(f"https://{host}/hook" for host in INNER_HOSTS), *OTHER_URLS])
def test_40_an_endpoint_inside_is_refused_when_it_is_named(url: str) -> None:
    verdict = terms_of(body(url), OUT)
    assert verdict.terms is None
    assert {reason.path for reason in verdict.reasons} == {"Subscription.channel.endpoint"}
    assert url not in str(verdict.reasons)


async def test_40_the_refusal_is_an_answer_that_repeats_nothing(stranger: Caller) -> None:
    for host in ("169.254.169.254", "2130706433", "10.0.0.1"):
        answer = await stranger.post("Subscription", body(f"https://{host}/latest"))
        assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (422, ["Subscription.channel.endpoint"])
        assert host not in answer.text


@pytest.mark.parametrize("host", INNER_HOSTS)
async def test_40_and_when_something_would_be_sent(host: str) -> None:
    assert await outcome(f"https://{host}/hook", seconds=5) in {"address", "no-connection"}


async def test_41_a_name_that_was_public_and_now_leads_inside_is_not_spoken_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with receiving() as receiver:
        meant = [PUBLIC]

        def resolver(_host: str, port: int, **_: Any) -> list[Any]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in meant]

        monkeypatch.setattr(socket, "getaddrinfo", resolver)
        url = f"http://rebound.example.org:{receiver.port}/hook"
        assert terms_of(body(f"https://rebound.example.org:{receiver.port}/hook"), OUT).terms is not None
        for meant[:] in (["127.0.0.1"], ["10.0.0.1", "127.0.0.1"], ["::1"], ["169.254.169.254"]):
            assert await outcome(url) == "address"
        assert receiver.came == []
        meant[:] = ["127.0.0.1"]
        assert await outcome(url, loopback=True) == 200
        assert receiver.came[0].headers["host"] == f"rebound.example.org:{receiver.port}"


async def test_41_the_connection_goes_to_the_address_that_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is asked for once: a second answer, that of a rebinding server, has nobody to give it to."""
    async with receiving() as receiver:
        asked: list[str] = []

        def resolver(host: str, port: int, **_: Any) -> list[Any]:
            asked.append(host)
            address = "127.0.0.1" if len(asked) == 1 else "127.0.0.2"
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

        outbound = Outbound(loopback=True)
        with monkeypatch.context() as patched:
            patched.setattr(socket, "getaddrinfo", resolver)
            url = f"http://rebinding.example.org:{receiver.port}/"
            assert await outbound.post(url, content=b"{}", headers=[], seconds=5) == 200
        await outbound.close()
        assert [host for host in asked if not host[0].isdigit()] == ["rebinding.example.org"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_42_a_redirect_is_a_failure_and_is_not_followed(status: int) -> None:
    async with receiving() as inner:

        async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(f"HTTP/1.1 {status} X\r\nlocation: {inner.url}\r\ncontent-length: 0\r\n\r\n".encode())
            writer.close()

        async with talking(redirect) as url:
            assert await outcome(url, loopback=True) == status
        assert inner.came == []


@pytest.mark.alone
async def test_43_a_bomb_is_read_as_it_came_and_only_its_beginning() -> None:
    bomb = gzip.compress(bytes(50_000_000), 9)
    assert len(bomb) < 64 * 1024

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {len(bomb)}\r\n\r\n"
        writer.write(head.encode() + bomb)
        writer.close()

    async with talking(answer) as url:
        began = monotonic()
        assert await outcome(url, loopback=True) == 200
        assert monotonic() - began < 1


async def test_43_of_an_answer_without_end_the_beginning_is_read() -> None:
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        try:
            while sent < 200_000_000:
                writer.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")
                await writer.drain()
                sent += 0x10000
        except ConnectionError:
            writer.close()

    async with talking(flood) as url:
        assert await outcome(url, loopback=True) == 200
    assert sent < 20_000_000


@pytest.mark.alone
async def test_43_headers_without_end_end_in_time() -> None:
    async def headers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n")
        try:
            while True:
                writer.write(b"x-more: " + b"y" * 1000 + b"\r\n")
                await writer.drain()
                await asyncio.sleep(0)
        except ConnectionError:
            writer.close()

    async with talking(headers) as url:
        began = monotonic()
        assert await outcome(url, loopback=True, seconds=2) in {"timeout", "no-connection"}
        assert monotonic() - began < 4


async def test_45_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login HTEST password HTEST")
    monkeypatch.setenv("HOME", str(tmp_path))
    async with receiving() as proxy, receiving() as receiver:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NO_PROXY", "")
        assert await outcome(receiver.url, loopback=True) == 200
        assert (len(receiver.came), proxy.came) == (1, [])
        assert receiver.came[0].headers["authorization"] == "HTEST"
