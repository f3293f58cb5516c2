"""What an organisation may not see does not exist: not by id, path trick, include, count, cursor, history or time."""

import json

import httpx
import pytest

from fhir_mappings.building.build_directory import ids_of
from tests.contract.fhir_callers import FHIR, Caller, caller, discharge
from tests.contract.neighbours import UNKNOWN, Neighbours, told
from tests.hub_fixtures import World

OF_NOBODY = {"Location", "Organization", "Provenance"}
"""Types of a packet that tell of no person."""
OTHERWISE = (
    "/fhir/R4//Task/{id}",
    "//fhir/R4/Task/{id}",
    "/fhir/R4/Task/{id}/",
    "/fhir/R4/Task//{id}",
    "/fhir/R4/Task/%2e/{id}",
    "/fhir/R4/Task/./{id}",
    "/fhir/R4/Patient/../Task/{id}",
    "/fhir/R4/Patient%2F..%2FTask%2F{id}",
    "/fhir/R4/task/{id}",
    "/fhir/R4/TASK/{id}",
    "/fhir/R4/Task/{id}.json",
    "/fhir/R4/Task/{id}%00",
    "/fhir/R4/Task/{id}%20",
    "/fhir/R4/Task%20/{id}",
    "/fhir/R4/Task/{id};v=1",
    "/fhir/r4/Task/{id}",
    "/fhir/R4/Task/{upper}",
)


async def test_what_is_not_visible_is_answered_like_what_does_not_exist(all_of_them: Neighbours) -> None:
    assert len(all_of_them.foreign) >= 6
    for stranger in (all_of_them.peers, all_of_them.north):
        for name, one in all_of_them.foreign.items():
            for tail in ("", "/_history", "/_history/1", "/_history/99"):
                hidden = await stranger.get(f"{name}/{one['id']}{tail}")
                absent = await stranger.get(f"{name}/{UNKNOWN}{tail}")
                assert told(hidden) == told(absent), (name, tail)
                assert hidden.status_code == 404


async def test_an_update_or_packet_of_a_foreign_task_is_answered_like_an_unknown_one(all_of_them: Neighbours) -> None:
    task = all_of_them.foreign["Task"]
    stranger = all_of_them.peers
    pairs = [
        (await stranger.get(f"Task/{task['id']}/$packet"), await stranger.get(f"Task/{UNKNOWN}/$packet")),
        (await stranger.set_status(task, "accepted"), await stranger.set_status({"id": UNKNOWN}, "accepted")),
        (
            await stranger.set_status(task, "accepted", if_match='W/"1"'),
            await stranger.set_status({"id": UNKNOWN}, "accepted", if_match='W/"1"'),
        ),
        (await stranger.put(task), await stranger.put(task | {"id": UNKNOWN})),
    ]
    for hidden, absent in pairs:
        assert told(hidden) == told(absent)
        assert hidden.status_code == 404
    assert (await all_of_them.harbor.read(f"Task/{task['id']}"))["status"] == "requested"


async def test_a_request_made_up_of_an_id_of_another_type_finds_nothing(all_of_them: Neighbours) -> None:
    for name in all_of_them.foreign:
        other = "Task" if name != "Task" else "Patient"
        answer = await all_of_them.harbor.get(f"{other}/{all_of_them.foreign[name]['id']}")
        assert answer.status_code == 404


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_path_that_is_written_otherwise_shows_no_more(method: str, all_of_them: Neighbours) -> None:
    task = all_of_them.foreign["Task"]["id"]
    stranger = all_of_them.peers
    for path in OTHERWISE:
        url = httpx.URL(f"http://hub.test{path.format(id=task, upper=task.upper())}")
        answer = await stranger.web.request(method, url, headers=stranger.headers)
        assert answer.status_code in {400, 404, 405}, path
        assert task not in answer.text


async def test_head_decides_as_get_does(all_of_them: Neighbours) -> None:
    task = all_of_them.foreign["Task"]["id"]
    for asker in (all_of_them.peers, all_of_them.harbor):
        read = await asker.get(f"Task/{task}")
        head = await asker.web.head(f"{FHIR}/Task/{task}", headers=asker.headers)
        assert (head.status_code, head.content) == (read.status_code, b"")


async def test_a_header_makes_nobody_somebody_else(all_of_them: Neighbours) -> None:
    harbor, stranger = all_of_them.harbor, all_of_them.peers
    for header in ("x-organization", "x-org", "x-tenant", "x-forwarded-user", "organization"):
        answer = await stranger.get(f"Task/{all_of_them.foreign['Task']['id']}", **{header: harbor.organization})
        assert answer.status_code == 404
    override = {"x-http-method-override": "PATCH", "x-method-override": "PUT"}
    assert (await stranger.web.post(f"{FHIR}/Task", headers=stranger.headers | override)).status_code == 403


