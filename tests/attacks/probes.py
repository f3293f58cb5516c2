"""Requests of a client that puts a person's details where they don't belong; each is refused.

Not in the name of a field or a parameter: what is not known is refused by its name.
"""

import base64
import json
from collections.abc import Iterator
from typing import Any, Final

import httpx

from tests.attacks import canary
from tests.contract.subscribers import body as subscription

Resource = dict[str, Any]
BASE: Final = "/fhir/R4"
_QUERIES: Final = (
    "Patient?identifier=ZQMRN4417",
    "Patient?family=Zqfamily",
    "Patient?name:exact=Zqfamily",
    "Patient?birthdate=Zqjunk",
    "Task?status=zqjunk",
    "Task?patient=Organization/Zqfamily",
    "Task?_cursor=Zqfamily",
    "Task?_include=Zqfamily:x",
    "Task?_sort=Zqfamily",
    "Task?_count=Zqjunk",
    "Task?_lastUpdated=Zqjunk",
    "Task?_format=Zqjunk",
    "Task/Zqfamily",
    "Task/Zqfamily/_history/Zqjunk",
    "Task/Zqfamily/$packet",
    "Zqfamily/1",
    "Zqfamily%20Zqgiven",
    "Subscription/Zqfamily/$events?eventsSinceNumber=Zqjunk",
    "Subscription/$status?status=Zqjunk",
)
_HEADERS: Final = (
    "if-none-match",
    "if-modified-since",
    "if-match",
    "accept",
    "prefer",
    "user-agent",
    "referer",
    "cookie",
)


def reads(web: httpx.Client, headers: dict[str, str]) -> Iterator[httpx.Response]:
    """Searches and reads."""
    for query in _QUERIES:
        for handling in ("strict", "lenient"):
            yield web.get(f"{BASE}/{query}", headers=headers | {"prefer": f"handling={handling}"})
    for name in _HEADERS:
        yield web.get(f"{BASE}/Task", headers=headers | {name: "Zqfamily"})
    form = {"content-type": "application/x-www-form-urlencoded"}
    yield web.post(f"{BASE}/Patient/_search", content=b"identifier=Zqmrn4417&_count=Zqjunk", headers=headers | form)
    for token in ("Zqfamily", _jwt("none"), _jwt("RS384"), "Zqfamily Zqgiven"):
        yield web.get(f"{BASE}/Task", headers={"authorization": f"Bearer {token}"})
    yield web.get("/Zqfamily")
    yield web.get("/schemas/Zqfamily.json")


def _jwt(algorithm: str) -> str:
    parts = ({"alg": algorithm, "kid": "Zqfamily"}, {"sub": "Zqfamily", "iss": "Zqjunk"})
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + ".x"


def tokens(web: httpx.Client) -> Iterator[httpx.Response]:
    """Requests for a token."""
    for form in (
        {"grant_type": "client_credentials", "scope": "Zqfamily"},
        {"grant_type": "Zqfamily"},
        {"grant_type": "client_credentials", "client_assertion": _jwt("none"), "client_assertion_type": "Zqjunk"},
    ):
        yield web.post("/oauth/token", data=form, auth=("Zqfamily", "Zqgiven"))


def writes(web: httpx.Client, headers: dict[str, str], task: str) -> Iterator[httpx.Response]:
    """What does not pass the gate, the rules, or the reader of JSON."""
    sent = headers | {"content-type": "application/fhir+json"}
    for resource in (
        {"resourceType": "Zqfamily"},
        {"resourceType": "Procedure", "status": "zqjunk", "subject": {"reference": "Patient/Zqfamily"}},
        {"resourceType": "Procedure", "status": "completed", "subject": {"reference": "Patient/Zqfamily"}},
        {"resourceType": "Procedure", "status": "completed", "colour": "Zqfamily"},
        {"resourceType": "Observation", "status": "final", "effectiveDateTime": "Zqjunk"},
        {"resourceType": "Procedure", "status": "completed", "subject": {"display": "x"}, "performedString": []},
        subscription("https://zqfamily@partner.example.org/"),
        subscription("http://zqfamily.example.org/"),
        subscription(filters=["patient=Patient/Zqfamily"]),
        subscription(filters=["owner=Zqjunk/1"]),
        subscription(topic="https://zqjunk.example.org/Zqfamily"),
        subscription(header=["Zqfamily"]),
    ):
        kind = str(resource["resourceType"])
        yield web.post(f"{BASE}/{kind}", content=json.dumps(resource), headers=sent)
        yield web.post(f"{BASE}/{kind}/$validate", content=json.dumps(resource), headers=sent)
    for bad in (b"Zqfamily", b'{"a":"Zqfamily","a":1}', b'{"resourceType":"Task","id":"Zqfamily"}'):
        yield web.put(f"{BASE}/Task/{task}", content=bad, headers=sent)
    patched = headers | {"content-type": "application/json-patch+json"}
    for operation in (
        {"op": "replace", "path": "/status", "value": "zqjunk"},
        {"op": "replace", "path": "/Zqfamily/Zqgiven", "value": 1},
        {"op": "Zqfamily", "path": "/status"},
        {"op": "test", "path": "/status", "value": "Zqfamily"},
        {"op": "add", "path": "/description", "value": "Zqfamily"},
    ):
        yield web.patch(f"{BASE}/Task/{task}", content=json.dumps([operation]), headers=patched)
    for kind in ("batch", "transaction"):
        entries = [{"request": {"method": "GET", "url": one}} for one in _QUERIES[:9]]
        bundle = {"resourceType": "Bundle", "type": kind, "entry": entries}
        yield web.post(BASE, content=json.dumps(bundle), headers=sent)


def messages(web: httpx.Client, headers: dict[str, str]) -> Iterator[httpx.Response]:
    """What a hospital sends that can't be taken."""
    for data in canary.bad_hl7():
        yield web.post("/ingest/hl7v2", content=data, headers=headers | {"content-type": "application/hl7-v2"})
    for data in canary.bad_events():
        sent = headers | {"content-type": "application/json"}
        yield web.post("/ingest/events?sender=mercy", content=data, headers=sent)
        yield web.post("/ingest/events?sender=Zqfamily", content=data, headers=sent)
    for path, bundle in canary.bundles()[2:]:
        sent = headers | {"content-type": "application/fhir+json"}
        yield web.post(f"{BASE}{path}", content=json.dumps(bundle), headers=sent)
