"""Task updates: who may change what, preconditions, and repeats (interface: FHIR behaviour)."""

import asyncio
import json
from collections import Counter

import httpx
import pytest

from app.services.clients import accounts
from tests.contract.fhir_callers import FHIR, OUTPUT, Caller, Resource, caller
from tests.hub_fixtures import World

REASON = {"op": "add", "path": "/statusReason", "value": {"text": "HTEST no free place"}}
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
DONE = {"op": "add", "path": "/output", "value": OUTPUT}


def version(task: Resource) -> int:
    return int(task["meta"]["versionId"])


async def test_a_put_of_the_whole_task_accepts_it(harbor: Caller, task: Resource) -> None:
    answer = await harbor.put(task | {"status": "accepted"}, if_match=f'W/"{version(task)}"')
    assert answer.status_code == 200
    after = answer.json()
    assert (after["status"], version(after)) == ("accepted", version(task) + 1)
    assert answer.headers["etag"] == f'W/"{version(after)}"'
    assert await harbor.read(f"Task/{task['id']}") == after


@on_sqlite
@pytest.mark.parametrize("prefer", ["return=minimal", "return=representation", "return=OperationOutcome"])
async def test_a_client_chooses_what_it_gets_back(prefer: str, harbor: Caller, task: Resource) -> None:
    answer = await harbor.set_status(task, "accepted", prefer=prefer)
    kind = answer.json()["resourceType"] if answer.content else None
    wanted = {"minimal": None, "representation": "Task", "OperationOutcome": "OperationOutcome"}
    assert (answer.status_code, kind) == (200, wanted[prefer.partition("=")[2]])


async def test_a_version_that_is_gone_is_412(harbor: Caller, task: Resource) -> None:
    assert (await harbor.set_status(task, "accepted")).status_code == 200
    stale = f'W/"{version(task)}"'
    assert (await harbor.set_status(task, "in-progress", if_match=stale)).status_code == 412
    assert (await harbor.put(task | {"status": "in-progress"})).status_code == 412, "the body names its version"
    assert (await harbor.read(f"Task/{task['id']}"))["status"] == "accepted"


async def test_without_a_version_the_edge_must_be_legal_from_now(harbor: Caller, task: Resource) -> None:
    bare = {key: value for key, value in task.items() if key != "meta"}
    assert (await harbor.set_status(task, "accepted")).status_code == 200
    answer = await harbor.put(bare | {"status": "in-progress"})
    assert (answer.status_code, answer.json()["status"]) == (200, "in-progress")


async def test_the_same_request_again_is_200_before_the_version_is_judged(harbor: Caller, task: Resource) -> None:
    tag = f'W/"{version(task)}"'
    first = await harbor.set_status(task, "accepted", if_match=tag)
    again = await harbor.set_status(task, "accepted", if_match=tag)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.headers["etag"] == first.headers["etag"]
    assert again.json() == first.json()


@on_sqlite
async def test_a_client_may_be_made_to_name_the_version(world: World, web: httpx.AsyncClient, task: Resource) -> None:
    strict = await _strict(world, web)
    missing = await strict.set_status(task, "accepted")
    assert missing.status_code == 400
    assert "If-Match" in missing.text
    assert (await strict.set_status(task, "accepted", if_match=f'W/"{version(task)}"')).status_code == 200


async def _strict(world: World, web: httpx.AsyncClient) -> Caller:
    from_accounts = await accounts.add_client(world.hub, world.harbor, "system/Task.rus", require_if_match=True)
    issued = await accounts.issue(world.hub, from_accounts.client_id)
    return Caller(web, world.harbor, {"authorization": f"Bearer {issued.token}"})


@on_sqlite
@pytest.mark.parametrize("tag", ["1", "W/1", "*", 'W/"x"', 'W/"1", W/"2"', ""])
async def test_an_if_match_that_is_no_tag_is_refused(tag: str, harbor: Caller, task: Resource) -> None:
    answer = await harbor.set_status(task, "accepted", if_match=tag)
    assert answer.status_code == 400
    assert "If-Match" in answer.text


