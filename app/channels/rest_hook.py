"""rest-hook: a POST to the subscriber's URL (FHIR R4 Subscription, channel type rest-hook).

Any 2xx is an arrival. Everything else is worth another attempt: a server that answers 404 or 401 today may be set
right tomorrow. Carries what it is handed, up to whole resources, so only over TLS (see ``app.rules.subscribing``).
Limits: one attempt lasts as long as the parcel says, at most a minute; 64 KiB of the answer are read.
"""

from app.channels.base import Channel, ChannelKind, Outside, Parcel, Receipt, posted
from app.core.http import Outbound


class RestHook:
    """Posts."""

    def __init__(self, outside: Outside) -> None:
        self._outbound = Outbound(networks=outside.networks, loopback=outside.loopback)

    async def deliver(self, parcel: Parcel) -> Receipt:
        """One POST."""
        headers = [("content-type", parcel.content_type), ("user-agent", "throughline"), *parcel.headers]
        return await posted(self._outbound, parcel.to, parcel.content, headers, parcel.seconds)

    async def close(self) -> None:
        """Close every connection."""
        await self._outbound.close()


def _open(outside: Outside) -> Channel:
    return RestHook(outside)


CHANNEL = ChannelKind("rest-hook", lambda _: True, _open)
