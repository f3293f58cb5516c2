"""Where a name leads, looked at before anything is sent there.

Whoever names an address must not be able to make the hub speak to its own network (server-side request forgery). So a
name is resolved here and each address it has is looked at; the connection then goes to an address that passed, not to
the name: what the name means a moment later does not matter.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from app.core.addresses import Address, Network, may_be_reached

_THREADS: Final = 16
"""Names that are looked up at a time: a name server that is silent holds up no other."""


class Unreachable(Exception):
    """Nothing was sent, or no answer came; ``reason`` is one of a few codes and holds nothing of the address."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Resolver:
    """Looks names up.

    Args:
        networks: networks that may be reached besides the Internet.
        loopback: whether this machine itself may be reached.
    """

    def __init__(self, networks: Sequence[Network], *, loopback: bool) -> None:
        self._networks = tuple(networks)
        self._loopback = loopback
        self._threads = ThreadPoolExecutor(_THREADS, "resolver")

    async def address(self, host: str, port: int) -> Address:
        """The first address of ``host`` that may be reached. Raises Unreachable (``address``), OSError."""
        try:
            found: list[Address] = [ipaddress.ip_address(host)]
        except ValueError:
            loop = asyncio.get_running_loop()
            answers = await loop.run_in_executor(self._threads, _resolve, host, port)
            found = [ipaddress.ip_address(str(answer[4][0]).partition("%")[0]) for answer in answers]
        for address in found:
            if may_be_reached(address, self._networks, loopback=self._loopback):
                return address
        raise Unreachable("address")

    def is_private(self, address: Address) -> bool:
        """Whether it is this machine, or in a network that whoever runs the hub has named."""
        return address.is_loopback or any(address in network for network in self._networks)

    def close(self) -> None:
        """Wait for nobody."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _resolve(host: str, port: int) -> list[tuple[int, int, int, str, tuple[str | int, ...]]]:
    return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))  # type: ignore[arg-type]  # families are ints
