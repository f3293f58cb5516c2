"""What is given to a partner's own server: found again by the hub's identifiers, never over the owner's words."""

import json
from typing import Any
from urllib.parse import unquote

import pytest

from fhir_mappings import push_bundle
from fhir_mappings.push_bundle import Given, located, made_of
from schemas.codes.local import BUSINESS_STATUS, concept
from schemas.partner_server import PartnerServer
from schemas.references import references

Resource = dict[str, Any]
BASE = "https://hub.example.org/fhir/R4"
SERVER = PartnerServer(base="https://there.example.org/r4/")
TASK: Resource = {
    "resourceType": "Task", "id": "t", "status": "requested", "meta": {"versionId": "3", "security": [{"code": "R"}]},
    "partOf": [{"reference": "Task/source"}], "focus": {"reference": "ServiceRequest/r"},
    "for": {"reference": "Patient/p"},
}  # fmt: skip
ROWS: list[Resource] = [
    TASK,
    {"resourceType": "ServiceRequest", "id": "r", "reasonReference": [{"reference": "Condition/c"}]},
    {"resourceType": "Patient", "id": "p"},
    {"resourceType": "Condition", "id": "c", "encounter": {"reference": "Encounter/e"}},
    {"resourceType": "Encounter", "id": "e", "diagnosis": [{"condition": {"reference": "Condition/c"}}]},
    {"resourceType": "Provenance", "id": "o", "target": [{"reference": "Task/t"}]},
    {"resourceType": "Procedure", "id": "d", "meta": {"source": "https://there.example.org/r4/Procedure/9"}},
]


def given(*more: Resource, server: PartnerServer = SERVER, said: tuple[str, ...] = ()) -> Given:
    rows = [*more, *(one for one in ROWS if not any(one["id"] == other["id"] for other in more))]
    return Given(rows, "t", base=BASE, server=server, said=said)


def test_each_resource_is_made_or_changed_under_the_hubs_identifier_and_nothing_twice() -> None:
    bundle = given().transaction(None, None)
    asked = {one["resource"]["resourceType"]: one["request"] for one in bundle["entry"]}
    assert sorted(asked) == ["Condition", "Encounter", "Patient", "ServiceRequest", "Task"]
    assert asked["Task"]["method"] == "POST"
    assert unquote(asked["Task"]["ifNoneExist"]) == f"identifier={BASE}/Task|t"
    assert unquote(asked["Patient"]["url"]) == f"Patient?identifier={BASE}/Patient|p"
    assert not any("id" in one["resource"] or "versionId" in json.dumps(one["resource"]) for one in bundle["entry"])


def test_what_is_not_given_is_referred_to_where_it_is() -> None:
    bundle = given({**TASK, "output": [{"valueReference": {"reference": "Procedure/d"}}]}).transaction(None, None)
    (task,) = [one["resource"] for one in bundle["entry"] if one["resource"]["resourceType"] == "Task"]
    assert task["partOf"] == [{"reference": f"{BASE}/Task/source"}]
    assert task["output"] == [{"valueReference": {"reference": "Procedure/9"}}]
    inside = {one["fullUrl"] for one in bundle["entry"]}
    links = {link for one in bundle["entry"] for link in references(one["resource"])}
    assert {link for link in links if link.startswith("urn:uuid:")} <= inside


def test_what_others_refer_to_goes_first_and_a_circle_ends() -> None:
    order = given().in_order()
    assert sorted(order) == sorted(given().members)
    assert order.index("Patient/p") < order.index("Task/t")
    assert order.index("ServiceRequest/r") < order.index("Task/t")
    assert order.index("Condition/c") < order.index("ServiceRequest/r")


def test_the_owners_words_are_never_written_over() -> None:
    there: Resource = {
        "resourceType": "Task", "id": "17", "status": "in-progress", "statusReason": {"text": "x"},
        "output": [{"valueReference": {"reference": "Procedure/9"}}], "note": [{"text": "theirs"}],
        "identifier": [{"system": "urn:theirs", "value": "1"}], "businessStatus": {"text": "theirs"},
        "priority": "routine",
    }  # fmt: skip
    one = given({**TASK, "priority": "stat"}, said=("Notice.",)).given("Task/t", there, {"Patient/p": "Patient/5"})
    kept = ("id", "status", "statusReason", "output", "businessStatus")
    assert {name: one[name] for name in kept} == {name: there[name] for name in kept}
    assert (one["priority"], one["for"]) == ("stat", {"reference": "Patient/5"})
    assert [note["text"] for note in one["note"]] == ["theirs", "Notice."]
    assert {"system": "urn:theirs", "value": "1"} in one["identifier"]


def test_a_mark_of_the_hub_comes_and_goes() -> None:
    mark = concept(BUSINESS_STATUS, "consent-needed")
    there: Resource = {"resourceType": "Task", "id": "17", "status": "accepted", "businessStatus": {"text": "theirs"}}
    marked = given({**TASK, "businessStatus": mark}).given("Task/t", there, {})
    assert marked["businessStatus"] == mark
    assert "businessStatus" not in given().given("Task/t", marked, {})


@pytest.mark.parametrize(
    ("change", "news"),
    [
        ({"status": "accepted"}, False),
        ({"output": [{"valueString": "x"}]}, False),
        ({"note": [{"text": "x"}]}, False),
        ({"lastModified": "2026-06-05T10:00:00Z"}, False),
        ({"meta": {"versionId": "4", "security": [{"code": "R"}]}}, False),
        ({"priority": "stat"}, True),
        ({"for": {"reference": "Patient/other"}}, True),
        ({"meta": {"security": []}}, True),
        ({"businessStatus": concept(BUSINESS_STATUS, "consent-needed")}, True),
        ({"businessStatus": {"text": "theirs"}}, False),
    ],
)
def test_only_what_the_hub_itself_says_is_news(change: Resource, *, news: bool) -> None:
    assert (given({**TASK, **change}).digest != given().digest) is news


@pytest.mark.parametrize(
    ("vocabulary", "ours", "status"),
    [("gravity", "cancelled", "cancelled"), ("gravity", "entered-in-error", "entered-in-error"),
     ("bser", "cancelled", "in-progress")],
)  # fmt: skip
def test_how_a_request_is_taken_back(vocabulary: Any, ours: str, status: str) -> None:
    server = SERVER.model_copy(update={"vocabulary": vocabulary})
    there: Resource = {"resourceType": "Task", "id": "17", "status": "accepted", "output": [1]}
    told = push_bundle.taken_back({**TASK, "status": ours, "statusReason": {"text": "why"}}, there, server)
    assert (told["status"], told["statusReason"], told["output"]) == (status, {"text": "why"}, [1])


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("Task/17", "Task/17"),
        ("https://there.example.org/r4/Task/17/_history/2", "Task/17"),
        ("/fhir/Task/17/", "Task/17"),
        ("https://there.example.org/r4/Patient/17", None),
        ("Task", None),
        ("", None),
        (None, None),
        (17, None),
    ],
)
def test_where_something_was_made(address: object, place: str | None) -> None:
    assert located(address, "Task") == place


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"type": "transaction-response", "entry": []},
        {"type": "batch-response", "entry": [{"response": {"location": "Task/17"}}]},
        {"type": "transaction-response", "entry": [{"response": {"status": "201"}}]},
        {"type": "transaction-response", "entry": [{"response": {"location": "Patient/17"}}]},
    ],
)
def test_an_answer_that_does_not_say_where_is_none(answer: Resource) -> None:
    assert made_of(answer, ["Task/t"]) is None
