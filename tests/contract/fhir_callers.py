"""Machine clients that speak FHIR to the hub of a test, and referrals for them to speak about."""

import json
from dataclasses import dataclass
from typing import Any

import httpx

from app.services.partners import registration
from tests.contract.http_messages import event
from tests.hub_fixtures import World

Resource = dict[str, Any]
PEERS = {
    "name": "HTEST Peers",
    "covered_entity": True,
    "needs": ["peer-support"],
    "time_zone": "America/New_York",
}
FHIR = "/fhir/R4"
OUTPUT = [{"type": {"text": "service"}, "valueString": "HTEST first dose given"}]


@dataclass(frozen=True, slots=True)
class Caller:
    """One client with its token."""

    web: httpx.AsyncClient
    organization: str
    headers: dict[str, str]

    async def get(self, path: str, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.web.get(f"{FHIR}/{path}", headers=self.headers | named)

    async def read(self, path: str) -> Resource:
        answer = await self.get(path)
        assert answer.status_code == 200, f"{answer.status_code} {answer.text}"
        body: Resource = answer.json()
        return body

    async def search(self, query: str) -> list[Resource]:
        """What one page found and brought along; what is said of the search is not among it."""
        entries = (await self.read(query)).get("entry", [])
        return [entry["resource"] for entry in entries if entry["search"]["mode"] != "outcome"]

    def _fhir(self, headers: dict[str, str]) -> dict[str, str]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.headers | {"content-type": "application/fhir+json"} | named

    async def put(self, resource: Resource, **headers: str) -> httpx.Response:
        path = f"{FHIR}/{resource['resourceType']}/{resource['id']}"
        return await self.web.put(path, content=json.dumps(resource), headers=self._fhir(headers))

    async def put_found(self, kind: str, query: str, resource: Resource, **headers: str) -> httpx.Response:
        path = f"{FHIR}/{kind}?{query}"
        return await self.web.put(path, content=json.dumps(resource), headers=self._fhir(headers))

    async def post(self, path: str, resource: Resource, **headers: str) -> httpx.Response:
        return await self.web.post(f"{FHIR}/{path}", content=json.dumps(resource), headers=self._fhir(headers))

    async def delete(self, path: str, **headers: str) -> httpx.Response:
        return await self.web.delete(f"{FHIR}/{path}", headers=self._fhir(headers))

    async def patch(self, path: str, *operations: Resource, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = self.headers | {"content-type": "application/json-patch+json"} | named
        return await self.web.patch(f"{FHIR}/{path}", content=json.dumps(operations), headers=sent)

    async def set_status(self, task: Resource, status: str, *more: Resource, **headers: str) -> httpx.Response:
        change = {"op": "replace", "path": "/status", "value": status}
        return await self.patch(f"Task/{task['id']}", change, *more, **headers)


async def caller(world: World, web: httpx.AsyncClient, organization: str, scope: str = "system/*.rus") -> Caller:
    return Caller(web, organization, await world.bearer(organization, scope))


async def peers(world: World, web: httpx.AsyncClient) -> Caller:
    """A second partner, which takes other needs than the first."""
    (made,) = await registration.import_partners(world.hub, json.dumps([PEERS]).encode())
    return await caller(world, web, made.organization)


async def discharge(world: World, web: httpx.AsyncClient, number: int = 7, **changes: Any) -> Resource:
    """The ledger entry of a discharge from the first hospital."""
    headers = await world.bearer(world.mercy, "ingest") | {"content-type": "application/json"}
    visit = [{"system": "urn:oid:2.16.840.1.113883.3.9999.2", "value": f"HTEST-V{number:04d}"}]
    told = event(number, **{"visit": {**event(number)["visit"], "identifiers": visit}, **changes})
    answer = await web.post("/ingest/events?sender=mercy-adt", content=json.dumps(told), headers=headers)
    assert answer.status_code in {201, 202}, answer.text
    entry: Resource = answer.json()
    return entry
