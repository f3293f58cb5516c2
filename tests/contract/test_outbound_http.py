"""What goes out by HTTP goes to public addresses only, follows nothing, and ends in time."""

import asyncio
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from app.core.addresses import may_be_reached
from app.core.clock import monotonic
from app.core.http import Outbound, Unreachable, retry_after
from tests.journeys.certificates import Authority
from tests.receivers import receiving


async def status(outbound: Outbound, url: str, seconds: float = 5) -> int | str:
    try:
        return await outbound.post(url, content=b'{"entry":[]}', headers=[("x-key", "HTEST")], seconds=seconds)
    except Unreachable as error:
        return error.reason


async def test_this_machine_is_reached_only_where_that_is_allowed() -> None:
    async with receiving() as receiver:
        for url in (receiver.url, receiver.url.replace("127.0.0.1", "localhost")):
            outbound = Outbound()
            assert await status(outbound, url) == "address"
            await outbound.close()
        assert receiver.came == []
        outbound = Outbound(loopback=True)
        assert await status(outbound, receiver.url) == 200
        await outbound.close()
    assert receiver.came[0].headers["x-key"] == "HTEST"
    assert receiver.came[0].headers["host"] == f"127.0.0.1:{receiver.port}"


@pytest.mark.parametrize(
    "url", ["https://10.0.0.1/", "https://169.254.169.254/latest/", "https://[::ffff:10.0.0.1]/", "https://[fc00::1]/"]
)
async def test_an_inner_address_is_not_spoken_to(url: str) -> None:
    outbound = Outbound(loopback=True)
    assert await status(outbound, url) == "address"
    await outbound.close()


def test_a_network_may_be_allowed() -> None:
    inside = [ipaddress.ip_network("10.20.0.0/16")]
    assert may_be_reached(ipaddress.ip_address("10.20.1.1"), inside, loopback=False)
    assert not may_be_reached(ipaddress.ip_address("10.21.1.1"), inside, loopback=False)


async def test_a_redirect_is_not_followed() -> None:
    async with receiving(status=307) as receiver:
        outbound = Outbound(loopback=True)
        assert await status(outbound, receiver.url) == 307
        await outbound.close()
    assert len(receiver.came) == 1


async def test_a_connection_is_used_again() -> None:
    async with receiving() as receiver:
        outbound = Outbound(loopback=True)
        for _ in range(3):
            await status(outbound, receiver.url)
        assert len(receiver._open) == 1
        await outbound.close()


@pytest.mark.alone
async def test_a_silent_receiver_ends_in_time() -> None:
    async with receiving(hangs=True) as receiver:
        outbound = Outbound(loopback=True)
        began = monotonic()
        assert await status(outbound, receiver.url, 0.3) == "timeout"
        assert monotonic() - began < 2
        await outbound.close()


async def test_a_receiver_that_drips_its_answer_ends_in_time() -> None:
    ended = asyncio.Event()

    async def drip(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
        try:
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.05)
        except ConnectionError:
            writer.close()
            ended.set()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    outbound = Outbound(loopback=True)
    port = server.sockets[0].getsockname()[1]
    assert await status(outbound, f"http://127.0.0.1:{port}/", 0.4) == "timeout"
    await outbound.close()
    server.close()
    await ended.wait()


class Answering(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing: a refused certificate is what the test is about."""


@contextmanager
def tls_receiving(authority: Authority) -> Iterator[str]:
    """The URL of a server over TLS that answers 200."""
    shown = authority.server()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(shown.certificate, shown.key)
    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"https://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


async def test_a_certificate_must_be_of_an_authority_that_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path, "known")
    with tls_receiving(authority) as url:
        outbound = Outbound(loopback=True)
        assert await status(outbound, url) == "certificate"
        await outbound.close()
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        outbound = Outbound(loopback=True)
        assert await status(outbound, url) == 200
        assert await status(outbound, url.replace("127.0.0.1", "localhost")) == "certificate"
        await outbound.close()


NOW = datetime(2026, 6, 5, 18, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "120"}, 120),
        ({"retry-after": " 0001800 "}, 1800),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "9" * 5000}, 999_999_999),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "\u0663"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Fri, 05 Jun 2026 18:30:00 GMT"}, 1800),
        ({"retry-after": "Friday, 05-Jun-26 18:30:00 GMT"}, 1800),
        ({"retry-after": "Fri Jun  5 18:30:00 2026"}, 1800),
        ({"retry-after": "Fri, 05 Jun 2026 17:59:59 GMT"}, 0),
        ({"retry-after": "Wed, 31 Feb 2026 18:30:00 GMT"}, None),
        # A clock there that is an hour behind asks for half an hour all the same.
        ({"retry-after": "Fri, 05 Jun 2026 17:30:00 GMT", "date": "Fri, 05 Jun 2026 17:00:00 GMT"}, 1800),
        ({"retry-after": "Fri, 05 Jun 2026 18:30:00 GMT", "date": "today"}, 1800),
    ],
)
def test_a_server_asks_for_time_in_seconds_or_by_a_date(headers: dict[str, str], seconds: int | None) -> None:
    """RFC 9110, 10.2.3, with the three forms of a date of 5.6.7."""
    assert retry_after(headers, NOW) == seconds
