"""Made-up resources, put where one partner sees them, to be searched and read over HTTP."""

from dataclasses import dataclass, field
from typing import Any

import httpx

from app.services.writing import change_of
from app.store.changes import Changes, Grant, ResourceChange, Revocation
from app.store.store import Store
from schemas.served import NOTHING
from tests.contract.fhir_callers import Caller, Resource, caller
from tests.hub_fixtures import World


@dataclass(frozen=True, slots=True)
class Shelf:
    """A partner with the resources that were put on its shelf."""

    store: Store
    caller: Caller
    versions: dict[str, int] = field(default_factory=dict)

    async def put(self, *resources: Resource) -> None:
        """New resources, or new versions of them, in one commit."""
        changes = [change_of(one, self._next(one["id"])) for one in resources]
        grants = tuple(Grant(self.caller.organization, change.id) for change in changes if change.version == 1)
        await self.store.commit(Changes(resources=tuple(changes), grants=grants))

    async def delete(self, kind: str, name: str) -> None:
        """A version that says that the resource is no more."""
        gone = ResourceChange(name, kind, self._next(name), NOTHING, deleted=True)
        await self.store.commit(Changes(resources=(gone,)))

    async def hide(self, name: str) -> None:
        """Take the resource out of the partner's sight."""
        await self.store.commit(Changes(revocations=(Revocation(self.caller.organization, name),)))

    def _next(self, name: str) -> int:
        self.versions[name] = self.versions.get(name, 0) + 1
        return self.versions[name]

    async def ids(self, query: str) -> list[str]:
        """Ids of the matches of one page, in their order."""
        return ids_of(await self.caller.read(query))

    async def pages(self, query: str) -> list[Resource]:
        """Every page, by following the links."""
        found = [await self.caller.read(query)]
        while (url := next_of(found[-1])) is not None:
            found.append(await self.follow(url))
        return found

    async def follow(self, url: str) -> Resource:
        """The page behind a link."""
        answer = await self.caller.web.get(url, headers=self.caller.headers)
        assert answer.status_code == 200, answer.text
        page: Resource = answer.json()
        return page


async def shelf_of(world: World, web: httpx.AsyncClient) -> Shelf:
    """The shelf of the partner, with nothing on it."""
    return Shelf(world.hub.store, await caller(world, web, world.harbor))


def ids_of(bundle: Resource, mode: str = "match") -> list[str]:
    return [entry["resource"]["id"] for entry in bundle.get("entry", []) if entry["search"]["mode"] == mode]


def next_of(bundle: Resource) -> str | None:
    return next((link["url"] for link in bundle["link"] if link["relation"] == "next"), None)


def task(name: str, /, **elements: Any) -> Resource:
    """A Task of nobody's life."""
    return {"resourceType": "Task", "id": name, "status": "requested", "intent": "order", **elements}


def request(name: str, /, **elements: Any) -> Resource:
    """A ServiceRequest of nobody's life."""
    return {
        "resourceType": "ServiceRequest",
        "id": name,
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/p1"},
        **elements,
    }


def patient(name: str, /, **elements: Any) -> Resource:
    """A made-up person."""
    return {"resourceType": "Patient", "id": name, "name": [{"family": "Htest", "given": ["Sam"]}], **elements}


def points(reference: str) -> dict[str, str]:
    """A literal reference."""
    return {"reference": reference}
