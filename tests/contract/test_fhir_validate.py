"""``$validate``: what the hub would say of a resource, told without storing it and without repeating what is in it."""

import json
from typing import Any

import httpx
import pytest

from tests.contract.fhir_callers import FHIR, Caller, Resource, caller, discharge
from tests.hub_fixtures import World

TASK: Resource = {
    "resourceType": "Task",
    "status": "requested",
    "intent": "order",
    "authoredOn": "2026-06-05T10:00:00Z",
    "lastModified": "2026-06-05T11:00:00Z",
}
US_CORE_PATIENT = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"
UNKNOWN_PROFILE = "http://example.org/StructureDefinition/htest-surprise"


async def judged(who: Caller, path: str, body: Any, status: int = 200) -> list[Resource]:
    """The issues of an OperationOutcome."""
    headers = who.headers | {"content-type": "application/fhir+json"}
    content = body if isinstance(body, bytes) else json.dumps(body)
    return issues(await who.web.post(f"{FHIR}/{path}", content=content, headers=headers), status)


def issues(answer: httpx.Response, status: int = 200) -> list[Resource]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/fhir+json")
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome"
    found: list[Resource] = outcome["issue"]
    return found


def errors(found: list[Resource]) -> list[tuple[str, str]]:
    """Issue type and place of each error."""
    return [(one["code"], one.get("expression", [""])[0]) for one in found if one["severity"] == "error"]


def parameters(resource: Resource | None, **others: str) -> Resource:
    parts: list[Resource] = [{"name": "resource", "resource": resource}] if resource else []
    parts += [{"name": name, "valueCode" if name == "mode" else "valueUri": text} for name, text in others.items()]
    return {"resourceType": "Parameters", "parameter": parts}


@pytest.fixture
async def partner(world: World, web: httpx.AsyncClient) -> Caller:
    return await caller(world, web, world.harbor)


async def offered(world: World, web: httpx.AsyncClient, partner: Caller) -> Resource:
    """The partner's Task."""
    await discharge(world, web)
    (task,) = await partner.search("Task")
    return task


async def test_a_valid_resource_is_all_ok(partner: Caller) -> None:
    (one,) = await judged(partner, "Task/$validate", TASK)
    assert (one["severity"], one["code"], one["diagnostics"]) == ("information", "informational", "All OK.")


async def test_each_fault_has_its_path_its_rule_and_who_says_so(partner: Caller) -> None:
    found = await judged(
        partner, "Task/$validate", {**TASK, "status": "HTEST-gone", "input": [{"type": {}, "valueInteger": 1}]}
    )
    assert errors(found) == [("code-invalid", "Task.status"), ("structure", "Task.input[0].type")]
    assert found[0]["details"]["text"] == "FHIR R4: code"
    assert found[0]["diagnostics"].startswith("one of: ")
    assert found[-1]["code"] == "incomplete"


async def test_an_invariant_is_judged(partner: Caller) -> None:
    found = await judged(partner, "Task/$validate", {**TASK, "lastModified": "2026-06-04T00:00:00Z"})
    assert errors(found) == [("invariant", "Task.lastModified")]
    assert found[0]["details"]["text"] == "FHIR R4: inv-1"


async def test_no_issue_repeats_a_value(partner: Caller) -> None:
    body = {
        "resourceType": "Patient",
        "name": [{"family": 1977, "given": "HTEST-Sam"}],
        "birthDate": "HTEST-1977",
        "gender": "HTEST-x",
        "telecom": [{"HTEST-Sam-Smith": "1"}],
        "meta": {"profile": ["http://HTEST.example.org/secret"]},
    }
    found = await judged(partner, f"Patient/$validate?profile={UNKNOWN_PROFILE}", body)
    assert len(errors(found)) >= 5
    said = json.dumps([{**one, "expression": []} for one in found])
    assert "HTEST" not in said
    assert "1977" not in said
    assert UNKNOWN_PROFILE not in said


