"""JSONTestSuite over HTTP: what is no JSON is refused at every door that reads JSON, and what is JSON is read.

A refusal of the text names a place in it (``$``); one of what the text says names an element or a parameter.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from fastapi import FastAPI

from app.core.clock import Clock
from app.core.crypto import Keys
from app.services.hub import Hub, Registry
from app.store.store import Store
from tests.contract.fhir_callers import FHIR, Resource
from tests.hub_fixtures import FAST, World

SUITE: Final = Path(__file__).parents[2].parent / "shared" / "corpus" / "validator-cases" / "nst+JSONTestSuite"
REFUSED: Final = {
    "y_object_duplicated_key": "readers disagree which of two values counts (RFC 8259 section 4)",
    "y_object_duplicated_key_and_value": "the same",
    "y_object_escaped_null_in_key": "FHIR text has no U+0000 (R4 datatypes, string), and PostgreSQL can't hold it",
    "y_string_null_escape": "the same",
}
"""JSON that the hub refuses on purpose."""
READ: Final = {"i_structure_UTF-8_BOM_empty_object": "RFC 8259 section 8.1 lets a reader leave a byte order mark out"}
"""Where the standard leaves it open and the hub reads it; all else of that kind is refused by what the text is."""
JSON, FHIR_JSON = "application/json", "application/fhir+json"
DOORS: Final = {
    "validate": ("POST", f"{FHIR}/Task/$validate", FHIR_JSON),
    "update": ("PUT", f"{FHIR}/Task/HTEST-none", FHIR_JSON),
    "patch": ("PATCH", f"{FHIR}/Task/HTEST-none", "application/json-patch+json"),
    "transaction": ("POST", f"{FHIR}?sender=mercy-adt", FHIR_JSON),
    "message": ("POST", f"{FHIR}/$process-message?sender=mercy-adt", FHIR_JSON),
    "events": ("POST", "/ingest/events?sender=mercy-adt", JSON),
}
Door = Callable[[bytes], Any]


def cases(kind: str) -> list[tuple[str, bytes]]:
    if not SUITE.is_dir():
        pytest.skip("JSONTestSuite is not here (../shared/corpus/validator-cases)")
    found = [(path.stem, path.read_bytes()) for path in sorted((SUITE / "test_parsing").glob(f"{kind}_*.json"))]
    assert len(found) > 30
    return found


@pytest.fixture
def hub(store: Store) -> Hub:
    """With the usual limit of a body: a hundred thousand brackets are refused for what they are."""
    return Hub(FAST.model_copy(update={"max_body": 2**24}), store, Keys(b"HTEST" * 8), Clock(), Registry(store))


@pytest.fixture(params=DOORS)
async def door(request: pytest.FixtureRequest, app: FastAPI, world: World) -> Door:
    """Sends one body to a door of the hub."""
    method, path, media = DOORS[request.param]
    headers = await world.bearer(world.mercy, "ingest system/Task.u") | {"content-type": media}

    async def send(body: bytes) -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://hub.test") as web:
            return await web.request(method, path, content=body, headers=headers)

    return send


def issues(answer: httpx.Response) -> list[Resource]:
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome"
    found: list[Resource] = outcome["issue"]
    return found


def refused_as_text(answer: httpx.Response) -> bool:
    """Whether the answer says that the text itself can't be read."""
    if answer.status_code in {200, 201, 202}:
        return False
    places = [place for issue in issues(answer) for place in issue.get("expression", ())]
    return answer.status_code == 400 and any(place.startswith("$") for place in places)


async def test_what_is_no_json_is_refused_at_every_door(door: Door) -> None:
    answers = {name: await door(body) for name, body in cases("n")}
    assert {name: answer.status_code for name, answer in answers.items() if answer.status_code != 400} == {}
    assert [name for name, answer in answers.items() if not refused_as_text(answer)] == []


async def test_what_is_json_is_read_at_every_door(door: Door) -> None:
    answers = {name: await door(body) for name, body in cases("y")}
    assert {name for name, answer in answers.items() if refused_as_text(answer)} == REFUSED.keys()
    assert {name: answer.status_code for name, answer in answers.items() if answer.status_code >= 500} == {}


async def test_what_the_standard_leaves_open_is_refused_by_what_it_is(door: Door) -> None:
    answers = {name: await door(body) for name, body in cases("i")}
    assert {name: answer.status_code for name, answer in answers.items() if answer.status_code >= 500} == {}
    assert {name for name, answer in answers.items() if not refused_as_text(answer)} == READ.keys()


async def test_a_refusal_of_a_text_repeats_nothing_of_it(door: Door) -> None:
    for body in (b'{"HTEST-name": 1, "HTEST-name": 2}', b'["HTEST-\\u0000"]', b'{"HTEST": NaN}', b'["HTEST-text" x'):
        answer = await door(body)
        assert refused_as_text(answer)
        said = json.dumps([issue["diagnostics"] for issue in issues(answer)])
        assert "HTEST" not in said
