import asyncio
import json
from contextlib import AsyncExitStack
from datetime import date, datetime
from pathlib import Path
from shutil import rmtree

import httpx
import jsonschema_rs
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from app.core import metrics
from app.entrypoints.worker import loop as worker
from app.main import _start_worker
from app.services.hub import Hub
from app.services.readiness import SchemaWatch
from app.services.reading import definitions
from app.store.sqlite import SqliteDatabase
from schemas.discharge import DischargeEvent
from tests.contract.http_messages import adt, event
from tests.hub_fixtures import World


@pytest.mark.parametrize("name", definitions.names())
async def test_what_our_extensions_and_operations_are_is_served(web: httpx.AsyncClient, name: str) -> None:
    answer = await web.get(f"/schemas/{name}.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/fhir+json")
    kind, _, own = name.partition("-")
    assert (answer.json()["resourceType"], answer.json()["url"]) == (
        kind,
        f"https://throughline.org/fhir/{kind}/{own}",
    )


async def test_a_living_process_says_so(web: httpx.AsyncClient) -> None:
    answer = await web.get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


class Current(SchemaWatch):
    """As after the first look at the schema."""

    def __init__(self) -> None:
        super().__init__()
        self._current = True


async def test_a_process_is_ready_when_database_and_doors_are(web: httpx.AsyncClient, app: FastAPI) -> None:
    app.state.schema = Current()
    answer = await web.get("/health/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "reasons": []})
    app.state.checks = {"mllp-not-listening": lambda: False}
    answer = await web.get("/health/ready")
    assert (answer.status_code, answer.json()["reasons"]) == (503, ["mllp-not-listening"])


async def test_a_process_without_its_database_is_not_ready(app: FastAPI, tmp_path: Path) -> None:
    app.state.schema = Current()
    missing = SqliteDatabase(tmp_path / "gone" / "hub.db")
    rmtree(tmp_path / "gone")
    app.state.hub.store.database, kept = missing, app.state.hub.store.database
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://hub.test") as web:
        answer = await web.get("/health/ready")
    app.state.hub.store.database = kept
    assert (answer.status_code, answer.json()["reasons"]) == (503, ["database-unreachable"])
    assert answer.headers["retry-after"] == "1"


async def test_the_schema_is_looked_at_until_it_is_current(app: FastAPI, database_url: str) -> None:
    watch = SchemaWatch()
    hub = app.state.hub
    object.__setattr__(hub, "settings", hub.settings.model_copy(update={"database_url": database_url}))
    assert await watch.faults(hub) == []
    object.__setattr__(hub, "settings", hub.settings.model_copy(update={"database_url": "sqlite:////proc/no.db"}))
    assert await watch.faults(hub) == []
    assert await SchemaWatch().faults(hub) == ["database-unreachable"]


async def test_figures_count_messages_by_sender_and_state_and_name_nobody(web: httpx.AsyncClient, world: World) -> None:
    before = metrics.MESSAGES.values["mercy-adt", "not-ours"]
    headers = await world.bearer(world.mercy) | {"content-type": "text/plain"}
    await web.post("/ingest/hl7v2", content=adt(), headers=headers)
    answer = await web.get("/metrics")
    assert answer.headers["content-type"] == metrics.CONTENT_TYPE
    found = [line for line in answer.text.splitlines() if 'sender="mercy-adt",state="not-ours"' in line]
    assert len(found) == 1
    assert found[0].endswith(f" {before + 1}")
    assert "HTEST" not in answer.text


async def test_figures_are_for_who_shows_the_token_where_one_is_set(web: httpx.AsyncClient, app: FastAPI) -> None:
    hub = app.state.hub
    closed = hub.settings.model_copy(update={"metrics_token": SecretStr("HTEST-figures")})
    object.__setattr__(hub, "settings", closed)
    shown = {"authorization": "Bearer HTEST-figures"}
    answers = [await web.get("/metrics", headers=one) for one in ({}, {"authorization": "Bearer HTEST"}, shown)]
    assert [answer.status_code for answer in answers] == [401, 401, 200]
    assert "HTEST-figures" not in repr(closed)


async def test_a_histogram_counts_what_took_at_most_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    one = metrics.Histogram("h", "text", ("route",))
    for seconds in (0.001, 0.002, 99.0):
        one.observe(seconds, '/a"b')
    lines = list(one.lines('process="1"'))
    monkeypatch.undo()
    assert lines[2] == r'h_bucket{route="/a\"b",process="1",le="0.001"} 1'
    assert lines[3] == r'h_bucket{route="/a\"b",process="1",le="0.0025"} 2'
    assert lines[-3:] == [
        r'h_bucket{route="/a\"b",process="1",le="+Inf"} 3',
        r'h_sum{route="/a\"b",process="1"} 99.003000',
        r'h_count{route="/a\"b",process="1"} 3',
    ]


@pytest.mark.parametrize("name", ["discharge-event", "partner", "sender"])
async def test_the_schemas_are_valid_schemas_with_their_own_address(web: httpx.AsyncClient, name: str) -> None:
    answer = await web.get(f"/schemas/{name}.json")
    schema = answer.json()
    assert schema["$id"] == f"http://hub.test/schemas/{name}.json"
    assert jsonschema_rs.meta.is_valid(schema)


async def test_the_schema_of_the_event_takes_what_the_hub_takes(web: httpx.AsyncClient) -> None:
    schema = (await web.get("/schemas/discharge-event.json")).json()
    validator = jsonschema_rs.validator_for(schema)
    assert validator.is_valid(event())
    assert not validator.is_valid(event(surprise=1))
    dumped = DischargeEvent.model_validate(event()).model_dump(by_alias=True, exclude_none=True)
    assert validator.is_valid(json.loads(json.dumps(dumped, default=_text)))


def _text(value: object) -> str:
    assert isinstance(value, date | datetime)
    return value.isoformat()


async def test_there_is_no_schema_of_another_name(web: httpx.AsyncClient) -> None:
    assert (await web.get("/schemas/nothing.json")).status_code == 404


async def test_the_front_door_leads_to_the_documentation(web: httpx.AsyncClient) -> None:
    answer = await web.get("/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/docs")
    for path in ("/docs", "/redoc"):
        assert "text/html" in (await web.get(path)).headers["content-type"]


async def test_a_process_whose_worker_ended_is_not_ready(
    app: FastAPI, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ends(_hub: Hub, _stop: asyncio.Event) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(worker, "run", ends)
    async with AsyncExitStack() as stack:
        _start_worker(app, hub, stack)
        assert app.state.checks["worker-stopped"]()
        await asyncio.sleep(0.01)
        assert not app.state.checks["worker-stopped"]()
