"""docs/phone.md is true: its requests are taken by a hub that serves, its commands run, its providers get that JSON."""

import json
import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from app.cli import app as commands
from schemas.partner import PartnerProfile
from tests.journeys.running_hub import Caller, RunningHub, command, running
from tests.journeys.stay import HARBOR, MERCY, Stay
from tests.postgres import FreshDatabase

GUIDE = (Path(__file__).parents[2] / "docs" / "phone.md").read_text(encoding="utf-8")
REQUESTS = {
    operation: json.loads(body)
    for operation, body in re.findall(r"\$([a-z-]+)`\n\n```json\n(.*?)```", GUIDE, re.DOTALL)
}
BLOCKS = [json.loads(body) for body in re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def hub(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningHub]:
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    if request.param == "postgresql":
        fresh_database: FreshDatabase = request.getfixturevalue("fresh_database")
        url = fresh_database()
    partners = [{**HARBOR, "receives_by": ["manual"]}]
    with running(monkeypatch, tmp_path, url, senders=[MERCY], partners=partners) as running_hub:
        yield running_hub


def asked(operation: str, partner: str, *others: dict[str, Any]) -> dict[str, Any]:
    """The request of the guide, of now and for this partner."""
    body: dict[str, Any] = json.loads(json.dumps(REQUESTS[operation]))
    for one in body["parameter"]:
        if one["name"] == "at":
            one["valueDateTime"] = now()
        if one["name"] == "partner":
            one["valueReference"]["reference"] = f"Organization/{partner}"
    body["parameter"] += others
    return body


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def sent(hub: RunningHub, who: Caller, task: str, operation: str, body: dict[str, Any]) -> dict[str, Any]:
    headers = who.headers | {"content-type": "application/fhir+json"}
    answer = hub.web.post(f"/fhir/R4/Task/{task}/${operation}", content=json.dumps(body), headers=headers)
    assert answer.status_code in {200, 201}, answer.text
    found: dict[str, Any] = answer.json()
    return found


def tasks(hub: RunningHub, stay: Stay) -> tuple[Caller, Caller, str, str]:
    mercy, harbor = hub.caller("mercy"), hub.caller(HARBOR["name"])
    for message in stay.whole():
        hub.post_hl7(mercy, message)
    (child,) = [one for one in harbor.search("Task") if one["status"] == "requested"]
    return mercy, harbor, child["partOf"][0]["reference"].rpartition("/")[2], child["id"]


def test_every_command_of_the_guide_is_one_with_these_options() -> None:
    lines = re.findall(r"^throughline (.+)$", GUIDE, re.MULTILINE)
    assert len(lines) == 6
    group = typer.main.get_command(commands)
    for line in lines:
        words = shlex.split(line)
        found = group
        while isinstance(found, TyperGroup):
            found = found.commands[words.pop(0)]
        known = {option for parameter in found.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line


def test_the_profile_of_the_guide_is_one_and_the_bodies_for_providers_are_what_they_get() -> None:
    (profile,) = next(block for block in BLOCKS if isinstance(block, list))
    assert PartnerProfile.model_validate(profile).receives_by == ["sms", "fax"]
    text, fax = [block for block in BLOCKS if isinstance(block, dict) and "to" in block]
    assert set(text) == {"to", "text"}
    assert {frozenset(one) for one in fax["documents"]} == {frozenset({"content_type", "content"})}


def test_the_requests_of_the_guide_are_taken(hub: RunningHub) -> None:
    mercy, harbor, source, child = tasks(hub, Stay(7))
    partner = harbor.organization
    call = sent(hub, mercy, source, "record-call", asked("record-call", partner))
    assert call["resourceType"] == "Communication"
    assert sent(hub, mercy, source, "record-answer", asked("record-answer", partner))["status"] == "accepted"
    (marked,) = mercy.search("Task?_tag=recorded-by-phone")
    assert marked["id"] == source
    corrected = sent(hub, harbor, child, "correct-answer", asked("correct-answer", partner))
    assert (corrected["status"], corrected["meta"].get("tag")) == ("on-hold", None)
    begun = asked("record-answer", partner)
    begun["parameter"][0]["valueCode"] = "in-progress"
    sent(hub, mercy, source, "record-answer", begun)
    confirmed = sent(hub, harbor, child, "confirm-answer", asked("confirm-answer", partner))
    assert "tag" not in confirmed["meta"]
    said = command("calls", source, "--format", "json")
    assert {one["kind"] for one in said} == {"call", "answer", "dispute"}


def test_the_commands_of_the_guide_do_what_it_says(hub: RunningHub, tmp_path: Path) -> None:
    _, _, source, child = tasks(hub, Stay(7))
    (line,) = command("todo", "--organization", "HTEST Mercy", "--format", "json")
    assert (line["source"], line["task"], line["why"], line["phone"]) == (source, child, ["manual"], "555-0100")
    command("cover-sheet", child, "--out", str(tmp_path / "cover.html"))
    assert "HTEST Mercy" in (tmp_path / "cover.html").read_text(encoding="utf-8")
    tried = ("--outcome", "no-answer", "--number", "+1 555 0100", "--at", now())
    kept = command("call", "record", child, *tried)
    assert command("call", "record", source, *tried, "--partner", kept["partner"]) == kept
    command("call", "record", child, "--outcome", "pigeon", *tried[2:], code=1)
    (line,) = command("todo", "--format", "json")
    assert (line["calls"], line["last_call"]) == (1, "no-answer")
    told = ("--said-by", "HTEST Diaz", "--number", "+1 555 0100", "--at", now())
    stands = command("answer", "record", source, "--answer", "accepted", *told)
    assert (stands["status"], stands["partner_status"], stands["mark"]) == (
        "accepted",
        "accepted",
        "recorded-by-phone",
    )
    assert command("answer", "record", child, "--answer", "accepted", *told) == stands
    assert command("todo", "--format", "json") == []
    assert command("answer", "confirm", child, "--by", "HTEST Diaz")["mark"] is None
    command("answer", "record", source, "--answer", "rejected", "--reason", "no-capacity", *told, code=1)
    command("answer", "record", "nobody", "--answer", "accepted", *told, code=1)
    for output in ("table", "csv", "html"):
        assert "HTEST Harbor OTP" in command("calls", source, "--format", output)
    command("calls", "nobody", code=1)
    command("todo", "--organization", "nobody", code=1)
    command("cover-sheet", "nobody", code=1)
