"""create, update, patch and delete of what a partner reports (FHIR R4 http.html), on both databases."""

import json
from typing import Any

import httpx
import pytest
import pytest_asyncio

from app.core.settings import Settings
from app.main import attach, create_app
from app.services.hub import Hub, Registry
from app.store.store import Store
from tests.contract.fhir_callers import FHIR, Caller, Resource, caller, discharge, peers
from tests.hub_fixtures import World

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ALL = "system/*.cruds"


@pytest_asyncio.fixture
async def partner(world: World, web: httpx.AsyncClient) -> Caller:
    await discharge(world, web, 1)
    return await caller(world, web, world.harbor, ALL)


@pytest_asyncio.fixture
async def person(partner: Caller) -> str:
    (only,) = await partner.search("Patient")
    return f"Patient/{only['id']}"


@pytest_asyncio.fixture
async def hospital(world: World, web: httpx.AsyncClient) -> Caller:
    return await caller(world, web, world.mercy, ALL)


def procedure(person: str, **more: Any) -> Resource:
    return {
        "resourceType": "Procedure",
        "status": "completed",
        "identifier": [{"system": "urn:oid:2.16.840.1.113883.3.9999.7", "value": "HTEST-P1"}],
        "code": {"text": "HTEST dosing"},
        "subject": {"reference": person},
        "performedDateTime": "2026-06-08T09:00:00-04:00",
        **more,
    }


def expressions(answer: httpx.Response) -> list[str]:
    assert answer.json()["resourceType"] == "OperationOutcome"
    return [path for issue in answer.json()["issue"] for path in issue.get("expression", [])]


async def test_what_is_created_has_a_place_a_version_and_is_read_again(partner: Caller, person: str) -> None:
    answer = await partner.post("Procedure", procedure(person, id="mine"))
    made = answer.json()
    assert (answer.status_code, made["resourceType"], made["meta"]["versionId"]) == (201, "Procedure", "1")
    assert made["id"] != "mine", "the server gives the ids"
    assert answer.headers["location"] == f"http://hub.test{FHIR}/Procedure/{made['id']}/_history/1"
    assert answer.headers["etag"] == 'W/"1"'
    assert await partner.read(f"Procedure/{made['id']}") == made
    assert await partner.read(f"Procedure/{made['id']}/_history/1") == made
    (found,) = await partner.search(f"Procedure?patient={person}&identifier=HTEST-P1")
    assert found == made


async def test_it_carries_the_labels_of_the_person_that_it_is_about(partner: Caller, person: str) -> None:
    labels = (await partner.read(person))["meta"]["security"]
    made = (await partner.post("Procedure", procedure(person))).json()
    assert made["meta"]["security"] == labels


async def test_numbers_and_order_are_kept_as_they_were_sent(partner: Caller, person: str) -> None:
    observation = (
        '{"resourceType":"Observation","status":"final","code":{"text":"HTEST"},'
        f'"subject":{{"reference":"{person}"}},"note":[{{"text":"b"}},{{"text":"a"}}],'
        '"valueQuantity":{"value":1.10,"unit":"mg"}}'
    )
    sent = partner.headers | {"content-type": "application/fhir+json"}
    answer = await partner.web.post(f"{FHIR}/Observation", content=observation, headers=sent)
    assert '"value":1.10' in answer.text
    assert [note["text"] for note in answer.json()["note"]] == ["b", "a"]


@on_sqlite
@pytest.mark.parametrize(
    ("prefer", "kind"),
    [("return=minimal", None), ("return=representation", "Procedure"), ("return=OperationOutcome", "OperationOutcome")],
)
async def test_a_client_chooses_what_it_gets_back(prefer: str, kind: str | None, partner: Caller, person: str) -> None:
    answer = await partner.post("Procedure", procedure(person), prefer=prefer)
    found = answer.json()["resourceType"] if answer.content else None
    assert (answer.status_code, found) == (201, kind)
    assert "location" in answer.headers


