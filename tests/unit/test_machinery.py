"""The rules of the test suite itself: no network in the pure rings, and nothing required may be skipped."""

import asyncio
import socket
from pathlib import Path

import pytest

from tests.conftest import ROOT, SocketUsed, is_pure
from tests.postgres import find_bin
from tests.requirements import VARIABLE, missing, required


def test_a_unit_test_cannot_open_a_connection() -> None:
    with socket.socket() as probe, pytest.raises(SocketUsed):
        probe.connect(("127.0.0.1", 9))


def test_a_unit_test_cannot_listen() -> None:
    with socket.socket() as probe, pytest.raises(SocketUsed):
        probe.bind(("127.0.0.1", 0))


def test_a_unit_test_cannot_look_up_a_name() -> None:
    with pytest.raises(SocketUsed):
        socket.getaddrinfo("example.org", 80)


async def test_an_event_loop_still_runs() -> None:
    assert await asyncio.sleep(0, "awake") == "awake"


@pytest.mark.parametrize(
    ("ring", "pure"), [("unit", True), ("golden", True), ("property", True), ("contract", False), ("journeys", False)]
)
def test_the_pure_rings_are_told_by_their_folder(ring: str, *, pure: bool) -> None:
    assert is_pure(ROOT / "tests" / ring / "test_x.py") is pure


def test_a_missing_program_skips_by_name_unless_it_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")
    assert not required("postgres")
    with pytest.raises(pytest.skip.Exception, match="pg_ctl not found"):
        missing("postgres", "pg_ctl not found")


def test_a_required_program_that_is_missing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "chromium, postgres")
    assert required("postgres")
    with pytest.raises(pytest.fail.Exception, match=f"pg_ctl not found, but {VARIABLE} names postgres"):
        missing("postgres", "pg_ctl not found")


def test_the_server_of_the_path_wins_over_installed_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "pg_ctl"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_bin() == tmp_path
