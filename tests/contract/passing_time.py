"""A hub whose clock is moved by the test: due jobs run at the moment at which they fall due, one after another."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import orjson
import pytest_asyncio

from app.core.actor import Actor
from app.core.clock import Clock, from_micros
from app.core.crypto import Keys
from app.main import attach, create_app
from app.services.hub import Hub, Registry
from app.services.jobs import DueWork
from app.services.partners import registration
from app.services.writing import decoded
from app.store.queries import Query
from app.store.store import Store, connect
from fhir_mappings import triage
from fhir_mappings.outreach import is_beside
from tests.contract.fhir_callers import Caller, Resource, caller, discharge
from tests.hub_fixtures import FAST, World

HUB = Actor.system("test")
NEW_YORK = ZoneInfo("America/New_York")
FRIDAY = datetime(2026, 6, 5, 18, 0, tzinfo=NEW_YORK)
ALL = "system/*.cruds"
ALL_DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
METHADONE: Resource = {
    "product": {"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "991147", "display": "methadone"},
    "schedule": {"interval": "PT24H"},
    "doses": [{"at": "2026-06-05T09:15:00-04:00", "amount": 80, "unit": "mg", "route": "oral", "observed": True}],
}


def partner(name: str, **more: Any) -> Resource:
    """A profile of a partner that takes methadone on weekdays from six to ten."""
    hours = [{"days": more.pop("days", ALL_DAYS[:5]), "opens": "06:00", "closes": "10:00"}]
    plain = {"covered_entity": True, "needs": ["moud-continuation"], "products": ["methadone"]}
    known = {"time_zone": "America/New_York", "intake_hours": hours, "response_minutes": 60}
    return {"name": name, **plain, **known, **more}


@dataclass
class Course:
    """One hub and its time."""

    hub: Hub
    web: httpx.AsyncClient
    world: World
    partners: dict[str, str] = field(default_factory=dict)
    """Name to organisation."""

    def move(self, to: datetime) -> None:
        """Set the clock; nothing is done yet."""
        object.__setattr__(self.hub.clock, "offset_us", Clock.starting_at(to).offset_us)

    async def until(self, to: datetime) -> None:
        """Let time pass: every job runs when it is due."""
        while (due := await self.due()) is not None and due <= to:
            self.move(max(due, self.hub.clock.now()))
            await DueWork(self.hub).run()
        self.move(max(to, self.hub.clock.now()))

    async def settled(self) -> None:
        """What is due now is done."""
        while await DueWork(self.hub).run():
            pass

    async def due(self) -> datetime | None:
        """When the next job is due."""
        rows = await self.hub.store.database.fetch("select min(due_at) from job")
        return from_micros(rows[0][0]) if rows[0][0] is not None else None

    async def register(self, *profiles: Resource, **sender: Any) -> None:
        """The partners, and the hospital's interface with further settings."""
        told = await registration.import_partners(self.hub, orjson.dumps(profiles))
        self.partners |= {one.name: one.organization for one in told}
        fields = {"id": "mercy-adt", "organization": "HTEST Mercy", "dialect": "adt_generic", "part2": "none"}
        await registration.add_sender(self.hub, {**fields, "timezone": "America/New_York", **sender})

    async def discharged(self, number: int = 7, **changes: Any) -> None:
        """Somebody on methadone leaves the hospital on Friday."""
        await discharge(self.world, self.web, number, **{"medications": [METHADONE], **changes})

    async def tasks(self) -> list[Resource]:
        """All Tasks as they stand."""
        return [decoded(row) for row in await self.hub.store.reader(HUB).search(Query("Task", limit=500))]

    async def source(self) -> Resource:
        """The only source Task."""
        (one,) = [task for task in await self.tasks() if "partOf" not in task]
        return one

    async def asked(self) -> dict[str, str]:
        """Name of each partner that was asked to the status of its newest Task."""
        names = {organization: name for name, organization in self.partners.items()}
        children = (task for task in await self.tasks() if "partOf" in task and not is_beside(task))
        found = sorted(children, key=lambda one: one["authoredOn"])
        return {names[task["owner"]["reference"].rpartition("/")[2]]: task["status"] for task in found}

    async def answers(self, name: str, status: str, **more: Any) -> httpx.Response:
        """A partner answers by its newest Task."""
        there = await caller(self.world, self.web, self.partners[name], ALL)
        task = await self.task_of(name, there)
        changes = [{"op": "replace", "path": "/status", "value": status}]
        changes += [{"op": "add", "path": f"/{element}", "value": value} for element, value in more.items()]
        return await there.patch(f"Task/{task['id']}", *changes)

    async def task_of(self, name: str, there: Caller | None = None) -> Resource:
        """The newest Task of a partner, as that partner reads it."""
        there = there or await caller(self.world, self.web, self.partners[name], ALL)
        found = await there.search("Task?_sort=-_lastUpdated")
        return next(one for one in found if one["resourceType"] == "Task")

    async def told(self) -> list[str]:
        """Codes of what waits for a person, without those of the verdict."""
        rows: Sequence[Any] = await self.hub.store.database.fetch("select reasons from review where closed_at is null")
        codes = [one["code"] for row in rows for one in orjson.loads(row[0])]
        return [code for code in codes if code not in triage.REASONS]


@asynccontextmanager
async def opened(database_url: str, at: datetime) -> AsyncIterator[Course]:
    """A hub over a migrated database, with one hospital, whose clock shows ``at``."""
    clock = Clock.starting_at(at)
    store: Store = connect(database_url, clock)
    hub = Hub(FAST, store, Keys(b"HTEST" * 8), clock, Registry(store))
    await registration.found_hub(hub)
    mercy = await registration.add_sender(
        hub,
        {"id": "mercy-adt", "organization": "HTEST Mercy", "dialect": "adt_generic", "timezone": "America/New_York"},
    )
    app = create_app(hub.settings)
    attach(app, hub)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://hub.test") as web:
        yield Course(hub, web, World(hub, mercy.organization, "", ""))
    await store.close()


@pytest_asyncio.fixture
async def course(database_url: str) -> AsyncIterator[Course]:
    """A hub on a Friday at six in the evening."""
    async with opened(database_url, FRIDAY) as course:
        yield course


def on(day: str, time: str) -> datetime:
    """A moment of June 2026 in New York: ``on("06", "07:00")`` is Saturday at seven."""
    return datetime.fromisoformat(f"2026-06-{day}T{time}").replace(tzinfo=NEW_YORK)
