"""Search as polling clients rely on it (interface: FHIR behaviour that polling clients rely on)."""

import re
from datetime import datetime, timedelta

import httpx
import pytest
import pytest_asyncio

from tests.contract.fhir_callers import FHIR, Caller, Resource, caller, discharge
from tests.hub_fixtures import World

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SIX_DIGITS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|\+00:00)")


@pytest_asyncio.fixture
async def harbor(world: World, web: httpx.AsyncClient) -> Caller:
    """The partner, which was asked three times."""
    for number in (1, 2, 3):
        await discharge(world, web, number)
    return await caller(world, web, world.harbor)


def links(bundle: Resource) -> dict[str, str]:
    return {link["relation"]: link["url"] for link in bundle["link"]}


async def test_the_polling_query_finds_new_tasks_with_their_requests(harbor: Caller) -> None:
    me = harbor.organization
    bundle = await harbor.read(
        f"Task?owner=Organization/{me}&status=requested&_lastUpdated=gt2020-01-01T00:00:00Z&_include=Task:focus&_count=50"
    )
    assert (bundle["type"], bundle["total"]) == ("searchset", 3)
    modes = [(entry["search"]["mode"], entry["resource"]["resourceType"]) for entry in bundle["entry"]]
    assert modes == [("match", "Task")] * 3 + [("include", "ServiceRequest")] * 3
    assert {one["resource"]["focus"]["reference"] for one in bundle["entry"][:3]} == {
        f"ServiceRequest/{one['resource']['id']}" for one in bundle["entry"][3:]
    }
    assert all(entry["fullUrl"].endswith(entry["resource"]["id"]) for entry in bundle["entry"])
    assert links(bundle)["self"].startswith("http://hub.test/fhir/R4/Task?")


async def test_instants_carry_six_digits_and_none_is_the_same_as_another(harbor: Caller) -> None:
    tasks = await harbor.search("Task")
    stamps = [task["meta"]["lastUpdated"] for task in tasks]
    assert all(SIX_DIGITS.fullmatch(stamp) for stamp in stamps)
    assert sorted(set(stamps)) == stamps


async def test_gt_and_ge_compare_the_exact_instant(harbor: Caller) -> None:
    stamps = [task["meta"]["lastUpdated"] for task in await harbor.search("Task")]
    middle = stamps[1]
    assert len(await harbor.search(f"Task?_lastUpdated=gt{middle}")) == 1
    assert len(await harbor.search(f"Task?_lastUpdated=ge{middle}")) == 2
    assert len(await harbor.search(f"Task?_lastUpdated=lt{middle}")) == 1
    before = datetime.fromisoformat(middle) - timedelta(microseconds=1)
    assert len(await harbor.search(f"Task?_lastUpdated=gt{before.strftime('%Y-%m-%dT%H:%M:%S.%fZ')}")) == 2
    elsewhere = datetime.fromisoformat(middle).astimezone().isoformat().replace("+", "%2B")
    assert len(await harbor.search(f"Task?_lastUpdated=gt{elsewhere}")) == 1


async def test_a_client_that_cuts_digits_off_sees_repeats_and_never_a_gap(harbor: Caller) -> None:
    last = (await harbor.search("Task"))[-1]["meta"]["lastUpdated"]
    again = await harbor.search(f"Task?_lastUpdated=gt{last[:23]}Z")
    # Once in a thousand runs there is nothing to cut off.
    assert last[23:26] == "000" or last in [task["meta"]["lastUpdated"] for task in again]


async def test_the_newest_come_first_when_asked_for(harbor: Caller) -> None:
    profile = (await harbor.search("Task"))[0]["meta"]["profile"][0]
    me = harbor.organization
    forward = await harbor.search(f"Task?_profile={profile}&owner=Organization/{me}&_sort=_lastUpdated")
    backward = await harbor.search(f"Task?_profile={profile}&owner=Organization/{me}&_sort=-_lastUpdated")
    assert len(forward) == 3
    assert backward == forward[::-1]