async def test_nobody_else_sees_what_a_partner_wrote_before_it_is_reported(
    partner: Caller, person: str, hospital: Caller, world: World, web: httpx.AsyncClient
) -> None:
    made = (await partner.post("Procedure", procedure(person))).json()
    for other in (hospital, await peers(world, web)):
        assert (await other.get(f"Procedure/{made['id']}")).status_code == 404
        assert await other.search("Procedure") == []


async def test_the_hospital_sees_it_once_the_task_is_completed_with_it(
    partner: Caller, person: str, hospital: Caller
) -> None:
    (task,) = await partner.search("Task")
    made = (await partner.post("Procedure", procedure(person))).json()
    output = [{"type": {"text": "HTEST service"}, "valueReference": {"reference": f"Procedure/{made['id']}"}}]
    assert (await partner.set_status(task, "accepted")).status_code == 200
    completed = await partner.set_status(task, "completed", {"op": "add", "path": "/output", "value": output})
    assert completed.status_code == 200, completed.text
    bundle = await hospital.read("Task?_include=Task:output")
    shown = {entry["resource"]["resourceType"]: entry["resource"] for entry in bundle["entry"]}
    assert shown["Procedure"]["id"] == made["id"]
    assert (await hospital.put(made | {"status": "not-done"})).status_code == 403
    deleted = await partner.delete(f"Procedure/{made['id']}")
    assert (deleted.status_code, deleted.json()["issue"][0]["code"]) == (409, "conflict")


async def test_an_output_that_leads_nowhere_is_refused(partner: Caller) -> None:
    (task,) = await partner.search("Task")
    await partner.set_status(task, "accepted")
    output = [{"type": {"text": "HTEST"}, "valueReference": {"reference": "Procedure/nobody-has-it"}}]
    answer = await partner.set_status(task, "completed", {"op": "add", "path": "/output", "value": output})
    assert (answer.status_code, expressions(answer)) == (422, ["Task.output[0].valueReference.reference"])


async def test_a_reference_to_what_the_caller_may_not_see_leads_nowhere(
    person: str, world: World, web: httpx.AsyncClient
) -> None:
    other = await caller(world, web, (await peers(world, web)).organization, ALL)
    for target in (person, "Patient/nobody-has-it", "Group/" + person.partition("/")[2]):
        answer = await other.post("Procedure", procedure(target))
        assert (answer.status_code, expressions(answer)) == (422, ["Procedure.subject.reference"])


async def test_an_absolute_reference_to_this_server_is_a_reference_to_this_server(partner: Caller, person: str) -> None:
    made = (await partner.post("Procedure", procedure(f"http://hub.test{FHIR}/{person}"))).json()
    assert made["subject"]["reference"] == person


async def test_an_update_makes_a_version_and_the_same_again_makes_none(partner: Caller, person: str) -> None:
    made = (await partner.post("Procedure", procedure(person))).json()
    changed = made | {"note": [{"text": "HTEST late"}]}
    first = await partner.put(changed, if_match='W/"1"')
    assert (first.status_code, first.json()["meta"]["versionId"], first.headers["etag"]) == (200, "2", 'W/"2"')
    again = await partner.put(changed, if_match='W/"1"')
    assert (again.status_code, again.headers["etag"]) == (200, 'W/"2"')
    stale = await partner.put(made | {"status": "stopped"}, if_match='W/"1"')
    assert stale.status_code == 412
    versions = (await partner.read(f"Procedure/{made['id']}/_history"))["entry"]
    assert [entry["resource"]["meta"]["versionId"] for entry in versions] == ["2", "1"]


