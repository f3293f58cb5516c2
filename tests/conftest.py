"""What holds for every test: who may open a socket, the shared fixtures, and the structure figures in the summary."""

import os
import socket
from pathlib import Path
from typing import NoReturn

import hypothesis
import pytest

from tests.scratch import folder

pytest_plugins = [
    "tests.postgres",
    "tests.chromium",
    "tests.hub_fixtures",
    "tests.store_fixtures",
    "tests.side_by_side",
]

ROOT = Path(__file__).parents[1]
os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(folder()))  # where tmp_path is made
PURE = frozenset({"unit", "golden", "property", "architecture", "fuzz"})
_DOORS = ("bind", "connect", "connect_ex", "listen", "sendto")

# No deadline: a test must not fail because the machine is busy. No database: what failed belongs into an @example.
hypothesis.settings.register_profile("suite", deadline=None, database=None)
hypothesis.settings.register_profile("fuzz", deadline=None, database=None, max_examples=10_000)
hypothesis.settings.load_profile("suite")


class SocketUsed(Exception):
    """A test of a ring that promises to stay in the process reached for the network."""


def is_pure(path: Path) -> bool:
    """Whether the test file belongs to a ring that opens no socket."""
    return path.relative_to(ROOT / "tests").parts[0] in PURE


@pytest.fixture(autouse=True)
def no_sockets(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse the network in the pure rings, but for tests that ask for a database.

    The pair that an event loop wakes itself with stays allowed.
    """
    if is_pure(request.path) and "database_url" not in request.fixturenames:

        def refuse(*_args: object, **_kwargs: object) -> NoReturn:
            raise SocketUsed("tests in unit, golden, property and architecture open no socket")

        for name in _DOORS:
            monkeypatch.setattr(socket.socket, name, refuse)
        monkeypatch.setattr(socket, "getaddrinfo", refuse)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests/architecture reports: they are watched, not gated."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    figures = [value for report in reports for name, value in report.user_properties if name == "structure"]
    for figure in figures:
        terminalreporter.write_line(f"structure: {figure}")