@pytest.mark.parametrize("sort", ["_lastUpdated", "-_lastUpdated"])
async def test_pages_give_each_match_once_though_a_task_changes_meanwhile(sort: str, harbor: Caller) -> None:
    first = await harbor.read(f"Task?_count=1&_sort={sort}")
    seen = [first["entry"][0]["resource"]["id"]]
    waiting = [task for task in await harbor.search("Task") if task["id"] not in seen]
    assert (await harbor.set_status(waiting[0], "accepted")).status_code == 200
    url = links(first).get("next")
    while url:
        page = (await harbor.web.get(url, headers=harbor.headers)).json()
        seen += [entry["resource"]["id"] for entry in page.get("entry", [])]
        url = links(page).get("next")
    assert {task["id"] for task in await harbor.search("Task")} - set(seen) in ({waiting[0]["id"]}, set())
    if sort == "_lastUpdated":
        assert waiting[0]["id"] in seen, "what changes moves to the end and is not lost"


@pytest.mark.parametrize(
    "query",
    [
        "_summary=count",
        "_count=0",
    ],
)
async def test_counts_alone_can_be_asked_for(query: str, harbor: Caller) -> None:
    bundle = await harbor.read(f"Task?{query}")
    assert bundle["total"] == 3
    assert "entry" not in bundle


async def test_an_accurate_total_is_that_of_all_pages(harbor: Caller) -> None:
    bundle = await harbor.read("Task?_count=1&_total=accurate")
    assert (bundle["total"], len(bundle["entry"])) == (3, 1)


async def test_post_search_is_the_same_as_get(harbor: Caller) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    answer = await harbor.web.post(f"{FHIR}/Task/_search", content="status=requested", headers=harbor.headers | form)
    assert answer.status_code == 200
    found = [entry["resource"] for entry in answer.json()["entry"]]
    assert found == await harbor.search("Task?status=requested")


@on_sqlite
@pytest.mark.parametrize(
    "query",
    [
        "colour=blue",
        "patient.name=HTEST",
        "subject:Patient.identifier=1",
        "_has:Task:patient:status=requested",
        "_filter=status eq requested",
        "_text=HTEST",
        "_content=HTEST",
        "_list=1",
        "_query=x",
        "_contained=true",
        "_include:recurse=Task:part-of",
        "_include=Task:nothing",
        "_include=Task:focus:Nothing",
        "_include=ServiceRequest:subject",
        "_include=*",
        "_revinclude=Task:encounter",
        "_revinclude=Observation:subject",
        "_revinclude=*",
        "_sort=business-status",
        "_sort=status,,owner",
        "_sort=",
        "status:contains=req",
        "status:text=req",
        "status:above=x",
        "code:in=http://x",
        "owner:below=x",
        "owner:Observation=x",
        "authored-on:exact=2026",
        "_id:exact=x",
        "status:=x",
    ],
)
async def test_what_is_not_supported_is_refused_by_name(query: str, harbor: Caller) -> None:
    answer = await harbor.get(f"Task?{query}")
    assert answer.status_code == 400
    (issue,) = answer.json()["issue"]
    assert issue["code"] == "not-supported"
    assert issue["expression"] == [f"http.{query.partition('=')[0]}"]
    assert len(issue["diagnostics"]) > len("Search parameter : ") + 20


