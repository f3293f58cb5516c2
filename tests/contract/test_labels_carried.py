"""Security labels are carried on every way out and can't be taken away on any way in."""

import json
from typing import Any

import httpx
import pytest_asyncio

from app.services.partners import registration
from tests.contract.fhir_callers import Caller, Resource, caller, discharge
from tests.contract.part2_referrals import ALL, LABELS, codes, part2_referral
from tests.hub_fixtures import PARTNER, World


@pytest_asyncio.fixture
async def partner(world: World, web: httpx.AsyncClient) -> Caller:
    return await part2_referral(world, web)


@pytest_asyncio.fixture
async def task(partner: Caller) -> Resource:
    (only,) = await partner.search("Task")
    return only


def without_labels(resource: Resource) -> Resource:
    return resource | {"meta": {name: value for name, value in resource["meta"].items() if name != "security"}}


async def test_labels_are_the_same_on_every_way(partner: Caller, task: Resource) -> None:
    path = f"Task/{task['id']}"
    history = (await partner.read(f"{path}/_history"))["entry"][0]["resource"]
    batch: Resource = {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [{"request": {"method": "GET", "url": path}}],
    }
    inner = (await partner.post("", batch)).json()["entry"][0]["resource"]
    packet = [one["resource"] for one in (await partner.read(f"{path}/$packet"))["entry"]]
    parts = [await partner.read(f"{path}?{part}") for part in ("_elements=status", "_summary=true", "_summary=data")]
    parts += await partner.search("Task?_elements=status&_count=1")
    parts = [one for one in parts if one["resourceType"] == "Task"]
    assert len(parts) == 4
    for one in (task, history, inner, *parts, await partner.read(path), *(p for p in packet if p["id"] == task["id"])):
        assert codes(one) == LABELS
    assert all("SUBSETTED" in [tag["code"] for tag in one["meta"]["tag"]] for one in parts)
    assert codes((await partner.set_status(task, "accepted")).json()) == LABELS


async def test_labels_are_not_taken_away_however_it_is_asked(partner: Caller, task: Resource) -> None:
    path = f"Task/{task['id']}"
    for operation in (
        {"op": "remove", "path": "/meta/security"},
        {"op": "remove", "path": "/meta"},
        {"op": "remove", "path": "/meta/security/1"},
        {"op": "replace", "path": "/meta/security", "value": []},
        {"op": "replace", "path": "/meta", "value": {"versionId": "1"}},
    ):
        answer = await partner.patch(path, operation)
        assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (422, ["Task.meta.security"]), operation
    answer = await partner.put(without_labels(task) | {"status": "accepted"})
    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (422, ["Task.meta.security"])
    assert await partner.read(path) == task


async def test_a_client_that_sends_no_meta_leaves_the_labels_to_the_server(partner: Caller, task: Resource) -> None:
    said = {name: value for name, value in task.items() if name != "meta"} | {"meta": {"versionId": "1"}}
    answer = await partner.put(said | {"status": "accepted"})
    assert (answer.status_code, codes(answer.json())) == (200, LABELS)


async def test_what_a_part_2_program_writes_of_a_person_is_labelled_so_whoever_told_of_them(
    world: World, web: httpx.AsyncClient
) -> None:
    await registration.import_partners(world.hub, json.dumps([PARTNER | {"part2_program": True}]).encode())
    await discharge(world, web, 1)
    partner = await caller(world, web, world.harbor, ALL)
    (person,) = await partner.search("Patient")
    assert codes(person) == ["R", "OPIOIDUD", "ETH"], "the hospital's unit is no Part 2 program"
    subject = {"reference": f"Patient/{person['id']}"}
    own: dict[str, Any] = {"resourceType": "Procedure", "status": "completed", "subject": subject}
    made = (await partner.post("Procedure", own)).json()
    assert sorted(codes(made)) == sorted(LABELS)
    assert "extension" in made["meta"]["security"][0], "the restriction names its ground"
    changed = (await partner.put(made | {"note": [{"text": "HTEST"}]})).json()
    assert codes(changed) == codes(made)
    stripped = await partner.patch(f"Procedure/{made['id']}", {"op": "remove", "path": "/meta/security/0"})
    assert stripped.status_code == 422
    nobody = {**own, "subject": {"reference": "https://elsewhere.example/Patient/1"}}
    assert codes((await partner.post("Procedure", nobody)).json()) == []
