"""No acknowledgement without a durable commit, whatever happens to the database; and one effect, however many ask."""

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import asyncpg
import httpx
import pytest

from app.core.actor import Actor
from app.core.clock import Clock
from app.core.errors import HubError
from app.entrypoints.mllp.framing import frame
from app.entrypoints.mllp.server import MllpServer
from app.main import attach, create_app
from app.services import tasks
from app.services.disclosures import Disclosures
from app.services.hub import Hub
from app.services.intake import Intake
from app.services.intake_requests import receive_frame
from app.store.store import connect
from tests.chaos import verdict
from tests.chaos.story import accept, accept_task, code, family, hub_over, message, send
from tests.chaos.taps import tapped
from tests.hub_fixtures import World
from tests.postgres import PostgresServer

HL7 = {"content-type": "application/hl7-v2"}
KINDS = ("RAS", "RDS", "A03")
Fault = Callable[[str], None]


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
def breaker() -> Breaker:
    return Breaker()


@pytest.fixture
async def broken(world: World, database_url: str, breaker: Breaker) -> AsyncIterator[Hub]:
    """A second hub over the database of ``world``, with the breaker in its connections."""
    store = tapped(database_url, breaker)
    yield hub_over(store, database_url)
    await store.close()


@asynccontextmanager
async def door(hub: Hub) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(hub.settings)
    attach(app, hub)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://hub.test") as client:
        yield client


async def mllp(hub: Hub, data: bytes) -> bytes:
    """All that the sender of ``data`` gets before the connection closes or a frame is whole."""
    intake = Intake(hub)

    async def receive(one: bytes, peer: str) -> bytes | None:
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


# ---- many at once


async def test_the_same_message_many_times_at_once_has_one_effect_and_is_acknowledged_each_time(
    web: httpx.AsyncClient, world: World
) -> None:
    headers = await world.bearer(world.mercy) | HL7
    await web.post("/ingest/hl7v2", content=message("RDS", 1), headers=headers)
    body = message("A03", 1)
    answers = await asyncio.gather(*(web.post("/ingest/hl7v2", content=body, headers=headers) for _ in range(32)))
    assert [(a.status_code, code(a.content)) for a in answers] == [(200, "AA")] * 32
    assert await verdict.copies(world.hub) == 31
    assert await verdict.kept(world.hub, 1) == {"RDS-1": 1, "A03-1": 1}
    assert await verdict.statuses(world.hub, 1) == [(False, "requested"), (True, "requested")]
    assert await verdict.faults(world.hub) == []


@asynccontextmanager
async def processes(world: World, url: str) -> AsyncIterator[list[tuple[Hub, Intake]]]:
    """The serving processes that may share a database: one on SQLite, three on PostgreSQL."""
    stores = [connect(url, Clock()) for _ in range(0 if url.startswith("sqlite") else 2)]
    hubs = [world.hub, *(hub_over(store, url) for store in stores)]
    try:
        yield [(hub, Intake(hub)) for hub in hubs]
    finally:
        for store in stores:
            await store.close()


async def test_the_messages_of_a_visit_in_any_order_at_once_make_one_referral_with_all_facts(
    world: World, database_url: str
) -> None:
    rounds = 30
    dice = random.Random(5)
    async with processes(world, database_url) as hubs:
        for begin in range(0, rounds, 5):
            wanted = [(kind, begin + n) for n in range(5) for kind in KINDS]
            dice.shuffle(wanted)
            answers = [send(*hubs[i % len(hubs)], kind, n) for i, (kind, n) in enumerate(wanted)]
            assert await asyncio.gather(*answers) == ["AA"] * len(wanted)
    for n in range(rounds):
        assert await verdict.statuses(world.hub, n) == [(False, "requested"), (True, "requested")]
        assert await verdict.kept(world.hub, n) == {f"{kind}-{n}": 1 for kind in KINDS}
    made = await verdict.types(world.hub)
    assert {made[name] for name in ("MedicationAdministration", "MedicationDispense", "Encounter", "Patient")} == {
        rounds
    }
    assert await verdict.faults(world.hub) == []


async def test_one_message_sent_to_several_processes_at_once_has_one_effect(world: World, database_url: str) -> None:
    async with processes(world, database_url) as hubs:
        for n in range(10):
            await send(*hubs[0], "RDS", n)
            assert await asyncio.gather(*(send(*hubs[i % len(hubs)], "A03", n) for i in range(9))) == ["AA"] * 9
            assert await verdict.statuses(world.hub, n) == [(False, "requested"), (True, "requested")]
    assert await verdict.copies(world.hub) == 80
    assert await verdict.faults(world.hub) == []


