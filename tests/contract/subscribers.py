"""Subscriptions for the tests, written as the hub writes them, and Tasks for them to be told of."""

from collections.abc import Sequence
from typing import Any

from app.core.actor import Actor
from app.core.ids import uuid7
from app.services.hub import Hub
from app.services.subscriptions import subscriptions
from app.services.writing import change_of
from app.store.changes import Changes, Grant, ResourceChange
from app.store.subscriptions import Event
from schemas.resources import subscription as words

Resource = dict[str, Any]
TASK, REQUEST = words.TOPICS
EVERYTHING = frozenset({"system/*.cruds"})


def body(
    endpoint: str = "https://partner.example.org/hook",
    *,
    topic: str = TASK,
    filters: Sequence[str] = (),
    content: str | None = None,
    **channel: Any,
) -> Resource:
    """A Subscription as a partner sends it."""
    made: Resource = {
        "resourceType": "Subscription",
        "meta": {"profile": [words.PROFILE]},
        "status": "requested",
        "reason": "HTEST new referrals",
        "criteria": topic,
        "channel": {"type": "rest-hook", "endpoint": endpoint, "payload": "application/fhir+json", **channel},
    }
    if filters:
        made["_criteria"] = {"extension": [{"url": words.FILTER, "valueString": text} for text in filters]}
    if content is not None:
        made["channel"]["_payload"] = {"extension": [{"url": words.CONTENT, "valueCode": content}]}
    return made


async def subscribe(hub: Hub, actor: Actor, resource: Resource) -> str:
    """The id of a Subscription that was written in one commit."""
    kept, extras = subscriptions.prepare_create(hub, actor, {**resource, "id": uuid7()})
    seen = Grant(str(actor.organization), kept["id"])
    await hub.store.commit(extras._replace(resources=(change_of(kept, 1),), grants=(seen,)))
    return str(kept["id"])


async def update(hub: Hub, actor: Actor, subscription: str, **changed: Any) -> None:
    """A change by its owner."""
    row = await hub.store.reader(actor).read("Subscription", subscription)
    assert row is not None
    before = body() | {"id": subscription}
    kept, extras = subscriptions.prepare_update(hub, actor, before, {**before, **changed})
    await hub.store.commit(extras._replace(resources=(change_of(kept, row.version + 1),)))


def partner(organization: str, client: str = "c") -> Actor:
    return Actor(organization, client, EVERYTHING)


def task(resource_id: str, version: int = 1, **columns: str | int | None) -> ResourceChange:
    usual: dict[str, str | int | None] = {"status": "requested", "intent": "order", "owner": "Organization/a"}
    return ResourceChange(
        resource_id, "Task", version, b'},"status":"requested","intent":"order"}', columns=usual | columns
    )


def shown_to(organization: str, *resources: ResourceChange) -> Changes:
    """What is written, and who sees it."""
    return Changes(resources=resources, grants=tuple(Grant(organization, one.id) for one in resources))


async def events(hub: Hub, actor: Actor, subscription: str) -> list[Event]:
    return await hub.store.subscriptions(actor).events(subscription, 1, 10**9, 10**6)
