"""No acknowledgement without a durable commit, whatever happens to the database."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from time import monotonic

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from app.core.clock import Clock
from app.core.crypto import create_key_file
from app.core.errors import Unavailable
from app.core.mllp import frame
from app.entrypoints.mllp.server import MllpServer
from app.main import attach, create_app
from app.services import faults
from app.services.clients import accounts
from app.services.hub import Hub
from app.services.intake.intake import Intake
from app.services.intake.intake_requests import receive_frame
from app.store import migrate
from app.store.changes import Changes, Grant, Revocation
from app.store.sqlite import SqliteDatabase
from app.store.store import Store
from tests.chaos import verdict
from tests.chaos.story import (
    accept,
    code,
    discharged,
    hub_over,
    message,
    send,
    settle_in,
    started,
    try_to_accept,
)
from tests.chaos.taps import tapped
from tests.hub_fixtures import FAST, World
from tests.postgres import PostgresServer, cluster

HL7 = {"content-type": "application/hl7-v2"}
KINDS = ("RAS", "RDS", "A03")
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ON_POSTGRES = pytest.mark.parametrize(
    "database_url", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)


class Breaker:
    """Raises ``error`` at the step ``at``, once."""

    def __init__(self) -> None:
        self.at: str | None = None
        self.error: Exception = ConnectionError()

    def arm(self, at: str, error: Exception) -> None:
        self.at, self.error = at, error

    def __call__(self, name: str) -> None:
        if name == self.at:
            self.at = None
            raise self.error


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A cluster that the test may stop."""
    with cluster() as server:
        yield server


@pytest.fixture
def breaker() -> Breaker:
    return Breaker()


@pytest.fixture
async def broken(database_url: str, breaker: Breaker) -> AsyncIterator[Hub]:
    """A second hub over the database, with the breaker in its connections."""
    store = tapped(database_url, breaker)
    yield hub_over(store, database_url)
    await store.close()


@asynccontextmanager
async def door(hub: Hub) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(hub.settings)
    attach(app, hub)
    async with client_of(app) as client:
        yield client


def client_of(app: FastAPI) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://hub.test")


async def bearer(hub: Hub, organization: str, scope: str = "ingest") -> dict[str, str]:
    """The headers of a new client."""
    made = await accounts.add_client(hub, organization, scope)
    return {"authorization": f"Bearer {(await accounts.issue(hub, made.client_id)).token}"}


async def mllp(hub: Hub, data: bytes) -> bytes:
    """All that the sender of ``data`` gets before the connection closes or a frame is whole."""
    intake = Intake(hub)

    async def receive(one: bytes, peer: str) -> list[bytes] | None:
        return await receive_frame(hub, intake, one, peer)

    server = MllpServer(receive, host="127.0.0.1", port=0)
    await server.start()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(frame(data))
        async with asyncio.timeout(10):
            try:
                return await reader.readuntil(b"\x1c\r")
            except asyncio.IncompleteReadError as error:
                return error.partial
            finally:
                writer.close()
                await writer.wait_closed()
    finally:
        await server.stop()


# ---- a commit whose outcome is not known


async def test_after_a_commit_of_unknown_outcome_only_what_is_found_is_acknowledged(
    world: World, broken: Hub, breaker: Breaker, database_url: str
) -> None:
    sqlite = database_url.startswith("sqlite")
    lost: Exception = sqlite3.OperationalError("disk I/O error") if sqlite else ConnectionResetError()
    intake = Intake(broken)
    await send(broken, intake, "RDS", 1)
    breaker.arm("before commit", lost)
    assert await send(broken, intake, "A03", 1) is None
    assert await verdict.kept(world.hub, 1) == {"RDS-1": 1}
    breaker.arm("after commit", lost)
    assert await send(broken, intake, "A03", 1) == (None if sqlite else "AA")
    assert await verdict.kept(world.hub, 1) == {"RDS-1": 1, "A03-1": 1}
    assert await send(broken, intake, "A03", 1) == "AA"
    assert await verdict.copies(world.hub) == 1
    assert await verdict.statuses(world.hub, 1) == [(False, "requested"), (True, "requested")]
    assert await verdict.faults(world.hub) == []


