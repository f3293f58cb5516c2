"""Whether the hub may speak to the receiver of MLLP that a sender's file names. Pure.

What a name leads to is only known, and looked at again, when something is sent (``app.core.resolving``).
"""

from collections.abc import Iterator, Sequence

from app.core.addresses import Network, is_loopback, may_be_reached, written
from app.rules.verdict import Reason
from schemas.sender import place_of

_NETWORKS = "THROUGHLINE_NOTIFY_NETWORKS"


def receiver_reasons(address: str, path: str, *, loopback: bool, networks: Sequence[Network]) -> Iterator[Reason]:
    """What is against sending to ``mllps://host:port`` or ``mllp://host:port``.

    Args:
        address: the receiver, in that form.
        path: where it stands.
        loopback: whether the machine of the hub may be sent to.
        networks: what may be sent to besides the Internet, and without TLS.
    """
    place = place_of(address)
    found = written(place.host)
    if is_loopback(place.host):
        if not loopback:
            yield Reason("receiver", "the receiver can't be on the machine of the hub", path)
        return
    if found is not None and not may_be_reached(found, networks, loopback=loopback):
        yield Reason("receiver", f"an address inside a network that {_NETWORKS} does not name", path)
    elif not place.tls and not (networks if found is None else any(found in network for network in networks)):
        text = f"mllps://: without TLS it can be read on its way, but for networks that {_NETWORKS} names"
        yield Reason("receiver", text, path)
