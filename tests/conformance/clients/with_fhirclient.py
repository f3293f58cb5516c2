"""Every interaction that fhirclient (SMART Python) offers, in one run; prints what it saw as one JSON object."""

import json
import os
import sys
import uuid
from typing import Any

import requests
from fhirclient import client as smart  # type: ignore[import-untyped] # it has no types
from fhirclient.models.bundle import Bundle  # type: ignore[import-untyped] # it has no types
from fhirclient.models.capabilitystatement import CapabilityStatement  # type: ignore[import-untyped] # same
from fhirclient.models.observation import Observation  # type: ignore[import-untyped] # it has no types
from fhirclient.models.procedure import Procedure  # type: ignore[import-untyped] # it has no types
from fhirclient.models.task import Task  # type: ignore[import-untyped] # it has no types

HUB = os.environ["HUB"]
seen: dict[str, Any] = {}


def procedure() -> dict[str, Any]:
    return {
        "resourceType": "Procedure",
        "status": "completed",
        "code": {"text": "HTEST dosing"},
        "subject": {"reference": person},
    }


def bundle(kind: str, *entries: dict[str, Any]) -> Any:
    return Bundle({"resourceType": "Bundle", "type": kind, "entry": list(entries)}).create(server)


def issue(refused: requests.HTTPError) -> dict[str, Any]:
    """The first issue of the OperationOutcome that came with a refusal."""
    assert refused.response is not None
    found: dict[str, Any] = refused.response.json()["issue"][0]
    return found


def entry(method: str, url: str, **more: Any) -> dict[str, Any]:
    return {"request": {"method": method, "url": url}, **more}


# It looks for the token's address in the CapabilityStatement only together with a page where people log in; the hub
# has no such page for machines, so the address is given.
auth = {
    "app_id": os.environ["CLIENT_ID"],
    "app_secret": os.environ["CLIENT_SECRET"],
    "token_uri": f"{HUB}/oauth/token",
}
state = {"base_uri": f"{HUB}/fhir/R4/", "auth_type": "oauth2", "auth": auth}
app = smart.FHIRClient(state={"app_id": auth["app_id"], "scope": "system/*.cruds", "server": state})
app.wants_patient = False
app.authorize()
server = app.server
seen["token"] = app.ready
seen["metadata"] = CapabilityStatement.read_from("metadata", server).fhirVersion

(task, *_) = Task.where({"status": "requested", "_sort": "_lastUpdated"}).perform_resources_iter(server)
person = task.for_fhir.reference

made = Procedure(Procedure(procedure()).create(server))
seen["create"] = made.meta.versionId
seen["read"] = Procedure.read(made.id, server).code.text
seen["vread"] = Procedure.read_from(f"{made.relativePath()}/_history/1", server).meta.versionId
made.status = "not-done"
seen["update"] = made.update(server)["meta"]["versionId"]

pages = Task.where({"_count": "5"}).perform_iter(server)
seen["paging"] = len({one.resource.id for page in pages for one in page.entry if one.search.mode == "match"})
included = Task.where({"_id": task.id}).include("focus").perform_resources_iter(server)
seen["include"] = sorted(one.resource_type for one in included)

answered = bundle("batch", entry("GET", task.relativePath()), entry("POST", "Procedure", resource=procedure()))
seen["batch"] = [one["response"]["status"][:3] for one in answered["entry"]]

place = f"urn:uuid:{uuid.uuid4()}"
observation = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"text": "HTEST"},
    "subject": {"reference": person},
    "partOf": [{"reference": place}],
}
answered = bundle(
    "transaction",
    entry("POST", "Procedure", resource=procedure(), fullUrl=place),
    entry("POST", "Observation", resource=observation),
)
first, second = (one["response"]["location"].split("/") for one in answered["entry"])
seen["transaction"] = Observation.read(second[-3], server).partOf[0].reference == "/".join(first[-4:-2])

past = Bundle.read_from(f"{made.relativePath()}/_history", server)
seen["history"] = [one.resource.meta.versionId for one in past.entry]

made.delete(server)
try:
    Procedure.read(made.id, server)
except requests.HTTPError as gone:
    seen["delete"] = issue(gone)["code"]
nobody = procedure() | {"subject": {"reference": "Patient/HTEST-nobody"}}
try:
    Procedure(nobody).create(server)
except requests.HTTPError as refused:
    seen["error"] = issue(refused)["expression"]
sys.stdout.write(json.dumps(seen))