@pytest.mark.parametrize("at", ["before commit", "after commit"])
async def test_an_acceptance_of_unknown_outcome_is_told_as_such_and_repeated_without_effect(
    world: World, broken: Hub, breaker: Breaker, database_url: str, at: str
) -> None:
    sqlite = database_url.startswith("sqlite")
    task = await discharged(broken)
    breaker.arm(at, sqlite3.OperationalError("disk I/O error") if sqlite else ConnectionResetError())
    assert await try_to_accept(broken, world.harbor, task) == "Unavailable"
    again = await accept(broken, world.harbor, 1)
    assert again.version == 2
    assert (task, 2) in await verdict.disclosed(world.hub, 1)
    assert await verdict.faults(world.hub) == []


@ON_POSTGRES
async def test_a_whole_batch_in_doubt_is_settled_message_by_message(
    world: World, broken: Hub, breaker: Breaker
) -> None:
    intake = Intake(broken)
    await asyncio.gather(*(send(broken, intake, "RDS", n) for n in range(8)))
    breaker.arm("after commit", ConnectionResetError())
    first = await asyncio.gather(*(send(broken, intake, "A03", n) for n in range(8)))
    breaker.arm("before commit", ConnectionResetError())
    second = await asyncio.gather(*(send(broken, intake, "RAS", n) for n in range(8)))
    assert first == ["AA"] * 8
    assert None in second
    assert await asyncio.gather(*(send(broken, intake, "RAS", n) for n in range(8))) == ["AA"] * 8
    for n in range(8):
        assert await verdict.kept(world.hub, n) == {f"{kind}-{n}": 1 for kind in KINDS}
    assert await verdict.faults(world.hub) == []


@ON_POSTGRES
@pytest.mark.usefixtures("world")
async def test_a_server_that_ends_every_connection_costs_no_message_and_doubles_none(
    postgres_server: PostgresServer, database_url: str
) -> None:
    name = database_url.rpartition("/")[2]
    victim = Cutter(postgres_server, name)
    store = tapped(database_url, victim)
    broken = hub_over(store, database_url)
    intake = Intake(broken)
    await send(broken, intake, "RDS", 0)
    for n in range(1, 4):
        await acknowledged(broken, intake, "RDS", n)
        victim.arm("before commit")
        assert await send(broken, intake, "A03", n) is None
        assert victim.cuts == n
        async with started(database_url) as fresh:
            assert await verdict.kept(fresh, n) == {f"RDS-{n}": 1}
        await acknowledged(broken, intake, "A03", n)
        assert await verdict.statuses(broken, n) == [(False, "requested"), (True, "requested")]
    assert await verdict.faults(broken) == []
    await store.close()


async def acknowledged(hub: Hub, intake: Intake, kind: str, number: int) -> None:
    """Send until there is an acknowledgement: idle connections that were ended too show it when they are used."""
    async with asyncio.timeout(2):
        while await send(hub, intake, kind, number) != "AA":  # noqa: ASYNC110 - a sender tries again, it hears no event
            await asyncio.sleep(0.02)


class Cutter:
    """Lets the server end every connection to a database at the step ``at``, once."""

    def __init__(self, server: PostgresServer, name: str) -> None:
        self.cuts = 0
        self._at: str | None = None
        self._server = server
        self._cut = f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"

    def arm(self, at: str) -> None:
        self._at = at

    def __call__(self, name: str) -> None:
        if name == self._at:
            self._at = None
            self.cuts += 1
            self._server.sql(self._cut)


async def test_a_sender_that_hangs_up_before_its_answer_finds_its_message_kept(world: World) -> None:
    intake = Intake(world.hub)
    await send(world.hub, intake, "RDS", 1)
    waiting = asyncio.create_task(send(world.hub, intake, "A03", 1))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert await send(world.hub, intake, "A03", 1) == "AA"
    assert await verdict.kept(world.hub, 1) == {"RDS-1": 1, "A03-1": 1}
    assert await verdict.faults(world.hub) == []


