"""The calls of Gravity's own client for community organisations (Gravity-SDOHCC/sdoh_cbo_client), replayed one by one.

It reads the CapabilityStatement, lets the user choose an organisation, lists its Tasks with what belongs to each, sends
the whole Task that it has read as its answer, and creates a Procedure from the ServiceRequest. Both databases.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.conformance.clients.served import Served, serving
from tests.journeys.running_hub import Resource

GRAVITY: Final = "http://hl7.org/fhir/us/sdoh-clinicalcare"
PROFILE: Final = f"{GRAVITY}/StructureDefinition/SDOHCC-TaskForReferralManagement"
CODES: Final = f"{GRAVITY}/CodeSystem/SDOHCC-CodeSystemTemporaryCodes"
RESULT: Final = {"system": CODES, "code": "resulting-activity", "display": "Resulting Activity"}
HEADERS: Final = {"accept": "application/fhir+json", "accept-charset": "utf-8", "prefer": "return=representation"}


class GravityClient:
    """The HTTP of fhir_client (Ruby), which that client is built on."""

    def __init__(self, web: httpx.Client, token: str) -> None:
        self.web = web
        self.headers = HEADERS | {"authorization": f"Bearer {token}"}

    def get(self, path: str, **parameters: str) -> Resource:
        answer = self.web.get(f"/fhir/R4/{path}", params=parameters, headers=self.headers)
        return self._read(answer, 200)

    def write(self, method: str, path: str, resource: Resource, status: int) -> Resource:
        headers = self.headers | {"content-type": "application/fhir+json;charset=utf-8"}
        answer = self.web.request(method, f"/fhir/R4/{path}", content=json.dumps(resource), headers=headers)
        return self._read(answer, status)

    @staticmethod
    def _read(answer: httpx.Response, status: int) -> Resource:
        assert answer.status_code == status, answer.text
        body: Resource = answer.json()
        return body

    def tasks(self, organization: str) -> list[Resource]:
        found = self.get("Task", _profile=PROFILE, owner=f"Organization/{organization}", _sort="-_lastUpdated")
        return [entry["resource"] for entry in found.get("entry", []) if entry["resource"]["resourceType"] == "Task"]

    def referenced(self, reference: Resource) -> Resource:
        return self.get(reference["reference"])

    def answer(self, task: Resource, status: str, **more: Any) -> Resource:
        return self.write("PUT", f"Task/{task['id']}", task | {"status": status} | more, 200)


@pytest.fixture
def served(database_url: str, tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path, database_url, referrals=2) as made:
        yield made


@pytest.fixture
def client(served: Served) -> GravityClient:
    answer = served.hub.web.post(
        "/oauth/token", data={"grant_type": "client_credentials"}, auth=(served.client_id, served.client_secret)
    )
    return GravityClient(served.hub.web, answer.json()["access_token"])


def procedure_of(request: Resource) -> Resource:
    """What it makes of a ServiceRequest; what that does not have is left out, as its library does."""
    made = {
        "resourceType": "Procedure",
        "meta": {"profile": [f"{GRAVITY}/StructureDefinition/SDOHCC-Procedure"]},
        "basedOn": [{"reference": f"ServiceRequest/{request['id']}"}],
        "status": "completed",
        "category": next(iter(request.get("category", [])), None),
        "code": request.get("code"),
        "subject": request["subject"],
        "reasonReference": request.get("reasonReference"),
        "performedDateTime": "2026-06-09",
    }
    return {name: value for name, value in made.items() if value}


def test_a_community_organisation_lists_accepts_and_completes_a_referral(served: Served, client: GravityClient) -> None:
    assert client.get("metadata")["resourceType"] == "CapabilityStatement"
    organizations = [entry["resource"]["id"] for entry in client.get("Organization")["entry"]]
    assert served.partner in organizations

    newest, oldest = client.tasks(served.partner)
    assert newest["meta"]["lastUpdated"] > oldest["meta"]["lastUpdated"]
    assert PROFILE in newest["meta"]["profile"]
    request = client.referenced(newest["focus"])
    assert client.referenced(newest["requester"])["resourceType"] == "Organization"
    assert client.referenced(newest["for"])["resourceType"] == "Patient"

    client.answer(newest, "accepted")
    task = next(one for one in client.tasks(served.partner) if one["id"] == newest["id"])
    assert task["status"] == "accepted"
    client.answer(task, "in-progress")

    task = next(one for one in client.tasks(served.partner) if one["id"] == newest["id"])
    request = client.get(f"ServiceRequest/{request['id']}")
    procedure = client.write("POST", "Procedure", procedure_of(request), 201)
    output = {"type": {"coding": [RESULT]}, "valueReference": {"reference": f"Procedure/{procedure['id']}"}}
    client.answer(task, "completed", output=[output])
    done = next(one for one in client.tasks(served.partner) if one["id"] == newest["id"])
    assert client.referenced(done["output"][0]["valueReference"])["code"] == request["code"]
    assert [one["id"] for one in served.reported()] == [procedure["id"]]


def test_a_community_organisation_rejects_with_a_reason_and_the_rest_stays(
    served: Served, client: GravityClient
) -> None:
    newest, oldest = client.tasks(served.partner)
    client.answer(newest, "rejected", statusReason={"text": "HTEST no free place"})
    states = {one["id"]: one["status"] for one in client.tasks(served.partner)}
    assert states == {newest["id"]: "rejected", oldest["id"]: "requested"}


def test_a_community_organisation_finds_its_service_and_sets_its_capacity(
    served: Served, client: GravityClient
) -> None:
    """It asks by its bare id, and writes its capacity into what it finds."""
    offered = {"resourceType": "HealthcareService", "active": True, "name": "HTEST intake"}
    client.write(
        "POST", "HealthcareService", offered | {"providedBy": {"reference": f"Organization/{served.partner}"}}, 201
    )
    found = client.get("HealthcareService", organization=served.partner)
    # Beside its own there is that of the directory, which is the hub's to write.
    (service,) = [entry["resource"] for entry in found["entry"] if entry["resource"]["name"] == offered["name"]]
    assert service["providedBy"]["reference"] == f"Organization/{served.partner}"
    capacity = {"url": "capacityStatus", "valueCodeableConcept": {"coding": [{"system": CODES, "code": "capacity"}]}}
    extension = {
        "url": f"{GRAVITY}/StructureDefinition/SDOHCC-ExtensionHealthcareServiceCapacityStatus",
        "extension": [capacity],
    }
    told = client.write("PUT", f"HealthcareService/{service['id']}", service | {"extension": [extension]}, 200)
    assert client.get(f"HealthcareService/{service['id']}") == told
    assert len(client.tasks(served.partner)) == 2
