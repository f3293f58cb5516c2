"""Every way out is known, and says by which decision it lets a person's data go. A new one fails here until it does."""

import ast
from collections.abc import Iterator
from typing import Final

import typer
from starlette.routing import Mount, Route

from app.cli import app as commands
from app.main import ROUTES
from app.services import jobs
from tests.architecture.sources import PRODUCT, ROOT, modules

SEEN: Final = "rows that a decision (or the organisation's own hand) made visible, by Reader(actor)"
OWN: Final = "tells a caller of what it sent itself"
NOBODY: Final = "no person's data"
MACHINE: Final = "whoever holds the database and its keys"
ON_RECORD: Final = "the accounting, to whose records it is of or who looked: no more of a person than what was shown"
EMERGENCY: Final = "a decision under 42 CFR 2.51, made for this one answer"
ON_PAPER: Final = "SEEN, by the partner that it is printed for; to the patient the person's own record (42 CFR 2.23)"
AGAIN: Final = "decides anew; what it shows are grants like any other"

ROUTES_OUT: Final = {
    "/": NOBODY,
    "/oauth/token": NOBODY,
    "/.well-known/smart-configuration": NOBODY,
    "/fhir/R4/.well-known/smart-configuration": NOBODY,
    "/ingest/hl7v2": OWN,
    "/ingest/events": OWN,
    "/fhir/R4{slash:fhir_slash}": SEEN,
    "/fhir/R4/$process-message": OWN,
    "/fhir/R4/metadata": NOBODY,
    "/fhir/R4/AuditEvent": ON_RECORD,
    "/fhir/R4/AuditEvent/_search": ON_RECORD,
    "/fhir/R4/AuditEvent/{id:fhir_id}": ON_RECORD,
    "/fhir/R4/Task/{id:fhir_id}/$break-glass": EMERGENCY,
    "/fhir/R4/Task/$patient-is-here": SEEN,
    "/fhir/R4/Task/{id:fhir_id}/$ask": SEEN,
    "/fhir/R4/Task/{id:fhir_id}/$choose-fallback": SEEN,
    "/fhir/R4/Task/{id:fhir_id}/$record-answer": SEEN,
    "/fhir/R4/Task/{id:fhir_id}/$record-call": OWN,
    "/fhir/R4/Task/{id:fhir_id}/$confirm-answer": SEEN,
    "/fhir/R4/Task/{id:fhir_id}/$correct-answer": SEEN,
    "/fhir/R4/Organization/{id:fhir_id}/$still-here": SEEN,
    "/fhir/R4/{type}": SEEN,
    "/fhir/R4/{type}/_search": SEEN,
    "/fhir/R4/{type}/$validate": OWN,
    "/fhir/R4/{type}/{id:fhir_id}/$validate": SEEN,
    "/fhir/R4/{type}/{id:fhir_id}": SEEN,
    "/fhir/R4/Task/{id:fhir_id}/$packet": SEEN,
    "/fhir/R4/ServiceRequest/{id:fhir_id}/$match": SEEN,
    "/fhir/R4/Subscription/$status": SEEN,
    "/fhir/R4/Subscription/{id:fhir_id}/$status": SEEN,
    "/fhir/R4/Subscription/{id:fhir_id}/$events": SEEN,
    "/fhir/R4/{type}/{id:fhir_id}/_history": SEEN,
    "/fhir/R4/{type}/{id:fhir_id}/_history/{version}": SEEN,
    "/health/live": NOBODY,
    "/health/ready": NOBODY,
    "/metrics": NOBODY,
    "/schemas/{name}.json": NOBODY,
    "/openapi.json": NOBODY,
    "/docs": NOBODY,
    "/redoc": NOBODY,
}
JOBS_OUT: Final = {
    "agreement-due": NOBODY,
    "consent-ends": AGAIN,
    "coverage-due": AGAIN,
    "expire-visit": NOBODY,
    "look-again": AGAIN,
    "notify-sms": NOBODY,
    "review-waiting": NOBODY,
    "send-fax": SEEN,
    "settle-visit": AGAIN,
    "look-at-visit": AGAIN,
    "follow-referral": AGAIN,
}
CHANNELS_OUT: Final = {
    "rest_hook": SEEN,
    "email": NOBODY,
    "sms": NOBODY,
    "fax": SEEN,
    "hl7v2_out": SEEN,
    "fhir_push": SEEN,
}
COMMANDS_OUT: Final = {
    "serve": NOBODY,
    "worker": NOBODY,
    "demo": NOBODY,
    "bench": NOBODY,
    "ingest": OWN,
    "explain": OWN,
    "coverage": NOBODY,
    "ledger": MACHINE,
    "ledger replay": OWN,
    "review": MACHINE,
    "review answer": MACHINE,
    "review counts": NOBODY,
    "clock": MACHINE,
    "pickup": MACHINE,
    "health": NOBODY,
    "db upgrade": NOBODY,
    "db check": NOBODY,
    "sender add": NOBODY,
    "sender check": OWN,
    "match": MACHINE,
    "partner import": NOBODY,
    "partner setup": NOBODY,
    "partner ask": NOBODY,
    "partner attest": NOBODY,
    "partner capacity": NOBODY,
    "agreement add": NOBODY,
    "agreement list": NOBODY,
    "agreement keep": NOBODY,
    "agreement show": NOBODY,
    "agreement meeting": NOBODY,
    "agreement due": NOBODY,
    "consent form": NOBODY,
    "consent record": OWN,
    "consent revoke": OWN,
    "letter": ON_PAPER,
    "client add": NOBODY,
    "client list": NOBODY,
    "client rotate": NOBODY,
    "client revoke": NOBODY,
    "token": MACHINE,
    "accounting find": MACHINE,
    "accounting show": MACHINE,
    "accounting accesses": MACHINE,
    "breach": MACHINE,
    "incidents list": MACHINE,
    "incidents review": MACHINE,
    "incidents hold": NOBODY,
    "answer record": OWN,
    "answer confirm": OWN,
    "call record": OWN,
    "calls": MACHINE,
    "todo": MACHINE,
    "cover-sheet": NOBODY,
    "retention list": MACHINE,
    "retention answer": OWN,
    "answers list": NOBODY,
    "answers retry": NOBODY,
    "answers drop": NOBODY,
    "push list": NOBODY,
    "push retry": NOBODY,
    "push drop": NOBODY,
    "partner credential": NOBODY,
}
GRANTS: Final = {
    "app/services/referral/sharing.py": "names its decision",
    "app/services/writes/tasks.py": "names its decision",
    "app/services/referral/referral_writing.py": "an offer's Patient names its decision; the hospital's own resources",
    "app/services/people/spoken_answers.py": "names the decision of the partner's Task; the hospital's own",
    "app/services/people/calls.py": "the hospital's own calls",
    "app/services/referral/showing.py": "the hospital's own resources",
    "app/services/writes/resource_plans.py": "what a client wrote itself",
    "app/services/partners/directory.py": "the directory",
}


