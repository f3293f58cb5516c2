"""sms: a short text to one number, through the HTTP service of whoever runs the hub (docs/phone.md).

One POST of ``{"to", "text"}``; any 2xx means that the service has taken it over. Carries a link and no more: a text
message is read by whoever holds the phone. Limits: an attempt lasts as long as the parcel says; every failure is worth
another attempt.
"""

import json

from app.channels.base import ANYWHERE, Channel, ChannelKind, Outside, Parcel, Provider, Receipt, posted
from app.core.http import Outbound


class Sms:
    """Hands over to one service."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._outbound = Outbound(networks=ANYWHERE, loopback=True)

    async def deliver(self, parcel: Parcel) -> Receipt:
        """One text."""
        content = json.dumps({"to": parcel.to.removeprefix("tel:"), "text": parcel.content.decode()}).encode()
        headers = [*self._provider.headers, *parcel.headers]
        return await posted(self._outbound, self._provider.url, content, headers, parcel.seconds)

    async def close(self) -> None:
        """Close every connection."""
        await self._outbound.close()


def _open(outside: Outside) -> Channel:
    if outside.sms is None:
        raise ValueError("a service that sends text messages is needed")
    return Sms(outside.sms)


CHANNEL = ChannelKind("sms", lambda outside: outside.sms is not None, _open, subscribed=False)
