"""Several HTTP processes on one port, each with a listening socket of its own.

Of one shared socket, the process that wakes first takes every connection of a burst, and engines and pollers keep
their connections for hours: one process works, the others idle. With SO_REUSEPORT the kernel deals connections out
(https://man7.org/linux/man-pages/man7/socket.7.html).
"""

import socket
from typing import Any

import uvicorn
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
        "http": "httptools",
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
