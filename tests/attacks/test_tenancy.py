"""Attack cases 1 to 21: who belongs to another organisation learns nothing, by whatever way in."""

import asyncio
import base64
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from fhir_mappings.building.build_directory import ids_of
from tests.contract.fhir_callers import FHIR, Caller, Resource, caller, discharge
from tests.contract.neighbours import UNKNOWN, Neighbours, told
from tests.contract.subscribers import body
from tests.hub_fixtures import World

PERSON = "urn:oid:2.16.840.1.113883.3.9999.1"
STATUS = {"op": "replace", "path": "/status", "value": "entered-in-error"}
_BUNDLE = re.compile(rb'(?<="resourceType":"Bundle",)"id":"[^"]+"')
URN = "urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"


def procedure(subject: str, **more: Any) -> Resource:
    return {
        "resourceType": "Procedure",
        "status": "completed",
        "code": {"text": "HTEST service"},
        "subject": {"reference": subject},
        **more,
    }


def entry(method: str, url: str, resource: Resource | None = None, **more: str) -> Resource:
    said: Resource = {"request": {"method": method, "url": url, **more}}
    return said | ({"resource": resource} if resource else {})


async def sent(client: Caller, kind: str, *entries: Resource) -> httpx.Response:
    return await client.post("", {"resourceType": "Bundle", "type": kind, "entry": list(entries)})


def alike(hidden: httpx.Response, absent: httpx.Response, *names: str) -> None:
    """The same answer, where ids that the caller sent itself may come back, and a Bundle has an id of its own."""
    (status, one, headers), (other_status, other, others) = told(hidden), told(absent)
    for name in names:
        one = one.replace(name.encode(), UNKNOWN.encode())
    assert (status, headers) == (other_status, others)
    assert _BUNDLE.sub(b"", one) == _BUNDLE.sub(b"", other)


async def test_03_a_reference_to_a_foreign_resource_leads_nowhere_and_is_never_included(
    all_of_them: Neighbours, stranger: Caller
) -> None:
    (task,) = await stranger.search("Task")
    await stranger.set_status(task, "accepted")
    for name, one in all_of_them.foreign.items():
        hidden = await stranger.post("Procedure", procedure(f"Patient/{UNKNOWN}", reasonReference=[_to(name, one)]))
        absent = await stranger.post("Procedure", procedure(f"Patient/{UNKNOWN}", reasonReference=[_to(name)]))
        assert hidden.status_code in {400, 422}, name
        alike(hidden, absent, one["id"])
        output = {"op": "add", "path": "/output", "value": [{"type": {"text": "x"}, "valueReference": _to(name, one)}]}
        lost = {"op": "add", "path": "/output", "value": [{"type": {"text": "x"}, "valueReference": _to(name)}]}
        hidden, absent = (
            await stranger.patch(f"Task/{task['id']}", output),
            await stranger.patch(f"Task/{task['id']}", lost),
        )
        assert hidden.status_code == 422
        alike(hidden, absent, one["id"])
        for wanted in (one["id"], UNKNOWN):
            pointed = {"op": "replace", "path": "/for/reference", "value": f"Patient/{wanted}"}
            assert (await stranger.patch(f"Task/{task['id']}", pointed)).status_code == 422
    assert await stranger.search("Procedure") == []


def _to(name: str, one: Resource | None = None) -> Resource:
    return {"reference": f"{name}/{one['id'] if one else UNKNOWN}"}


@pytest.mark.parametrize(
    "query",
    [
        "Patient?_has:Task:patient:status=requested",
        "Task?patient.name=Htest",
        "Task?patient:Patient.name=Htest",
        "ServiceRequest?subject:Patient.identifier=HTEST0001",
        "Task?focus.subject.identifier=HTEST0001",
        "Task?_filter=patient eq 1",
        "Task?_content=Htest",
        "Task?_text=Htest",
        "Task?_list=42",
        "Task?_query=everything",
        "Task?_security=R&_has:Provenance:target:agent=x",
    ],
)
async def test_04_and_18_a_chain_or_a_side_channel_is_refused_by_name(
    query: str, all_of_them: Neighbours, stranger: Caller
) -> None:
    answer = await stranger.get(query)
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["code"] == "not-supported"
    lenient = await stranger.get(query, prefer="handling=lenient")
    assert {one["id"] for one in all_of_them.foreign.values()}.isdisjoint(ids_in(lenient.json()))


