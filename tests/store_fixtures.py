"""One ``store`` per test on each database: migrated for real, thrown away afterwards."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from app.core.clock import Clock
from app.store import migrate
from app.store.store import Store, connect
from tests.hub_fixtures import people
from tests.postgres import PostgresServer


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "empty.db"
    asyncio.run(migrate.upgrade(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def peopled_sqlite(migrated_sqlite: Path) -> Path:
    path = migrated_sqlite.with_name("peopled.db")
    shutil.copy(migrated_sqlite, path)
    asyncio.run(people(f"sqlite:///{path}"))
    return path


def peopled_template(server: PostgresServer) -> str:
    """The template of databases that ``people`` filled."""
    return server.template("peopled", lambda url: asyncio.run(people(url)), migrated_template(server))


def migrated_template(server: PostgresServer) -> str:
    """The template of databases that are migrated and empty."""
    return server.template("migrated", lambda url: asyncio.run(migrate.upgrade(url)))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated database, once per kind; empty, but that of a test with a ``world`` knows who takes part.

    Registering them takes longer than most tests, so it is done once and copied.
    """
    peopled = "world" in request.fixturenames
    if request.param == "sqlite":
        path = tmp_path / "hub.db"
        shutil.copy(request.getfixturevalue("peopled_sqlite" if peopled else "migrated_sqlite"), path)
        yield f"sqlite:///{path}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.copy_of(peopled_template(server) if peopled else migrated_template(server))
    yield url
    server.drop(url)


@pytest.fixture
def another_database(database_url: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """More databases of the same kind as ``database_url``, all empty, as many as are asked for."""
    made: list[str] = []
    sqlite = database_url.startswith("sqlite")

    def make() -> str:
        if sqlite:
            path = tmp_path / f"another{len(made)}.db"
            shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
            url = f"sqlite:///{path}"
        else:
            server: PostgresServer = request.getfixturevalue("postgres_server")
            url = server.copy_of(migrated_template(server))
        made.append(url)
        return url

    yield make
    for url in () if sqlite else made:
        request.getfixturevalue("postgres_server").drop(url)


@pytest_asyncio.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    opened = connect(database_url, Clock())
    yield opened
    await opened.close()
