"""Break-glass: the four fields, medical personnel only, one packet in one answer, reviewed afterwards."""

import json
from typing import Any

import httpx
import pytest
import pytest_asyncio

from app.core.actor import Actor
from app.core.errors import NotFound, Unprocessable
from app.services.partners import registration
from app.services.privacy import incidents
from app.store.changes import Changes, Revocation
from tests.contract.disclosed import Person, person
from tests.contract.fhir_callers import Resource, caller
from tests.hub_fixtures import PARTNER, World

OFFICER = Actor.system("incidents")
FIELDS = {
    "recipient": ("valueString", "HTEST R. Diaz RN, HTEST Harbor OTP"),
    "discloser": ("valueString", "HTEST S. Lee"),
    "at": ("valueDateTime", "2026-06-05T23:10:00-04:00"),
    "nature": ("valueString", "HTEST unconscious, dose unknown"),
}


def form(*names: str) -> Resource:
    parameters = [{"name": name, FIELDS[name][0]: FIELDS[name][1]} for name in names or FIELDS]
    return {"resourceType": "Parameters", "parameter": parameters}


@pytest_asyncio.fixture
async def sam(world: World, web: httpx.AsyncClient) -> Person:
    """A person whose referral the partner was asked with, and may no longer see."""
    await registration.import_partners(world.hub, json.dumps([{**PARTNER, "medical": True}]).encode())
    world.hub.registry.forget()
    made = await person(world, web)
    await made.write()
    gone = tuple(Revocation(made.harbor.organization, one["id"]) for one in made.resources())
    await world.hub.store.commit(Changes(revocations=gone))
    return made


async def broken(sam: Person, body: Resource, task: str | None = None) -> httpx.Response:
    return await sam.harbor.post(f"Task/{task or sam.id('task')}/$break-glass", body)


async def test_a_medical_recipient_is_shown_the_packet_once(sam: Person) -> None:
    assert (await sam.harbor.get(f"Task/{sam.id('task')}")).status_code == 404
    answer = await broken(sam, form())
    assert answer.status_code == 200, answer.text
    members = {entry["resource"]["resourceType"] for entry in answer.json()["entry"]}
    assert {"Composition", "Task", "ServiceRequest", "Patient"} <= members
    assert not members & {"Consent", "Provenance"}
    assert "x-part2-notice" in answer.headers
    assert (await sam.harbor.get(f"Patient/{sam.id('patient')}")).status_code == 404


async def test_it_is_decided_disclosed_and_to_be_reviewed_in_the_words_that_were_given(sam: Person) -> None:
    await broken(sam, form())
    (alert,) = await sam.mercy.search("AuditEvent?subtype=110127")
    assert (alert["type"]["code"], alert["purposeOfEvent"][0]["coding"][0]["code"]) == ("110113", "ETREAT")
    (told,) = await sam.mercy.search("AuditEvent?type=110106")
    assert f"Patient/{sam.id('patient')}/_history/1" in str(told["entity"])
    (one,) = await incidents.listed(sam.world.hub, OFFICER, still_open=True)
    assert one.content == {name: text for name, (_, text) in FIELDS.items()}
    assert (one.kind, one.organization, one.decision) == ("break-glass", "HTEST Mercy", alert["id"])


@pytest.mark.parametrize("missing", FIELDS)
async def test_each_field_that_is_missing_is_named_and_nothing_is_shown(sam: Person, missing: str) -> None:
    for body in (form(*(FIELDS.keys() - {missing})), _emptied(missing)):
        answer = await broken(sam, body)
        assert answer.status_code == 400
        (issue,) = answer.json()["issue"]
        assert f"'{missing}'" in issue["expression"][0]
        assert "2.51(c)" in issue["diagnostics"]
    assert await incidents.listed(sam.world.hub, OFFICER, still_open=True) == []


def _emptied(name: str) -> Resource:
    body = form()
    for one in body["parameter"]:
        if one["name"] == name and name != "at":
            one[FIELDS[name][0]] = " x "[:1] + "\t"
    if name == "at":
        body["parameter"] = [one for one in body["parameter"] if one["name"] != name]
    return body


@pytest.mark.parametrize(
    "extra",
    [
        {"name": "purpose", "valueString": "HTEST"},
        {"name": "recipient", "valueString": "HTEST twice"},
        {"name": "nature", "valueBoolean": True},
    ],
)
async def test_other_parameters_are_refused(sam: Person, extra: dict[str, Any]) -> None:
    body = form()
    body["parameter"] = [one for one in body["parameter"] if one["name"] != "nature"] + [extra]
    assert (await broken(sam, body)).status_code == 400


async def test_an_organisation_without_medical_personnel_is_refused_whatever_the_task(
    sam: Person, world: World
) -> None:
    await registration.import_partners(world.hub, json.dumps([PARTNER]).encode())
    world.hub.registry.forget()
    known, unknown = await broken(sam, form()), await broken(sam, form(), "nobody")
    assert (known.status_code, known.content) == (403, unknown.content)


async def test_a_task_that_it_was_never_asked_with_is_not_there(
    sam: Person, world: World, web: httpx.AsyncClient
) -> None:
    north = await caller(world, web, world.north)
    hidden = await north.post(f"Task/{sam.id('task')}/$break-glass", form())
    unknown = await north.post("Task/nobody/$break-glass", form())
    assert (hidden.status_code, hidden.content) == (404, unknown.content)
    assert await incidents.listed(world.hub, OFFICER, still_open=True) == []


async def test_a_review_is_kept_once_and_says_who(sam: Person) -> None:
    await broken(sam, form())
    hub = sam.world.hub
    (one,) = await incidents.listed(hub, OFFICER, still_open=True)
    with pytest.raises(Unprocessable):
        await incidents.review(hub, OFFICER, one.id, by="HTEST officer", outcome=" ")
    reviewed = await incidents.review(hub, OFFICER, one.id, by="HTEST officer", outcome="HTEST justified")
    assert (reviewed.reviewed_by, reviewed.outcome) == ("HTEST officer", "HTEST justified")
    with pytest.raises(Unprocessable):
        await incidents.review(hub, OFFICER, one.id, by="HTEST other", outcome="HTEST other")
    with pytest.raises(NotFound):
        await incidents.review(hub, OFFICER, "nobody", by="HTEST officer", outcome="HTEST justified")
    assert await incidents.listed(hub, OFFICER, still_open=True) == []
    assert await incidents.listed(hub, OFFICER, still_open=False) == [reviewed]


async def test_a_request_of_an_authority_is_held_and_nothing_of_it_is_readable(sam: Person) -> None:
    hub = sam.world.hub
    held = await incidents.hold(hub, "police", "HTEST sheriff", "HTEST is Sam here?", "cli:HTEST")
    (one,) = await incidents.listed(hub, OFFICER, still_open=True)
    assert (one.id, one.kind, one.organization) == (held, "held-request", "")
    assert one.content["about"] == "HTEST is Sam here?"
    for row in await hub.store.database.fetch("select * from incident"):
        assert "HTEST" not in "".join(repr(value) for value in row)