async def test_a_claimed_profile_is_judged_and_named(partner: Caller) -> None:
    body = {"resourceType": "Patient", "meta": {"profile": [US_CORE_PATIENT]}}
    found = await judged(partner, "Patient/$validate", body)
    assert ("required", "Patient.name") in errors(found)
    assert {one["details"]["text"].split(": ")[0] for one in found} == {f"Profile {US_CORE_PATIENT}"}


@pytest.mark.parametrize("way", ["query", "parameters"])
async def test_a_profile_that_the_request_names_is_judged(partner: Caller, way: str) -> None:
    body: Resource = {"resourceType": "Patient", "active": True}
    if way == "query":
        found = await judged(partner, f"Patient/$validate?profile={US_CORE_PATIENT}", body)
    else:
        found = await judged(partner, "Patient/$validate", parameters(body, profile=US_CORE_PATIENT))
    assert ("required", "Patient.name") in errors(found)
    assert errors(await judged(partner, "Patient/$validate", body)) == []


async def test_a_claimed_profile_without_rules_here_is_said_not_to_be_judged(partner: Caller) -> None:
    (one,) = await judged(partner, "Task/$validate", {**TASK, "meta": {"profile": [UNKNOWN_PROFILE]}})
    assert (one["severity"], one["code"], one["expression"]) == ("warning", "not-supported", ["Task.meta.profile[0]"])
    assert one["diagnostics"].startswith("Not judged")


async def test_a_claim_inside_a_bundle_is_looked_at_too(partner: Caller) -> None:
    entry = {"resource": {**TASK, "meta": {"profile": [UNKNOWN_PROFILE]}}, "fullUrl": "urn:uuid:" + "0" * 8}
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [entry]}
    found = await judged(partner, "Bundle/$validate", bundle)
    assert ["Bundle.entry[0].resource.meta.profile[0]"] in [one.get("expression") for one in found]


async def test_a_named_profile_without_rules_here_is_an_error(partner: Caller) -> None:
    found = await judged(partner, f"Task/$validate?profile={UNKNOWN_PROFILE}", TASK)
    assert errors(found) == [("not-supported", "http.profile")]


async def test_what_only_fhir_resources_finds_is_a_warning_that_says_so(partner: Caller) -> None:
    # R4 has valueMeta in an extension, R4B lacks it.
    body = {**TASK, "extension": [{"url": "http://example.org/htest", "valueMeta": {"versionId": "1"}}]}
    (one,) = await judged(partner, "Task/$validate", body)
    assert (one["severity"], one["expression"]) == ("warning", ["Task.extension[0]"])
    assert one["details"]["text"].startswith("fhir.resources ")
    assert "second opinion" in one["diagnostics"]


async def test_a_large_body_is_judged_by_the_gate_alone(partner: Caller) -> None:
    body = {**TASK, "note": [{"text": "HTEST " * 1000} for _ in range(60)]}
    found = await judged(partner, "Task/$validate", body)
    assert [(one["severity"], one["code"]) for one in found[1:]] == [("information", "too-costly")]


@pytest.mark.parametrize("body", [[], "text", 5, {}, {"resourceType": "Patient"}, {"resourceType": 7}])
async def test_what_is_not_of_the_type_is_an_error_and_not_a_refusal(partner: Caller, body: Any) -> None:
    assert errors(await judged(partner, "Task/$validate", body)) == [("invalid", "Task.resourceType")]


# ---- modes


async def test_the_modes_say_what_this_server_takes(partner: Caller) -> None:
    found = await judged(partner, "Location/$validate?mode=create", {"resourceType": "Location"})
    assert errors(found) == [("not-supported", "")]
    assert found[0]["diagnostics"].startswith("no create of Location")


async def test_an_update_is_judged_against_what_is_there(world: World, web: httpx.AsyncClient, partner: Caller) -> None:
    task = await offered(world, web, partner)
    path = f"Task/{task['id']}/$validate"
    fits = await judged(partner, path, parameters(task, mode="update"))
    assert errors(fits) == []
    assert fits[0]["diagnostics"] == "All OK."
    other = await judged(partner, f"{path}?mode=update", {**task, "id": "HTEST-other"})
    assert errors(other) == [("invalid", "Task.id")]
    old = await judged(partner, f"{path}?mode=update", {**task, "meta": {**task["meta"], "versionId": "0"}})
    assert errors(old) == [("conflict", "Task.meta.versionId")]


