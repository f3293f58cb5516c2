"""Where an address leads: out into the Internet, or to where nobody may send the hub. Pure; no name is looked up."""

import ipaddress
import socket
from collections.abc import Sequence
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_EMBEDDING: Final = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
"""IPv6 addresses that stand for any IPv4 one (RFC 6052, RFC 8215)."""


def is_public(address: Address) -> bool:
    """Whether an address is out in the Internet, by every meaning that it may have."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address.sixtofour is not None or address.teredo is not None or any(address in net for net in _EMBEDDING):
            return False
    return address.is_global and not address.is_multicast


def may_be_reached(address: Address, networks: Sequence[Network], *, loopback: bool) -> bool:
    """Whether the hub may speak to an address that others named.

    Args:
        address: where a connection would go.
        networks: what may be reached besides the Internet.
        loopback: whether this machine itself may be.
    """
    if address.is_loopback:
        return loopback
    return is_public(address) or any(address in network for network in networks)


def written(host: str) -> Address | None:
    """The address that the host of a URL spells; None where it is a name.

    An IPv4 address has many spellings that resolvers take: fewer numbers, octal, hexadecimal (inet_aton(3)).
    """
    bare = host.partition("%")[0].rstrip(".")
    try:
        return ipaddress.ip_address(bare)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(bare))
    except (OSError, ValueError):
        return None


def is_loopback(host: str) -> bool:
    """Whether the host of a URL is this machine, by its address or by its name (RFC 6761 section 6.3)."""
    address = written(host)
    if address is not None:
        return address.is_loopback
    name = host.rstrip(".").lower()
    return name == "localhost" or name.endswith(".localhost")
