"""The attacks are made on the hub of the contract tests, and some on one that is served."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.contract.fhir_callers import Caller, caller
from tests.contract.neighbours import Neighbours, all_of_them
from tests.hub_fixtures import World
from tests.journeys.running_hub import RunningHub, running
from tests.journeys.stay import HARBOR, MERCY

__all__ = ["all_of_them"]


@pytest_asyncio.fixture
async def stranger(world: World, web: httpx.AsyncClient, all_of_them: Neighbours) -> Caller:
    """The second partner, with every scope."""
    return await caller(world, web, all_of_them.peers.organization, "system/*.cruds")


@pytest.fixture
def served(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningHub]:
    """A hub on real sockets."""
    monkeypatch.setenv("THROUGHLINE_MAX_BODY", str(256 * 1024))
    with running(monkeypatch, tmp_path, database_url, senders=[MERCY], partners=[HARBOR]) as made:
        yield made