# ---- the database is away, locked or full


async def told(web: httpx.AsyncClient, headers: dict[str, str], kind: str, number: int) -> tuple[int, str | None]:
    """Status and MSA-1 of one message by HTTP; a 503 must say when to come back."""
    answer = await web.post("/ingest/hl7v2", content=message(kind, number), headers=headers | HL7)
    assert (answer.status_code == 503) == ("retry-after" in answer.headers)
    return answer.status_code, code(answer.content) or None


@pytest.mark.alone
@pytest.mark.postgres
async def test_while_the_server_is_away_nothing_is_acknowledged_and_soon_after_all_is(
    tmp_path: Path, own_server: PostgresServer
) -> None:
    url = own_server.create()
    await migrate.upgrade(url)
    keys = tmp_path / "keys"
    create_key_file(keys)
    settings = FAST.model_copy(update={"database_url": url, "key_file": keys, "worker": True})
    app = create_app(settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://hub.test") as web,
    ):
        hub: Hub = app.state.hub
        mercy, harbor = await settle_in(hub)
        headers = await bearer(hub, mercy)
        reader = await bearer(hub, harbor, "system/Task.rs")
        assert await told(web, headers, "RDS", 1) == (200, "AA")
        assert (await web.get("/fhir/R4/Task", headers=reader)).status_code == 200
        own_server.stop()
        for _ in range(2):
            assert await told(web, headers, "A03", 1) == (503, None)
            assert await mllp(hub, message("A03", 1)) == b""
            for path in ("/fhir/R4/Task", "/health/ready"):
                assert (await web.get(path, headers=reader)).status_code == 503
        assert (await web.get("/health/live")).status_code == 200
        own_server.start()
        back = monotonic()
        while (await told(web, headers, "A03", 1))[0] == 503:
            assert monotonic() - back < 2
            await asyncio.sleep(0.05)
        assert (await mllp(hub, message("RAS", 1))).count(b"MSA|AA") == 1
        assert (await web.get("/fhir/R4/Task", headers=reader)).json()["total"] == 1
        assert (await web.get("/health/ready")).status_code == 200
        assert await verdict.statuses(hub, 1) == [(False, "requested"), (True, "requested")]
        assert await verdict.faults(hub) == []


CANNOT_WRITE = pytest.mark.parametrize(
    "error", [asyncpg.DiskFullError("no space left"), asyncpg.PostgresIOError("could not fsync"), TimeoutError()]
)


@ON_POSTGRES
@CANNOT_WRITE
@pytest.mark.parametrize("at", ["before begin", "after begin", "after with part0 as", "before commit"])
async def test_of_a_write_that_takes_several_statements_nothing_is_kept_when_one_fails(
    broken: Hub, breaker: Breaker, at: str, error: Exception
) -> None:
    def shown_to(organization: str) -> Changes:
        return Changes(revocations=(Revocation("a", "t1"), Revocation("b", "t1")), grants=(Grant(organization, "t1"),))

    await broken.store.commit(shown_to("a"))
    breaker.arm(at, error)
    with pytest.raises(Unavailable):
        await broken.store.commit(shown_to("b"))
    assert breaker.at is None
    assert await broken.store.database.fetch("select organization from visibility") == [("a",)]
    await broken.store.commit(shown_to("b"))
    assert await broken.store.database.fetch("select organization from visibility") == [("b",)]


@ON_POSTGRES
@CANNOT_WRITE
async def test_a_server_that_cannot_write_is_an_outage_not_a_fault(
    world: World, broken: Hub, breaker: Breaker, error: Exception
) -> None:
    headers = await bearer(world.hub, world.mercy)
    async with door(broken) as web:
        breaker.arm("before commit", error)
        assert await told(web, headers, "RDS", 1) == (503, None)
        assert await verdict.kept(world.hub, 1) == {}
        breaker.arm("before commit", error)
        assert await mllp(broken, message("RDS", 1)) == b""
        assert await told(web, headers, "RDS", 1) == (200, "AA")
    assert await verdict.kept(world.hub, 1) == {"RDS-1": 1}
    assert await verdict.faults(world.hub) == []