def ids_in(bundle: Resource) -> set[str]:
    return {one["resource"].get("id", "") for one in bundle.get("entry", ())}


async def test_05_what_points_to_a_resource_comes_along_only_where_it_is_visible(
    all_of_them: Neighbours, stranger: Caller
) -> None:
    mine = await stranger.read("Task?_revinclude=Provenance:target&_include=Task:patient")
    assert ids_in(mine).isdisjoint(one["id"] for one in all_of_them.foreign.values())
    for name in ("Provenance", "Consent"):
        found = await stranger.search(name)
        assert {one["id"] for one in found}.isdisjoint({all_of_them.foreign.get(name, {}).get("id")})


async def test_08_a_conditional_create_by_what_only_another_sees_creates(
    all_of_them: Neighbours, stranger: Caller
) -> None:
    theirs = all_of_them.foreign["Patient"]["id"]
    person = (await stranger.search("Patient"))[0]["id"]
    for criteria in (f"patient=Patient/{theirs}", f"_id={all_of_them.foreign['Encounter']['id']}"):
        made = await stranger.post("Procedure", procedure(f"Patient/{person}"), if_none_exist=criteria)
        assert made.status_code == 201, criteria
    refused = await stranger.post(
        "Patient", {"resourceType": "Patient"}, if_none_exist=f"identifier={PERSON}|HTEST0001"
    )
    unknown = await stranger.post(
        "Patient", {"resourceType": "Patient"}, if_none_exist=f"identifier={PERSON}|HTEST9999"
    )
    assert told(refused) == told(unknown)
    assert refused.status_code == 405


async def test_09_a_write_to_a_foreign_id_of_any_type_is_answered_like_one_to_none(
    all_of_them: Neighbours, stranger: Caller
) -> None:
    for name, one in all_of_them.foreign.items():
        for change in (one, procedure(f"Patient/{UNKNOWN}") | {"resourceType": name, "id": one["id"]}):
            alike(await stranger.put(change), await stranger.put({**change, "id": UNKNOWN}), one["id"])
        for match in ({}, {"if_match": 'W/"1"'}, {"if_match": 'W/"7"'}):
            hidden = await stranger.patch(f"{name}/{one['id']}", STATUS, **match)
            absent = await stranger.patch(f"{name}/{UNKNOWN}", STATUS, **match)
            assert hidden.status_code in {404, 405}
            alike(hidden, absent)
        hidden, absent = await stranger.delete(f"{name}/{one['id']}"), await stranger.delete(f"{name}/{UNKNOWN}")
        assert hidden.status_code in {404, 405}
        alike(hidden, absent)
        judged = await stranger.get(f"{name}/{one['id']}/$validate"), await stranger.get(f"{name}/{UNKNOWN}/$validate")
        assert judged[0].status_code == 404
        alike(*judged)
        assert await all_of_them.harbor.read(f"{name}/{one['id']}") == one


async def test_10_a_conditional_change_by_what_only_another_sees_finds_none(
    all_of_them: Neighbours, world: World, web: httpx.AsyncClient, stranger: Caller
) -> None:
    harbor = await caller(world, web, world.harbor, "system/*.cruds")
    person = all_of_them.foreign["Patient"]["id"]
    numbered = {"identifier": [{"system": "urn:oid:2.16.840.1.113883.3.9999.7", "value": "HTEST-P1"}]}
    made = (await harbor.post("Procedure", procedure(f"Patient/{person}", **numbered))).json()
    for known, unknown in (("identifier=HTEST-P1", "identifier=HTEST-P9"), (f"_id={made['id']}", f"_id={UNKNOWN}")):
        changes: list[Callable[[str], Awaitable[httpx.Response]]] = [
            lambda query: stranger.patch(f"Procedure?{query}", STATUS),
            lambda query: stranger.delete(f"Procedure?{query}"),
            lambda query: stranger.put_found("Procedure", query, procedure(f"Patient/{person}")),
            lambda query: stranger.patch(f"Task?{query}", STATUS),
        ]
        for change in changes:
            alike(await change(known), await change(unknown))
    assert (await harbor.read(f"Procedure/{made['id']}")) == made