async def test_a_stored_resource_is_judged_by_get(world: World, web: httpx.AsyncClient, partner: Caller) -> None:
    task = await offered(world, web, partner)
    path = f"Task/{task['id']}/$validate"
    (one,) = issues(await partner.get(path))
    assert one["diagnostics"] == "All OK."
    gravity = task["meta"]["profile"][0]
    assert errors(issues(await partner.get(f"{path}?mode=profile&profile={gravity}"))) == []
    assert errors(issues(await partner.get(f"{path}?mode=delete"))) == [("not-supported", "")]


async def test_what_is_not_visible_does_not_exist_here_either(
    world: World, web: httpx.AsyncClient, partner: Caller
) -> None:
    task = await offered(world, web, partner)
    north = await caller(world, web, world.north)
    hidden, unknown = await north.get(f"Task/{task['id']}/$validate"), await north.get("Task/HTEST-none/$validate")
    assert (hidden.status_code, hidden.content) == (404, unknown.content)
    posted = await judged(north, f"Task/{task['id']}/$validate", task, 404)
    assert posted == unknown.json()["issue"]


async def test_nothing_is_stored(world: World, web: httpx.AsyncClient, partner: Caller) -> None:
    task = await offered(world, web, partner)
    await judged(partner, f"Task/{task['id']}/$validate?mode=update", {**task, "status": "accepted"})
    assert (await partner.read(f"Task/{task['id']}"))["status"] == "requested"


# ---- what is refused


@pytest.mark.parametrize(
    ("path", "body", "place"),
    [
        ("Task/$validate?mode=delete", TASK, "http.mode"),
        ("Task/$validate?mode=surprise", TASK, "http.mode"),
        ("Task/$validate?colour=blue", TASK, "http"),
        ("Task/$validate?mode=create&mode=update", TASK, "http.mode"),
        ("Task/$validate?mode=create", parameters(TASK, mode="update"), "http.mode"),
        ("Task/$validate", parameters(None), "Parameters.parameter"),
        ("Task/$validate", parameters(TASK, colour="blue"), "Parameters.parameter"),
        ("Task/$validate", {"resourceType": "Parameters", "parameter": [{"name": "mode"}]}, "Parameters.parameter[0]"),
        ("Task/$validate", {"resourceType": "Parameters", "parameter": "x"}, "Parameters.parameter"),
        ("Task/$validate", b"{", "$"),
        ("Task/$validate", b"null", "Parameters.parameter"),
    ],
)
async def test_a_question_that_can_t_be_asked_is_told_so(partner: Caller, path: str, body: Any, place: str) -> None:
    (one,) = await judged(partner, path, body, 400)
    assert one["expression"] == [place]


async def test_a_type_that_is_not_here_is_404(partner: Caller) -> None:
    await judged(partner, "Basic/$validate", {"resourceType": "Basic"}, 404)


async def test_a_token_is_needed_and_any_scope_will_do(world: World, web: httpx.AsyncClient) -> None:
    headers = {"content-type": "application/fhir+json"}
    assert (await web.post(f"{FHIR}/Task/$validate", content="{}", headers=headers)).status_code == 401
    hospital = await caller(world, web, world.mercy, "ingest")
    assert errors(await judged(hospital, "Task/$validate", TASK)) == []


async def test_xml_is_neither_read_nor_written(partner: Caller) -> None:
    sent = await partner.web.post(
        f"{FHIR}/Task/$validate", content="<Task/>", headers=partner.headers | {"content-type": "application/fhir+xml"}
    )
    assert sent.status_code == 415
    asked = partner.headers | {"content-type": "application/fhir+json", "accept": "application/fhir+xml"}
    assert (await partner.web.post(f"{FHIR}/Task/$validate", content="{}", headers=asked)).status_code == 406
