"""Delivering to one subscriber: what is next is read, decided, sent and noted, until there is nothing left.

Who may see what is asked again for each notification. What leaves is on record before its first byte does.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from app.channels.base import Channel, Parcel, Receipt
from app.core import log
from app.core.actor import Actor
from app.core.clock import iso
from app.core.errors import Conflict, Forbidden
from app.rules import notifying, subscribing
from app.rules.subscribing import EMAIL, FHIR_JSON, Content, Terms
from app.services.disclosures import Disclosures
from app.services.hub import Hub
from app.services.scopes import require
from app.services.subscriptions import notification_texts as texts
from app.services.subscriptions.notification_bundles import Telling, Type, notification
from app.services.subscriptions.subscriptions import premises_of
from app.services.writing import Resource, change_of, decoded, without_server_meta
from app.store.changes import Changes, SubscriptionChange
from app.store.queries import Fresh, Row
from app.store.reader import Reader
from app.store.subscriptions import Event, Lane, Lanes
from schemas.packs.base import headers as notice_headers

LEASE: Final = 120 * notifying.SECOND
"""Longer than any attempt may last."""
_TYPES: Final[Mapping[notifying.Step, Type]] = {
    "handshake": "handshake",
    "heartbeat": "heartbeat",
    "events": "event-notification",
}
_CONTACT_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class _Subscriber:
    """One lane with the Subscription as it stands, and whose rights are asked."""

    lane: Lane
    row: Row
    resource: Resource
    terms: Terms
    actor: Actor


@dataclass(frozen=True, slots=True)
class _Stopped:
    """Why nothing may be sent any more, for the owner to read."""

    row: Row
    text: str
    terms: Terms | None = None


class Delivery:
    """Serves lanes, over the channels that this hub has open."""

    def __init__(self, hub: Hub, disclosures: Disclosures, lanes: Lanes, channels: Mapping[str, Channel]) -> None:
        self._hub = hub
        self._disclosures = disclosures
        self._lanes = lanes
        self._channels = channels
        self._premises = premises_of(hub.settings)

    async def serve(self, subscription: str) -> None:
        """Send what one subscriber is to be sent now; at once over where another process does."""
        more = True
        while more:
            now = self._hub.clock.now_us()
            lane = await self._lanes.claim(subscription, now, LEASE)
            if lane is None:
                return
            step = notifying.next_step(now, _situation(lane))
            more = step != "rest" and await self._take(lane, step)
            if step == "rest":
                await self._lanes.release(subscription)

    async def postpone(self, subscription: str) -> None:
        """After a fault of the hub itself: try again a little later."""
        now = self._hub.clock.now_us()
        await self._lanes.failed(subscription, now, now + notifying.pause(6, 0))

    async def _take(self, lane: Lane, step: notifying.Step) -> bool:
        """One step; whether the lane should be looked at again at once."""
        found = await self._subscriber(lane)
        if found is None:
            await self._lanes.release(lane.subscription)
            return False
        if isinstance(found, _Stopped):
            await self._stop(lane, found.row, found.text, found.terms)
            return False
        if found.resource["status"] != lane.status:
            # Changed since the lane was read: a new endpoint is greeted before it is told anything.
            await self._lanes.release(lane.subscription)
            return False
        events = await self._events(found) if step == "events" else []
        parcel = await self._parcel(found, step, events)
        receipt = await self._channels[found.terms.channel].deliver(parcel)
        if not receipt.arrived:
            await self._failed(found, step, receipt)
            return False
        return await self._arrived(found, step, events[-1].number if events else lane.delivered)

    async def _subscriber(self, lane: Lane) -> _Subscriber | _Stopped | None:
        """Who is to be told, with the rights of this moment; None where the Subscription is gone."""
        client = await self._hub.store.accounts.client(lane.client)
        scopes = frozenset(client.scope.split()) if client is not None else frozenset()
        actor = Actor(lane.organization, lane.client, scopes)
        row = await self._hub.store.reader(actor).read("Subscription", lane.subscription)
        if row is None or row.deleted:
            return None
        resource = decoded(row)
        verdict = subscribing.terms_of(resource, self._premises)
        if verdict.terms is None:
            return _Stopped(row, texts.NOT_OFFERED)
        try:
            require(actor, lane.topic, "r")
        except Forbidden:
            return _Stopped(row, texts.NOT_ALLOWED, verdict.terms)
        return _Subscriber(lane, row, resource, verdict.terms, actor)

    async def _events(self, to: _Subscriber) -> list[Event]:
        reader = self._hub.store.subscriptions(to.actor)
        first, last = to.lane.delivered + 1, to.lane.events
        return await reader.events(to.lane.subscription, first, last, to.terms.max_count)

    async def _parcel(self, to: _Subscriber, step: notifying.Step, events: list[Event]) -> Parcel:
        seconds = to.terms.timeout
        if to.terms.channel == EMAIL:
            subject, text = texts.mail(step, self._hub.settings.base_url, to.lane.subscription)
            return Parcel(to.terms.endpoint, text.encode(), "text/plain", subject=subject, seconds=seconds)
        telling = Telling(
            base=self._hub.settings.fhir_base,
            subscription=to.lane.subscription,
            topic=to.terms.canonical,
            status=to.lane.status,
            events=events[-1].number if events else to.lane.events,
            type=_TYPES[step],
            content=to.terms.content,
        )
        reader = self._hub.store.reader(to.actor)
        rows = await shown(self._disclosures, reader, events, telling.content, "notification")
        told = notification(telling, self._hub.clock.now_us(), events, rows)
        headers = (*to.terms.headers, *notice_headers(told.notices))
        return Parcel(to.terms.endpoint, told.body, FHIR_JSON, headers, seconds=seconds)

    async def _arrived(self, to: _Subscriber, step: notifying.Step, number: int) -> bool:
        if step == "handshake" and not await self._become(to.lane, to.row, "active"):
            await self._lanes.release(to.lane.subscription)
            return True
        await self._lanes.delivered(to.lane.subscription, number, self._hub.clock.now_us())
        return step == "handshake" or to.lane.events > number

    async def _failed(self, to: _Subscriber, step: notifying.Step, receipt: Receipt) -> None:
        now = self._hub.clock.now_us()
        attempts = to.lane.attempts + 1
        log.warning(
            "notify.not-delivered",
            organization=to.lane.organization,
            kind=step,
            reason=receipt.reason,
            count=attempts,
        )
        if step == "handshake":
            await self._stop(to.lane, to.row, texts.no_handshake(receipt.reason), to.terms)
        elif notifying.gives_up(now, to.lane.failing_since):
            await self._stop(to.lane, to.row, texts.given_up(receipt.reason, iso(now)), to.terms)
        else:
            again = now + notifying.pause(attempts, secrets.randbelow(1000) / 1000)
            await self._lanes.failed(to.lane.subscription, now, again)

    async def _stop(self, lane: Lane, row: Row, text: str, terms: Terms | None = None) -> None:
        """The Subscription is in error and its owner is told; only the owner can have it greeted again."""
        if await self._become(lane, row, "error", text):
            log.warning("notify.stopped", organization=lane.organization, client=lane.client)
            await self._tell_contacts(lane, terms)
        await self._lanes.release(lane.subscription)

    async def _become(self, lane: Lane, row: Row, status: Literal["active", "error"], text: str | None = None) -> bool:
        """A new version with another status; False where the owner changed or deleted it meanwhile."""
        before = decoded(row)
        after = without_server_meta(before) | {"status": status} | ({"error": text} if text else {})
        change = SubscriptionChange(
            lane.subscription, lane.organization, lane.client, lane.topic, status, lane.filters, lane.heartbeat
        )
        written = change_of(after, row.version + 1, before=before)
        scope = frozenset({lane.subscription})
        try:
            await self._hub.store.commit(Changes(scope=scope, resources=(written,), subscriptions=(change,)))
        except Conflict:
            return False
        return True

    async def _tell_contacts(self, lane: Lane, terms: Terms | None) -> None:
        mail = self._channels.get(EMAIL)
        if mail is None or terms is None:
            return
        subject, text = texts.stopped(self._hub.settings.fhir_base, lane.subscription)
        own = (terms.endpoint,) if terms.channel == EMAIL else ()
        for address in dict.fromkeys((*terms.contacts, *own)):
            parcel = Parcel(address, text.encode(), "text/plain", subject=subject, seconds=_CONTACT_SECONDS)
            receipt = await mail.deliver(parcel)
            if not receipt.arrived:
                log.warning("notify.contact-not-told", organization=lane.organization, reason=receipt.reason)


async def shown(
    disclosures: Disclosures, reader: Reader, events: Sequence[Event], content: Content, interaction: str
) -> list[Row]:
    """The resources of ``events`` that leave whole; what leaves, be it an id alone, is on record when this returns.

    An id alone is recorded as version 0, unless the organisation was given the resource before: then it is counted.
    """
    seen = {event.id: event for event in events if event.level is not None}
    if content == "full-resource":
        rows = await reader.by_ids(sorted(i for i, event in seen.items() if not event.deleted))
        await disclosures.record(reader.actor, rows, interaction)
        return rows
    fresh = [Fresh(i, 0, event.level or "", event.decision) for i, event in seen.items() if event.disclosed == 0]
    if not await disclosures.record_first(reader.actor, fresh if content == "id-only" else ()):
        disclosures.access(reader.actor, interaction, [*seen] if content == "id-only" else ())
    return []


def _situation(lane: Lane) -> notifying.Situation:
    return notifying.Situation(
        status=lane.status,
        events=lane.events,
        delivered=lane.delivered,
        due_at=lane.due_at,
        sent_at=lane.sent_at,
        heartbeat=lane.heartbeat,
    )