@on_sqlite
@pytest.mark.parametrize(
    "query",
    [
        "_count=many",
        "_count=-1",
        "_count=1.5",
        "_count=9999999",
        "_count=%D9%A1",
        "_lastUpdated=yesterday",
        "_lastUpdated=gt",
        "_lastUpdated=gt2026-13-01",
        "authored-on=2026-06-05,",
        "authored-on=xx2026-06-05",
        "_total=all",
        "_summary=short",
        "_elements=nothing",
        "_elements=Task.status",
        "_elements=",
        "status=",
        "status=requested,,accepted",
        "status=|",
        "status:missing=maybe",
        "owner=Observation/1",
        "owner=a/b/c",
        "owner:Organization=Practitioner/1",
        "patient=Organization/1",
        "focus=1",
        "focus=Nothing/1",
        "_cursor=x",
    ],
)
async def test_what_cant_be_read_is_refused_with_what_is_expected_lenient_or_not(query: str, harbor: Caller) -> None:
    for handling in ("strict", "lenient"):
        answer = await harbor.get(f"Task?{query}", prefer=f"handling={handling}")
        assert answer.status_code == 400
        (issue,) = answer.json()["issue"]
        assert issue["code"] == "value"
        assert issue["expression"] == [f"http.{query.partition('=')[0]}"]
        assert "expected" in issue["diagnostics"] or "not" in issue["diagnostics"]


@on_sqlite
async def test_summary_and_elements_are_not_asked_for_together(harbor: Caller) -> None:
    for query in ("_summary=true&_elements=status", "_summary=text&_include=Task:focus"):
        answer = await harbor.get(f"Task?{query}")
        assert (answer.status_code, answer.json()["issue"][0]["code"]) == (400, "value")


async def test_a_lenient_request_leaves_it_out_and_says_so(harbor: Caller) -> None:
    bundle = await harbor.get("Task?colour=blue&status=requested", prefer="handling=lenient")
    assert bundle.status_code == 200
    *matches, outcome = bundle.json()["entry"]
    assert len(matches) == 3
    assert outcome["search"]["mode"] == "outcome"
    assert outcome["resource"]["issue"][0]["expression"] == ["http.colour"]
    assert "colour" not in links(bundle.json())["self"]


async def test_the_same_resources_are_reached_from_the_request_by_includes(harbor: Caller) -> None:
    query = "_include=Task:focus&_include:iterate=ServiceRequest:subject&_include:iterate=ServiceRequest:encounter"
    bundle = await harbor.read(f"Task?_count=1&{query}")
    types = [entry["resource"]["resourceType"] for entry in bundle["entry"]]
    assert sorted(types) == ["Encounter", "Patient", "ServiceRequest", "Task"]


async def test_the_packet_is_one_document_of_all_that_the_caller_may_see(harbor: Caller) -> None:
    (task, *_) = await harbor.search("Task")
    packet = await harbor.read(f"Task/{task['id']}/$packet")
    assert packet["type"] == "document"
    types = {entry["resource"]["resourceType"] for entry in packet["entry"]}
    assert packet["entry"][0]["resource"]["resourceType"] == "Composition"
    assert types >= {"Task", "ServiceRequest", "Patient", "Encounter", "Condition", "MedicationAdministration"}
    ids = {entry["resource"]["id"] for entry in packet["entry"] if entry["resource"]["resourceType"] == "Task"}
    assert ids == {task["id"]}


@on_sqlite
@pytest.mark.parametrize("query", ["status=Requested", "owner=Organization/nobody", "patient=Patient/1", "priority=x"])
async def test_a_search_without_matches_is_an_empty_bundle(query: str, harbor: Caller) -> None:
    bundle = await harbor.read(f"Task?{query}")
    assert (bundle["total"], "entry" in bundle) == (0, False)


VALUES = [
    "%25",
    "_",
    "'",
    '"',
    "%5C",
    "a'--",
    "x" * 5000,
    "*",
    "(a%2B)%2B$",
    "%00",
    "a%00b",
    "%ff",
    "%ED%A0%80",
    "%F0%9F%98%80",
]


@pytest.mark.parametrize("name", ["identifier", "_id", "owner", "status", "patient", "code", "part-of", "_cursor"])
async def test_odd_values_are_values_and_nothing_else(name: str, harbor: Caller) -> None:
    for value in VALUES:
        answer = await harbor.get(f"Task?{name}={value}")
        assert answer.status_code in {200, 400, 404}, (value, answer.text)
        if answer.status_code == 200:
            assert answer.json().get("entry") is None, value
