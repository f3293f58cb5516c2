"""docs/agreements.md is true: its files are taken by its commands, and its keys are described by a hub that serves."""

import json
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.running_hub import RunningHub, command, running
from tests.journeys.stay import HARBOR, MERCY
from tests.postgres import FreshDatabase
from tests.unit.test_working_agreement import AGREEMENT, GUIDE, MEETING

KEEP, SHOW, MEET, DUE = [
    shlex.split(line)[1:] for line in GUIDE.splitlines() if line.startswith("throughline agreement ")
]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def hub(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningHub]:
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    if request.param == "postgresql":
        fresh_database: FreshDatabase = request.getfixturevalue("fresh_database")
        url = fresh_database()
    senders, partners = [{**MERCY, "organization": "Mercy Hospital"}], [{**HARBOR, "name": "Harbor OTP"}]
    with running(monkeypatch, tmp_path, url, senders=senders, partners=partners) as found:
        yield found


def test_the_commands_of_the_guide_do_what_it_says(hub: RunningHub, tmp_path: Path) -> None:
    def file(name: str, content: Any) -> str:
        (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")
        return str(tmp_path / name)

    def run(words: list[str], **files: str) -> Any:
        return command(*(files.get(word.partition(".")[0].replace("-", "_"), word) for word in words))

    command(*SHOW, code=1)
    today = datetime.now(UTC).date()
    kept = file("mercy-harbor.json", AGREEMENT | {"starts_on": str(today), "ends_on": str(today + timedelta(days=20))})
    assert run(KEEP, mercy_harbor=kept) == {"hospital": "Mercy Hospital", "partner": "Harbor OTP", "version": 1}
    assert run(KEEP, mercy_harbor=kept)["version"] == 1
    met = file("june.json", MEETING | {"on": str(today - timedelta(days=1)), "next_on": str(today + timedelta(days=9))})
    assert run(MEET, june=met)["decisions"] == MEETING["decisions"]
    found = command(*SHOW)
    assert (found["in_force"], len(found["versions"]), len(found["meetings"])) == (True, 1, 1)
    assert found["versions"][0]["services"] == AGREEMENT["services"]
    assert {one["what"] for one in command(*DUE)} >= {"meeting", "agreement-ends"}
    command(*KEEP[:2], file("wrong.json", AGREEMENT | {"colour": "blue"}), *KEEP[3:], code=1)
    command("agreement", "show", "Mercy Hospital", "nobody", code=1)
    described = hub.web.get("/schemas/agreement.json").json()
    assert set(AGREEMENT) <= set(described["properties"])
    assert described["properties"]["response_minutes"]["description"]