async def test_a_patch_changes_what_it_names(partner: Caller, person: str) -> None:
    made = (await partner.post("Procedure", procedure(person))).json()
    path = f"Procedure/{made['id']}"
    answer = await partner.patch(path, {"op": "replace", "path": "/status", "value": "not-done"})
    assert (answer.status_code, answer.json()["status"]) == (200, "not-done")
    broken = await partner.patch(path, {"op": "remove", "path": "/status"})
    assert (broken.status_code, expressions(broken)) == (400, ["Procedure.status"])
    nowhere = await partner.patch(path, {"op": "remove", "path": "/bodySite"})
    assert nowhere.status_code == 422


async def test_labels_are_never_stripped_and_the_person_stays(partner: Caller, person: str) -> None:
    made = (await partner.post("Procedure", procedure(person))).json()
    bare = {key: value for key, value in made.items() if key != "meta"} | {"note": [{"text": "HTEST"}]}
    kept = (await partner.put(bare)).json()
    assert kept["meta"]["security"] == made["meta"]["security"]
    stripped = await partner.put(kept | {"meta": kept["meta"] | {"security": kept["meta"]["security"][:1]}})
    assert (stripped.status_code, expressions(stripped)) == (422, ["Procedure.meta.security"])
    moved = await partner.put(kept | {"subject": {"reference": "Group/HTEST"}})
    assert moved.status_code == 422


@on_sqlite
async def test_a_part_of_a_resource_does_not_take_the_place_of_the_whole(partner: Caller, person: str) -> None:
    made = (await partner.post("Procedure", procedure(person))).json()
    part = await partner.read(f"Procedure/{made['id']}?_elements=status")
    answer = await partner.put(part | {"status": "stopped"})
    assert (answer.status_code, expressions(answer)) == (422, ["Procedure.meta.tag"])


async def test_a_deleted_resource_is_gone_and_its_history_stays(partner: Caller, person: str) -> None:
    made = (await partner.post("Procedure", procedure(person))).json()
    path = f"Procedure/{made['id']}"
    assert (await partner.delete(path)).status_code == 204
    gone = await partner.get(path)
    assert (gone.status_code, gone.json()["issue"][0]["code"]) == (410, "deleted")
    assert await partner.search("Procedure") == []
    assert await partner.read(f"{path}/_history/1") == made
    entries = (await partner.read(f"{path}/_history"))["entry"]
    assert [entry["request"]["method"] for entry in entries] == ["DELETE", "POST"]
    assert "resource" not in entries[0]
    assert (await partner.delete(path)).status_code == 204, "again: the same"
    assert (await partner.put(made)).status_code == 410


@on_sqlite
async def test_what_is_not_declared_is_refused(partner: Caller, person: str) -> None:
    (task,) = await partner.search("Task")
    assert (await partner.delete(f"Task/{task['id']}")).status_code == 405
    assert (await partner.delete(person)).status_code == 405
    assert (await partner.post("Patient", {"resourceType": "Patient"})).status_code == 405
    assert (await partner.post("Banana", {"resourceType": "Banana"})).status_code == 404
    assert (await partner.put({"resourceType": "Procedure", "id": "new", **procedure(person)})).status_code == 404


@on_sqlite
async def test_a_body_that_is_not_the_type_or_does_not_conform_is_400(partner: Caller, person: str) -> None:
    for body, path in [
        ({"resourceType": "Observation"}, "Procedure.resourceType"),
        (procedure(person, status="done"), "Procedure.status"),
        (procedure(person, performedDateTime="June"), "Procedure.performedDateTime"),
    ]:
        answer = await partner.post("Procedure", body)
        assert (answer.status_code, expressions(answer)) == (400, [path])
    query = await partner.post("Procedure?x=1", procedure(person))
    assert query.status_code == 400
    sent = partner.headers | {"content-type": "application/fhir+xml"}
    assert (await partner.web.post(f"{FHIR}/Procedure", content="<a/>", headers=sent)).status_code == 415
    made = (await partner.post("Procedure", procedure(person))).json()
    bad = await partner.put(made, if_match="1")
    assert bad.status_code == 400


