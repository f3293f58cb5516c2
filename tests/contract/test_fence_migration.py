"""How the second fence is built where the login may not make roles, by several at once, and twice."""

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from app.core.actor import Actor
from app.core.clock import Clock
from app.services import faults
from app.store import fence, migrate
from app.store.changes import Changes, Grant, ResourceChange
from app.store.database import NeedsAdministrator, Unfenced
from app.store.store import connect
from tests.postgres import PostgresServer, cluster

pytestmark = pytest.mark.postgres
ROOT: Final = Path(__file__).parents[2]
LOGIN: Final = "htest_login"


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A cluster without the role, with a login that owns databases and may make no roles."""
    with cluster() as made:
        made.sql(f"create role {LOGIN} login password '{made.password}'")
        yield made


def owned(server: PostgresServer) -> str:
    """The URL of a new database for its owner, the login."""
    url = server.create()
    server.sql(f"alter database {url.rpartition('/')[2]} owner to {LOGIN}")
    return url.replace("//postgres:", f"//{LOGIN}:")


async def reads_its_own(url: str) -> bool:
    """Whether who was given something reads it, and somebody else does not."""
    store = connect(url, Clock())
    try:
        await store.commit(Changes(resources=(ResourceChange("p1", "Patient", 1, b"}}"),), grants=(Grant("a", "p1"),)))
        mine, theirs = [await store.reader(Actor(name, "c")).read("Patient", "p1") for name in "ab"]
        return mine is not None and theirs is None
    finally:
        await store.close()


async def refused(url: str) -> tuple[str, ...]:
    with pytest.raises(NeedsAdministrator) as caught:
        await migrate.upgrade(url)
    return caught.value.statements


async def test_a_login_that_may_make_no_roles_is_told_what_an_administrator_runs_once(server: PostgresServer) -> None:
    url = owned(server)
    statements = await refused(url)
    assert statements == (f"create role {fence.ROLE} nologin", f"grant {fence.ROLE} to {LOGIN}")
    assert await migrate.differences(url) != []
    told = await faults.told(NeedsAdministrator(*statements))
    assert "was not changed" in told.message
    assert all(statement in told.hint for statement in statements)
    server.sql(statements[0])
    assert await refused(url) == statements[1:]
    server.sql(statements[1])
    await migrate.upgrade(url)
    await migrate.upgrade(url)
    assert await reads_its_own(url)


async def test_a_role_that_could_pass_by_a_policy_is_not_taken(server: PostgresServer) -> None:
    server.sql(f"create role {fence.ROLE} bypassrls; grant {fence.ROLE} to {LOGIN}")
    url = owned(server)
    assert await refused(url) == (f"alter role {fence.ROLE} nologin nosuperuser nobypassrls",)
    server.sql(f"alter role {fence.ROLE} nobypassrls")
    await migrate.upgrade(url)
    server.sql(f"alter role {fence.ROLE} bypassrls")
    store = connect(url, Clock())
    assert "body" in await fence.gaps(store.database)
    await store.close()


async def test_databases_of_one_cluster_that_are_migrated_at_once_share_the_role(
    server: PostgresServer, tmp_path: Path
) -> None:
    server.sql(f"alter role {LOGIN} createrole")
    urls = [owned(server) for _ in range(3)]
    at_once = [await _upgrading(url, tmp_path / f"keys-{number}") for number, url in enumerate(urls)]
    assert [await one.wait() for one in at_once] == [0, 0, 0]
    assert [await reads_its_own(url) for url in urls] == [True] * 3


async def _upgrading(url: str, keys: Path) -> asyncio.subprocess.Process:
    """A process of its own: within one, migrations can't run side by side."""
    program = (sys.executable, "-m", "app.cli", "db", "upgrade")
    environment = {**os.environ, "THROUGHLINE_DATABASE_URL": url, "THROUGHLINE_KEY_FILE": str(keys)}
    quiet = asyncio.subprocess.DEVNULL
    return await asyncio.create_subprocess_exec(*program, env=environment, stdout=quiet, cwd=ROOT)


async def test_who_may_not_become_the_role_is_told_before_it_serves_and_reads_nothing(server: PostgresServer) -> None:
    server.sql(f"alter role {LOGIN} createrole")
    url = owned(server)
    await migrate.upgrade(url)
    server.sql(f"revoke {fence.ROLE} from {LOGIN}")
    store = connect(url, Clock())
    with pytest.raises(Unfenced):
        await fence.stands(store.database)
    with pytest.raises(Unfenced):
        await store.reader(Actor("a", "c")).read("Patient", "p1")
    await store.close()
    assert fence.ROLE in (await faults.told(Unfenced())).hint
