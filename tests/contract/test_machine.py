"""The machinery that other tests stand on: a PostgreSQL server of our own, and a browser."""

import json
import os
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from tests.architecture.sources import ROOT
from tests.chromium import Chromium
from tests.postgres import FreshDatabase, PostgresServer

TIMED = """
import json, os, time, pathlib, pytest

@pytest.mark.parametrize("number", range({count}))
{mark}
def test_something(number):
    began = time.monotonic()
    time.sleep(0.2)
    told = [{name!r}, os.environ["PYTEST_XDIST_WORKER"], began, time.monotonic()]
    pathlib.Path(f"{name}-{{number}}.told").write_text(json.dumps(told))
"""
SETTINGS = """
[pytest]
markers = alone: as in the suite
asyncio_default_fixture_loop_scope = function
"""


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


def test_files_run_side_by_side_and_what_is_alone_with_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text(SETTINGS)
    for name, mark, count in (("a", "", 4), ("b", "", 4), ("c", "@pytest.mark.alone", 5), ("d", "", 1)):
        (tmp_path / f"test_{name}.py").write_text(TIMED.format(name=name, mark=mark, count=count))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.side_by_side", "-n", "2", "--dist", "loadfile"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.rstrip().rpartition("\n")[2].startswith("14 passed"), done.stdout + done.stderr
    told = [json.loads(path.read_text()) for path in tmp_path.glob("*.told")]
    assert len(told) == 14
    workers = {name: {worker for other, worker, *_ in told if other == name} for name in "abcd"}
    assert [len(found) for found in workers.values()] == [1, 1, 1, 1]
    assert workers["a"] != workers["b"]
    last_beside = max(ended for name, _, _, ended in told if name != "c")
    assert last_beside <= min(began for name, _, began, _ in told if name == "c")