@on_sqlite
async def test_each_interaction_needs_its_letter(
    world: World, web: httpx.AsyncClient, person: str, partner: Caller
) -> None:
    made = (await partner.post("Procedure", procedure(person))).json()
    reader = await caller(world, web, world.harbor, "system/*.rs")
    assert (await reader.post("Procedure", procedure(person))).status_code == 403
    assert (await reader.put(made | {"status": "stopped"})).status_code == 403
    assert (await reader.delete(f"Procedure/{made['id']}")).status_code == 403


async def test_on_a_hub_without_authentication_who_created_it_changes_and_deletes_it(
    store: Store, world: World
) -> None:
    settings = Settings(_env_file=None, auth="off", mllp_port=0, worker=False)
    app = create_app(settings)
    attach(app, Hub(settings, store, world.hub.keys, world.hub.clock, Registry(store)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://hub.test") as web:
        me = Caller(web, "", {})
        told = {"resourceType": "Procedure", "status": "unknown", "subject": {"display": "HTEST"}}
        made = (await me.post("Procedure", told)).json()
        assert (await me.put(made | {"status": "stopped"})).status_code == 200
        assert (await me.delete(f"Procedure/{made['id']}")).status_code == 204
        assert (await me.get(f"Procedure/{made['id']}")).status_code == 410


# ---- conditions


async def test_if_none_exist_creates_once(partner: Caller, person: str) -> None:
    criteria = "identifier=urn:oid:2.16.840.1.113883.3.9999.7|HTEST-P1"
    first = await partner.post("Procedure", procedure(person), if_none_exist=criteria)
    again = await partner.post("Procedure", procedure(person, status="stopped"), if_none_exist=criteria)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json(), "what is there stays as it is"
    await partner.post("Procedure", procedure(person))
    several = await partner.post("Procedure", procedure(person), if_none_exist=criteria)
    assert several.status_code == 412


async def test_if_none_exist_creates_again_when_the_one_it_made_is_gone(partner: Caller, person: str) -> None:
    criteria = "identifier=HTEST-P1"
    first = (await partner.post("Procedure", procedure(person), if_none_exist=criteria)).json()
    await partner.delete(f"Procedure/{first['id']}")
    second = await partner.post("Procedure", procedure(person), if_none_exist=criteria)
    assert second.status_code == 201
    assert second.json()["id"] != first["id"]


@on_sqlite
@pytest.mark.parametrize("criteria", ["", "nonsense", "_count=1", "identifier", "unknown=1"])
async def test_criteria_that_say_nothing_are_refused(criteria: str, partner: Caller, person: str) -> None:
    answer = await partner.post("Procedure", procedure(person), if_none_exist=criteria)
    assert answer.status_code == 400, answer.text


async def test_an_update_by_criteria_creates_or_changes(partner: Caller, person: str) -> None:
    query = "identifier=HTEST-P1"
    first = await partner.put_found("Procedure", query, procedure(person))
    assert first.status_code == 201
    second = await partner.put_found("Procedure", query, procedure(person, status="stopped"))
    assert (second.status_code, second.json()["id"], second.json()["status"]) == (200, first.json()["id"], "stopped")
    assert (await partner.put_found("Procedure", query, procedure(person, id="other"))).status_code == 400
    assert (await partner.put_found("Procedure", "", procedure(person))).status_code == 400
    await partner.post("Procedure", procedure(person))
    assert (await partner.put_found("Procedure", query, procedure(person))).status_code == 412


async def test_a_patch_by_criteria_changes_the_one_match(partner: Caller, person: str) -> None:
    change = {"op": "replace", "path": "/status", "value": "stopped"}
    assert (await partner.patch("Procedure?identifier=HTEST-P1", change)).status_code == 404
    await partner.post("Procedure", procedure(person))
    answer = await partner.patch("Procedure?identifier=HTEST-P1", change)
    assert (answer.status_code, json.loads(answer.text)["status"]) == (200, "stopped")
