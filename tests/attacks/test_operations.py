"""Attack cases 70 and 71: what is kept beside the data, and who can read or move it."""

import stat
from pathlib import Path

import httpx
import pytest

from app.store import migrate
from app.store.changes import Changes
from app.store.committer import Committer
from app.store.database import Gone
from tests.contract.fhir_callers import Caller
from tests.contract.neighbours import Neighbours
from tests.hub_fixtures import World
from tests.journeys.machine import Machine


async def test_70_what_can_not_be_recorded_is_not_shown(
    all_of_them: Neighbours, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    harbor, foreign = all_of_them.harbor, all_of_them.foreign
    wanted = [
        *(f"{name}/{one['id']}" for name, one in foreign.items()),
        f"Task/{foreign['Task']['id']}/_history",
        f"Task/{foreign['Task']['id']}/_history/1",
        f"Task/{foreign['Task']['id']}/$packet",
        "Task?_include=Task:patient",
    ]
    # A version that nobody was given yet of everything that is asked for.
    await world.hub.store.database.execute("update visibility set disclosed = 0")
    committed = Committer.commit

    async def refuse(self: Committer, changes: Changes) -> object:
        if changes.disclosures:
            raise Gone("HTEST")
        return await committed(self, changes)

    monkeypatch.setattr(Committer, "commit", refuse)
    for path in wanted:
        answer = await harbor.get(path)
        assert answer.status_code == 503, path
        assert "Htest" not in answer.text
    monkeypatch.undo()
    for path in wanted:
        assert (await harbor.get(path)).status_code == 200


@pytest.mark.parametrize("kind", ["AuditEvent", "Provenance"])
async def test_70_nobody_writes_what_tells_of_the_past(kind: str, all_of_them: Neighbours, stranger: Caller) -> None:
    one = all_of_them.foreign.get(kind, {"resourceType": kind, "id": "a"})
    for answer in (
        await stranger.post(kind, one),
        await stranger.put(one),
        await stranger.patch(f"{kind}/{one['id']}", {"op": "remove", "path": "/agent"}),
        await stranger.delete(f"{kind}/{one['id']}"),
    ):
        assert answer.status_code in {404, 405}


async def test_71_the_file_of_the_database_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "var" / "hub.db"
    await migrate.upgrade(f"sqlite:///{path}")
    modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()}
    assert modes
    assert {mode & 0o077 for mode in modes.values()} == {0}, modes


def test_71_what_a_serving_machine_makes_is_for_its_owner_only(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "sqlite:///./var/hub.db")
    machine.type("db", "upgrade")
    made = [path for path in (tmp_path / "var").rglob("*") if path.is_file()]
    assert {path.name for path in made} >= {"hub.db", "keys"}
    assert [path.name for path in made if path.stat().st_mode & 0o077] == []


async def test_71_no_open_page_holds_a_setting_or_a_person(all_of_them: Neighbours, web: httpx.AsyncClient) -> None:
    known = [one["id"] for one in all_of_them.foreign.values()]
    known += [one.organization for one in (all_of_them.mercy, all_of_them.harbor, all_of_them.peers)]
    for path in ("/metrics", "/health/live", "/health/ready", "/docs", "/openapi.json", "/fhir/R4/metadata", "/"):
        answer = await web.get(path)
        assert answer.status_code in {200, 303, 307, 503}, path
        for secret in (*known, "HTEST0001", "sqlite:", "postgresql:", "var/keys"):
            assert secret not in answer.text, path
