"""What every channel is: a way out that is handed a parcel and says whether it arrived."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Final, Protocol

from app.core.addresses import Network
from app.core.http import Answer, Outbound, Unreachable


@dataclass(frozen=True, slots=True)
class Parcel:
    """Something to deliver."""

    to: str = field(repr=False)
    """Address in the form of the channel: a URL, ``mailto:``."""
    content: bytes = field(repr=False)
    content_type: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    subject: str = ""
    more: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)
    """Documents that go with it, in order: content type and content."""
    seconds: float = 10
    """An attempt that takes longer has failed."""
    alone: bool = False
    """Nothing else goes over the connection that carries it."""
    method: str = "POST"
    """Of HTTP, where the channel asks as well as tells."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Whether it arrived. ``reason`` is a code where it didn't, and holds nothing of the address or the answer."""

    arrived: bool
    reason: str = ""
    refused: bool = False
    """It arrived and was not taken, or not understood: the same again would fare no better."""
    answer: Answer | None = field(default=None, repr=False)
    """What was answered, where somebody reads it."""


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files of the hub as a client of TLS."""

    ca: Path | None = None
    """Who signs the certificates of receivers; None: whom this machine trusts."""
    cert: Path | None = None
    """What the hub shows of itself."""
    key: Path | None = None
    """Its key; may stand in the same file."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A service that whoever runs the hub has chosen to hand something over to."""

    url: str = field(repr=False)
    token: str | None = field(default=None, repr=False)

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """By which the hub is known to it."""
        known = (("authorization", f"Bearer {self.token}"),) if self.token else ()
        return (("content-type", "application/json"), ("user-agent", "throughline"), *known)


ANYWHERE: Final[tuple[Network, ...]] = (ip_network("0.0.0.0/0"), ip_network("::/0"))
"""Where a provider may be: nobody else names its address."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What the channels of this hub have to work with."""

    loopback: bool
    """Whether this machine itself may be reached: a hub to try things on."""
    networks: Sequence[Network] = ()
    """Networks that may be reached besides the Internet."""
    smtp_url: str | None = field(default=None, repr=False)
    mail_from: str | None = None
    sms: Provider | None = None
    fax: Provider | None = None
    mllp: Certificates = Certificates()
    """For receivers of MLLP with TLS."""


async def posted(
    outbound: Outbound, url: str, content: bytes, headers: Sequence[tuple[str, str]], seconds: float
) -> Receipt:
    """One POST; any 2xx is an arrival, and of anything else the reason is told."""
    try:
        status = await outbound.post(url, content=content, headers=headers, seconds=seconds)
    except Unreachable as error:
        return Receipt(arrived=False, reason=error.reason)
    return Receipt(arrived=True) if 200 <= status < 300 else Receipt(arrived=False, reason=f"status-{status}")


class Channel(Protocol):
    """An open channel."""

    async def deliver(self, parcel: Parcel) -> Receipt:
        """One attempt. Never raises for a fault of the other side."""

    async def close(self) -> None:
        """Give everything back."""


@dataclass(frozen=True, slots=True)
class ChannelKind:
    """One way out. A module of this folder names its own ``CHANNEL``."""

    name: str
    offered: Callable[[Outside], bool]
    """Whether it can be used with what there is."""
    open: Callable[[Outside], Channel]
    subscribed: bool = True
    """Whether a FHIR Subscription may ask for it."""
