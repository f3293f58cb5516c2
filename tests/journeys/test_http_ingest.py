"""The doors of a real process on loopback: started, used over HTTP and MLLP at once, and stopped."""

import asyncio
import json
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn

from app.core.actor import Actor
from app.core.crypto import create_key_file
from app.core.mllp import frame
from app.core.settings import Settings
from app.main import Application, create_app
from app.services.clients import accounts
from app.services.partners import registration
from tests.contract.http_messages import adt, event
from tests.hub_fixtures import PARTNER
from tests.scratch import spare_port

HOST = "127.0.0.1"
WAIT = 20.0


@dataclass(slots=True)
class Served:
    """A hub that serves."""

    app: Application
    url: str
    mllp_port: int
    bearer: dict[str, str]


class Server(uvicorn.Server):
    """Tells when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    create_key_file(tmp_path / "keys")
    return Settings(
        _env_file=None,
        key_file=tmp_path / "keys",
        database_url=database_url,
        base_url="http://hub.test",
        mllp_host=HOST,
        mllp_port=spare_port(),
        log_level="ERROR",
    )


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Served]:
    app = create_app(settings)
    server = Server(
        uvicorn.Config(app, host=HOST, port=0, log_level="critical", access_log=False, ws="none", lifespan="on")
    )
    # The test's own loop keeps its signal handlers.
    running = asyncio.create_task(server._serve())
    try:
        await asyncio.wait_for(server.listening.wait(), WAIT)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Served(app, f"http://{HOST}:{port}", settings.mllp_port, await registered(app))
    finally:
        server.should_exit = True
        await asyncio.wait_for(running, WAIT)


async def registered(app: Application) -> dict[str, str]:
    """One hospital and one partner; the headers of the hospital's client."""
    hub = app.state.hub
    await registration.found_hub(hub)
    hospital = await registration.add_sender(
        hub,
        {
            "id": "mercy-adt",
            "organization": "HTEST Mercy",
            "dialect": "adt_generic",
            "timezone": "America/New_York",
            "part2": "none",
        },
    )
    await registration.import_partners(hub, json.dumps([PARTNER]).encode())
    made = await accounts.add_client(hub, hospital.organization, "ingest")
    return {"authorization": f"Bearer {(await accounts.issue(hub, made.client_id)).token}"}


async def by_mllp(port: int, messages: list[bytes]) -> list[bytes]:
    reader, writer = await asyncio.open_connection(HOST, port)
    answers = []
    for message in messages:
        writer.write(frame(message))
        await writer.drain()
        answers.append((await asyncio.wait_for(reader.readuntil(b"\x1c\r"), WAIT))[1:-2])
    writer.close()
    await writer.wait_closed()
    return answers


async def test_a_served_hub_takes_messages_by_both_doors_at_once(settings: Settings) -> None:
    async with serving(settings) as served, httpx.AsyncClient(base_url=served.url, headers=served.bearer) as web:
        kind = {"content-type": "application/hl7-v2"}
        framing = asyncio.create_task(by_mllp(served.mllp_port, [adt(n) for n in range(1, 11)]))
        answers = await asyncio.gather(
            *(web.post("/ingest/hl7v2", content=adt(n), headers=kind) for n in range(11, 31))
        )
        framed = await framing
        assert [f"MSA|AA|HTEST-{n}".encode() in ack for n, ack in enumerate(framed, 1)] == [True] * 10
        assert [f"MSA|AA|HTEST-{n}" in a.text for n, a in enumerate(answers, 11)] == [True] * 20
        opened = await web.post("/ingest/events", json=event(90))
        assert (opened.status_code, opened.json()["state"]) == (201, "referral")
        counts = await served.app.state.hub.store.intake(Actor.system("test")).counts()
        assert counts == {("mercy-adt", "not-ours"): 30, ("mercy-adt", "referral"): 1}
        ready = await web.get("/health/ready")
        assert (ready.status_code, ready.json()["reasons"]) == (200, [])
        assert "throughline_mllp_connections" in (await web.get("/metrics")).text


async def test_a_hub_that_stops_answers_what_it_has_and_can_be_started_again(settings: Settings) -> None:
    async with serving(settings) as served:
        answers = await by_mllp(served.mllp_port, [adt(1)])
        assert b"MSA|AA" in answers[0]
    async with serving(settings) as served:
        again = await by_mllp(served.mllp_port, [adt(1)])
        assert b"MSA|AA" in again[0]
        counts = await served.app.state.hub.store.intake(Actor.system("test")).counts()
        assert counts == {("mercy-adt", "not-ours"): 1, ("mercy-adt", "duplicate"): 1}


async def started(settings: Settings) -> tuple[bool, str]:
    """Whether it starts, and what it says when it doesn't."""
    said: list[str] = []
    app = create_app(settings)
    asked = asyncio.Event()

    async def receive() -> dict[str, str]:
        if asked.is_set():
            return {"type": "lifespan.shutdown"}
        asked.set()
        return {"type": "lifespan.startup"}

    async def send(message: object) -> None:
        assert isinstance(message, dict)
        said.append(str(message.get("message", "")))

    try:
        await app({"type": "lifespan", "state": {}}, receive, send)
    except Exception:  # noqa: BLE001 - what was said is what counts
        return False, said[0]
    return True, ""


async def test_a_hub_without_its_keys_says_what_to_do(settings: Settings) -> None:
    settings.key_file.unlink()
    assert await started(settings) == (False, "There is no key file yet: run throughline db upgrade.")


async def test_a_hub_without_its_schema_says_what_to_do(settings: Settings, tmp_path: Path) -> None:
    empty = settings.model_copy(update={"database_url": f"sqlite:///{tmp_path}/empty.db"})
    well, said = await started(empty)
    assert not well
    assert "throughline db upgrade" in said
    assert "\n" not in said


async def test_a_port_that_is_taken_is_said_plainly(settings: Settings) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, settings.mllp_port))
        taken.listen()
        well, said = await started(settings)
    assert not well
    assert said.startswith("The MLLP port can't be listened on")


async def test_one_process_serves_an_sqlite_file(settings: Settings, migrated_sqlite: Path, tmp_path: Path) -> None:
    shutil.copy(migrated_sqlite, tmp_path / "one.db")
    embedded = settings.model_copy(update={"database_url": f"sqlite:///{tmp_path}/one.db"})
    async with serving(embedded):
        well, said = await started(embedded.model_copy(update={"mllp_port": 0}))
    assert not well
    assert said.startswith("Another process serves this SQLite database")
