"""Subscriptions as they stand: their events by number, and the lanes in which these are delivered.

A lane is leased, so that of several processes one delivers it at a time. When its holder dies the lease ends, and the
next holder begins where the last delivery was recorded: a notification may then arrive twice, never not at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.core.actor import Actor
from app.store import fence
from app.store.database import Database
from app.store.leases import Leases

CHANNEL: Final = "throughline_event"
"""Where PostgreSQL tells the id of a Subscription that has something to deliver."""
_SECOND: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one Subscription stands."""

    id: str
    status: str
    events: int
    """The number of its last event; 0 = none yet."""


@dataclass(frozen=True, slots=True)
class Event:
    """One numbered change."""

    number: int
    id: str
    type: str
    version: int
    deleted: bool
    at: int
    """lastUpdated of the version (microseconds)."""
    level: str | None
    """At which the organisation may see the resource now; None = not at all."""
    disclosed: int
    """Highest version that it was already given."""
    decision: str | None = None
    """The decision that permits it."""
    notice: str | None = None
    """The notice that must travel with it: the id of a policy pack."""


@dataclass(frozen=True, slots=True)
class Lane:
    """What is to be known to decide what a lane does next. Times in microseconds."""

    subscription: str
    organization: str
    client: str
    topic: str
    status: str
    heartbeat: int
    delivered: int
    attempts: int
    failing_since: int | None
    due_at: int
    sent_at: int
    filters: str
    events: int


class Subscriptions:
    """Reads for one organisation."""

    def __init__(self, actor: Actor, database: Database, now_us: int) -> None:
        self._actor = actor
        self._database = database
        self._now = now_us

    async def standing(self) -> list[Standing]:
        """All Subscriptions of the organisation, by id."""
        rows = await fence.read(
            self._database,
            self._actor,
            "select s.id, s.status, coalesce(c.events, 0) from subscription s "
            "left join subscription_count c on c.subscription = s.id where s.organization = $1 order by s.id",
            self._actor.organization,
        )
        return [Standing(row[0], row[1], row[2]) for row in rows]

    async def events(self, subscription: str, first: int, last: int, limit: int) -> list[Event]:
        """Events with numbers from ``first`` to ``last``, both included, in order; empty where it is another's."""
        rows = await fence.read(
            self._database,
            self._actor,
            "select e.number, e.id, e.type, e.version, e.deleted, e.at, v.level, coalesce(v.disclosed, 0), "
            "v.decision, v.notice "
            "from subscription s join subscription_event e on e.subscription = s.id "
            "left join visibility v on v.organization = s.organization and v.id = e.id "
            "and (v.until is null or v.until > $5) "
            "where s.id = $1 and s.organization = $2 and e.number between $3 and $4 order by e.number limit $6",
            subscription,
            self._actor.organization,
            first,
            last,
            self._now,
            limit,
        )
        return [Event(*row) for row in rows]


class Lanes:
    """Leases lanes to ``holder`` and keeps how far each has come."""

    def __init__(self, database: Database, holder: str) -> None:
        self._database = database
        self._leases = Leases(database, "subscription_lane", ("subscription",), holder)

    async def due(self, now: int) -> Sequence[str]:
        """Subscriptions that have something to deliver at ``now`` and that nobody else holds."""
        rows = await self._database.fetch(
            "select l.subscription from subscription_lane l join subscription s on s.id = l.subscription "
            "left join subscription_count c on c.subscription = l.subscription "
            "where (l.leased_until <= $1 or l.holder = $2) and l.due_at <= $1 "
            "and (s.status = 'requested' or s.status = 'active' and "
            f"(c.events > l.delivered or l.heartbeat > 0 and l.sent_at + l.heartbeat * {_SECOND} <= $1))",
            now,
            self._leases.holder,
        )
        return [row[0] for row in rows]

    async def claim(self, subscription: str, now: int, lease: int) -> Lane | None:
        """The lane, held for ``lease`` microseconds from ``now``; None where another holds it, or there is none."""
        if not await self._leases.claim(subscription, now=now, lease=lease):
            return None
        rows = await self._database.fetch(
            "select s.id, s.organization, s.client, s.topic, s.status, l.heartbeat, l.delivered, l.attempts, "
            "l.failing_since, l.due_at, l.sent_at, s.filters, coalesce(c.events, 0) from subscription s "
            "join subscription_lane l on l.subscription = s.id left join subscription_count c on c.subscription = s.id "
            "where s.id = $1",
            subscription,
        )
        return Lane(*rows[0]) if rows else None

    async def delivered(self, subscription: str, number: int, now: int) -> None:
        """Everything up to event ``number`` has arrived, and the lane is free."""
        await self._leases.done(subscription, delivered=number, sent_at=now)

    async def failed(self, subscription: str, now: int, due_at: int) -> None:
        """An attempt failed; the next one is due at ``due_at``, and the lane is free."""
        await self._leases.failed(subscription, now=now, due_at=due_at)

    async def release(self, subscription: str) -> None:
        """The lane is free; nothing else has changed."""
        await self._leases.release(subscription)

    async def sweep(self) -> None:
        """Drop what belongs to Subscriptions that are no more."""
        for table in ("subscription_event", "subscription_count", "subscription_lane"):
            await self._database.execute(f"delete from {table} where subscription not in (select id from subscription)")
