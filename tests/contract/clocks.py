"""A person who leaves on a film, told relative to now, and a hub whose clock is moved on."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from app.core.clock import Clock
from app.services.hub import Hub
from app.services.jobs import DueWork
from app.services.referral.clock_history import ClockLine, history
from tests.contract.fhir_callers import Caller, Resource, caller
from tests.contract.http_messages import event
from tests.hub_fixtures import World

FILM = {
    "system": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "code": "1010604",
    "display": "buprenorphine 8 MG / naloxone 2 MG Sublingual Film",
}
URL = "https://throughline.org/fhir/StructureDefinition/coverage"
CODES = "https://throughline.org/fhir/CodeSystem/coverage-clock"


def parts(task: Resource) -> dict[str, Any]:
    """The coverage extension by the names of its parts; what repeats is a list."""
    (outer,) = [one for one in task["extension"] if one["url"] == URL]
    found: dict[str, Any] = {"flag": [], "ask": []}
    for part in outer["extension"]:
        value = next(value for name, value in part.items() if name.startswith("value"))
        if part["url"] in {"flag", "ask"}:
            found[part["url"]].append(value)
        else:
            found[part["url"]] = value
    return found


def answer(kind: str, **value: Any) -> dict[str, Any]:
    """A patch that appends one output."""
    entry = {"type": {"coding": [{"system": CODES, "code": kind}]}, **value}
    return {"op": "add", "path": "/output", "value": [entry]}


@dataclass
class Scene:
    """One hospital, one partner, and whoever left."""

    world: World
    web: httpx.AsyncClient
    hospital: Caller
    partner: Caller
    now: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))
    told: int = 0

    async def tell(self, *, hours_ago: float = 4, kind: str = "discharge", **changes: Any) -> Resource:
        """An event of the person, said so long ago; the ledger entry. The last dose was eight hours ago."""
        self.told += 1
        at = self.now - timedelta(hours=hours_ago)
        medication = {
            "product": FILM,
            "schedule": {"interval": "PT24H"},
            "doses": changes.pop("doses", [{"at": self.before(8), "observed": True}]),
            "bridges": changes.pop("bridges", []),
            **changes.pop("medication", {}),
        }
        visit = changes.pop("visit", {})
        body = event(7, kind=kind, occurred_at=at.isoformat(), medications=[medication], **changes)
        body["event_id"] = f"HTEST-E{self.told}"
        body["visit"] = {
            **body["visit"],
            "admitted_at": self.before(96),
            "discharged_at": self.before(5),
            **visit,
        }
        sent = await self.web.post("/ingest/events", json=body, headers=self.hospital.headers)
        assert sent.status_code in {201, 202}, sent.text
        entry: Resource = sent.json()
        return entry

    def before(self, hours: float) -> str:
        """So many hours ago."""
        return (self.now - timedelta(hours=hours)).isoformat()

    async def source(self) -> Resource:
        (task,) = [one for one in await self.hospital.search("Task") if one["status"] != "cancelled"]
        return task

    async def child(self) -> Resource:
        (task,) = await self.partner.search("Task")
        return task

    async def history(self) -> list[ClockLine]:
        task = await self.source()
        return await history(self.world.hub, task["focus"]["reference"].rpartition("/")[2])

    def later(self, **passed: float) -> Hub:
        """The hub when so much time has passed."""
        return replace(self.world.hub, clock=Clock(offset_us=timedelta(**passed) // timedelta(microseconds=1)))

    async def due(self, **passed: float) -> None:
        """Do what is due by then, and what follows from it."""
        work = DueWork(self.later(**passed))
        for _ in range(5):
            await work.run()

    async def jobs(self) -> list[str]:
        """Ids of the jobs of the clock that wait."""
        rows = await self.world.hub.store.database.fetch("select id from job where kind = 'coverage-due' order by id")
        return [row[0] for row in rows]

    async def rows(self, text: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await self.world.hub.store.database.fetch(text)]


async def scene_of(world: World, web: httpx.AsyncClient) -> Scene:
    hospital = await caller(world, web, world.mercy, "ingest system/*.cruds")
    return Scene(world, web, hospital, await caller(world, web, world.harbor, "system/*.cruds"))


def prescribed(days: int = 7, filled: str = "unknown") -> dict[str, Any]:
    return {"kind": "prescribed", "days": days, "filled": filled}


def dispensed(days: int) -> dict[str, Any]:
    return {"kind": "dispensed", "days": days}
