"""What a parameter finds: token forms, references, strings, dates, modifiers, lists and repeats (R4 3.1.1.4)."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
import pytest_asyncio

from tests.contract.shelf import Shelf, patient, points, request, shelf_of, task
from tests.hub_fixtures import World

STATUS = "http://hl7.org/fhir/task-status"
A, B = "http://a.example", "http://b.example"


def concept(*codings: tuple[str | None, str]) -> dict[str, object]:
    return {"coding": [{**({"system": s} if s else {}), "code": c} for s, c in codings]}


@pytest_asyncio.fixture
async def shelf(world: World, web: httpx.AsyncClient) -> Shelf:
    made = await shelf_of(world, web)
    owner = {"owner": points("Organization/o1")}
    await made.put(
        task("t1", code=concept((A, "x")), businessStatus=concept((A, "seen")), authoredOn="2026-06-05T10:00:00.25Z"),
        task("t2", status="accepted", code=concept((B, "x"), (A, "y")), **owner, authoredOn="2026-06-06T10:00:00Z"),
        task("t3", status="draft", code=concept((None, "x")), owner=points("Practitioner/o1"), priority="stat"),
        task("t4", status="failed", businessStatus=concept((B, "seen"), (B, "x")), identifier=[
            {"system": A, "value": "a,b"}, {"value": "n|1"}]),
        task("t5", status="on-hold", owner=points("https://far.example/fhir/Organization/o7"), requester={
            "identifier": {"system": A, "value": "far"}}, executionPeriod={"start": "2026-06-05", "end": "2026-06-07"}),
        patient("p1", name=[{"family": "Hätest-Öne", "given": ["Sam", "van der"]}], birthDate="1990-02-03"),
        patient("p2", name=[{"family": "Htest"}], birthDate="1990-02"),
        patient("p3", name=[{"text": "Sam Htest"}], birthDate="1991"),
        request("r1", occurrenceDateTime="2026-06-05"),
        request("r2", occurrencePeriod={"start": "2026-06-04T00:00:00Z", "end": "2026-06-06T00:00:00Z"}),
        request("r3", occurrencePeriod={"start": "2026-06-10T08:00:00Z"}),
    )  # fmt: skip
    return made


FOUND = {
    "codes whose system FHIR fixes, in a column": [
        ("Task?status=requested", "t1"),
        ("Task?status=requested,accepted", "t1 t2"),
        (f"Task?status={STATUS}|requested", "t1"),
        (f"Task?status={STATUS}|", "t1 t2 t3 t4 t5"),
        ("Task?status=http://other|requested", ""),
        ("Task?status=|requested", ""),
        ("Task?status:not=requested", "t2 t3 t4 t5"),
        ("Task?status:not=requested,accepted", "t3 t4 t5"),
        ("Task?status:not=requested&status:not=accepted", "t3 t4 t5"),
        ("Task?status=requested&status=accepted", ""),
        ("Task?priority:missing=true", "t1 t2 t4 t5"),
        ("Task?priority:missing=false", "t3"),
        ("Task?priority:not=stat", "t1 t2 t4 t5"),
    ],
    "codes of any system, the first in a column": [
        ("Task?code=x", "t1 t2 t3"),
        (f"Task?code={A}|x", "t1"),
        (f"Task?code={A}|y", "t2"),
        ("Task?code=|x", "t3"),
        (f"Task?code={A}|", "t1 t2"),
        ("Task?code=y", "t2"),
        (f"Task?code=y,{A}|x", "t1 t2"),
        (f"Task?code={B}|,|x", "t2 t3"),
        ("Task?code:not=x", "t4 t5"),
        (f"Task?code:not={A}|y", "t1 t3 t4 t5"),
        ("Task?code:missing=true", "t4 t5"),
    ],
    "codes that nothing holds but the resource": [
        ("Task?business-status=seen", "t1 t4"),
        (f"Task?business-status={B}|seen", "t4"),
        (f"Task?business-status={B}|", "t4"),
        ("Task?business-status=|seen", ""),
        ("Task?business-status:not=seen", "t2 t3 t5"),
        ("Task?business-status:missing=true", "t2 t3 t5"),
        ("Task?business-status=seen&business-status=x", "t4"),
    ],
    "values with separators in them": [
        (f"Task?identifier={A}|a\\,b", "t4"),
        ("Task?identifier=a\\,b", "t4"),
        ("Task?identifier=n\\|1", "t4"),
        ("Task?identifier=|n\\|1", "t4"),
        ("Task?identifier=a,b", ""),
        ("Task?identifier:missing=false", "t4"),
    ],
    "references": [
        ("Task?owner=Organization/o1", "t2"),
        ("Task?owner=o1", "t2 t3"),
        ("Task?owner:Practitioner=o1", "t3"),
        ("Task?owner:Organization=Organization/o1", "t2"),
        ("Task?owner=http://hub.test/fhir/R4/Organization/o1", "t2"),
        ("Task?owner=Organization/o1/_history/3", "t2"),
        ("Task?owner=https://far.example/fhir/Organization/o7", "t5"),
        ("Task?owner=Organization/o1,Practitioner/o1", "t2 t3"),
        ("Task?owner:missing=true", "t1 t4"),
        (f"Task?requester:identifier={A}|far", "t5"),
        ("Task?requester:identifier=far", "t5"),
        ("Task?requester:identifier=|far", ""),
    ],
    "strings": [
        ("Patient?family=hatest-one", "p1"),
        ("Patient?family=h", "p1 p2"),
        ("Patient?family:exact=htest", ""),
        ("Patient?family:exact=Htest", "p2"),
        ("Patient?family:contains=test", "p1 p2"),
        ("Patient?given:contains=der", "p1"),
        ("Patient?name=sam", "p1 p3"),
        ("Patient?name:contains=TEST", "p1 p2 p3"),
        ("Patient?given:missing=true", "p2 p3"),
    ],
    "ids": [
        ("Task?_id=t1,t3", "t1 t3"),
        ("Task?_id:not=t1,t3", "t2 t4 t5"),
        ("Task?_id:missing=true", ""),
        ("Task?_id:missing=false", "t1 t2 t3 t4 t5"),
        ("Task?_lastUpdated:missing=true", ""),
    ],
    "dates in a column": [
        ("Task?authored-on=2026-06-05", "t1"),
        ("Task?authored-on=2026-06", "t1 t2"),
        ("Task?authored-on=ne2026-06-05", "t2 t3 t4 t5"),
        ("Task?authored-on=gt2026-06-05", "t2"),
        ("Task?authored-on=ge2026-06-05", "t1 t2"),
        ("Task?authored-on=lt2026-06-06", "t1"),
        ("Task?authored-on=le2026-06-06", "t1 t2"),
        ("Task?authored-on=sa2026-06-05", "t2"),
        ("Task?authored-on=eb2026-06-06", "t1"),
        ("Task?authored-on=gt2026-06-05T10:00:00Z", "t1 t2"),
        ("Task?authored-on=gt2026-06-05T10:00:00.25Z", "t2"),
        ("Task?authored-on=le2026-06-05T10:00:00.25Z", "t1"),
        ("Task?authored-on=2026-06-05T10:00:00Z", "t1"),
        ("Task?authored-on=2026-06-05T06:00:00-04:00", "t1"),
        ("Task?authored-on=2026-06-05,2026-06-06", "t1 t2"),
        ("Task?authored-on=ge2026-06-05&authored-on=lt2026-06-06", "t1"),
        ("Task?authored-on=lt2026-06-01,gt2026-06-05", "t2"),
        ("Task?authored-on:missing=true", "t3 t4 t5"),
    ],
    "dates that are ranges": [
        ("ServiceRequest?occurrence=2026-06-05", "r1"),
        ("ServiceRequest?occurrence=2026-06", "r1 r2"),
        ("ServiceRequest?occurrence=ne2026-06-05", "r2 r3"),
        ("ServiceRequest?occurrence=gt2026-06-05", "r2 r3"),
        ("ServiceRequest?occurrence=ge2026-06-05", "r1 r2 r3"),
        ("ServiceRequest?occurrence=lt2026-06-05", "r2"),
        ("ServiceRequest?occurrence=le2026-06-05", "r1 r2"),
        ("ServiceRequest?occurrence=sa2026-06-06", "r3"),
        ("ServiceRequest?occurrence=eb2026-06-06", "r1"),
        ("ServiceRequest?occurrence=2026-06-05,sa2026-06-06", "r1 r3"),
        ("Patient?birthdate=1990-02", "p1 p2"),
        ("Patient?birthdate=1990-02-03", "p1"),
        ("Patient?birthdate=ge1990-02-03", "p1 p2 p3"),
        ("Task?period=ap2026-06-06", "t5"),
    ],
}


@pytest.mark.parametrize("kind", FOUND)
async def test_a_search_finds_what_its_parameter_means(kind: str, shelf: Shelf) -> None:
    for query, names in FOUND[kind]:
        asked = query.replace("\\", "%5C")
        assert await shelf.ids(asked) == names.split(), query
        assert (await shelf.caller.read(f"{asked}&_summary=count"))["total"] == len(names.split()), query


async def test_approximately_reaches_a_tenth_of_the_gap_between_now_and_the_date(shelf: Shelf) -> None:
    now = datetime.now(UTC)
    for name, days in (("n1", 80), ("n2", 95), ("n3", 105), ("n4", 120)):
        await shelf.put(task(name, authoredOn=(now - timedelta(days=days)).isoformat(timespec="seconds")))
    about = (now - timedelta(days=100)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert await shelf.ids(f"Task?authored-on=ap{about}&_id=n1,n2,n3,n4") == ["n2", "n3"]
    answer = await shelf.caller.get(f"Task?authored-on=ap{about}")
    assert "etag" not in answer.headers, "it means something else at the next moment"
