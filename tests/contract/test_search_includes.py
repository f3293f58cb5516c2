"""``_include``, ``_revinclude``, ``:iterate``: what matches lead to and what leads to them, as far as it is visible."""

import httpx
import pytest
import pytest_asyncio

from app.services.reading import search_includes
from schemas.resources import ALL
from tests.contract.fhir_callers import Resource
from tests.contract.shelf import Shelf, ids_of, patient, points, request, shelf_of, task
from tests.hub_fixtures import World


def provenance(name: str, *targets: str) -> Resource:
    return {
        "resourceType": "Provenance",
        "id": name,
        "recorded": "2026-06-05T10:00:00Z",
        "target": [points(target) for target in targets],
        "agent": [{"who": points("Organization/o1")}],
    }


@pytest_asyncio.fixture
async def shelf(world: World, web: httpx.AsyncClient) -> Shelf:
    """A source Task t0 with its request, two children of it, and what they point to."""
    made = await shelf_of(world, web)
    organization = {"resourceType": "Organization", "name": "HTEST"}
    await made.put(
        patient("p1"),
        {**organization, "id": "o1"},
        {**organization, "id": "o2"},
        {"resourceType": "Condition", "id": "c1", "subject": points("Patient/p1")},
        request("r0", supportingInfo=[points("Condition/c1")], requester=points("Organization/o1")),
        request("r1", basedOn=[points("ServiceRequest/r0")], supportingInfo=[points("Condition/c1")]),
    )
    common = {"for": points("Patient/p1"), "owner": points("Organization/o1"), "requester": points("Organization/o2")}
    await made.put(
        task("t0", focus=points("ServiceRequest/r0"), **common),
        task("t1", focus=points("ServiceRequest/r1"), partOf=[points("Task/t0")], **common),
        task("t2", focus=points("ServiceRequest/r1"), partOf=[points("Task/t9"), points("Task/t0")], **common),
        task(
            "t3", focus=points("Patient/p1"), output=[{"type": {"text": "x"}, "valueReference": points("Condition/c1")}]
        ),
        provenance("v1", "Task/t1", "ServiceRequest/r1"),
        provenance("v2", "Task/t2"),
    )
    return made


INCLUDES = [
    ("Task?_id=t1&_include=Task:focus", {"r1"}),
    ("Task?_id=t1&_include=Task:owner&_include=Task:requester", {"o1", "o2"}),
    ("Task?_id=t1&_include=Task:patient&_include=Task:focus", {"p1", "r1"}),
    ("Task?_id=t1&_include=Task:part-of", {"t0"}),
    ("Task?_id=t2&_include=Task:part-of", {"t0"}),
    ("Task?_id=t1,t2&_include=Task:part-of", {"t0"}),
    ("Task?_id=t0,t1&_include=Task:part-of", set()),
    ("Task?_include=Task:focus", {"r0", "r1", "p1"}),
    ("Task?_include=Task:focus:ServiceRequest", {"r0", "r1"}),
    ("Task?_include=Task:focus:Patient", {"p1"}),
    ("Task?_id=t3&_include=Task:output", {"c1"}),
    ("Task?_id=t3&_include=Task:based-on", set()),
    ("Task?_id=t1&_include=Task:focus&_include:iterate=ServiceRequest:supporting-info", {"r1", "c1"}),
    ("Task?_id=t1&_include=Task:focus&_include:iterate=ServiceRequest:based-on", {"r1", "r0"}),
    ("Task?_id=t1&_include:iterate=Task:focus&_include:iterate=ServiceRequest:requester", {"r1"}),
    ("ServiceRequest?_id=r1&_include:iterate=ServiceRequest:based-on", {"r0"}),
    ("ServiceRequest?_include=ServiceRequest:supporting-info", {"c1"}),
    ("ServiceRequest?_id=r0&_revinclude=Task:focus", {"t0"}),
    ("ServiceRequest?_id=r1&_revinclude=Task:focus", {"t1", "t2"}),
    ("Task?_id=t0&_revinclude=Task:part-of", {"t1", "t2"}),
    ("Task?_id=t1&_revinclude=Provenance:target", {"v1"}),
    ("Task?_id=t1&_revinclude=Provenance:target:Task", {"v1"}),
    ("Task?_id=t1&_revinclude=Provenance:target:ServiceRequest", set()),
    ("Task?_id=t0&_revinclude=Task:part-of&_revinclude:iterate=Provenance:target", {"t1", "t2", "v1", "v2"}),
    ("Patient?_revinclude=Task:patient&_revinclude=Condition:patient", {"t0", "t1", "t2", "c1"}),
    ("Patient?_revinclude=Task:patient&_include:iterate=Task:owner", {"t0", "t1", "t2", "o1"}),
    ("Organization?_id=o2&_revinclude=Task:requester", {"t0", "t1", "t2"}),
]  # fmt: skip


