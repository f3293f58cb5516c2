"""Each partner gets what its need needs and knows nothing of the others; nothing goes without an agreement on file."""

import asyncio
import json
from dataclasses import replace

import httpx
import pytest

from app.core.errors import BadRequest
from app.main import attach, create_app
from app.services.hub import Registry
from app.services.jobs import DueWork
from app.services.partners import agreements, registration
from tests.contract.fhir_callers import Caller, Resource, caller
from tests.contract.http_messages import event
from tests.hub_fixtures import World

HOUSE = {"name": "HTEST Maple House", "needs": ["recovery-housing"], "time_zone": "America/New_York"}
CONSENT = {
    "identifier": "HTEST-C1",
    "recipients": [HOUSE["name"]],
    "signed_at": "2026-06-05T10:00:00-04:00",
    "form": "urn:htest:form:1",
}
SIGNED = {
    "kind": "business-associate",
    "reference": "HTEST-BAA-1",
    "signed_on": "2026-01-15",
    "signer": "HTEST Privacy Officer",
    "document_hash": "0" * 64,
}
REVEALING = ("F11", "methadone", "Methadone", "991147", "80", "OTP", "Harbor", "4W")


async def sent(world: World, web: httpx.AsyncClient) -> tuple[Caller, Caller, Caller]:
    """One person with two needs: the hospital, the OTP and the house."""
    (house,) = await registration.import_partners(world.hub, json.dumps([HOUSE]).encode())
    hospital = await caller(world, web, world.mercy, "ingest system/*.cruds")
    needs = [{"kind": "moud-continuation"}, {"kind": "recovery-housing"}]
    body = event(7) | {"needs": needs, "consents": [CONSENT]}
    answer = await web.post("/ingest/events", json=body, headers=hospital.headers)
    assert answer.status_code == 201, answer.text
    return hospital, await caller(world, web, world.harbor), await caller(world, web, house.organization)


def of_the_directory(one: Resource) -> bool:
    """Where partners are, which everyone who takes part may know, and which tells of no person."""
    return str(one["id"]).endswith("-place")


async def everything(partner: Caller) -> list[Resource]:
    """All that one partner can find, with histories and its packet."""
    (task,) = await partner.search("Task")
    kinds = ("Task", "ServiceRequest", "Patient", "Observation", "Consent", "Condition", "Encounter", "Location")
    more = ("MedicationAdministration", "MedicationRequest", "MedicationDispense", "Coverage", "Provenance")
    found = [one for kind in (*kinds, *more) for one in await partner.search(kind) if not of_the_directory(one)]
    packet = await partner.read(f"Task/{task['id']}/$packet")
    history = await partner.read(f"Task/{task['id']}/_history")
    return [*found, *(one["resource"] for bundle in (packet, history) for one in bundle["entry"])]


async def test_a_house_learns_who_comes_and_neither_dose_nor_diagnosis(world: World, web: httpx.AsyncClient) -> None:
    _, otp, house = await sent(world, web)
    told = await everything(house)
    assert {one["resourceType"] for one in told} >= {"Patient", "Task", "ServiceRequest", "Consent"}
    assert {one["resourceType"] for one in told}.isdisjoint({"Condition", "MedicationAdministration", "Encounter"})
    text = json.dumps(
        [{k: v for k, v in one.items() if k != "meta"} for one in told if one["resourceType"] != "Consent"]
    )
    assert [word for word in REVEALING if f'"{word}' in text] == []
    whole = {one["resourceType"] for one in await everything(otp)}
    assert whole >= {"Patient", "Condition", "Encounter", "MedicationAdministration"}


async def test_holders_of_one_child_never_learn_of_the_others(world: World, web: httpx.AsyncClient) -> None:
    hospital, otp, house = await sent(world, web)
    sources = {one["id"] for one in await hospital.search("Task")}
    for partner, other in ((otp, house), (house, otp)):
        told = await everything(partner)
        text = json.dumps(told)
        (theirs,) = await other.search("Task")
        assert theirs["id"] not in text
        assert theirs["focus"]["reference"] not in text
        assert theirs["owner"]["reference"] not in text
        assert sources.isdisjoint(one["id"] for one in told)


async def test_without_an_agreement_on_file_nothing_goes_and_filing_it_sends_what_waited(world: World) -> None:
    strict = replace(world.hub, registry=Registry(world.hub.store, agreements_required=True))
    app = create_app(strict.settings)
    attach(app, strict)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://hub.test") as web:
        hospital = await caller(world, web, world.mercy, "ingest system/*.cruds")
        otp = await caller(world, web, world.harbor)
        answer = await web.post("/ingest/events", json=event(7), headers=hospital.headers)
        reasons = answer.json()["reasons"]
        codes = [one["code"] for one in reasons]
        assert codes[:3] == ["no-agreement-discloser", "no-agreement-recipient", "cure"]
        cures = [one["text"] for one in reasons if one["code"] == "cure"]
        assert "file the agreement between the hub and HTEST Mercy" in cures[0]
        assert await otp.search("Task") == []
        for organization in (world.mercy, world.harbor):
            await agreements.file(strict, organization, SIGNED)
        await asyncio.sleep(2.2)  # until every process knows what was filed
        await DueWork(strict).run()
        assert [one["status"] for one in await otp.search("Task")] == ["requested"]
    shown = {one.organization: one.in_force for one in await agreements.listed(strict)}
    assert shown == {world.mercy: True, world.harbor: True, world.north: False}


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"document_hash": "abc"}, "document_hash"),
        ({"signed_on": "yesterday"}, "signed_on"),
        ({"kind": "handshake"}, "kind"),
        ({"ends_on": "2026-01-01"}, "ends_on"),
        ({"signer": ""}, "signer"),
    ],
)
async def test_an_agreement_that_is_not_whole_is_refused_by_field(
    world: World, wrong: dict[str, str], path: str
) -> None:
    with pytest.raises(BadRequest, match=path):
        await agreements.file(world.hub, world.mercy, SIGNED | wrong)
