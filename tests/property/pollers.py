"""Clients that keep a copy of what they may see, each by one of the ways that the hub promises will miss nothing.

A poller keeps asking while others write. After each look it must hold whatever was committed before the look began.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable
from random import Random
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from app.core.actor import Actor
from app.core.clock import monotonic
from app.services.subscriptions import subscription_reads
from app.services.subscriptions.subscription_reads import AskedEvents
from tests.property.processes import Door, Process
from tests.property.truth import Truth

Resource = dict[str, Any]
_LONGEST_PAUSE: Final = 0.4
_BEFORE_ALL: Final = "2000-01-01T00:00:00Z"


class Missed(AssertionError):
    """A poller does not hold what it must."""


class Poller(ABC):
    """What all have in common; ``look`` is what differs."""

    way = ""

    def __init__(self, kind: str, organization: str, random: Random, truth: Truth, *, stale: float) -> None:
        self.kind = kind
        self.organization = organization
        self.held: dict[str, int] = {}
        """Id to the newest version that was met."""
        self.looks = 0
        self._random = random
        self._truth = truth
        self._stale = stale
        """Seconds by which an answer that was kept may be behind the database."""

    @abstractmethod
    async def look(self) -> None:
        """Ask until there is no more."""

    async def run(self, over: asyncio.Event) -> None:
        """Look again and again; and once more when all is ``over``."""
        while not over.is_set():
            await self._checked_look()
            await asyncio.sleep(self._random.random() * _LONGEST_PAUSE)
        await asyncio.sleep(self._stale)
        await self._checked_look()

    async def _checked_look(self) -> None:
        due = self._truth.due(self.kind, self.organization, monotonic() - self._stale)
        await self.look()
        self.looks += 1
        there = {*self._truth.there(self.kind, self.organization)}
        for name, version in due.items():
            if name in there and self.held.get(name, 0) < version:
                held = self.held.get(name, "none")
                raise Missed(f"{self}, look {self.looks}: version {version} of a {self.kind} is there; it has {held}")

    def __str__(self) -> str:
        return f"poller by {self.way}"

    def absorb(self, resources: Iterable[Resource]) -> None:
        for one in resources:
            version = int(one["meta"]["versionId"])
            self.held[one["id"]] = max(version, self.held.get(one["id"], 0))


class _Searching(Poller):
    def __init__(
        self, door: Door, kind: str, organization: str, random: Random, truth: Truth, *, stale: float, order: str
    ) -> None:
        super().__init__(kind, organization, random, truth, stale=stale)
        self._door = door
        self._order = order
        self._size = random.choice((3, 7, 20))

    def __str__(self) -> str:
        return f"{super().__str__()} {self._order} through {self._door.name}"

    async def pages(self, query: str) -> AsyncIterator[Resource]:
        """The first page and all that the links lead to."""
        asked = query
        while asked:
            bundle = (await self._door.ask(self.kind, asked, None)).bundle
            assert bundle is not None
            yield bundle
            asked = _next(bundle)
            await asyncio.sleep(self._random.random() * 0.01)


class ByGreatestSeen(_Searching):
    """_lastUpdated=gt the greatest that it has seen."""

    way = "the greatest lastUpdated seen"
    _since = _BEFORE_ALL

    async def look(self) -> None:
        async for page in self.pages(f"_lastUpdated=gt{self._since}&_count={self._size}"):
            found = _resources(page)
            self.absorb(found)
            self._since = max([self._since, *(one["meta"]["lastUpdated"] for one in found)])


class ByBundleTime(_Searching):
    """_lastUpdated=gt the meta.lastUpdated of the last Bundle."""

    way = "Bundle.meta.lastUpdated"
    _since = _BEFORE_ALL

    async def look(self) -> None:
        async for page in self.pages(f"_lastUpdated=gt{self._since}&_count={self._size}"):
            self.absorb(_resources(page))
            told = page["meta"]["lastUpdated"]
        self._since = told


class ByCursors(_Searching):
    """All of it, in an order in which what changes moves about; what it holds is what it met this time."""

    way = "cursors"

    async def look(self) -> None:
        self.held = {}
        async for page in self.pages(f"_sort={self._order}&_count={self._size}"):
            self.absorb(_resources(page))


class ByEtag(_Searching):
    """All of it on one page, unless it is told that nothing has changed."""

    way = "If-None-Match"
    _tag: str | None = None
    unchanged = 0

    async def look(self) -> None:
        query = f"_sort={self._order}&_count=500"
        got = await self._door.ask(self.kind, query, self._tag)
        if got.bundle is None:
            self.unchanged += 1
            return
        assert not _next(got.bundle), "the page is too small for this test"
        self.held = {}
        self.absorb(_resources(got.bundle))
        self._tag = got.tag


class ByEvents(Poller):
    """$events from the number after the last one, whole resources."""

    way = "$events"

    def __init__(
        self,
        process: Process,
        actor: Actor,
        subscription: str,
        random: Random,
        truth: Truth,
    ) -> None:
        super().__init__("Task", str(actor.organization), random, truth, stale=0.0)
        self._actor = actor
        self._process = process
        self.subscription = subscription
        self._last = 0
        self.deleted: set[str] = set()

    async def look(self) -> None:
        while await self._more():
            pass

    async def _more(self) -> bool:
        asked = AskedEvents(since=str(self._last + 1))
        answer = await subscription_reads.events(
            self._process.hub, self._process.app.state.disclosures, self._actor, self.subscription, asked
        )
        status, *changed = orjson.loads(answer.body)["entry"]
        numbers = _event_numbers(status["resource"])
        if numbers != [*range(self._last + 1, self._last + 1 + len(numbers))]:
            raise Missed(f"{self}: after event {self._last} come {numbers}")
        self._last += len(numbers)
        self.absorb(entry["resource"] for entry in changed if "resource" in entry)
        self.deleted |= {entry["fullUrl"].rpartition("/")[2] for entry in changed if "resource" not in entry}
        return bool(numbers)


def _resources(bundle: Resource) -> list[Resource]:
    return [entry["resource"] for entry in bundle.get("entry", [])]


def _next(bundle: Resource) -> str:
    return next((urlsplit(link["url"]).query for link in bundle["link"] if link["relation"] == "next"), "")


def _event_numbers(status: Resource) -> list[int]:
    parts = [parameter["part"] for parameter in status["parameter"] if parameter["name"] == "notification-event"]
    return [int(part["valueString"]) for event in parts for part in event if part["name"] == "event-number"]


Search = Callable[..., Poller]
SEARCHES: Final[tuple[tuple[Search, str, str], ...]] = (
    (ByGreatestSeen, "Task", ""),
    (ByBundleTime, "Task", ""),
    (ByCursors, "Task", "-_lastUpdated"),
    (ByEtag, "Task", "_id"),
    (ByCursors, "Task", "status"),
    (ByGreatestSeen, "Procedure", ""),
    (ByCursors, "Task", "_id"),
    (ByEtag, "Procedure", "-_lastUpdated"),
    (ByBundleTime, "Procedure", ""),
    (ByCursors, "Procedure", "-_lastUpdated"),
)
"""How, what, and in which order."""
