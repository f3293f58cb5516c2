"""One discharge told by HL7 v2, by a FHIR message, by a FHIR transaction and by an event: the same referral.

``expected.json`` holds what hospital and partner read of it, without ids, instants of the hub, meta and Provenance;
each way of telling must give just that.
"""

import json
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from difflib import unified_diff
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from app.core.clock import Clock
from app.core.crypto import Keys
from app.services.hub import Hub, Registry
from app.store.store import connect
from schemas.resources import ALL
from tests.hub_fixtures import FAST, World
from tests.hub_times import without_hub_times

Resource = dict[str, Any]
FOLDER = Path(__file__).parent / "three_ways"
NOW = datetime(2026, 6, 5, 18, 30, tzinfo=UTC)
_TYPES = sorted(
    name
    for name, spec in ALL.items()
    if "search-type" in spec.interactions and name != "Provenance" and not spec.rendered
)
_NOT_OF_THE_DISCHARGE = frozenset({"id", "meta", "authoredOn", "lastModified", "groupIdentifier"})
_OF_THE_DIRECTORY = ("-service", "-place", "-contact", "-contact-role")
"""Ends of the ids of what is there before anybody is discharged."""
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
WAYS = {
    "hl7v2": ("/ingest/hl7v2", "application/hl7-v2", "discharge.hl7"),
    "message": ("/fhir/R4/$process-message", "application/fhir+json", "message.json"),
    "transaction": ("/fhir/R4", "application/fhir+json", "transaction.json"),
    "event": ("/ingest/events?sender=mercy-adt", "application/json", "event.json"),
}

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest_asyncio.fixture
async def hub(database_url: str) -> AsyncIterator[Hub]:
    """A hub at the hour of the discharge."""
    clock = Clock.starting_at(NOW)
    store = connect(database_url, clock)
    yield Hub(FAST, store, Keys(b"HTEST" * 8), clock, Registry(store))
    await store.close()


async def tell(world: World, web: httpx.AsyncClient, way: str) -> None:
    path, kind, name = WAYS[way]
    headers = await world.bearer(world.mercy, "ingest") | {"content-type": kind}
    answer = await web.post(path, content=(FOLDER / name).read_bytes(), headers=headers)
    assert answer.status_code in {200, 201}, answer.text


async def seen(world: World, web: httpx.AsyncClient, organization: str) -> list[Resource]:
    """All that an organisation may read, in an order that does not depend on ids."""
    headers = await world.bearer(organization, "system/*.rs")
    found: list[Resource] = []
    for name in _TYPES:
        answer = await web.get(f"/fhir/R4/{name}?_count=200", headers=headers)
        entries = (entry["resource"] for entry in answer.json().get("entry", []))
        found += [one for one in entries if not one["id"].endswith(_OF_THE_DIRECTORY)]
    return list(told_apart(found))


def of_the_discharge(resource: Resource) -> Resource:
    """The resource without what the hub's own clock says."""
    own = {name: value for name, value in resource.items() if name not in _NOT_OF_THE_DISCHARGE}
    return without_hub_times(own)


def told_apart(resources: list[Resource]) -> Iterator[Resource]:
    """The resources without what each telling has of its own, with names in the place of ids."""
    plain = {one["id"]: of_the_discharge(one) for one in resources}
    ordered = sorted(plain, key=lambda one: _ID.sub("", json.dumps(plain[one], sort_keys=True)))
    names = {one: f"{plain[one]['resourceType'].lower()}-{number}" for number, one in enumerate(ordered, 1)}
    for one in ordered:
        text = _ID.sub(lambda found: names.get(found[0], "unseen"), json.dumps(plain[one], sort_keys=True))
        yield json.loads(text)


def as_text(views: dict[str, list[Resource]]) -> str:
    return json.dumps(views, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


async def views(world: World, web: httpx.AsyncClient) -> dict[str, list[Resource]]:
    return {"hospital": await seen(world, web, world.mercy), "partner": await seen(world, web, world.harbor)}


@pytest.mark.parametrize("way", WAYS)
async def test_hospital_and_partner_read_the_same_whichever_way_it_was_told(
    way: str, world: World, web: httpx.AsyncClient
) -> None:
    await tell(world, web, way)
    expected = FOLDER / "expected.json"
    found = as_text(await views(world, web))
    wanted = expected.read_text(encoding="utf-8") if expected.exists() else ""
    difference = "".join(unified_diff(wanted.splitlines(True), found.splitlines(True), "expected", way))
    assert not difference, f"\n{difference}"


@pytest.mark.parametrize("order", [("hl7v2", "message"), ("message", "hl7v2"), ("event", "transaction"), tuple(WAYS)])
async def test_told_in_several_ways_it_is_one_referral(
    order: tuple[str, ...], world: World, web: httpx.AsyncClient
) -> None:
    for way in order:
        await tell(world, web, way)
    headers = await world.bearer(world.mercy, "system/*.rs")
    counts = {
        name: (await web.get(f"/fhir/R4/{name}?_summary=count", headers=headers)).json()["total"]
        for name in ("Patient", "Encounter", "ServiceRequest", "Task", "Condition")
    }
    assert counts == {"Patient": 1, "Encounter": 1, "ServiceRequest": 1, "Task": 1, "Condition": 1}
    if "event" not in order:  # an event has no number by which its supply could be known again
        supplies = await web.get("/fhir/R4/MedicationDispense?_summary=count", headers=headers)
        assert supplies.json()["total"] == 1, "what was handed over once is counted once"
    partner = await seen(world, web, world.harbor)
    assert len([one for one in partner if one["resourceType"] == "Task"]) == 1
