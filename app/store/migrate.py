"""Brings a database to the schema of this release, and tells whether it is there."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

from app.store.schema import metadata
from app.store.sqlite import private_file

T = TypeVar("T")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


async def _with_connection(url: str, work: Callable[[Connection], T]) -> T:
    if url.startswith("sqlite"):
        private_file(Path(url.removeprefix("sqlite:///")))
        engine = create_engine(url)
        try:
            with engine.connect() as connection:
                # Stays with the file, so that no process has to change it while others read.
                connection.execute(text("pragma journal_mode = wal"))
            with engine.begin() as connection:
                return work(connection)
        finally:
            engine.dispose()
    async_engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://", 1))
    try:
        async with async_engine.begin() as connection:
            return await connection.run_sync(work)
    finally:
        await async_engine.dispose()


async def upgrade(url: str, revision: str = "head") -> None:
    """Run every migration up to ``revision`` that is missing; a database that is up to date is left alone."""

    def work(connection: Connection) -> None:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    await _with_connection(url, work)


async def is_current(url: str) -> bool:
    """Whether the database has the newest revision."""

    def work(connection: Connection) -> bool:
        newest = ScriptDirectory.from_config(_config()).get_current_head()
        return MigrationContext.configure(connection).get_current_revision() == newest

    return await _with_connection(url, work)


async def differences(url: str) -> list[str]:
    """What the migrated schema lacks against the tables of this release; empty when they agree."""

    def work(connection: Connection) -> list[str]:
        return [repr(found) for found in compare_metadata(MigrationContext.configure(connection), metadata)]

    return await _with_connection(url, work)
