"""docs/retention.md is true: its request is taken by a hub that serves, its commands run, its codes are those."""

import json
import re
import shlex
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import typer
from typer.core import TyperGroup

from app.cli import app as commands
from app.rules.retention import POINTS, answers
from schemas.codes.local import CODES, RETENTION
from schemas.hours import WEEKDAYS
from tests.journeys.running_hub import Caller, RunningHub, command, running
from tests.journeys.stay import HARBOR, MERCY, Stay
from tests.postgres import FreshDatabase

GUIDE = (Path(__file__).parents[2] / "docs" / "retention.md").read_text(encoding="utf-8")
(REQUEST,) = [json.loads(body) for body in re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)]
COMMANDS = re.findall(r"^throughline (.+)$", GUIDE, re.MULTILINE)
PARTNER = HARBOR["name"]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def hub(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningHub]:
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    if request.param == "postgresql":
        fresh_database: FreshDatabase = request.getfixturevalue("fresh_database")
        url = fresh_database()
    today = WEEKDAYS[datetime.now(ZoneInfo(HARBOR["time_zone"])).weekday()]
    with running(monkeypatch, tmp_path, url, senders=[MERCY], partners=[{**HARBOR, "still_here_on": today}]) as found:
        yield found


def taken(hub: RunningHub, *numbers: int) -> Caller:
    """The partner, which has accepted these people."""
    mercy, harbor = hub.caller("mercy"), hub.caller(PARTNER)
    for number in numbers:
        for message in Stay(number).whole():
            hub.post_hl7(mercy, message)
    for task in harbor.search("Task?status=requested"):
        headers = harbor.headers | {"content-type": "application/json-patch+json"}
        change = [{"op": "replace", "path": "/status", "value": "accepted"}]
        assert hub.web.patch(f"/fhir/R4/Task/{task['id']}", content=json.dumps(change), headers=headers).is_success
    return harbor


def parts(answer: Any) -> list[dict[str, Any]]:
    """What stands of each person, by name."""
    people = [one for one in answer.get("parameter", []) if one["name"] == "person"]
    return [{part["name"]: part for part in one["part"]} for one in people]


def list_id(answer: Any) -> str:
    return str(next(one["valueString"] for one in answer["parameter"] if one["name"] == "list"))


def task_of(part: dict[str, Any]) -> str:
    return str(part["task"]["valueReference"]["reference"]).rpartition("/")[2]


def test_the_codes_of_the_guide_are_those_that_may_be_said() -> None:
    said = set(re.findall(r"`([a-z0-9-]+)`", GUIDE))
    assert set(CODES[RETENTION]) <= said
    assert {answer for point in POINTS for answer in answers(point)} <= said


def test_every_command_of_the_guide_is_one_with_these_options() -> None:
    assert len(COMMANDS) == 3
    for line in COMMANDS:
        words = shlex.split(line)
        found = typer.main.get_command(commands)
        while isinstance(found, TyperGroup):
            found = found.commands[words.pop(0)]
        known = {option for parameter in found.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line


def test_the_request_of_the_guide_is_taken(hub: RunningHub) -> None:
    harbor = taken(hub, 7, 8)
    path = f"/fhir/R4/Organization/{harbor.organization}/$still-here"
    found = hub.web.get(path, headers=harbor.headers).json()
    asked = parts(found)
    assert [one["asked"]["valueCode"] for one in asked] == ["arrival"] * 2
    assert all(one["patient"]["valueReference"]["display"] for one in asked)
    gone, here = [task_of(one) for one in asked]
    body = json.loads(json.dumps(REQUEST).replace("01a00000-0000-7000-8000-000000000001", gone))
    body["parameter"][0]["valueString"] = list_id(found)
    headers = harbor.headers | {"content-type": "application/fhir+json"}
    answer = hub.web.post(path, content=json.dumps(body), headers=headers)
    assert answer.status_code == 200, answer.text
    assert {task_of(one): one["code"]["valueCode"] for one in parts(answer.json())} == {gone: "left", here: "arrived"}
    assert {task["id"]: task["status"] for task in harbor.search("Task")} == {gone: "accepted", here: "in-progress"}


def test_the_commands_of_the_guide_do_what_it_says(hub: RunningHub) -> None:
    taken(hub, 7, 8)
    for output in ("table", "csv", "html"):
        assert "HTESTALDER" in command("retention", "list", PARTNER, "--format", output)
    found = command("retention", "list", PARTNER, "--format", "json")
    first, second = sorted(task_of(one) for one in parts(found))
    told = ("retention", "answer", PARTNER, "--list", list_id(found), "--by", "R. Diaz")
    answered = command(*told, "--rest-here", "--tell", f"{first}=not-reached")
    assert {one["became"]["valueCode"] for one in parts(answered)} == {"answered"}
    again = command(*told, "--rest-here", "--tell", f"{first}=not-reached")
    assert {one["became"]["valueCode"] for one in parts(again)} == {"known"}
    assert parts(command("retention", "list", PARTNER, "--format", "json")) == []
    command(*told, "--tell", f"{second}=first-dose-given", code=1)
    command(*told, "--tell", second, code=1)
    command("retention", "answer", PARTNER, "--list", "none", "--by", "R. Diaz", code=1)
    command("retention", "list", "nobody", code=1)