async def test_searches_and_counts_are_over_what_is_visible(all_of_them: Neighbours) -> None:
    for search in ("", "?_summary=count", "?_total=accurate", "?_count=1", "?_sort=-_lastUpdated"):
        for asker in (all_of_them.harbor, all_of_them.peers):
            bundle = await asker.read(f"Task{search}")
            assert bundle["total"] == 1
            owners = {entry["resource"]["owner"]["reference"] for entry in bundle.get("entry", [])}
            assert owners <= {f"Organization/{asker.organization}"}
        assert (await all_of_them.north.read(f"Task{search}"))["total"] == 0


async def test_naming_another_owner_widens_nothing(all_of_them: Neighbours) -> None:
    harbor = all_of_them.harbor.organization
    assert await all_of_them.peers.search(f"Task?owner=Organization/{harbor}") == []
    for name, one in all_of_them.foreign.items():
        assert await all_of_them.peers.search(f"{name}?_id={one['id']}") == [], name


async def test_a_persons_number_tells_a_stranger_nothing(all_of_them: Neighbours) -> None:
    assert len(await all_of_them.harbor.search("Patient?identifier=HTEST0001")) == 1
    for stranger in (all_of_them.peers, all_of_them.north):
        known = await stranger.get("Patient?identifier=HTEST0001")
        unknown = await stranger.get("Patient?identifier=HTEST9999")
        assert known.json()["total"] == unknown.json()["total"] == 0
        assert len(known.content) == len(unknown.content)
        assert known.headers.keys() == unknown.headers.keys()


async def test_includes_never_bring_what_is_not_visible(all_of_them: Neighbours) -> None:
    """A child points to the source that it is part of: the partner has the reference and not the resource."""
    everything = "&".join(
        f"_include:iterate={one}"
        for one in (
            "Task:part-of",
            "Task:focus",
            "Task:patient",
            "Task:owner",
            "Task:requester",
            "ServiceRequest:based-on",
            "ServiceRequest:subject",
            "ServiceRequest:encounter",
        )
    )
    answer = await all_of_them.harbor.get(f"Task?_include=Task:focus&{everything}", prefer="handling=lenient")
    found = [entry["resource"] for entry in answer.json()["entry"] if "search" in entry]
    sources = [one for one in found if one["resourceType"] in {"Task", "ServiceRequest"}]
    assert [one["resourceType"] for one in sources] == ["Task", "ServiceRequest"]
    assert all("partOf" in one or "basedOn" in one for one in sources)


async def test_a_cursor_is_good_for_one_organisation_and_one_type(
    all_of_them: Neighbours, world: World, web: httpx.AsyncClient
) -> None:
    await discharge(world, web, 3)
    bundle = await all_of_them.harbor.read("Task?_count=1")
    (url,) = [link["url"] for link in bundle["link"] if link["relation"] == "next"]
    cursor, refusals = url.partition("?")[2], set[bytes]()
    mine = await all_of_them.harbor.get(f"Task?{cursor}")
    assert len(mine.json()["entry"]) == 1
    for answer in (
        await all_of_them.peers.get(f"Task?{cursor}"),
        await all_of_them.mercy.get(f"Task?{cursor}"),
        await all_of_them.harbor.get(f"ServiceRequest?{cursor}"),
        await all_of_them.harbor.get(f"Task?{cursor[:-4]}AAAA"),
        await all_of_them.harbor.get("Task?_cursor=x"),
        await all_of_them.harbor.get(f"Task?{cursor}&status=requested"),
        await all_of_them.harbor.get(f"Task?{cursor}&{cursor}"),
    ):
        assert answer.status_code == 400
        assert "start again" in answer.json()["issue"][0]["diagnostics"]
        refusals.add(answer.content)
    assert len(refusals) == 1, "nothing tells why"
    for value in (all_of_them.harbor.organization, "requested", "Task"):
        assert value not in cursor


async def test_a_partner_never_reads_how_many_changes_others_made(
    all_of_them: Neighbours, world: World, web: httpx.AsyncClient
) -> None:
    before = await all_of_them.peers.get("Task")
    for number in range(10, 14):
        await discharge(world, web, number)
    after = await all_of_them.peers.get("Task")
    assert after.headers["etag"] == before.headers["etag"]
    assert after.json()["meta"] == before.json()["meta"], "the moment of its own last change, not of others'"
    assert (await all_of_them.peers.get("Task", if_none_match=before.headers["etag"])).status_code == 304


async def test_history_holds_only_the_callers_own_view(all_of_them: Neighbours) -> None:
    task = all_of_them.foreign["Task"]
    bundle = await all_of_them.harbor.read(f"Task/{task['id']}/_history")
    assert bundle["type"] == "history"
    assert [entry["resource"]["id"] for entry in bundle["entry"]] == [task["id"]] * bundle["total"]
    assert all("request" in entry and "response" in entry for entry in bundle["entry"])
    for path in ("_history", "Task/_history"):
        assert (await all_of_them.harbor.get(path)).status_code in {400, 404, 405}


