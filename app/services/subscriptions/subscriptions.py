"""What is written beside a Subscription when its owner creates, changes or deletes it.

The writing of resources calls these; nothing here asks or writes the database. A Subscription is taken or refused as a
whole: what it asks for is in ``app.rules.subscribing``.
"""

from collections.abc import Sequence
from typing import NoReturn
from urllib.parse import urlsplit

from pydantic import SecretStr

from app import channels
from app.channels.base import Certificates, Channel, ChannelKind, Outside, Provider
from app.core import json
from app.core.actor import Actor
from app.core.addresses import is_loopback
from app.core.errors import Forbidden, Issue, Unprocessable
from app.core.settings import Settings
from app.rules import notifying, subscribing
from app.rules.verdict import Reason
from app.services.hub import Hub
from app.services.scopes import require
from app.services.writing import Resource
from app.store.changes import Changes, SubscriptionChange


def outside_of(settings: Settings) -> Outside:
    """What the channels of this hub have to work with."""
    # Where it listens counts too: a hub that others reach, and whose address was not set, is none to try things on.
    hosts = (urlsplit(settings.base_url).hostname or "", settings.mllp_host)
    loopback = all(is_loopback(host) for host in hosts)
    return Outside(
        loopback,
        settings.notify_networks or (),
        settings.smtp_url,
        settings.mail_from,
        sms=_provider(settings.sms_url, settings.sms_token),
        fax=_provider(settings.fax_url, settings.fax_token),
        mllp=Certificates(settings.mllp_out_tls_ca, settings.mllp_out_tls_cert, settings.mllp_out_tls_key),
    )


def _provider(url: str | None, token: SecretStr | None) -> Provider | None:
    return None if url is None else Provider(url, token.get_secret_value() if token else None)


def channels_of(settings: Settings) -> dict[str, Channel]:
    """The channels that this hub offers to subscribers, open."""
    outside = outside_of(settings)
    return {name: kind.open(outside) for name, kind in _offered(outside).items()}


def _offered(outside: Outside) -> dict[str, ChannelKind]:
    return {name: kind for name, kind in channels.ALL.items() if kind.subscribed and kind.offered(outside)}


def premises_of(settings: Settings) -> subscribing.Premises:
    """What this hub offers to subscribers."""
    outside = outside_of(settings)
    offered = frozenset(_offered(outside))
    return subscribing.Premises(settings.fhir_base, offered, outside.loopback, tuple(outside.networks))


def prepare_create(hub: Hub, actor: Actor, resource: Resource) -> tuple[Resource, Changes]:
    """A new Subscription as it is kept, and what is written with it: which changes are its events.

    Args:
        hub: the hub.
        actor: the client that subscribes; its organisation alone may see the Subscription.
        resource: what was sent, with the id that it gets; has passed the gate.

    Raises:
        Unprocessable: a topic, filter, channel or level that is not offered; each with its path.
        Forbidden: the client may not read what it wants to be told of.
    """
    return _prepared(hub, actor, resource)


def prepare_update(hub: Hub, actor: Actor, before: Resource, after: Resource) -> tuple[Resource, Changes]:
    """The same for a changed Subscription. Whatever was changed, it is greeted again before it is active.

    Raises as ``prepare_create`` does, and Unprocessable where the topic is another one: its numbers would mean
    something else.
    """
    if before["criteria"] != after["criteria"]:
        _refuse((Reason("topic", "the topic stays; create another Subscription for another one", _CRITERIA),))
    return _prepared(hub, actor, after)


def prepare_delete(before: Resource) -> Changes:
    """What goes with a Subscription: its events and how far they were told."""
    return Changes(subscriptions=(SubscriptionChange(before["id"], "", "", "", "off", gone=True),))


def _prepared(hub: Hub, actor: Actor, resource: Resource) -> tuple[Resource, Changes]:
    if actor.organization is None:
        raise Forbidden("Only a client of an organisation can subscribe.")
    verdict = subscribing.terms_of(resource, premises_of(hub.settings))
    status = notifying.asked_status(resource["status"])
    if verdict.terms is None or status is None:
        said = () if status else (Reason("status", "status is requested, active or off", "Subscription.status"),)
        _refuse((*said, *verdict.reasons))
    terms = verdict.terms
    require(actor, terms.topic, "r")
    kept = {name: value for name, value in resource.items() if name not in {"error", "_error"}} | {"status": status}
    change = SubscriptionChange(
        id=resource["id"],
        organization=actor.organization,
        client=actor.client,
        topic=terms.topic,
        status=status,
        filters=json.canonical(terms.filters).decode(),
        heartbeat=terms.heartbeat,
    )
    return kept, Changes(subscriptions=(change,))


def _refuse(reasons: Sequence[Reason]) -> NoReturn:
    issues = tuple(Issue("not-supported", reason.text, reason.path) for reason in reasons)
    raise Unprocessable("The Subscription can't be taken.", issues=issues)


_CRITERIA = "Subscription.criteria"