def served() -> Iterator[str]:
    for route in ROUTES:
        if isinstance(route, Mount):
            yield f"{route.path}/*"
        elif isinstance(route, Route):
            yield route.path


def typed() -> Iterator[str]:
    group = typer.main.get_command(commands)
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        below = getattr(command, "commands", {})
        if not below or getattr(command, "invoke_without_command", False):
            yield name
        for further in below:
            yield f"{name} {further}"


def granting() -> set[str]:
    """Files that make a grant."""
    return {
        path
        for path, tree in modules(*PRODUCT)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Grant"
    }


def test_every_route_says_how_it_lets_data_out() -> None:
    assert {path for path in served() if not path.endswith("/*")} == set(ROUTES_OUT)


def test_every_job_says_how_it_lets_data_out() -> None:
    assert set(jobs.HANDLERS) == set(JOBS_OUT)


def test_every_channel_says_how_it_lets_data_out() -> None:
    found = {path.stem for path in (ROOT / "app" / "channels").glob("*.py")} - {"__init__", "base"}
    assert found == set(CHANNELS_OUT)


def test_every_command_says_how_it_lets_data_out() -> None:
    assert set(typed()) == set(COMMANDS_OUT)


def test_only_known_places_make_something_visible() -> None:
    assert granting() == set(GRANTS)
