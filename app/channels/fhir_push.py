"""fhir-push: one request to a partner's own FHIR R4 server (https://hl7.org/fhir/R4/http.html), and its answer.

A request has arrived where the answer is a 2xx with JSON in it, or with nothing, or a 304. Tried again later is what
may get better by itself: a connection that fails, 408, 425, 429 and every 5xx. Anything else (another status, a
redirect, a page for people, more than 4 MiB, what is no JSON) is refused, and a person must look. No redirect is
followed.
"""

from typing import Final

from app.channels.base import Channel, ChannelKind, Outside, Parcel, Receipt
from app.core.http import Answer, Outbound, Request, Unreachable

_LIMIT: Final = 4 * 1024 * 1024
_LATER: Final = frozenset({408, 425, 429})
_JSON: Final = ("application/fhir+json", "application/json", "text/json")
_HOPELESS: Final = frozenset({"too-large", "address"})
"""Why nothing came of it that does not get better by itself."""


class FhirPush:
    """Asks and tells."""

    def __init__(self, outside: Outside) -> None:
        self._outbound = Outbound(networks=outside.networks, loopback=outside.loopback)

    async def deliver(self, parcel: Parcel) -> Receipt:
        """One request; an empty content is none."""
        typed = (("content-type", parcel.content_type),) if parcel.content else ()
        # What is compressed could be anything once it isn't, so nothing that is.
        plain = (("accept", _JSON[0]), ("accept-encoding", "identity"), ("user-agent", "throughline"))
        headers = (*typed, *plain, *parcel.headers)
        request = Request(parcel.method, parcel.to, headers, parcel.content or None)
        try:
            answer = await self._outbound.exchange(request, limit=_LIMIT, seconds=parcel.seconds)
        except Unreachable as error:
            return Receipt(arrived=False, reason=error.reason, refused=error.reason in _HOPELESS)
        return _receipt(answer)

    async def close(self) -> None:
        """Close every connection."""
        await self._outbound.close()


def _receipt(answer: Answer) -> Receipt:
    if answer.status in _LATER or answer.status >= 500:
        return Receipt(arrived=False, reason=f"status-{answer.status}", answer=answer)
    if not (200 <= answer.status < 300 or answer.status == 304):
        return Receipt(arrived=False, reason=f"status-{answer.status}", refused=True, answer=answer)
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if answer.content and kind not in _JSON:
        return Receipt(arrived=False, reason="content-type", refused=True, answer=answer)
    return Receipt(arrived=True, answer=answer)


def _open(outside: Outside) -> Channel:
    return FhirPush(outside)


CHANNEL = ChannelKind("fhir-push", lambda _: True, _open, subscribed=False)
