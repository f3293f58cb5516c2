"""Schemathesis, a stranger to this project, sends what the served OpenAPI document makes it think of.

It is run as its users run it, as a program, against a hub on a socket. Half of what it sends follows the document,
half is wrong on purpose. ``THROUGHLINE_FUZZ_SECONDS`` is how long each database is tried (45).
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.contract.http_messages import event
from tests.hub_fixtures import PARTNER
from tests.journeys.running_hub import Caller, RunningHub, running

SECONDS: Final = int(os.environ.get("THROUGHLINE_FUZZ_SECONDS", "45"))
SENDER: Final = {
    "id": "mercy-adt",
    "organization": "HTEST Mercy",
    "dialect": "adt_generic",
    "timezone": "America/New_York",
    "part2": "none",
}
CHECKS: Final = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "ignored_auth",
)
SEED: Final = "20261126"
"""The same thoughts in each run, as far as the time reaches."""
HOOKS: Final = Path(__file__).with_name("schemathesis_hooks.py")
Json = dict[str, Any]
Prepared = tuple[RunningHub, Caller, Json]
"""A hub, a hospital's client of it, and its document."""


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str) -> Iterator[Prepared]:
    with running(monkeypatch, tmp_path, database_url, senders=[SENDER], partners=[PARTNER]) as hub:
        hospital = hub.caller("mercy-adt", "system/*.cruds ingest")
        answer = hub.post_event(hospital, event(7), "mercy-adt")
        assert answer.status_code == 201, answer.text
        document = hub.web.get("/openapi.json").json()
        name_ids(document, hospital)
        keep_bodies_simple(document)
        keep_answers_simple(document)
        yield hub, hospital, document


def name_ids(document: Json, caller: Caller) -> None:
    """What the document shows as ids of resources are those of this hub."""
    found = {kind: [one["id"] for one in some] for kind, some in caller.everything().items() if some}
    for path, item in document["paths"].items():
        kind = path.removeprefix("/fhir/R4/").partition("/")[0]
        for operation in item.values():
            for parameter in operation.get("parameters", ()):
                if parameter.get("name") == "id" and kind in found:
                    parameter["examples"] = {"here": {"value": found[kind][0]}}


def keep_bodies_simple(document: Json) -> None:
    """FHIR bodies are the document's examples, and objects: to think of a whole type takes Schemathesis minutes."""
    for item in document["paths"].values():
        for operation in item.values():
            content = operation.get("requestBody", {}).get("content", {}).get("application/fhir+json")
            if content:
                kind = content["schema"].get("$ref", "").rpartition("/")[2]
                named = {"const": kind} if kind else {"type": "string"}
                content["schema"] = {
                    "type": "object",
                    "required": ["resourceType"],
                    "properties": {"resourceType": named},
                }


def keep_answers_simple(document: Json) -> None:
    """Examples of answers are not needed, and OpenAPI can't say of an answer that it has a body or none."""
    answers = [
        answer for item in document["paths"].values() for one in item.values() for answer in one["responses"].values()
    ]
    for answer in (*answers, *document["components"]["responses"].values()):
        for content in answer.get("content", {}).values():
            content.pop("examples", None)
    document["components"]["parameters"]["Prefer.return"]["schema"]["enum"].remove("return=minimal")


def test_a_stranger_with_the_document_finds_no_answer_that_it_does_not_describe(
    prepared: Prepared, tmp_path: Path
) -> None:
    hub, caller, document = prepared
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    run = subprocess.run(
        [
            *(Path(sys.executable).with_name("schemathesis"), "run", tmp_path / "openapi.json"),
            *("--url", hub.base, "--header", f"Authorization: {caller.headers['authorization']}"),
            *("--checks", ",".join(CHECKS), "--max-time", str(SECONDS), "--phases", "examples,coverage,fuzzing"),
            *("--continue-on-failure", "--no-color", "--generation-database", "none", "--request-timeout", "10"),
            *("--seed", SEED),
        ],
        cwd=tmp_path,
        env={**os.environ, "SCHEMATHESIS_HOOKS": str(HOOKS), "HTTP_PROXY": "", "HTTPS_PROXY": "", "NO_PROXY": "*"},
        capture_output=True,
        text=True,
        timeout=SECONDS * 4,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr[-2_000:]
    said = {name: int(number) for number, name in re.findall(r"(\d+) (generated|passed)", run.stdout)}
    selected, tested = re.findall(r"Selected: (\d+)/.*?Tested: (\d+)", run.stdout, re.DOTALL)[0]
    assert selected == tested == str(sum(len(item) for item in document["paths"].values()))
    assert said["generated"] > 500