@on_sqlite
@pytest.mark.parametrize(
    ("way", "status"),
    [
        ([], "in-progress"),
        ([], "completed"),
        ([], "draft"),
        ([], "cancelled"),
        ([], "entered-in-error"),
        ([], "received"),
        ([], "ready"),
        (["accepted"], "requested"),
        (["accepted"], "rejected"),
        (["rejected"], "accepted"),
        (["accepted", "completed"], "in-progress"),
        (["accepted", "failed"], "accepted"),
    ],
)
async def test_a_forbidden_edge_is_422_and_names_the_allowed_ones(
    way: list[str], status: str, harbor: Caller, task: Resource
) -> None:
    for step in way:
        assert (await harbor.set_status(task, step, REASON, DONE)).status_code == 200
    before = await harbor.read(f"Task/{task['id']}")
    answer = await harbor.set_status(task, status, REASON, DONE)
    assert answer.status_code == 422
    issues = answer.json()["issue"]
    assert any("Task.status" in issue.get("expression", []) and "allowed" in issue["diagnostics"] for issue in issues)
    assert await harbor.read(f"Task/{task['id']}") == before


@on_sqlite
@pytest.mark.parametrize(
    ("way", "status", "rule"),
    [
        ([], "rejected", "statusReason.text"),
        (["accepted"], "failed", "statusReason.text"),
        (["accepted"], "cancelled", "statusReason.text"),
        (["accepted"], "on-hold", "statusReason.text"),
        (["accepted"], "completed", "output"),
    ],
)
async def test_a_missing_reason_or_output_is_400_and_names_the_rule(
    way: list[str], status: str, rule: str, harbor: Caller, task: Resource
) -> None:
    for step in way:
        assert (await harbor.set_status(task, step)).status_code == 200
    answer = await harbor.set_status(task, status)
    assert answer.status_code == 400
    assert rule in answer.text


@on_sqlite
@pytest.mark.parametrize(
    ("element", "value"),
    [
        ("priority", "routine"),
        ("intent", "plan"),
        ("authoredOn", "2020-01-01T00:00:00Z"),
        ("description", "HTEST"),
        ("restriction", {"repetitions": 1}),
        ("modifierExtension", [{"url": "http://example.org/not", "valueBoolean": True}]),
        ("executionPeriod", {"start": "2026-06-08"}),
    ],
)
async def test_an_element_that_is_not_the_owners_is_422_and_named(
    element: str, value: object, harbor: Caller, task: Resource
) -> None:
    answer = await harbor.patch(f"Task/{task['id']}", {"op": "add", "path": f"/{element}", "value": value})
    assert answer.status_code in {400, 422}
    assert f"Task.{element}" in answer.text
    assert await harbor.read(f"Task/{task['id']}") == task


@on_sqlite
async def test_what_a_client_reformats_is_no_change(harbor: Caller, task: Resource) -> None:
    other = dict(reversed([*task.items()])) | {
        "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'}
    }
    stamp = other["authoredOn"].replace("+00:00", "Z")
    answer = await harbor.put(other | {"authoredOn": stamp, "status": "accepted"})
    assert answer.status_code == 200
    after = answer.json()
    assert (after["authoredOn"], "text" in after) == (task["authoredOn"], False)


async def test_an_update_that_changes_nothing_makes_no_version(harbor: Caller, task: Resource) -> None:
    answer = await harbor.put(task)
    assert (answer.status_code, version(answer.json())) == (200, version(task))


async def test_outputs_and_notes_grow_only(harbor: Caller, task: Resource) -> None:
    note = {"op": "add", "path": "/note", "value": [{"text": "HTEST called"}]}
    assert (await harbor.set_status(task, "accepted", DONE, note)).status_code == 200
    more = await harbor.patch(f"Task/{task['id']}", {"op": "add", "path": "/note/-", "value": {"text": "HTEST again"}})
    assert [one["text"] for one in more.json()["note"]] == ["HTEST called", "HTEST again"]
    for operation in (
        {"op": "remove", "path": "/output"},
        {"op": "remove", "path": "/note/0"},
        {"op": "replace", "path": "/note/0/text", "value": "HTEST other"},
    ):
        assert (await harbor.patch(f"Task/{task['id']}", operation)).status_code == 422


