"""batch and transaction: independent requests, or all or nothing (FHIR R4 http.html#transaction), on both databases."""

import asyncio
import base64
import json
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.contract.fhir_callers import FHIR, Caller, Resource, caller, discharge
from tests.hub_fixtures import World

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
NUMBERS = "urn:oid:2.16.840.1.113883.3.9999.7"
FIRST = "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"
SECOND = "urn:uuid:88f151c0-a954-468a-88bd-5ae15c08e059"


@pytest_asyncio.fixture
async def partner(world: World, web: httpx.AsyncClient) -> Caller:
    await discharge(world, web, 1)
    return await caller(world, web, world.harbor, "system/*.cruds")


@pytest_asyncio.fixture
async def person(partner: Caller) -> str:
    (only,) = await partner.search("Patient")
    return f"Patient/{only['id']}"


@pytest_asyncio.fixture
async def task(partner: Caller) -> Resource:
    (only,) = await partner.search("Task")
    return only


def procedure(person: str, number: str = "HTEST-P1", **more: Any) -> Resource:
    return {
        "resourceType": "Procedure",
        "status": "completed",
        "identifier": [{"system": NUMBERS, "value": number}],
        "code": {"text": "HTEST dosing"},
        "subject": {"reference": person},
        **more,
    }


def entry(
    method: str, url: str, resource: Resource | None = None, full_url: str | None = None, **more: str
) -> Resource:
    said: Resource = {"request": {"method": method, "url": url, **more}}
    return said | ({"resource": resource} if resource else {}) | ({"fullUrl": full_url} if full_url else {})


