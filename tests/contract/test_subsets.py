"""``_summary`` and ``_elements``: a part of each resource, said to be one, and still a resource."""

from decimal import Decimal

import httpx
import pytest
import pytest_asyncio

from fhir_mappings.gate import check
from tests.contract.fhir_callers import FHIR, Resource
from tests.contract.shelf import Shelf, ids_of, next_of, patient, points, request, shelf_of, task
from tests.hub_fixtures import World

TAG = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
TEXT = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">HTEST</div>'}
DOSE = {
    "resourceType": "MedicationAdministration",
    "id": "m1",
    "text": TEXT,
    "status": "completed",
    "medicationCodeableConcept": {"text": "HTEST"},
    "subject": points("Patient/p1"),
    "effectiveDateTime": "2026-06-05",
    "_effectiveDateTime": {"extension": [{"url": "http://x.example", "valueBoolean": True}]},
    "dosage": {"dose": {"value": Decimal("1.10"), "unit": "mg"}},
}


@pytest_asyncio.fixture
async def shelf(world: World, web: httpx.AsyncClient) -> Shelf:
    made = await shelf_of(world, web)
    await made.put(
        patient(
            "p1",
            text=TEXT,
            birthDate="1990-02-03",
            contact=[{"name": {"family": "Htest"}}],
            link=[{"other": points("Patient/p2"), "type": "seealso"}],
            communication=[{"language": {"text": "HTEST"}, "preferred": True}],
        ),
        request("r1", text=TEXT, note=[{"text": "HTEST"}]),
        task(
            "t1",
            text=TEXT,
            meta={"profile": ["http://x.example"], "tag": [TAG]},
            focus=points("ServiceRequest/r1"),
            note=[{"text": "HTEST"}],
            priority="stat",
            input=[{"type": {"text": "x"}, "valueString": "y"}],
        ),
        task("t2", modifierExtension=[{"url": "http://x.example", "valueBoolean": True}], priority="asap"),
        DOSE,
    )
    return made


async def part(shelf: Shelf, path: str) -> set[str]:
    """Names of the elements that an answer still has, with the tag that says that it is not all."""
    found = await shelf.caller.read(path)
    assert found["meta"]["tag"] == [TAG]
    assert check(found) == [], "it is still a resource"
    return found.keys() - {"resourceType", "id", "meta"}


async def test_a_summary_has_what_fhir_puts_in_it_and_what_is_mandatory(shelf: Shelf) -> None:
    assert await part(shelf, "Task/t1?_summary=true") == {"status", "intent", "focus"}
    assert await part(shelf, "Patient/p1?_summary=true") == {"name", "birthDate", "link"}
    assert await part(shelf, "MedicationAdministration/m1?_summary=true") == DOSE.keys() - {
        *("resourceType", "id", "text", "dosage")
    }
    (link,) = (await shelf.caller.read("Patient/p1?_summary=true"))["link"]
    assert link.keys() == {"other", "type"}


async def test_the_text_alone_the_data_alone_and_everything(shelf: Shelf) -> None:
    assert await part(shelf, "Task/t1?_summary=text") == {"text", "status", "intent"}
    assert await part(shelf, "Task/t1?_summary=data") == {*("status", "intent", "focus", "note", "priority", "input")}
    assert await shelf.caller.read("Task/t1?_summary=false") == await shelf.caller.read("Task/t1")


async def test_elements_are_those_named_with_what_is_mandatory_or_changes_the_meaning(shelf: Shelf) -> None:
    assert await part(shelf, "Task/t1?_elements=priority,note") == {"status", "intent", "priority", "note"}
    assert await part(shelf, "Task/t1?_elements=priority&_elements=note") == {"status", "intent", "priority", "note"}
    assert await part(shelf, "Task/t2?_elements=status") == {"status", "intent", "modifierExtension"}
    dose = "MedicationAdministration/m1?_elements"
    always = {"status", "subject", "medicationCodeableConcept", "effectiveDateTime", "_effectiveDateTime"}
    assert await part(shelf, f"{dose}=dosage") == always | {"dosage"}
    assert await part(shelf, f"{dose}=medication,effective[x],id,meta") == always


async def test_decimals_keep_their_digits_in_a_part(shelf: Shelf) -> None:
    answer = await shelf.caller.get("MedicationAdministration/m1?_elements=dosage")
    assert '"value":1.10' in answer.text


@pytest.mark.parametrize("query", ["_summary=true", "_summary=text", "_summary=data", "_elements=priority"])
async def test_matches_of_a_search_are_the_same_parts_on_every_page(query: str, shelf: Shelf) -> None:
    first, second = await shelf.pages(f"Task?_count=1&{query}")
    assert (ids_of(first), ids_of(second), next_of(second)) == (["t1"], ["t2"], None)
    for page in (first, second):
        (entry,) = page["entry"]
        assert entry["search"] == {"mode": "match"}
        assert entry["resource"] == await shelf.caller.read(f"Task/{entry['resource']['id']}?{query}")


async def test_a_summary_is_of_includes_too_and_elements_are_of_matches_only(shelf: Shelf) -> None:
    async def brought(query: str) -> Resource:
        bundle = await shelf.caller.read(f"Task?_include=Task:focus&{query}")
        (resource,) = [one["resource"] for one in bundle["entry"] if one["search"]["mode"] == "include"]
        return dict(resource)

    whole = await shelf.caller.read("ServiceRequest/r1")
    assert await brought("_elements=focus") == whole
    assert await brought("_summary=true") == await shelf.caller.read("ServiceRequest/r1?_summary=true")


async def test_an_earlier_version_can_be_asked_for_in_part(shelf: Shelf) -> None:
    await shelf.put(task("t1", status="accepted"))
    assert await part(shelf, "Task/t1/_history/1?_elements=note") == {"status", "intent", "note"}


async def test_validators_hold_for_a_part_as_for_the_whole(shelf: Shelf) -> None:
    for path in ("Task/t1?_summary=true", "Task?_summary=true&_sort=-_id", "Task?_elements=status"):
        first = await shelf.caller.get(path)
        again = await shelf.caller.get(path, if_none_match=first.headers["etag"])
        assert (again.status_code, again.content) == (304, b"")
        await shelf.put(task("t1", status="accepted"))
        assert (await shelf.caller.get(path, if_none_match=first.headers["etag"])).status_code == 200


@pytest.mark.parametrize("path", ["Task/t1", "Task/t1/_history/1"])
async def test_what_a_read_does_not_take_is_refused(path: str, shelf: Shelf) -> None:
    for query in ("_summary=count", "_summary=x", "_elements=x", "colour=blue", "_summary=true&_elements=note", "x"):
        answer = await shelf.caller.get(f"{path}?{query}")
        assert (answer.status_code, answer.json()["resourceType"]) == (400, "OperationOutcome"), query
    assert (await shelf.caller.get(f"{path}?_format=json&_pretty=true")).status_code == 200


@pytest.mark.parametrize("path", ["Task/t1", "Task", "Task?_summary=true", "Task/t1/_history", "Task/t1/_history/1"])
async def test_head_says_what_get_would(path: str, shelf: Shelf) -> None:
    got = await shelf.caller.get(path)
    head = await shelf.caller.web.head(f"{FHIR}/{path}", headers=shelf.caller.headers)
    assert (head.status_code, head.content) == (200, b"")
    same = {"content-type", "etag", "content-length"}
    assert {n: v for n, v in head.headers.items() if n in same} == {n: v for n, v in got.headers.items() if n in same}
    assert "content-length" in head.headers
