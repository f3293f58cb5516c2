"""The machinery that other tests stand on: a PostgreSQL server of our own, and a browser."""

import asyncpg
import pytest

from tests.chromium import Chromium
from tests.postgres import FreshDatabase, PostgresServer


@pytest.mark.postgres
async def test_a_fresh_database_is_empty_and_knows_nothing_of_the_one_before(fresh_database: FreshDatabase) -> None:
    urls = [fresh_database(), fresh_database()]
    assert urls[0] != urls[1]
    for url in urls:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute("CREATE TABLE mark (n integer)")
            assert await connection.fetchval("SELECT count(*) FROM mark") == 0
        finally:
            await connection.close()


@pytest.mark.postgres
def test_a_database_copied_from_a_template_holds_what_was_prepared_once(
    postgres_server: PostgresServer, fresh_database: FreshDatabase
) -> None:
    prepared: list[str] = []
    names = {postgres_server.template("empty", prepared.append) for _ in range(2)}
    assert len(names) == len(prepared) == 1
    assert fresh_database(template=names.pop()) != prepared[0]


@pytest.mark.postgres
def test_the_server_commits_synchronously_as_production_does(postgres_server: PostgresServer) -> None:
    assert postgres_server.sql("SHOW synchronous_commit").strip() == "on"
    assert postgres_server.sql("SHOW listen_addresses").strip() == "127.0.0.1"


@pytest.mark.chromium
def test_the_browser_says_its_version(chromium: Chromium) -> None:
    assert "Chrom" in chromium.version