@pytest.fixture
async def impatient(world: World, database_url: str) -> AsyncIterator[Hub]:
    """A hub over the SQLite file of ``world`` that waits a fifth of a second for another writer."""
    await world.hub.store.close()
    database = SqliteDatabase(Path(database_url.removeprefix("sqlite:///")), busy_seconds=0.2)
    yield hub_over(Store(database, Clock()), database_url)
    await database.close()


@ON_SQLITE
async def test_a_file_that_another_process_keeps_locked_is_an_outage(impatient: Hub, world: World) -> None:
    headers = await bearer(impatient, world.mercy)
    reader = await bearer(impatient, world.harbor, "system/Task.rs")
    database = impatient.store.database
    assert isinstance(database, SqliteDatabase)
    async with door(impatient) as web:
        await discharged(impatient)
        assert (await web.get("/fhir/R4/Task", headers=reader)).json()["total"] == 1
        with closing(sqlite3.connect(impatient.settings.database_url.removeprefix("sqlite:///"))) as other:
            other.execute("begin immediate")
            assert await told(web, headers, "RAS", 1) == (503, None)
            assert await mllp(impatient, message("RAS", 1)) == b""
            assert (await web.get("/fhir/R4/Task", headers=reader)).json()["total"] == 1
            other.rollback()
        assert await told(web, headers, "RAS", 1) == (200, "AA")
    assert await verdict.kept(impatient, 1) == {f"{kind}-1": 1 for kind in KINDS}
    assert await verdict.faults(impatient) == []


@ON_SQLITE
async def test_a_full_disk_is_an_outage_for_writers_only_and_ends_with_it(impatient: Hub, world: World) -> None:
    headers = await bearer(impatient, world.mercy)
    reader = await bearer(impatient, world.harbor, "system/Task.rs")
    async with door(impatient) as web:
        await discharged(impatient)
        assert (await web.get("/fhir/R4/Task", headers=reader)).json()["total"] == 1
        await limit_pages(impatient, full=True)
        answers = [await told(web, headers, "RDS", n) for n in range(2, 12)]
        assert set(answers) <= {(200, "AA"), (503, None)}
        assert answers[-1] == (503, None)
        assert await mllp(impatient, message("RDS", 12)) == b""
        assert (await web.get("/fhir/R4/Task", headers=reader)).json()["total"] == 1
        assert await verdict.faults(impatient) == []
        await limit_pages(impatient, full=False)
        again = [await told(web, headers, "RDS", n) for n in range(2, 13)]
    assert again == [(200, "AA")] * 11
    assert await verdict.copies(impatient) == answers.count((200, "AA"))
    for n in range(2, 13):
        assert await verdict.kept(impatient, n) == {f"RDS-{n}": 1}
    assert await verdict.faults(impatient) == []


async def limit_pages(hub: Hub, *, full: bool) -> None:
    """Let the database file grow no more, or freely again: a property of the writing connection."""
    database = hub.store.database
    assert isinstance(database, SqliteDatabase)

    def work(connection: sqlite3.Connection) -> None:
        pages = connection.execute("pragma page_count").fetchone()[0] if full else 1 << 30
        connection.execute(f"pragma max_page_count = {pages}")

    await database._run(database._writer, work)


def test_a_fault_where_there_is_no_database_is_told_as_one_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("THROUGHLINE_KEY_FILE", str(tmp_path / "keys"))
    monkeypatch.setenv("THROUGHLINE_DATABASE_URL", f"sqlite:///{tmp_path / 'hub.db'}")
    told = asyncio.run(faults.told(RuntimeError("HTEST")))
    assert told.message.startswith("RuntimeError at ")
    assert "HTEST" not in told.message
    refused = asyncio.run(faults.told(PermissionError(13, "Permission denied", "sender.json")))
    assert refused.hint == "check the path"
    assert list(tmp_path.iterdir()) == []