async def test_the_hospital_reads_the_answer_on_its_own_task(
    harbor: Caller, task: Resource, world: World, web: httpx.AsyncClient
) -> None:
    mercy = await caller(world, web, world.mercy)
    (source,) = await mercy.search("Task")
    assert (await mercy.set_status(source, "accepted")).status_code == 422, "the hub owns the source"
    for step in ("accepted", "in-progress", "completed"):
        assert (await harbor.set_status(task, step, *([DONE] if step == "completed" else []))).status_code == 200
        assert (await mercy.read(f"Task/{source['id']}"))["status"] == step
    assert (await mercy.read(f"Task/{source['id']}"))["output"] == OUTPUT


async def test_the_hospital_takes_its_referral_back(
    harbor: Caller, task: Resource, world: World, web: httpx.AsyncClient
) -> None:
    mercy = await caller(world, web, world.mercy)
    (source,) = await mercy.search("Task")
    assert (await mercy.set_status(source, "cancelled", REASON)).status_code == 200
    after = await harbor.read(f"Task/{task['id']}")
    assert after["status"] == "cancelled"
    assert "HTEST no free place" not in json.dumps(after)
    assert await harbor.search("Patient") == []


async def test_of_many_answers_at_once_one_wins_and_none_is_lost(harbor: Caller, task: Resource) -> None:
    tag = f'W/"{version(task)}"'
    wanted = ["accepted", "rejected"] * 8
    answers = await asyncio.gather(*(harbor.set_status(task, one, REASON, if_match=tag) for one in wanted))
    after = await harbor.read(f"Task/{task['id']}")
    outcome = Counter((status, answer.status_code) for status, answer in zip(wanted, answers, strict=True))
    won = after["status"]
    lost = "rejected" if won == "accepted" else "accepted"
    assert outcome[won, 200] == 8, "who wanted what is so now has it"
    assert outcome[lost, 412] + outcome[lost, 422] + outcome[lost, 409] == 8
    assert version(after) == version(task) + 1


async def test_history_tells_each_step_with_its_time(harbor: Caller, task: Resource) -> None:
    await harbor.set_status(task, "accepted")
    await harbor.set_status(task, "in-progress")
    bundle = await harbor.read(f"Task/{task['id']}/_history")
    assert [entry["resource"]["status"] for entry in bundle["entry"]] == ["in-progress", "accepted", "requested"]
    stamps = [entry["resource"]["meta"]["lastUpdated"] for entry in bundle["entry"]]
    assert sorted(set(stamps), reverse=True) == stamps
    old = await harbor.read(f"Task/{task['id']}/_history/{version(task)}")
    assert old["status"] == "requested"


@on_sqlite
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "Task"),
        ("DELETE", "Task/{id}"),
        ("PUT", "Task"),
        ("PUT", "Patient/{id}"),
        ("POST", "Patient"),
        ("DELETE", "Task?status=requested"),
    ],
)
async def test_what_is_not_offered_is_refused_and_changes_nothing(
    method: str, path: str, harbor: Caller, task: Resource
) -> None:
    answer = await harbor.web.request(
        method,
        f"{FHIR}/{path.format(id=task['id'])}",
        content=json.dumps(task | {"status": "accepted"}),
        headers=harbor.headers | {"content-type": "application/fhir+json"},
    )
    assert answer.status_code in {400, 403, 404, 405, 501}
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert await harbor.read(f"Task/{task['id']}") == task


@on_sqlite
async def test_no_update_creates(harbor: Caller, task: Resource) -> None:
    answer = await harbor.put(task | {"id": "htest-of-my-own"})
    assert answer.status_code == 404
    mismatch = await harbor.web.put(
        f"{FHIR}/Task/{task['id']}",
        content=json.dumps(task | {"id": "other"}),
        headers=harbor.headers | {"content-type": "application/fhir+json"},
    )
    assert mismatch.status_code == 400