async def test_11_labels_and_people_of_an_own_resource_can_not_be_turned_to_another(
    all_of_them: Neighbours, world: World, web: httpx.AsyncClient
) -> None:
    harbor = await caller(world, web, world.harbor, "system/*.cruds")
    person = all_of_them.foreign["Patient"]["id"]
    made = (await harbor.post("Procedure", procedure(f"Patient/{person}"))).json()
    tag = [{"system": "https://www.icanbwell.com/access", "code": all_of_them.peers.organization}]
    for changed in (
        made | {"meta": made["meta"] | {"security": tag}},
        made | {"meta": made["meta"] | {"security": []}},
        made | {"subject": {"reference": f"Patient/{UNKNOWN}"}},
        {name: value for name, value in made.items() if name != "subject"},
    ):
        assert (await harbor.put(changed)).status_code in {400, 422}
    assert await harbor.read(f"Procedure/{made['id']}") == made
    tagged = made | {"meta": made["meta"] | {"security": [*made["meta"]["security"], *tag]}}
    await harbor.put(tagged)
    assert await all_of_them.peers.search("Procedure") == [], "a label is no permission"


async def test_12_a_transaction_that_names_a_foreign_resource_does_nothing_and_says_no_more(
    all_of_them: Neighbours, stranger: Caller
) -> None:
    person = (await stranger.search("Patient"))[0]["id"]
    good = entry("POST", "Procedure", procedure(f"Patient/{person}"))
    theirs, task = all_of_them.foreign["Patient"]["id"], all_of_them.foreign["Task"]
    for hidden, absent in (
        (
            entry("POST", "Procedure", procedure(f"Patient/{theirs}")),
            entry("POST", "Procedure", procedure(f"Patient/{UNKNOWN}")),
        ),
        (
            entry("POST", "Procedure", procedure(f"Patient?_id={theirs}")),
            entry("POST", "Procedure", procedure(f"Patient?_id={UNKNOWN}")),
        ),
        (
            entry("POST", "Procedure", procedure("Patient?identifier=HTEST0001")),
            entry("POST", "Procedure", procedure("Patient?identifier=HTEST9999")),
        ),
        (entry("PUT", f"Task/{task['id']}", task), entry("PUT", f"Task/{UNKNOWN}", task | {"id": UNKNOWN})),
        (
            entry("PUT", f"Procedure?patient=Patient/{theirs}", procedure(f"Patient/{theirs}")),
            entry("PUT", f"Procedure?patient=Patient/{UNKNOWN}", procedure(f"Patient/{UNKNOWN}")),
        ),
        (
            entry("POST", "Procedure", procedure(URN)) | {"fullUrl": f"urn:uuid:{theirs}"},
            entry("POST", "Procedure", procedure(URN)) | {"fullUrl": f"urn:uuid:{UNKNOWN}"},
        ),
    ):
        refused, unknown = (
            await sent(stranger, "transaction", good, hidden),
            await sent(stranger, "transaction", good, absent),
        )
        assert refused.status_code >= 400, hidden["request"]
        alike(refused, unknown, theirs, task["id"])
    assert await stranger.search("Procedure") == [], "nothing was written"


