"""From written to received: how long after its commit a change is at the subscriber, while half the intake runs.

One process serves, delivers and takes messages in; this one sends them, over HTTP, and is the partner's server. First
the intake is loaded as far as it goes, then at half that rate for each round. The moment of writing is the one that
the database gave the change under its lock (``timestamp`` of the event), so what is measured includes the commit.
"""

import asyncio
import secrets
from collections.abc import Iterator, Sequence
from datetime import datetime

from app.core.actor import Actor
from app.core.clock import Clock, micros
from app.services import opening
from app.services.bench import bench_messages
from app.services.bench.bench_load import Job, closed, paced, percentile
from app.services.clients import accounts
from tests.bench.report import Report
from tests.bench.world import Meter, Serving, World, serving
from tests.contract.subscribers import body, subscribe
from tests.receivers import Received, Receiver, running

NAME = "notifications at half rate"
_CONNECTIONS = 16


class Timed(Receiver):
    """Notes how old each event is when it comes."""

    def __init__(self) -> None:
        super().__init__()
        self.ages: list[float] = []
        """Milliseconds."""

    def note(self, received: Received) -> None:
        now = Clock().now_us()
        written = (micros(datetime.fromisoformat(event["timestamp"])) for event in received.events)
        self.ages += [(now - at) / 1000 for at in written]


def measure(made: World, report: Report, *, seconds: float, rounds: int) -> None:
    """Ages of the events at half of the rate that the intake reached."""
    with serving(made, workers=1) as hub:
        asyncio.run(_measured(made, hub, report, rounds, seconds))
    report.failures([NAME])


async def _measured(made: World, hub: Serving, report: Report, rounds: int, seconds: float) -> None:
    meter = Meter(hub.pid, made.postmaster)
    async with running(Timed()) as receiver:
        subscriber = await _subscribed(made, receiver)
        full = await closed(hub.target, _load(made), bench_messages.accepted, connections=_CONNECTIONS, seconds=seconds)
        await _all_came(made, subscriber, receiver)
        for _ in range(rounds):
            receiver.ages.clear()
            came = len(receiver.came)
            meter.start()
            half = await paced(
                hub.target,
                _load(made),
                bench_messages.accepted,
                connections=_CONNECTIONS,
                seconds=seconds,
                rate=full.rate / 2,
            )
            lost = await _all_came(made, subscriber, receiver)
            used = meter.stop()
            costs = {"app_us": used[0], "db_us": used[1]}
            report.add(
                NAME,
                {
                    **_figures(receiver.ages, half.seconds),
                    **{name: cpu / max(1, len(half.jobs)) * 1e6 for name, cpu in costs.items()},
                    "failed": float(half.failed + lost),
                    "events_per_notification": len(receiver.ages) / max(1, len(receiver.came) - came),
                    "others": meter.others,
                },
            )
    report.notes["events per notification"] = round(report.median(NAME)["events_per_notification"], 2)


def _figures(ages: Sequence[float], seconds: float) -> dict[str, float]:
    """Of the events of one round."""
    return {
        "per_second": len(ages) / seconds,
        "p50_ms": percentile(ages, 0.5),
        "p99_ms": percentile(ages, 0.99),
        "max_ms": max(ages, default=0.0),
    }


def _load(made: World) -> Iterator[Job]:
    return bench_messages.referrals(secrets.token_hex(4), made.ingest_token)


async def _subscribed(made: World, receiver: Receiver) -> Actor:
    """The client whose Subscription goes to ``receiver``."""
    async with opening.opened(made.settings) as hub:
        client = await accounts.add_client(hub, made.partner, "system/*.rs")
        actor = Actor(made.partner, client.client_id, frozenset({"system/*.rs"}))
        await subscribe(hub, actor, body(receiver.url))
    await receiver.of_type("handshake")
    return actor


async def _all_came(made: World, subscriber: Actor, receiver: Receiver) -> int:
    """How many events have a number and never came, after waiting for them."""
    async with opening.opened(made.settings) as hub:
        (standing,) = await hub.store.subscriptions(subscriber).standing()
    if standing.events:
        await receiver.numbers(standing.events)
    came = {number for one in receiver.came for number in one.numbers}
    return len(set(range(1, standing.events + 1)) - came)
