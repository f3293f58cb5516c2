"""``throughline bench`` as a person runs it: a hub of its own, and a hub that runs and must not be harmed."""

import asyncio
import os
from pathlib import Path

import pytest

from app.core.actor import Actor
from app.core.crypto import create_key_file
from app.core.errors import BadRequest, Unavailable
from app.core.settings import Settings
from app.services import opening
from app.services.bench import bench, bench_machine
from app.services.intake.ledger_views import lines
from app.store import migrate
from app.store.queries import Query

SYSTEM = Actor.system("bench")


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One round each, and no settings from outside."""
    monkeypatch.setattr(bench, "_ROUNDS", 1)
    monkeypatch.setattr(bench, "_WARM_SECONDS", 0.4)
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("THROUGHLINE_"):
            monkeypatch.delenv(name)
    # The hub is a process of its own: it finds the code where this process found it.
    monkeypatch.setenv("PYTHONPATH", str(Path(bench.__file__).parents[2]))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    return Settings(_env_file=None, database_url=url, key_file=tmp_path / "keys", log_level="ERROR")


def test_a_hub_of_its_own_gives_rates_latencies_cpu_and_ratios_and_leaves_nothing(tmp_path: Path) -> None:
    found = bench.run(None, None, seconds=0.3)
    assert found["target"] == {"hub": "own", "database": "sqlite", "processes": 1}
    results = found["results"]
    writes = {"referrals", "unrelated ADT", "ACK at half rate"}
    assert writes | {"bare route", "empty poll", "304", "read by id"} <= set(results)
    for name, one in results.items():
        assert one["failed"] == 0, name
        assert one["count"] > 0, name
        assert 0 < one["p50_ms"] <= one["p99_ms"] <= one["max_ms"], name
        assert not bench_machine.available() or one["app_us"] > 0, name
    assert set(found["ratios"]) == set(results) - {"bare route", "ACK at half rate"}
    assert list(tmp_path.iterdir()) == []


async def test_a_hub_that_runs_gets_reads_and_test_messages_and_no_referral(settings: Settings) -> None:
    create_key_file(settings.key_file)
    await migrate.upgrade(settings.database_url)
    async with opening.opened(settings) as hub:
        founded = await bench.found(hub)
    async with bench._served(settings, 1) as (target, _):
        url = f"http://{target.host}:{target.port}"
        found = await asyncio.to_thread(bench.run, url, founded.ingest_token, seconds=0.2)
        other = await asyncio.to_thread(bench.run, url, founded.partner_token, seconds=0.2)
    assert set(found["results"]) >= {"bare route", "test messages", "empty poll"}
    assert all(one["failed"] == 0 for one in found["results"].values())
    assert "test messages" in other["skipped"]
    assert "test messages" not in other["results"]
    async with opening.opened(settings) as hub:
        states = {(line["state"], line["reasons"][0]["code"]) async for line in lines(hub)}
        assert states <= {("not-ours", "test-message"), ("rejected", "unknown-sender")}
        assert await hub.store.reader(SYSTEM).search(Query("ServiceRequest")) == []


async def test_a_database_that_is_in_use_is_left_alone(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    create_key_file(settings.key_file)
    await migrate.upgrade(settings.database_url)
    async with opening.opened(settings) as hub:
        await bench.found(hub)
    # A URL that is not SQLite's own form takes the path of a database that somebody gave.
    monkeypatch.setenv("THROUGHLINE_DATABASE_URL", settings.database_url)
    monkeypatch.setattr(bench, "_is_own", lambda _url: False)
    with pytest.raises(BadRequest, match="empty"):
        await asyncio.to_thread(bench.run, None, None, seconds=0.2)


def test_a_hub_that_does_not_answer_is_said_to(unused_tcp_port: int) -> None:
    with pytest.raises(Unavailable):
        bench.run(f"http://127.0.0.1:{unused_tcp_port}", "t", seconds=0.2)


def test_only_plain_http_is_spoken() -> None:
    with pytest.raises(BadRequest):
        bench.run("https://hub.test", "t", seconds=0.2)
