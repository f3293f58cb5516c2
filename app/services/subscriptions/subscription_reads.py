"""What a subscriber asks: how its Subscriptions stand (``$status``), and which events there were (``$events``).

http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription-status, -events.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, cast

from app.core.actor import Actor
from app.core.errors import BadRequest, Unavailable
from app.rules.subscribing import CONTENTS, Content, terms_of
from app.services.disclosures import Disclosures
from app.services.hub import Hub
from app.services.reading.reads import not_found
from app.services.scopes import require
from app.services.subscriptions.notification_bundles import Telling, Type, notification, standing
from app.services.subscriptions.subscription_lanes import shown
from app.services.subscriptions.subscriptions import premises_of
from app.services.writing import Disclosed, decoded
from app.store.database import Gone
from app.store.subscriptions import Standing

_TYPE: Final = "Subscription"
_STATUSES: Final = frozenset(("requested", "active", "error", "off"))
_AT_ONCE: Final = 200
"""Events in one answer; the next ones are asked for from the number after the last."""
_LAST: Final = (1 << 62) - 1


@dataclass(frozen=True, slots=True)
class AskedEvents:
    """What ``$events`` is asked for, as it was sent; None = not said."""

    since: str | None = None
    until: str | None = None
    content: str | None = None


async def status(hub: Hub, actor: Actor, ids: Collection[str] = (), statuses: Collection[str] = ()) -> bytes:
    """How the Subscriptions of the actor's organisation stand, as a searchset of Parameters; all, where none is named.

    Raises BadRequest for a status that there is not.
    """
    require(actor, _TYPE, "r")
    if not _STATUSES.issuperset(statuses):
        raise BadRequest(f"status is one of {', '.join(sorted(_STATUSES))}.", path="http.status")
    found = await _standing(hub, actor)
    chosen = [one for one in found if (not ids or one.id in ids) and (not statuses or one.status in statuses)]
    return standing(await _tellings(hub, actor, chosen, "query-status"))


async def status_of(hub: Hub, actor: Actor, subscription: str) -> bytes:
    """How one Subscription stands. Raises NotFound."""
    require(actor, _TYPE, "r")
    return standing([await _telling(hub, actor, subscription, "query-status")])


async def events(
    hub: Hub,
    disclosures: Disclosures,
    actor: Actor,
    subscription: str,
    asked: AskedEvents,
) -> Disclosed:
    """Events by number, both bounds included, at most 200, as a notification that is not sent but answered.

    ``content`` is what the asker prefers, but no more than the Subscription says. Raises NotFound, BadRequest.
    """
    require(actor, _TYPE, "r")
    first, last = _number("eventsSinceNumber", asked.since, 1), _number("eventsUntilNumber", asked.until, _LAST)
    if asked.content is not None and asked.content not in CONTENTS:
        raise BadRequest(f"content is one of {', '.join(CONTENTS)}.", path="http.content")
    telling = await _telling(hub, actor, subscription, "query-event", cast("Content | None", asked.content))
    try:
        found = await hub.store.subscriptions(actor).events(subscription, first, last, _AT_ONCE)
        if found and telling.content != "empty":
            require(actor, found[0].type, "r")
        rows = await shown(disclosures, hub.store.reader(actor), found, telling.content, "events")
    except Gone as error:
        raise _away() from error
    return notification(telling, hub.clock.now_us(), found, rows)


async def _standing(hub: Hub, actor: Actor) -> Sequence[Standing]:
    try:
        return await hub.store.subscriptions(actor).standing()
    except Gone as error:
        raise _away() from error


async def _telling(hub: Hub, actor: Actor, subscription: str, kind: Type, content: Content | None = None) -> Telling:
    one = [found for found in await _standing(hub, actor) if found.id == subscription]
    tellings = await _tellings(hub, actor, one, kind, content)
    return tellings[0] if tellings else not_found()


async def _tellings(
    hub: Hub, actor: Actor, chosen: Sequence[Standing], kind: Type, content: Content | None = None
) -> list[Telling]:
    try:
        rows = await hub.store.reader(actor).by_ids([one.id for one in chosen])
    except Gone as error:
        raise _away() from error
    resources = {row.id: decoded(row) for row in rows}
    premises = premises_of(hub.settings)
    tellings = []
    for one in chosen:
        resource = resources.get(one.id)
        if resource is not None:
            terms = terms_of(resource, premises).terms
            most = terms.content if terms else "empty"
            level = min(content, most, key=CONTENTS.index) if content else most
            tellings.append(
                Telling(
                    base=hub.settings.fhir_base,
                    subscription=one.id,
                    topic=resource["criteria"],
                    status=one.status,
                    events=one.events,
                    type=kind,
                    content=level,
                    error=resource.get("error"),
                )
            )
    return tellings


def _number(name: str, text: str | None, usual: int) -> int:
    if text is None:
        return usual
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise BadRequest(f"{name} is a whole number.", path=f"http.{name}")
    return int(text)


def _away() -> Unavailable:
    return Unavailable("The database can't be reached; try again.")