async def discharged(hub: Hub, number: int = 1) -> str:
    """Visit ``number`` ends; the child Task that the partner is asked by."""
    intake = Intake(hub)
    for kind in ("RDS", "A03"):
        assert await send(hub, intake, kind, number) == "AA"
    return (await family(hub, number))[-1].id


async def test_a_partner_that_accepts_many_times_at_once_accepts_once(world: World, database_url: str) -> None:
    task = await discharged(world.hub)
    async with processes(world, database_url) as hubs:
        asked = (accept_task(hubs[i % len(hubs)][0], world.harbor, task) for i in range(64))
        answers = await asyncio.gather(*asked)
    assert {answer.version for answer in answers} == {2}
    assert await verdict.statuses(world.hub, 1) == [(False, "accepted"), (True, "accepted")]
    assert await verdict.faults(world.hub) == []


async def cancel(hub: Hub, mercy: str, task: str) -> str:
    """The hospital takes its source Task back; what became of that."""
    actor = Actor(mercy, "HTEST-hospital", frozenset({"system/Task.rus"}))
    operations = [
        {"op": "replace", "path": "/status", "value": "cancelled"},
        {"op": "add", "path": "/statusReason", "value": {"text": "HTEST stays"}},
    ]
    try:
        await tasks.update(hub, Disclosures(hub.store), actor, tasks.patch(operations, task, None))
    except HubError as error:
        return type(error).__name__
    return "done"


async def try_to_accept(hub: Hub, partner: str, task: str) -> str:
    try:
        await accept_task(hub, partner, task)
    except HubError as error:
        return type(error).__name__
    return "done"


@pytest.mark.parametrize("way", ["A13", "Task"])
async def test_when_the_hospital_cancels_while_the_partner_accepts_one_of_them_wins(
    world: World, database_url: str, way: str
) -> None:
    seen = set()
    async with processes(world, database_url) as hubs:
        for n in range(12):
            task = await discharged(world.hub, n)
            source = (await family(world.hub, n))[0].id
            mine, theirs = hubs[0], hubs[-1]
            takes_back = send(*mine, "A13", n) if way == "A13" else cancel(mine[0], world.mercy, source)
            accepts = try_to_accept(theirs[0], world.harbor, task)
            both = [takes_back, accepts] if n % 2 else [accepts, takes_back]
            answers = await asyncio.gather(*both)
            accepted = (answers[1] if n % 2 else answers[0]) == "done"
            (_, of_source), (_, of_child) = await verdict.statuses(world.hub, n)
            if way == "A13":
                assert of_source == of_child == ("accepted" if accepted else "cancelled")
            else:
                assert (accepted, of_source, of_child) in {
                    (True, "accepted", "accepted"),
                    (True, "cancelled", "cancelled"),
                    (False, "cancelled", "cancelled"),
                }
            seen.add(of_child)
    assert await verdict.faults(world.hub) == []
    assert seen <= {"accepted", "cancelled"}


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


async def test_a_whole_batch_in_doubt_is_settled_message_by_message(
    world: World, broken: Hub, breaker: Breaker, database_url: str
) -> None:
    if database_url.startswith("sqlite"):
        pytest.skip("SQLite has no connection that breaks during COMMIT")
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


@pytest.mark.postgres
async def test_a_server_that_ends_the_connection_at_any_step_costs_no_message_and_doubles_none(
    postgres_server: PostgresServer, world: World, database_url: str
) -> None:
    if database_url.startswith("sqlite"):
        pytest.skip("SQLite has no server")
    name = database_url.rpartition("/")[2]
    victim = Cutter(postgres_server, name)
    store = tapped(database_url, victim)
    broken = hub_over(store, database_url)
    intake = Intake(broken)
    await send(broken, intake, "RDS", 0)
    for n, at in enumerate(("before begin", "after insert into body", "after with locked as", "before commit"), 1):
        await send(broken, intake, "RDS", n)
        victim.at = at
        assert await send(broken, intake, "A03", n) is None
        assert victim.at is None
        assert await verdict.kept(world.hub, n) == {f"RDS-{n}": 1}
        assert await send(broken, intake, "A03", n) == "AA"
        assert await verdict.statuses(world.hub, n) == [(False, "requested"), (True, "requested")]
    await store.close()
    assert await verdict.faults(world.hub) == []


class Cutter:
    """Lets the server end every connection to a database at the step ``at``, once."""

    def __init__(self, server: PostgresServer, name: str) -> None:
        self.at: str | None = None
        self._server = server
        self._cut = f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"

    def __call__(self, name: str) -> None:
        if name == self.at:
            self.at = None
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