async def test_what_is_asked_for_comes_along_once_and_whole(shelf: Shelf) -> None:
    for query, brought in INCLUDES:
        bundle = await shelf.caller.read(query)
        plain = await shelf.caller.read(query.partition("&_")[0].partition("?_in")[0].partition("?_rev")[0])
        assert ids_of(bundle) == ids_of(plain), query
        assert sorted(ids_of(bundle, "include")) == sorted(brought), query
        every = [entry["fullUrl"] for entry in bundle.get("entry", [])]
        assert len(every) == len(set(every)), query
        for entry in bundle.get("entry", []):
            assert entry["resource"] == await shelf.caller.read(entry["fullUrl"].partition("/fhir/R4/")[2]), query


async def test_what_is_hidden_or_deleted_does_not_come_along(shelf: Shelf) -> None:
    await shelf.hide("r1")
    await shelf.delete("Organization", "o2")
    await shelf.hide("t2")
    await shelf.delete("Provenance", "v1")
    for query in (
        "Task?_id=t1&_include=Task:focus&_include=Task:requester",
        "Task?_id=t1&_include:iterate=Task:focus&_include:iterate=Task:requester",
        "Task?_id=t1&_revinclude=Provenance:target",
    ):
        bundle = await shelf.caller.read(query)
        assert (ids_of(bundle), ids_of(bundle, "include")) == (["t1"], [])
    assert ids_of(await shelf.caller.read("Task?_id=t0&_revinclude=Task:part-of"), "include") == ["t1"]


async def test_what_comes_along_is_recorded_as_disclosed(shelf: Shelf) -> None:
    await shelf.caller.read("Task?_id=t1&_include=Task:focus")
    await shelf.caller.read("Task?_id=t1&_revinclude=Provenance:target")
    rows = await shelf.store.database.fetch(
        "select id, disclosed from visibility where organization = $1 and id in ('t1', 'r1', 'v1', 'r0') order by id",
        shelf.caller.organization,
    )
    assert [tuple(row) for row in rows] == [("r0", 0), ("r1", 1), ("t1", 1), ("v1", 1)]


async def test_what_would_be_too_much_is_refused_and_not_cut_off(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_includes, "MAX_INCLUDED", 2)
    for query in ("Patient?_revinclude=Task:patient", "Task?_include:iterate=Task:focus"):
        answer = await shelf.caller.get(query)
        assert (answer.status_code, answer.json()["issue"][0]["code"]) == (400, "too-costly")
        assert "_count" in answer.json()["issue"][0]["diagnostics"]
    monkeypatch.setattr(search_includes, "MAX_ROUNDS", 1)
    answer = await shelf.caller.get("ServiceRequest?_id=r1&_include:iterate=ServiceRequest:based-on")
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (400, "too-costly")


async def test_every_include_that_is_declared_is_taken(shelf: Shelf) -> None:
    for name, spec in ALL.items():
        for include in spec.references:
            assert (await shelf.caller.get(f"{name}?_include={include}")).status_code == 200, include
        for include, targets in spec.revincludes.items():
            for target in targets or ("Task", "Patient"):
                if target in ALL and ALL[target].search:
                    answer = await shelf.caller.get(f"{target}?_revinclude={include}")
                    assert answer.status_code == 200, (target, include)
    assert {"Task:focus", "Task:owner", "Task:patient", "Task:part-of"} <= ALL["Task"].revincludes.keys()
