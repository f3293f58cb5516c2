"""A hub that pushes to a partner's own FHIR server, on a clock that the test moves."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from app import channels
from app.channels.base import Channel
from app.core.ids import uuid7
from app.services.disclosures import Disclosures
from app.services.hub import Hub
from app.services.push import push_lanes
from app.services.push.push_lanes import PushDelivery
from app.services.push.pushes import Listed, listed
from app.services.subscriptions.subscriptions import outside_of
from app.store.pushes import PushQueue, State
from fhir_mappings.outreach import is_beside
from tests.contract.fhir_callers import Resource, caller
from tests.contract.passing_time import ALL, ALL_DAYS, Course, partner

HARBOR = "HTEST Harbor"


@dataclass
class Pushing:
    """One hub that pushes when the test says so."""

    course: Course
    hub: Hub
    channel: Channel
    delivery: PushDelivery = field(init=False)

    def __post_init__(self) -> None:
        self.again()

    def again(self) -> None:
        """As after a crash: another process, which knows only what was kept."""
        queue = PushQueue(self.hub.store.database, uuid7())
        self.delivery = PushDelivery(self.hub, Disclosures(self.hub.store), queue, self.channel)

    async def turn(self) -> None:
        """Everything that is due now is done, until nothing is."""
        for _ in range(20):
            due = await self.delivery.due()
            if not due:
                return
            for lane in due:
                await self.delivery.serve(lane)
        raise AssertionError("there is no end to it")

    async def later(self, minutes: int = 16) -> None:
        """Time passes, and what is due then is done; of attempts that fail, one each."""
        self.course.move(self.hub.clock.now() + timedelta(minutes=minutes))
        for lane in await self.delivery.due():
            await self.delivery.serve(lane)
        await self.course.settled()

    async def listed(self, state: State | None = None) -> list[Listed]:
        return await listed(self.hub, state)

    async def one(self) -> Listed:
        (found,) = await self.listed()
        return found

    async def rows(self, text: str, *args: Any) -> list[tuple[Any, ...]]:
        """Of the database."""
        return [tuple(row) for row in await self.hub.store.database.fetch(text, *args)]

    async def withdrawn(self) -> None:
        """The hospital takes its request back."""
        hospital = await caller(self.course.world, self.course.web, self.course.world.mercy, ALL)
        source = await self.course.source()
        taken: list[Resource] = [
            {"op": "replace", "path": "/status", "value": "cancelled"},
            {"op": "add", "path": "/statusReason", "value": {"text": "HTEST withdrawn"}},
        ]
        answer = await hospital.patch(f"Task/{source['id']}", *taken)
        assert answer.status_code == 200, answer.text

    async def child(self) -> Resource:
        """The partner's Task at the hub."""
        (found,) = [task for task in await self.course.tasks() if "partOf" in task and not is_beside(task)]
        return found


@asynccontextmanager
async def pushing(
    course: Course, base: str, *others: Resource, sender: Resource | None = None, **server: Any
) -> AsyncIterator[Pushing]:
    """A partner with a server of its own at ``base``, others without, and somebody who leaves the hospital."""
    settings = course.hub.settings.model_copy(update={"base_url": "http://127.0.0.1:8000"})
    hub = replace(course.hub, settings=settings)
    harbor = partner(HARBOR, days=ALL_DAYS, receives_by=["push"], server={"base": base, **server})
    await course.register(harbor, *others, **(sender or {}))
    channel = channels.ALL[push_lanes.CHANNEL].open(outside_of(settings))
    try:
        yield Pushing(course, hub, channel)
    finally:
        await channel.close()
