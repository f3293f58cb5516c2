"""What foreign clients do beyond the standard, request by request; each was seen from the client that a test names."""

import uuid
from collections.abc import Iterator
from typing import Any, Final

import httpx
import pytest

from tests.conformance.clients.served import BOTH, Served, on_database
from tests.journeys.running_hub import Caller, Resource

NUMBERS: Final = "urn:oid:2.16.840.1.113883.3.9999.7"
TASKS: Final = 5


@pytest.fixture(scope="module", params=BOTH)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    yield from on_database(request, tmp_path_factory.mktemp("habits"), TASKS)


@pytest.fixture(scope="module")
def partner(served: Served) -> Caller:
    return served.hub.caller("HTEST Harbor OTP", "system/*.cruds")


@pytest.fixture
def procedure(partner: Caller) -> Resource:
    (person, *_) = partner.search("Patient")
    return {
        "resourceType": "Procedure",
        "status": "completed",
        "identifier": [{"system": NUMBERS, "value": f"HTEST-{uuid.uuid4()}"}],
        "code": {"text": "HTEST dosing"},
        "subject": {"reference": f"Patient/{person['id']}"},
    }


def criteria_of(procedure: Resource) -> str:
    return f"identifier={NUMBERS}|{procedure['identifier'][0]['value']}"


def count(partner: Caller, procedure: Resource) -> int:
    return len(partner.search(f"Procedure?{criteria_of(procedure)}"))


def post(partner: Caller, path: str, body: Resource, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    sent: dict[str, Any] = partner.headers | {"content-type": "application/fhir+json"} | named
    return partner.web.post(f"/fhir/R4{path}", json=body, headers=sent)


@pytest.mark.parametrize("place", ["", "?", "Procedure?", "{base}/fhir/R4/Procedure?"])
def test_a_conditional_create_may_name_the_address_of_its_search_as_hapi_does(
    place: str, served: Served, partner: Caller, procedure: Resource
) -> None:
    criteria = place.format(base=served.hub.base) + criteria_of(procedure)
    first, again = (post(partner, "/Procedure", procedure, if_none_exist=criteria) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert count(partner, procedure) == 1


def test_a_conditional_create_may_not_name_the_address_of_another_search(
    served: Served, partner: Caller, procedure: Resource
) -> None:
    for place in (f"{served.hub.base}/fhir/R4/Observation?", "http://elsewhere.test/fhir/R4/Procedure?"):
        assert post(partner, "/Procedure", procedure, if_none_exist=place + criteria_of(procedure)).status_code == 400
    assert count(partner, procedure) == 0


def test_who_wants_no_body_back_learns_which_resource_the_criteria_found(partner: Caller, procedure: Resource) -> None:
    headers = {"if_none_exist": criteria_of(procedure), "prefer": "return=minimal"}
    first, again = (post(partner, "/Procedure", procedure, **headers) for _ in range(2))
    assert (again.content, again.headers["content-location"]) == (b"", first.headers["location"])


def test_criteria_in_the_address_of_a_create_are_refused_and_make_no_second_one(
    partner: Caller, procedure: Resource
) -> None:
    """So fhirpy's get_or_create says it; a hub that overlooked them would create each time."""
    answer = post(partner, f"/Procedure?{criteria_of(procedure)}", procedure)
    assert (answer.status_code, answer.json()["issue"][0]["expression"]) == (400, ["http.query"])
    assert count(partner, procedure) == 0


def test_a_partial_resource_is_no_patch_of_fhir_and_changes_nothing(partner: Caller) -> None:
    """So fhirpy's patch sends it."""
    (task, *_) = partner.search("Task")
    path = f"/fhir/R4/Task/{task['id']}"
    answer = partner.web.patch(path, json={"status": "accepted"}, headers=partner.headers)
    assert (answer.status_code, answer.json()["resourceType"]) == (415, "OperationOutcome")
    assert partner.fhir(f"Task/{task['id']}") == task


def matches(page: Resource) -> list[str]:
    """Ids of what was found; the notice stands in a page too, and is no match."""
    return [entry["resource"]["id"] for entry in page["entry"] if entry["search"]["mode"] == "match"]


@pytest.mark.parametrize("size", [2, 3, 1000])
def test_a_page_size_may_stand_beside_the_cursor_as_medplum_puts_it(size: int, partner: Caller) -> None:
    page = partner.fhir("Task?_count=2&_sort=status")
    seen, sizes = matches(page), []
    while following := [link["url"] for link in page["link"] if link["relation"] == "next"]:
        page = partner.get(f"{following[0]}&_count={size}").json()
        sizes.append(len(matches(page)))
        seen += matches(page)
    assert sorted(seen) == sorted(one["id"] for one in partner.search("Task"))
    assert (len(set(seen)), max(sizes)) == (TASKS, min(size, 3))


def test_an_etag_without_quotes_costs_the_client_the_body_and_nothing_else(partner: Caller) -> None:
    """So fhirpy's refresh sends it."""
    (task, *_) = partner.search("Task")
    answer = partner.get(f"/fhir/R4/Task/{task['id']}", **{"if-none-match": task["meta"]["versionId"]})
    assert (answer.status_code, answer.json()) == (200, task)


@pytest.mark.parametrize("path", ["", "/"])
def test_a_bundle_may_be_sent_to_the_base_address_with_and_without_its_slash(path: str, partner: Caller) -> None:
    answer = post(partner, path, {"resourceType": "Bundle", "type": "batch"})
    assert (answer.status_code, answer.json()["type"]) == (200, "batch-response")


def test_a_parameter_of_the_client_s_own_is_refused_unless_it_asks_to_be_lenient(partner: Caller) -> None:
    """So fhirpy's count asks."""
    query = "/fhir/R4/Task?_count=0&_totalMethod=count"
    assert partner.get(query).status_code == 400
    assert partner.get(query, prefer="handling=lenient").json()["total"] == TASKS
