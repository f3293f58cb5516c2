"""Notifications and answers about Subscriptions, as Bundles.

http://hl7.org/fhir/uv/subscriptions-backport, R4: a notification is a history Bundle whose first entry is a Parameters
with the standing of the Subscription, and in which numbers are strings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import orjson

from app.core.clock import iso
from app.core.ids import uuid7
from app.rules.subscribing import Content
from app.services.reading.bundle_marks import mark
from app.services.writing import Disclosed, Resource, served
from app.store.queries import Row, notices_of
from app.store.subscriptions import Event
from schemas.resources.subscription import NOTIFICATION_PROFILE, STATUS_PROFILE

Type = Literal["handshake", "heartbeat", "event-notification", "query-status", "query-event"]
_NO_CONTENT: Final = "204"


@dataclass(frozen=True, slots=True)
class Telling:
    """What is said about one Subscription."""

    base: str
    """Base URL of the FHIR API."""
    subscription: str
    topic: str
    """Its canonical URL."""
    status: str
    events: int
    """The number of its last event."""
    type: Type
    content: Content
    error: str | None = None


def notification(telling: Telling, now: int, events: Sequence[Event] = (), rows: Sequence[Row] = ()) -> Disclosed:
    """A notification, or the answer of ``$events``, as it leaves.

    An event whose resource the subscriber may not see any more has its number and nothing else, whatever the level: a
    missing number would be taken for a loss, and a focus would tell that there once was something about somebody.

    Args:
        telling: what it is about.
        now: microseconds.
        events: what happened, in order.
        rows: the resources that may leave whole, as they are now; each stands once.
    """
    number = uuid7()
    status = f"{telling.base}/Subscription/{telling.subscription}/$status"
    first = {
        "fullUrl": f"urn:uuid:{number}",
        "resource": {"resourceType": "Parameters", "id": number, **_status(telling, events)},
        "request": {"method": "GET", "url": status},
        "response": {"status": "200"},
    }
    whole = telling.content == "full-resource"
    entries = _changed(telling.base, events, {row.id: row for row in rows}) if whole else []
    security = mark(*entries)
    head = f'{{"resourceType":"Bundle","id":"{uuid7()}","meta":{{"profile":["{NOTIFICATION_PROFILE}"]'.encode()
    meta = b"," + security if security else b""
    kind = f'}},"type":"history","timestamp":"{iso(now)}","entry":['.encode()
    body = head + meta + kind + b",".join((orjson.dumps(first), *entries)) + b"]}"
    return Disclosed(body, notices_of(rows if whole else ()))


def standing(tellings: Sequence[Telling]) -> bytes:
    """The answer of ``$status``: a searchset of Parameters."""
    entries = []
    for telling in tellings:
        number = uuid7()
        resource = {"resourceType": "Parameters", "id": number, **_status(telling, ())}
        entries.append({"fullUrl": f"urn:uuid:{number}", "resource": resource, "search": {"mode": "match"}})
    bundle: Resource = {"resourceType": "Bundle", "id": uuid7(), "type": "searchset", "total": len(entries)}
    return orjson.dumps(bundle | ({"entry": entries} if entries else {}))


def _status(telling: Telling, events: Sequence[Event]) -> Resource:
    reference = {"reference": f"{telling.base}/Subscription/{telling.subscription}"}
    parameters: list[Resource] = [{"name": "subscription", "valueReference": reference}]
    if telling.content != "empty":
        parameters.append({"name": "topic", "valueCanonical": telling.topic})
    parameters += [
        {"name": "status", "valueCode": telling.status},
        {"name": "type", "valueCode": telling.type},
        {"name": "events-since-subscription-start", "valueString": str(telling.events)},
    ]
    for event in events:
        parameters.append({"name": "notification-event", "part": _event(telling, event)})
    if telling.error is not None:
        parameters.append({"name": "error", "valueCodeableConcept": {"text": telling.error}})
    return {"meta": {"profile": [STATUS_PROFILE]}, "parameter": parameters}


def _event(telling: Telling, event: Event) -> list[Resource]:
    part: list[Resource] = [{"name": "event-number", "valueString": str(event.number)}]
    if event.level is not None:
        part.append({"name": "timestamp", "valueInstant": iso(event.at)})
        if telling.content != "empty":
            focus = {"reference": f"{telling.base}/{event.type}/{event.id}"}
            part.append({"name": "focus", "valueReference": focus})
    return part


def _changed(base: str, events: Sequence[Event], rows: Mapping[str, Row]) -> list[bytes]:
    """An entry for each resource, in the order of its last event: whole, or that it was deleted."""
    last = {event.id: event for event in events if event.level is not None}
    entries = []
    for event in sorted(last.values(), key=lambda event: event.number):
        row = rows.get(event.id)
        if row is not None:
            entries.append(_entry(base, row))
        elif event.deleted:
            target = f"{event.type}/{event.id}"
            request = {"method": "DELETE", "url": target}
            gone = {"fullUrl": f"{base}/{target}", "request": request, "response": {"status": _NO_CONTENT}}
            entries.append(orjson.dumps(gone))
    return entries


def _entry(base: str, row: Row) -> bytes:
    created = row.version == 1
    request = {"method": "POST" if created else "PUT", "url": row.type if created else f"{row.type}/{row.id}"}
    response = {
        "status": "201" if created else "200",
        "etag": f'W/"{row.version}"',
        "lastModified": iso(row.last_updated),
    }
    tail = b',"request":' + orjson.dumps(request) + b',"response":' + orjson.dumps(response) + b"}"
    return f'{{"fullUrl":"{base}/{row.type}/{row.id}","resource":'.encode() + served(row) + tail
