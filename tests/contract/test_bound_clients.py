"""A client that is bound to one sender is no other one, whatever its messages say."""

import json

import httpx
import pytest
import pytest_asyncio

from app.core.actor import Actor
from app.services.clients import accounts
from tests.contract.http_messages import adt, event
from tests.fhir_bundles import message, transaction
from tests.hub_fixtures import World


@pytest_asyncio.fixture
async def bound(world: World) -> dict[str, str]:
    """The token of a client of the second hospital that is its ADT interface and nothing else."""
    made = await accounts.add_client(world.hub, world.north, "ingest system/*.cruds", sender="north-adt")
    issued = await accounts.exchange(world.hub, made.client_id, made.client_secret, None)
    return {"authorization": f"Bearer {issued.token}"}


async def ledger(world: World) -> list[tuple[str | None, str, list[str]]]:
    """Sender, state and reasons of every message."""
    entries = await world.hub.store.intake(Actor.system("test")).entries(sender=None, state=None, since=None, limit=9)
    return [(entry.sender, entry.state, [one["code"] for one in json.loads(entry.reasons)]) for entry in entries]


REJECTED = (None, "rejected", ["unknown-sender"])


async def test_hl7_v2_of_another_sender_is_ar(web: httpx.AsyncClient, world: World, bound: dict[str, str]) -> None:
    codes = []
    for number, (application, facility) in enumerate((("CERN", "NORTH"), ("JSON", "NORTH"), ("EPIC", "MERCY"))):
        data = adt(number, application=application, facility=facility)
        answer = await web.post("/ingest/hl7v2", content=data, headers=bound | {"content-type": "application/hl7-v2"})
        codes.append(answer.text.split("\rMSA|")[1][:2])
    assert codes == ["AA", "AR", "AR"]
    told = await ledger(world)
    assert sorted(entry[0] or "" for entry in told) == ["", "", "north-adt"]
    assert told.count(REJECTED) == 2


@pytest.mark.parametrize("named", ["north-json", "mercy-adt", "nobody"])
async def test_an_event_as_another_sender_is_403(
    web: httpx.AsyncClient, world: World, bound: dict[str, str], named: str
) -> None:
    headers = bound | {"content-type": "application/json"}
    answer = await web.post(f"/ingest/events?sender={named}", json=event(), headers=headers)
    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (403, ["sender"])
    assert await ledger(world) == [REJECTED]


async def test_its_own_events_need_no_sender_to_be_named(
    web: httpx.AsyncClient, world: World, bound: dict[str, str]
) -> None:
    headers = bound | {"content-type": "application/json"}
    answer = await web.post("/ingest/events", json=event(), headers=headers)
    assert (answer.status_code, answer.json()["sender"]) == (201, "north-adt")
    free = await world.bearer(world.north) | {"content-type": "application/json"}
    assert (await web.post("/ingest/events", json=event(8), headers=free)).status_code == 400


@pytest.mark.parametrize("path", ["/fhir/R4/$process-message", "/fhir/R4"], ids=["message", "transaction"])
async def test_fhir_as_another_sender_is_403(
    web: httpx.AsyncClient, world: World, bound: dict[str, str], path: str
) -> None:
    headers = bound | {"content-type": "application/fhir+json"}
    body = json.dumps(message() if "$" in path else transaction(), default=str)
    answer = await web.post(f"{path}?sender=north-json", content=body, headers=headers)
    assert answer.status_code == 403, answer.text
    assert answer.json()["issue"][0]["expression"] == ["sender"]
    assert await ledger(world) == [REJECTED]
    assert (await web.post(path, content=body, headers=headers)).status_code == 200
