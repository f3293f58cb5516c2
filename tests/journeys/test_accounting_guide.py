"""docs/accounting.md is true: a privacy officer gets from a name to who received what, beside a hub that serves."""

import json
import re
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from app.cli import app as commands
from tests.journeys.running_hub import RunningHub, command, running
from tests.journeys.stay import HARBOR, MERCY, Stay
from tests.postgres import FreshDatabase

GUIDE = (Path(__file__).parents[2] / "docs" / "accounting.md").read_text(encoding="utf-8")
NOTICE = "42 CFR part 2 prohibits unauthorized use or disclosure of these records."
SAM = Stay(7)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def hub(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningHub]:
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    if request.param == "postgresql":
        fresh_database: FreshDatabase = request.getfixturevalue("fresh_database")
        url = fresh_database()
    partners = [{**HARBOR, "medical": True}]
    with running(monkeypatch, tmp_path, url, senders=[MERCY], partners=partners) as running_hub:
        yield running_hub


def test_every_command_of_the_guide_is_one_with_these_options() -> None:
    lines = re.findall(r"^throughline (.+)$", GUIDE, re.MULTILINE)
    assert len(lines) == 8
    group = typer.main.get_command(commands)
    for line in lines:
        words = shlex.split(line)
        found = group
        while isinstance(found, TyperGroup):
            found = found.commands[words.pop(0)]
        known = {option for parameter in found.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line


def test_two_steps_lead_from_a_name_to_who_received_what(hub: RunningHub) -> None:
    mercy, harbor = hub.caller("mercy"), hub.caller(HARBOR["name"])
    for message in SAM.whole():
        hub.post_hl7(mercy, message)
    (task,) = [one for one in harbor.search("Task?_include=Task:patient") if one["resourceType"] == "Task"]
    harbor.fhir(f"Task/{task['id']}")

    (found,) = command("accounting", "find", "--name", SAM.family, "--birth-date", "1991-04-02", "--format", "json")
    assert (found["hospital"], task["for"]["reference"]) == ("HTEST Mercy", f"Patient/{found['patient']}")
    told = command("accounting", "show", found["patient"], "--format", "json")
    assert {one["recipient_name"] for one in told} == {HARBOR["name"]}
    assert {(one["purpose"], one["basis"], one["discloser_name"]) for one in told} == {
        ("TREAT", "hipaa-treatment", "HTEST Mercy")
    }
    assert {"Task", "Patient"} <= {kind for one in told for kind in one["what"]}

    for output in ("table", "csv", "html"):
        page = command("accounting", "show", found["patient"], "--format", output)
        assert HARBOR["name"] in page
        assert NOTICE in page
        assert SAM.family not in page
    listed = command("accounting", "show", found["patient"], "--intermediary", "--format", "csv")
    assert listed.splitlines()[0].removeprefix("\ufeff") == "recipient,date,description"
    _looked(hub, found["patient"], harbor.organization)


def _looked(hub: RunningHub, patient: str, reader: str) -> None:
    until = time.monotonic() + 10
    while True:
        looks = command("accounting", "accesses", "--patient", patient, "--format", "json")
        theirs = [one for one in looks if one["organization"] == reader]
        if any(one["interaction"] == "read" for one in theirs):
            break
        assert time.monotonic() < until, "a repeat was not written in time"
    assert command("accounting", "accesses", "--organization", hub.organizations["mercy"], "--format", "json")
    exposed = command("breach", "--client", theirs[0]["client"], "--since", "1d", "--format", "json")
    assert [one["patient"] for one in exposed["affected"]] == [patient]
    assert "Patient.name.family" in exposed["affected"][0]["fields"]


def test_glass_that_was_broken_is_listed_and_reviewed(hub: RunningHub) -> None:
    mercy, harbor = hub.caller("mercy"), hub.caller(HARBOR["name"])
    for message in SAM.whole():
        hub.post_hl7(mercy, message)
    (task,) = harbor.search("Task")
    form = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "recipient", "valueString": "HTEST R. Diaz RN"},
            {"name": "discloser", "valueString": "HTEST S. Lee"},
            {"name": "at", "valueDateTime": "2026-06-08T15:00:00-04:00"},
            {"name": "nature", "valueString": "HTEST unconscious"},
        ],
    }
    headers = harbor.headers | {"content-type": "application/fhir+json"}
    sent = hub.web.post(f"/fhir/R4/Task/{task['id']}/$break-glass", content=json.dumps(form), headers=headers)
    assert sent.status_code == 200
    held = command("incidents", "hold", "--kind", "court", "--received-from", "HTEST court", "--about", "HTEST Sam?")
    assert "neither confirmed nor denied" in held["answer"]
    broken, request = command("incidents", "list", "--format", "json")
    assert (broken["kind"], broken["organization"]) == ("break-glass", "HTEST Mercy")
    assert (request["id"], request["kind"]) == (held["incident"], "held-request")
    command("incidents", "review", broken["id"], "--by", "HTEST officer", "--outcome", "HTEST justified")
    assert [one["id"] for one in command("incidents", "list", "--format", "json")] == [held["incident"]]
    command("incidents", "review", broken["id"], "--by", "HTEST officer", "--outcome", "HTEST again", code=1)
    assert "seals" in command("db", "check")


def test_who_is_meant_must_be_said(hub: RunningHub) -> None:
    del hub
    command("breach", "--since", "1d", code=1)
    command("accounting", "accesses", code=1)
    command("accounting", "find", code=1)
    command("accounting", "show", "nobody", code=1)
