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
from tests.postgres import PostgresServer


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "empty.db"
    asyncio.run(migrate.upgrade(f"sqlite:///{path}"))
    return path


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated, empty database; once per kind."""
    if request.param == "sqlite":
        path = tmp_path / "hub.db"
        shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
        yield f"sqlite:///{path}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    template = server.template("migrated", lambda url: asyncio.run(migrate.upgrade(url)))
    url = server.create(template)
    yield url
    server.drop(url)


@pytest.fixture
def another_database(database_url: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """More databases of the same kind as ``database_url``, as many as are asked for."""
    made: list[str] = []
    sqlite = database_url.startswith("sqlite")

    def make() -> str:
        if sqlite:
            path = tmp_path / f"another{len(made)}.db"
            shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
            url = f"sqlite:///{path}"
        else:
            server: PostgresServer = request.getfixturevalue("postgres_server")
            url = server.create(server.template("migrated", lambda one: asyncio.run(migrate.upgrade(one))))
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