async def test_13_a_batch_a_post_and_a_head_decide_as_a_get(all_of_them: Neighbours, stranger: Caller) -> None:
    hidden, absent = all_of_them.foreign["Task"]["id"], UNKNOWN
    patch = {
        "resourceType": "Binary",
        "contentType": "application/json-patch+json",
        "data": base64.b64encode(json.dumps([STATUS]).encode()).decode(),
    }
    answers = []
    for name in (hidden, absent):
        entries = [
            entry("GET", f"Task/{name}"),
            entry("GET", f"Task/{name}/_history"),
            entry("GET", f"Task/{name}/_history/1"),
            entry("GET", f"Task/{name}/$packet"),
            entry("HEAD", f"Task/{name}"),
            entry("PATCH", f"Task/{name}", patch),
            entry("DELETE", f"Task/{name}"),
            entry("GET", f"Task/{name}", ifNoneMatch='W/"1"'),
        ]
        answers.append([await sent(stranger, "batch", one) for one in entries])
    for one, other in zip(*answers, strict=True):
        alike(one, other, hidden)
        assert hidden not in one.text
    form = {"content-type": "application/x-www-form-urlencoded"}
    for name in (hidden, absent):
        answer = await stranger.web.post(f"{FHIR}/Task/_search", content=f"_id={name}", headers=stranger.headers | form)
        assert answer.json()["total"] == 0


async def test_14_a_subscription_to_what_another_owns_is_told_of_nothing(
    all_of_them: Neighbours, world: World, web: httpx.AsyncClient, stranger: Caller
) -> None:
    owner = f"owner=Organization/{all_of_them.harbor.organization}"
    counts = []
    for filters in ([], [owner], ["status=requested,accepted"]):
        made = await stranger.post("Subscription", body(filters=filters))
        assert made.status_code == 201, made.text
        counts.append(made.json()["id"])
    await discharge(world, web, 30)
    (theirs,) = [
        one for one in await all_of_them.harbor.search("Task") if one["id"] != all_of_them.foreign["Task"]["id"]
    ]
    await all_of_them.harbor.set_status(theirs, "accepted")
    for name in counts:
        status = await stranger.read(f"Subscription/{name}/$status")
        said = {one["name"]: one for one in status["entry"][0]["resource"]["parameter"]}
        assert said["events-since-subscription-start"]["valueString"] == "0"
        assert "notification-event" not in json.dumps(await stranger.read(f"Subscription/{name}/$events"))


async def test_20_of_a_hundred_acceptances_at_once_one_is_answered_by_200(all_of_them: Neighbours) -> None:
    task = all_of_them.foreign["Task"]
    owners = {
        f"note {number}": all_of_them.harbor.patch(
            f"Task/{task['id']}",
            {"op": "replace", "path": "/status", "value": "accepted"},
            {"op": "add", "path": "/note", "value": [{"text": f"HTEST {number}"}]},
            if_match='W/"1"',
        )
        for number in range(100)
    }
    statuses = [answer.status_code for answer in await asyncio.gather(*owners.values())]
    assert statuses.count(200) == 1
    assert {*statuses} <= {200, 409, 412}


async def test_21_who_declined_or_was_taken_back_from_sees_no_more_than_its_own_task(
    all_of_them: Neighbours,
) -> None:
    harbor = all_of_them.harbor
    task, packet = all_of_them.foreign["Task"], all_of_them.foreign
    directory = {one for partner in (harbor, all_of_them.peers) for one in ids_of(partner.organization)}
    reason = {"op": "add", "path": "/statusReason", "value": {"text": "HTEST no place"}}
    assert (await harbor.set_status(task, "rejected", reason)).status_code == 200
    for name, one in packet.items():
        if name in {"Task", "ServiceRequest"}:
            continue
        for tail in ("", "/_history", "/_history/1"):
            alike(await harbor.get(f"{name}/{one['id']}{tail}"), await harbor.get(f"{name}/{UNKNOWN}{tail}"))
        assert [one for one in await harbor.search(name) if one["id"] not in directory] == []
    left = await harbor.read(f"Task/{task['id']}/$packet")
    kinds = {one["resource"]["resourceType"] for one in left["entry"]}
    assert kinds <= {"Composition", "Task", "ServiceRequest", "Organization"}
