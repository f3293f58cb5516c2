"""Who polls for what changed also gets what has become visible since, however old it is."""

from typing import Any

import httpx

from app.services.partners import registration
from tests.contract.fhir_callers import Caller, Resource, caller, discharge
from tests.contract.test_fhir_by_name import consent
from tests.hub_fixtures import World

ALL = "system/*.cruds"


def procedure(person: str, **more: Any) -> Resource:
    return {"resourceType": "Procedure", "status": "completed", "subject": {"reference": person}, **more}


async def report(partner: Caller, task: Resource, made: Resource) -> None:
    output = [{"type": {"text": "HTEST"}, "valueReference": {"reference": f"Procedure/{made['id']}"}}]
    await partner.set_status(task, "accepted")
    answer = await partner.set_status(task, "completed", {"op": "add", "path": "/output", "value": output})
    assert answer.status_code == 200, answer.text


async def test_what_is_reported_late_is_polled(world: World, web: httpx.AsyncClient) -> None:
    for number in (1, 2):
        await discharge(world, web, number)
    partner = await caller(world, web, world.harbor, ALL)
    hospital = await caller(world, web, world.mercy, ALL)
    tasks = await partner.search("Task")
    first, second = [(await partner.post("Procedure", procedure(task["for"]["reference"]))).json() for task in tasks]
    await report(partner, tasks[1], second)
    before = await hospital.read("Procedure")
    (greatest,) = [entry["resource"]["meta"]["lastUpdated"] for entry in before["entry"]]
    await report(partner, tasks[0], first)
    late = await hospital.search(f"Procedure?_lastUpdated=gt{before['meta']['lastUpdated']}")
    assert [one["id"] for one in late] == [first["id"]]
    assert first["id"] in [one["id"] for one in await hospital.search(f"Procedure?_lastUpdated=gt{greatest}")]
    assert await partner.search(f"Procedure?_lastUpdated=gt{greatest}") == []


async def test_a_packet_that_a_consent_sends_is_polled(world: World, web: httpx.AsyncClient) -> None:
    part2 = {"id": "mercy-adt", "organization": "HTEST Mercy", "match_msh": ["EPIC|MERCY"], "part2": "all"}
    await registration.add_sender(world.hub, {**part2, "dialect": "adt_generic", "timezone": "America/New_York"})
    await discharge(world, web, 1)
    hospital = await caller(world, web, world.mercy, ALL)
    partner = await caller(world, web, world.harbor, ALL)
    poll = (await partner.read("Patient"))["meta"]["lastUpdated"]
    (person,) = await hospital.search("Patient")
    await hospital.post("Consent", consent(f"Patient/{person['id']}", world.harbor))
    for kind in ("Patient", "Encounter", "MedicationAdministration", "Task"):
        assert len(await partner.search(f"{kind}?_lastUpdated=gt{poll}")) == 1, kind
        assert len(await partner.search(f"{kind}?_lastUpdated=ge{poll}")) == 1, kind
    after = (await partner.read("Task"))["meta"]["lastUpdated"]
    assert await partner.search(f"Patient?_lastUpdated=gt{after}") == []