async def test_a_hospital_reads_its_own_referrals_and_not_those_of_another(all_of_them: Neighbours) -> None:
    assert len(await all_of_them.mercy.search("Task")) == 2
    partners = (all_of_them.harbor.organization, all_of_them.peers.organization)
    directory = {one for partner in partners for one in ids_of(partner)}
    for name in all_of_them.foreign:
        found = await all_of_them.north.search(name)
        assert [one for one in found if one["id"] not in directory] == [], name


async def test_labels_and_owner_can_not_be_rewritten(all_of_them: Neighbours) -> None:
    task = all_of_them.foreign["Task"]
    harbor, other = all_of_them.harbor, all_of_them.peers.organization
    for operation in (
        {"op": "replace", "path": "/owner/reference", "value": f"Organization/{other}"},
        {"op": "remove", "path": "/meta/security"},
        {"op": "replace", "path": "/requester/reference", "value": f"Organization/{other}"},
        {"op": "replace", "path": "/for/reference", "value": f"Patient/{UNKNOWN}"},
        {"op": "replace", "path": "/focus/reference", "value": f"ServiceRequest/{UNKNOWN}"},
    ):
        answer = await harbor.patch(f"Task/{task['id']}", operation)
        assert answer.status_code == 422, operation["path"]
        assert await harbor.read(f"Task/{task['id']}") == task


async def test_scopes_bound_what_a_token_does(world: World, web: httpx.AsyncClient, all_of_them: Neighbours) -> None:
    task = all_of_them.foreign["Task"]
    reads = await caller(world, web, world.harbor, "system/Task.rs")
    assert (await reads.set_status(task, "accepted")).status_code == 403
    assert (await reads.get("Patient")).status_code == 403
    sends = await caller(world, web, world.harbor, "ingest")
    assert (await sends.get("Task")).status_code == 403
    nobody = Caller(web, world.harbor, {})
    assert (await nobody.get("Task")).status_code == 401
    assert (await nobody.get(f"Task/{task['id']}")).status_code == 401


async def test_a_scope_bounds_what_comes_along_and_what_a_packet_holds(
    world: World, web: httpx.AsyncClient, all_of_them: Neighbours
) -> None:
    task = f"Task?_id={all_of_them.foreign['Task']['id']}"
    narrow = await caller(world, web, world.harbor, "system/Task.rs system/ServiceRequest.r")
    wide = await caller(world, web, world.harbor, "system/*.rs")
    for query, kept in (
        ("&_include=Task:patient", set()),
        ("&_include=Task:focus&_include=Task:patient:Patient", {"ServiceRequest"}),
        ("&_include=Task:focus&_include:iterate=ServiceRequest:subject", {"ServiceRequest"}),
        ("&_include=Task:focus&_include:iterate=ServiceRequest:supporting-info", {"ServiceRequest"}),
        ("&_revinclude=Provenance:target", set()),
    ):
        for _ in range(2):
            whole = {one["resourceType"] for one in await wide.search(task + query)}
            found = await narrow.read(task + query)
            brought = {one["resource"]["resourceType"] for one in found["entry"] if one["search"]["mode"] == "include"}
            assert brought == kept, query
            assert whole > {"Task", *kept}, query
    said = [one["resource"] for one in found["entry"] if one["search"]["mode"] == "outcome"]
    assert [one["code"] for one in said[0]["issue"]][:1] == ["suppressed"]
    place = f"Task/{all_of_them.foreign['Task']['id']}/$packet"
    for accept in ("text/html", "application/pdf"):
        refused = await narrow.get(place, accept=accept)
        assert refused.status_code == 403, accept
        assert "system/Patient.r" in refused.text
        assert "Htest" not in refused.text
        assert (await wide.get(place, accept=accept)).status_code == 200
    part = await narrow.get(place, accept="application/fhir+json")
    members = [one["resource"] for one in part.json()["entry"]]
    assert {one["resourceType"] for one in members} - OF_NOBODY == {"Composition", "Task", "ServiceRequest"}
    (left_out,) = [one for one in members[0]["section"] if one["title"] == "Left out"]
    assert "Patient" in left_out["text"]["div"]
    assert "Htest" not in part.text
    whole = (await wide.get(place, accept="application/fhir+json")).json()["entry"][0]["resource"]["section"]
    assert "Left out" not in [one["title"] for one in whole]
    unknown = await narrow.get("Task/HTEST-nothing/$packet")
    assert unknown.status_code == 404


async def test_two_partners_errors_hold_nothing_of_each_other(all_of_them: Neighbours) -> None:
    shown = json.dumps(
        [(await all_of_them.peers.get("Task/" + one["id"])).text for one in all_of_them.foreign.values()]
    )
    assert not any(one["id"] in shown for one in all_of_them.foreign.values())
