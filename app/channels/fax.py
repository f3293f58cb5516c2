"""fax: pages to one number, through the HTTP service of whoever runs the hub (docs/phone.md).

One POST of ``{"to", "documents": [{"content_type", "content"}]}``, each content in base64; any 2xx means that the
service has taken it over. Carries what it is handed, up to the whole packet: consent is decided and the disclosure
recorded before. Limits: 16 MiB of documents; an attempt lasts as long as the parcel says. Every failure is worth
another attempt.
"""

import json
from base64 import b64encode
from typing import Final

from app.channels.base import ANYWHERE, Channel, ChannelKind, Outside, Parcel, Provider, Receipt, posted
from app.core.http import Outbound

_LIMIT: Final = 16 * 1024 * 1024


class Fax:
    """Hands over to one service."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._outbound = Outbound(networks=ANYWHERE, loopback=True)

    async def deliver(self, parcel: Parcel) -> Receipt:
        """One fax: the content, and what goes with it."""
        documents = ((parcel.content_type, parcel.content), *parcel.more)
        if sum(len(content) for _, content in documents) > _LIMIT:
            return Receipt(arrived=False, reason="too-large")
        told = [{"content_type": kind, "content": b64encode(content).decode()} for kind, content in documents]
        content = json.dumps({"to": parcel.to.removeprefix("tel:"), "documents": told}).encode()
        headers = [*self._provider.headers, *parcel.headers]
        return await posted(self._outbound, self._provider.url, content, headers, parcel.seconds)

    async def close(self) -> None:
        """Close every connection."""
        await self._outbound.close()


def _open(outside: Outside) -> Channel:
    if outside.fax is None:
        raise ValueError("a service that sends faxes is needed")
    return Fax(outside.fax)


CHANNEL = ChannelKind("fax", lambda outside: outside.fax is not None, _open, subscribed=False)
