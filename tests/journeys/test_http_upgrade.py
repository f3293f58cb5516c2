"""A client that offers another protocol with its request is served as if it had not (RFC 9110 section 7.8)."""

import re
import socket
import time
from collections.abc import Iterator

import pytest

from tests.conformance.clients.served import Served, serving
from tests.journeys.running_hub import HOST

OFFER = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("upgrade")
    with serving(folder, f"sqlite:///{folder / 'throughline.db'}", referrals=0) as made:
        yield made


def answers(served: Served, *parts: bytes) -> list[str]:
    """The statuses that come back on one connection."""
    with socket.create_connection((HOST, int(served.hub.base.rpartition(":")[2])), timeout=5) as stream:
        for part in parts:
            stream.sendall(part)
            time.sleep(0.2)
        stream.shutdown(socket.SHUT_WR)
        stream.settimeout(1)
        got = b""
        try:
            while data := stream.recv(65536):
                got += data
        except TimeoutError:
            pass
    return re.findall(r"HTTP/1\.1 (\d{3})", got.decode())


def head(method: str, path: str, length: int) -> bytes:
    about = f"Host: hub\r\n{OFFER}Content-Type: application/json\r\nContent-Length: {length}\r\n"
    return f"{method} {path} HTTP/1.1\r\n{about}\r\n".encode()


@pytest.mark.parametrize("together", [True, False])
def test_a_body_after_an_offer_is_the_body_and_never_a_request(served: Served, *, together: bool) -> None:
    inner = b"GET /health/live HTTP/1.1\r\nHost: other\r\n\r\n"
    outer = head("POST", "/oauth/token", len(inner))
    found = answers(served, outer + inner) if together else answers(served, outer, inner)
    assert found == ["400"]


def test_the_connection_goes_on_after_an_offer(served: Served) -> None:
    get = b"GET /health/live HTTP/1.1\r\nHost: hub\r\n\r\n"
    assert answers(served, head("GET", "/health/live", 0), get) == ["200", "200"]


def test_a_tunnel_is_refused(served: Served) -> None:
    assert answers(served, b"CONNECT elsewhere.test:443 HTTP/1.1\r\nHost: elsewhere.test\r\n\r\n") == ["400"]