def patch_of(*operations: Resource) -> Resource:
    data = base64.b64encode(json.dumps(operations).encode()).decode()
    return {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": data}


async def send(partner: Caller, kind: str, *entries: Resource, **headers: str) -> httpx.Response:
    return await partner.post("", {"resourceType": "Bundle", "type": kind, "entry": list(entries)}, **headers)


def statuses(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["response"]["status"].partition(" ")[0] for one in answer.json()["entry"]]


def expressions(answer: httpx.Response) -> list[str]:
    return [path for issue in answer.json()["issue"] for path in issue.get("expression", [])]


# ---- batch


async def test_each_entry_of_a_batch_has_the_answer_that_it_would_have_alone(
    partner: Caller, person: str, task: Resource
) -> None:
    answer = await send(
        partner,
        "batch",
        entry("GET", f"Task/{task['id']}"),
        entry("GET", "Task?status=requested&_count=1"),
        entry("POST", "Procedure", procedure(person)),
        entry("GET", "Task/nobody-has-it"),
        entry("POST", "Procedure", procedure("Patient/nobody-has-it")),
        entry("PATCH", f"Task/{task['id']}", patch_of({"op": "replace", "path": "/status", "value": "accepted"})),
        entry("GET", f"Task/{task['id']}/_history/1"),
        entry("DELETE", f"Task/{task['id']}"),
        entry("GET", "Banana"),
        entry("GET", f"Task/{task['id']}", ifNoneMatch='W/"1"'),
    )
    found = answer.json()["entry"]
    assert statuses(answer)[:5] == ["200", "200", "201", "404", "422"]
    assert statuses(answer)[5:9] == ["200", "200", "405", "404"]
    assert found[0]["resource"]["resourceType"] == "Task"
    assert found[1]["resource"]["type"] == "searchset"
    assert found[2]["response"]["location"].startswith(f"http://hub.test{FHIR}/Procedure/")
    assert found[2]["response"]["etag"] == 'W/"1"'
    assert found[4]["response"]["outcome"]["issue"][0]["expression"] == ["Procedure.subject.reference"]
    assert answer.json()["type"] == "batch-response"


@on_sqlite
async def test_a_bundle_that_is_neither_is_refused(partner: Caller) -> None:
    refused: list[tuple[Resource, str]] = [
        ({"resourceType": "Task"}, "Bundle.resourceType"),
        ({"resourceType": "Bundle", "type": "collection"}, "Bundle.type"),
        ({"resourceType": "Bundle", "type": "batch", "entry": {}}, "Bundle.entry"),
        ({"resourceType": "Bundle", "type": "batch", "entry": [{}]}, "Bundle.entry[0].request"),
        (
            {"resourceType": "Bundle", "type": "batch", "entry": [entry("FETCH", "Task")]},
            "Bundle.entry[0].request.method",
        ),
        ({"resourceType": "Bundle", "type": "batch", "entry": [entry("GET", "../x")]}, "Bundle.entry[0].request.url"),
        ({"resourceType": "Bundle", "type": "batch", "entry": [entry("POST", "Task")]}, "Bundle.entry[0].resource"),
    ]
    for bundle, path in refused:
        answer = await partner.post("", bundle)
        assert (answer.status_code, expressions(answer)) == (400, [path])


@on_sqlite
async def test_an_empty_batch_is_answered_by_an_empty_one(partner: Caller) -> None:
    for kind in ("batch", "transaction"):
        answer = await partner.post("", {"resourceType": "Bundle", "type": kind})
        assert (answer.status_code, answer.json()["type"]) == (200, f"{kind}-response")


# ---- transaction


async def test_a_partner_reports_a_service_and_completes_its_task_in_one_transaction(
    partner: Caller, person: str, task: Resource, world: World, web: httpx.AsyncClient
) -> None:
    await partner.set_status(task, "accepted")
    output = [{"type": {"text": "HTEST service"}, "valueReference": {"reference": FIRST}}]
    now = await partner.read(f"Task/{task['id']}")
    answer = await send(
        partner,
        "transaction",
        entry("PUT", f"Task/{task['id']}", now | {"status": "completed", "output": output}, ifMatch='W/"2"'),
        entry("POST", "Procedure", procedure(person, partOf=[{"reference": SECOND}]), FIRST),
        entry("POST", "Procedure", procedure(person, "HTEST-P2"), SECOND),
        entry("GET", f"Task/{task['id']}"),
    )
    assert statuses(answer) == ["200", "201", "201", "200"]
    written = answer.json()["entry"][3]["resource"]
    reference = written["output"][0]["valueReference"]["reference"]
    assert f"{FHIR}/{reference}/_history/1" in answer.json()["entry"][1]["response"]["location"]
    made = await partner.read(reference)
    assert (await partner.read(made["partOf"][0]["reference"]))["identifier"][0]["value"] == "HTEST-P2"
    hospital = await caller(world, web, world.mercy, "system/*.rs")
    assert [one["id"] for one in await hospital.search("Procedure")] == [made["id"]]


async def test_one_wrong_entry_and_nothing_happens(partner: Caller, person: str, task: Resource) -> None:
    answer = await send(
        partner,
        "transaction",
        entry("POST", "Procedure", procedure(person)),
        entry("PUT", f"Task/{task['id']}", task | {"status": "completed"}),
    )
    assert (answer.status_code, expressions(answer)) == (422, ["Bundle.entry[1].resource.status"])
    assert await partner.search("Procedure") == []
    assert (await partner.read(f"Task/{task['id']}"))["status"] == "requested"


async def test_a_stale_version_undoes_the_whole(partner: Caller, person: str, task: Resource) -> None:
    answer = await send(
        partner,
        "transaction",
        entry("POST", "Procedure", procedure(person)),
        entry("PUT", f"Task/{task['id']}", task | {"status": "accepted"}, ifMatch='W/"9"'),
    )
    assert (answer.status_code, expressions(answer)) == (412, ["Bundle.entry[1]"])
    assert await partner.search("Procedure") == []


async def test_conditional_references_and_creates_are_resolved_first(partner: Caller, person: str) -> None:
    number = (await partner.read(person))["identifier"][0]
    criteria = f"identifier={NUMBERS}|HTEST-P1"
    by_number = f"Patient?identifier={number['system']}|{number['value']}"
    bundle = (
        entry("POST", "Procedure", procedure(by_number), FIRST, ifNoneExist=criteria),
        entry("POST", "Procedure", procedure(person, "HTEST-P2", partOf=[{"reference": FIRST}])),
    )
    first = await send(partner, "transaction", *bundle)
    again = await send(partner, "transaction", *bundle)
    assert (statuses(first), statuses(again)) == (["201", "201"], ["200", "201"])
    one, two = (answer.json()["entry"][0]["response"]["location"] for answer in (first, again))
    assert one == two
    made = await partner.search("Procedure?identifier=HTEST-P2")
    assert {part["partOf"][0]["reference"] for part in made} == {"/".join(one.split("/")[-4:-2])}
    assert (await partner.search(criteria.replace("identifier", "Procedure?identifier")))[0]["subject"] == {
        "reference": person
    }


async def test_a_conditional_reference_that_finds_none_or_several_is_refused(partner: Caller, person: str) -> None:
    for _ in range(2):
        await partner.post("Procedure", procedure(person))
    for query in ("identifier=HTEST-none", "identifier=HTEST-P1"):
        part = [{"reference": f"Procedure?{query}"}]
        answer = await send(partner, "transaction", entry("POST", "Procedure", procedure(person, partOf=part)))
        assert (answer.status_code, expressions(answer)) == (412, ["Bundle.entry[0].resource.partOf[0].reference"])


async def test_two_entries_for_one_resource_are_refused_and_both_are_named(
    partner: Caller, person: str, task: Resource
) -> None:
    made = (await partner.post("Procedure", procedure(person))).json()
    url = f"Procedure/{made['id']}"
    both = ["Bundle.entry[0].request.url", "Bundle.entry[1].request.url"]
    for first, second in [
        (entry("PUT", url, made), entry("DELETE", url)),
        (entry("PUT", f"Task/{task['id']}", task), entry("PUT", f"Task/{task['id']}", task)),
        (
            entry("PUT", "Procedure?identifier=HTEST-P1", procedure(person)),
            entry("PUT", url, made | {"status": "stopped"}),
        ),
        (
            entry("POST", "Procedure", procedure(person, "HTEST-P3"), ifNoneExist="identifier=HTEST-P3"),
            entry("POST", "Procedure", procedure(person, "HTEST-P3"), ifNoneExist="identifier=HTEST-P3"),
        ),
    ]:
        answer = await send(partner, "transaction", first, second)
        assert (answer.status_code, expressions(answer)) == (400, both), answer.text
    twins = [entry("POST", "Procedure", procedure(person), FIRST) for _ in range(2)]
    answer = await send(partner, "transaction", *twins)
    assert (answer.status_code, expressions(answer)) == (400, ["Bundle.entry[0].fullUrl", "Bundle.entry[1].fullUrl"])


@on_sqlite
async def test_a_reference_to_no_entry_leads_nowhere(partner: Caller, person: str) -> None:
    part = [{"reference": SECOND}]
    answer = await send(partner, "transaction", entry("POST", "Procedure", procedure(person, partOf=part), FIRST))
    assert (answer.status_code, expressions(answer)) == (422, ["Bundle.entry[0].resource.partOf[0].reference"])


@on_sqlite
async def test_the_answer_holds_the_resources_where_they_are_preferred(partner: Caller, person: str) -> None:
    answer = await send(
        partner, "transaction", entry("POST", "Procedure", procedure(person)), prefer="return=representation"
    )
    assert answer.json()["entry"][0]["resource"]["resourceType"] == "Procedure"


@on_sqlite
async def test_a_partner_tells_of_no_visit(partner: Caller) -> None:
    answer = await send(partner, "transaction", entry("POST", "Patient", {"resourceType": "Patient"}))
    assert answer.status_code == 403


async def test_a_delete_and_a_create_in_one_transaction(partner: Caller, person: str) -> None:
    old = (await partner.post("Procedure", procedure(person))).json()
    answer = await send(
        partner,
        "transaction",
        entry("POST", "Procedure", procedure(person)),
        entry("DELETE", f"Procedure/{old['id']}"),
    )
    assert statuses(answer) == ["201", "204"]
    assert (await partner.get(f"Procedure/{old['id']}")).status_code == 410
    assert len(await partner.search("Procedure?identifier=HTEST-P1")) == 1


async def test_a_sender_without_leave_to_write_observations_tells_of_them(
    world: World, web: httpx.AsyncClient, partner: Caller, person: str
) -> None:
    number = (await partner.read(person))["identifier"][0]
    seen = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "HTEST"},
        "subject": {"type": "Patient", "identifier": {key: number[key] for key in ("system", "value")}},
    }
    sender = await caller(world, web, world.mercy, "ingest")
    answer = await sender.post(
        "?sender=mercy-adt",
        {"resourceType": "Bundle", "type": "transaction", "entry": [entry("POST", "Observation", seen)]},
    )
    assert statuses(answer) == ["202"]
    refused = await caller(world, web, world.mercy, "system/Observation.rs")
    again = await send(refused, "transaction", entry("POST", "Observation", seen))
    assert again.status_code == 403


async def test_who_is_overtaken_refers_to_what_is_there(partner: Caller, person: str) -> None:
    for number in range(6):
        name = f"HTEST-R{number}"
        one = entry("POST", "Procedure", procedure(person, name), FIRST, ifNoneExist=f"identifier={NUMBERS}|{name}")
        two = entry("POST", "Procedure", procedure(person, f"{name}-part", partOf=[{"reference": FIRST}]))
        answers = await asyncio.gather(*(send(partner, "transaction", one, two) for _ in range(8)))
        assert {answer.status_code for answer in answers} == {200}
        (whole,) = await partner.search(f"Procedure?identifier={name}")
        parts = await partner.search(f"Procedure?identifier={name}-part")
        assert [part["partOf"][0]["reference"] for part in parts] == [f"Procedure/{whole['id']}"] * 8
