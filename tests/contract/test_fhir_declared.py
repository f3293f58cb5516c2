"""The CapabilityStatement is true: all that it declares works, and what it does not declare is refused."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from app.services.reading.obligations import SHALL, unmet
from schemas.resources import ALL
from tests.contract.fhir_callers import FHIR, Caller, Resource, caller, discharge
from tests.hub_fixtures import World

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
VALUES = {"token": "HTEST", "date": "2026-06-05", "string": "HTEST", "uri": "urn:HTEST"}
WRITES = {"create": "POST", "update": "PUT", "patch": "PATCH", "delete": "DELETE"}


@pytest_asyncio.fixture
async def partner(world: World, web: httpx.AsyncClient) -> Caller:
    await discharge(world, web, 1)
    return await caller(world, web, world.harbor, "system/*.cruds")


@pytest_asyncio.fixture
async def declared(web: httpx.AsyncClient, world: World) -> AsyncIterator[dict[str, Resource]]:
    del world
    statement = (await web.get(f"{FHIR}/metadata")).json()
    yield {resource["type"]: resource for resource in statement["rest"][0]["resource"]}


async def ok(partner: Caller, query: str) -> Resource:
    answer = await partner.get(query)
    assert answer.status_code == 200, f"{query}: {answer.status_code} {answer.text}"
    body: Resource = answer.json()
    return body


async def test_every_parameter_that_is_declared_is_searched_by_and_no_other(
    partner: Caller, declared: dict[str, Resource]
) -> None:
    for kind, said in declared.items():
        for param in said["searchParam"]:
            points_to = (*ALL[kind].params[param["name"]].targets, "Patient")[0]
            value = f"{points_to}/HTEST" if param["type"] == "reference" else VALUES[param["type"]]
            await ok(partner, f"{kind}?{param['name']}={value}")
            await ok(partner, f"{kind}?{param['name']}:missing=true")
        named = {param["name"] for param in said["searchParam"]}
        for other in {param.name for spec in ALL.values() for param in spec.search} - named:
            refused = await partner.get(f"{kind}?{other}=HTEST")
            assert refused.status_code == 400, f"{kind}?{other}"


async def test_every_include_that_is_declared_is_followed_and_no_other(
    partner: Caller, declared: dict[str, Resource]
) -> None:
    includes = {name for said in declared.values() for name in said.get("searchInclude", ())}
    reverse = {name for said in declared.values() for name in said.get("searchRevInclude", ())}
    for kind, said in declared.items():
        for name in said.get("searchInclude", ()):
            await ok(partner, f"{kind}?_include={name}")
        for name in said.get("searchRevInclude", ()):
            await ok(partner, f"{kind}?_revinclude={name}")
        for name in reverse - set(said.get("searchRevInclude", ())):
            assert (await partner.get(f"{kind}?_revinclude={name}")).status_code == 400, f"{kind} {name}"
        for name in {one for one in includes if not one.startswith(f"{kind}:")}:
            assert (await partner.get(f"{kind}?_include={name}")).status_code == 400, f"{kind} {name}"


async def test_every_sort_that_is_declared_sorts(partner: Caller, declared: dict[str, Resource]) -> None:
    for kind in declared:
        for name in ALL[kind].sorts:
            await ok(partner, f"{kind}?_sort=-{name}&_count=5")


async def test_a_write_that_is_declared_is_read_and_every_other_is_405(
    partner: Caller, declared: dict[str, Resource]
) -> None:
    for kind, said in declared.items():
        offered = {one["code"] for one in said["interaction"]}
        assert offered == ALL[kind].interactions
        for interaction, method in WRITES.items():
            status = await _tried(partner, kind, method)
            # What is offered looks at the body and at the id, and finds fault with them; a delete has no body.
            assert (status == 405) == (interaction not in offered), f"{interaction} {kind}: {status}"


async def _tried(partner: Caller, kind: str, method: str) -> int:
    path = f"{FHIR}/{kind}" if method == "POST" else f"{FHIR}/{kind}/HTEST-none"
    media = "application/json-patch+json" if method == "PATCH" else "application/fhir+json"
    body: Any = b"[]" if method == "PATCH" else b"{}"
    sent = partner.headers | {"content-type": media}
    return (await partner.web.request(method, path, content=body, headers=sent)).status_code


async def test_a_type_that_is_not_declared_is_not_there(partner: Caller, declared: dict[str, Resource]) -> None:
    for kind in ("Goal", "Group", "Account", "Banana"):
        assert kind not in declared
        assert (await partner.get(kind)).status_code == 404
        assert (await partner.get(f"{kind}/1")).status_code == 404


async def test_every_operation_that_is_declared_answers(
    partner: Caller, hospital_task: Resource, declared: dict[str, Resource]
) -> None:
    assert {one["name"] for said in declared.values() for one in said["operation"]} == {
        "validate",
        "packet",
        "match",
        "break-glass",
        "ask",
        "choose-fallback",
        "patient-is-here",
        "record-answer",
        "record-call",
        "confirm-answer",
        "correct-answer",
        "still-here",
        "status",
        "events",
    }
    assert (await ok(partner, f"Task/{hospital_task['id']}/$packet"))["type"] == "document"
    assert (await ok(partner, "Subscription/$status"))["type"] == "searchset"
    assert (await partner.post("Task/$patient-is-here", {"resourceType": "Parameters"})).status_code == 400
    for kind in declared:
        answer = await partner.post(f"{kind}/$validate", {"resourceType": kind})
        assert (answer.status_code, answer.json()["resourceType"]) == (200, "OperationOutcome"), kind


@pytest_asyncio.fixture
async def hospital_task(partner: Caller) -> Resource:
    (only,) = await partner.search("Task")
    return only


async def test_what_gravity_demands_is_offered_or_named_as_not_met(web: httpx.AsyncClient, world: World) -> None:
    del world
    statement = (await web.get(f"{FHIR}/metadata")).json()
    said = statement["rest"][0]["documentation"]
    assert unmet(ALL)
    assert [text for text in unmet(ALL) if text not in said] == []
    offered = {resource["type"]: resource for resource in statement["rest"][0]["resource"]}
    for kind, wanted in SHALL.items():
        if any(text.startswith(kind) for text in unmet(ALL)):
            continue
        codes = {one["code"] for one in offered[kind]["interaction"]}
        names = {one["name"] for one in offered[kind]["searchParam"]}
        assert set(wanted.interactions) <= codes
        assert set(wanted.search) <= names
        assert set(wanted.includes) <= set(offered[kind].get("searchInclude", ()))
