"""Subscription: who is told of changes, where and how much (FHIR R4 2.45, with the topic-based backport).

http://hl7.org/fhir/uv/subscriptions-backport: ``criteria`` is the canonical URL of a topic, not a query.
"""

from typing import Final

from schemas.resources.base import AUTHORED, Invariant, ResourceSpec, code, contact, string, token, uri

_BACKPORT: Final = "http://hl7.org/fhir/uv/subscriptions-backport"
PROFILE: Final = f"{_BACKPORT}/StructureDefinition/backport-subscription"
STATUS_PROFILE: Final = f"{_BACKPORT}/StructureDefinition/backport-subscription-status-r4"
NOTIFICATION_PROFILE: Final = f"{_BACKPORT}/StructureDefinition/backport-subscription-notification-r4"
FILTER: Final = f"{_BACKPORT}/StructureDefinition/backport-filter-criteria"
CONTENT: Final = f"{_BACKPORT}/StructureDefinition/backport-payload-content"
HEARTBEAT: Final = f"{_BACKPORT}/StructureDefinition/backport-heartbeat-period"
TIMEOUT: Final = f"{_BACKPORT}/StructureDefinition/backport-timeout"
MAX_COUNT: Final = f"{_BACKPORT}/StructureDefinition/backport-max-count"
CHANNEL_TYPE: Final = f"{_BACKPORT}/StructureDefinition/backport-channel-type"

_GRAVITY: Final = "http://hl7.org/fhir/us/sdoh-clinicalcare/SubscriptionTopic"
TOPICS: Final = {f"{_GRAVITY}/Task": "Task", f"{_GRAVITY}/Servicerequest": "ServiceRequest"}
"""Canonical URL of each topic, as Gravity spells it, to the type that it is about."""

SPEC = ResourceSpec(
    type="Subscription",
    interactions=AUTHORED,
    search=(
        code("status", "status", "http://hl7.org/fhir/subscription-status"),
        code("type", "channel.type", "http://hl7.org/fhir/subscription-channel-type"),
        uri("url", "channel.endpoint"),
        string("criteria", "criteria"),
        token("payload", "channel.payload"),
        contact("contact", "contact"),
    ),
    indexed=frozenset(),
    profiles={
        f"{PROFILE}|1.1.0": (
            Invariant(
                "backport-payload",
                "a payload (channel.payload 1..1 of the profile)",
                "Subscription.channel",
                lambda channel: "payload" in channel,
                element="payload",
                code="required",
            ),
        )
    },
)
