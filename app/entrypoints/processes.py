"""Several HTTP processes on one port, each with a listening socket of its own.

Of one shared socket, the process that wakes first takes every connection of a burst, and engines and pollers keep
their connections for hours: one process works, the others idle. With SO_REUSEPORT the kernel deals connections out
(https://man7.org/linux/man-pages/man7/socket.7.html).
"""

import socket
from typing import Any, Final

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.supervisors import Multiprocess


class OwnSocket(socket.socket):
    """A bound socket of which every process that it is sent to makes one of its own.

    The first one is bound alone, so that a port which somebody else has is refused; only then are others let in.
    It never listens.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        """How multiprocessing sends it."""
        return _another, (self.family, self.getsockname())


def first(host: str, port: int) -> OwnSocket:
    """The socket that holds the port for the processes. Raises OSError where it can't be had."""
    found = _bound(socket.AF_INET6 if ":" in host else socket.AF_INET, (host, port))
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return found


def _another(family: int, address: tuple[Any, ...]) -> OwnSocket:
    return _bound(family, address, reuse_port=True)


def _bound(family: int, address: tuple[Any, ...], *, reuse_port: bool = False) -> OwnSocket:
    own = OwnSocket(family, socket.SOCK_STREAM)
    try:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, reuse_port)
        own.bind(address)
    except OSError:
        own.close()
        raise
    return own


def serve(application: str, host: str, port: int, *, workers: int, log_level: str) -> None:
    """Serve what ``application`` (``module:factory``) makes until interrupted; a process that dies is replaced.

    Raises OSError where several processes can't have the port; one alone logs the reason and exits.
    """
    options: dict[str, Any] = {
        "factory": True,
        "host": host,
        "port": port,
        "loop": "uvloop",
        "http": Http11,
        "ws": "none",
        "access_log": False,
        "server_header": False,
        "log_level": log_level,
        "timeout_graceful_shutdown": 15,
    }
    if workers == 1:
        uvicorn.run(application, **options)
        return
    config = uvicorn.Config(application, workers=workers, **options)
    with first(host, port) as holder:
        Multiprocess(config, sockets=[holder]).run()


# ---- the protocol

_OFFER: Final = frozenset({b"upgrade", b"http2-settings"})
_MALFORMED: Final = "Invalid HTTP request received."


class Http11(HttpToolsProtocol):
    """A connection that goes on as HTTP/1.1 where a client offers another protocol (RFC 9110 section 7.8).

    Java's HttpClient offers HTTP/2 with its first request on a connection without TLS. httptools takes what follows
    such a head for the other protocol: the body would be lost, or be read as a request of its own. So the head is read
    again without the offer.
    """

    def _should_upgrade(self) -> bool:
        """So that nothing is begun before the head has been read again."""
        return True

    def data_received(self, data: bytes) -> None:
        """Feed the parser."""
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offered:
            self._again(data[offered.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response(_MALFORMED)

    def _again(self, rest: bytes) -> None:
        method = self.parser.get_method()
        if method == b"CONNECT":
            self.send_400_response(_MALFORMED)
            return
        version = self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (method, self.url, version), *_without_offer(self.headers), b"", b""]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as the one that it replaces has it
        self.data_received(b"\r\n".join(lines) + rest)


def _without_offer(headers: list[tuple[bytes, bytes]]) -> list[bytes]:
    kept = []
    for name, value in headers:
        if name == b"connection":
            options = [option for option in map(bytes.strip, value.split(b",")) if option.lower() not in _OFFER]
            if options:
                kept.append(b"connection: " + b", ".join(options))
        elif name not in _OFFER:
            kept.append(name + b": " + value)
    return kept
