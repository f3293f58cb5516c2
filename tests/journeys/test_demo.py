"""The demo, as somebody meets it who has just cloned the project: start it, paste what it prints, look around."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.services.demo import demo_world
from tests.scratch import spare_port

ROOT = Path(__file__).parents[2]
WAIT = 20.0


@dataclass(frozen=True, slots=True)
class Running:
    """A demo that has said that it is ready."""

    process: subprocess.Popen[str]
    text: str
    folder: Path
    port: int
    mllp_port: int

    @property
    def commands(self) -> list[str]:
        return re.findall(r"^  (curl .+)$", self.text, re.MULTILINE)

    def paste(self, number: int) -> str:
        done = subprocess.run(
            ["bash", "-c", self.commands[number]], capture_output=True, text=True, timeout=WAIT, check=True, cwd="/"
        )
        assert done.stderr == ""
        return done.stdout

    def fact(self, name: str) -> str:
        found = re.search(rf"^  {name} +(.+)$", self.text, re.MULTILINE)
        assert found, f"{name} is not printed"
        return found[1]

    def get(self, path: str, organization: str) -> dict[str, Any]:
        accounts = json.loads((self.folder / "accounts.json").read_text())
        token = next(account["token"] for account in accounts if account["name"] == organization)
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", headers={"authorization": f"Bearer {token}"}
        )
        with urllib.request.urlopen(request, timeout=WAIT) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def tasks(self, organization: str) -> list[dict[str, Any]]:
        bundle = self.get("/fhir/R4/Task?_count=200", organization)
        return [entry["resource"] for entry in bundle.get("entry", []) if entry["search"]["mode"] == "match"]


def launch(folder: Path, port: int, mllp_port: int) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("THROUGHLINE_")}
    options = ["--port", str(port), "--mllp-port", str(mllp_port), "--dir", str(folder)]
    return subprocess.Popen(
        [sys.executable, "-m", "app.cli", "demo", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=kept,
    )


def start(folder: Path) -> Running:
    port, mllp_port = spare_port(), spare_port()
    process = launch(folder, port, mllp_port)
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line)
        if len(re.findall(r"^  curl ", "".join(lines), re.MULTILINE)) == 5:
            break
    return Running(process, "".join(lines), folder, port, mllp_port)


def stop(running: Running) -> tuple[int, str]:
    running.process.send_signal(signal.SIGINT)
    _, errors = running.process.communicate(timeout=WAIT)
    return running.process.returncode, errors


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = start(tmp_path_factory.mktemp("a demo's folder"))
    yield running
    if running.process.poll() is None:
        assert stop(running) == (0, "")


def test_the_printed_commands_walk_the_loop_when_they_are_pasted(demo: Running) -> None:
    assert re.findall(r"^MSA\|(\w\w)\|", demo.paste(0), re.MULTILINE) == ["AA", "AA", "AA"]
    task = demo.paste(1).strip()
    held = demo.get(f"/fhir/R4/Task/{task}", demo_world.BRIDGE)
    assert held["status"] == "requested"
    assert demo.paste(2) == "Task accepted version 2\n"
    assert demo.paste(3) == "Task completed version 3\n"
    assert demo.paste(4) == "Task completed\nFirst dose given and observed.\n"
    source = next(t for t in demo.tasks("HTEST Mercy Hospital") if t["id"] == held["partOf"][0]["reference"][5:])
    assert (source["status"], source["priority"]) == ("completed", "urgent")


def test_what_is_printed_is_there(demo: Running) -> None:
    for name in ("API documentation", "Capabilities"):
        with urllib.request.urlopen(demo.fact(name), timeout=WAIT) as page:
            assert page.status == 200
    socket.create_connection(("127.0.0.1", demo.mllp_port), timeout=WAIT).close()
    done = subprocess.run(
        ["bash", "-c", demo.fact("Command line")], capture_output=True, text=True, timeout=WAIT, check=False, cwd="/"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert {"custody", "no-consent", "no-route"} <= set(re.findall(r"[a-z-]+", done.stdout))


def test_the_printed_client_can_get_a_token_by_its_secret(demo: Running) -> None:
    url = f"http://127.0.0.1:{demo.port}/oauth/token"
    client = f"{demo.fact('  client id')}:{demo.fact('  client secret')}"
    done = subprocess.run(
        ["curl", "-sS", "-u", client, "-d", "grant_type=client_credentials", url],
        capture_output=True,
        text=True,
        timeout=WAIT,
        check=True,
    )
    assert json.loads(done.stdout)["token_type"].lower() == "bearer"


def test_the_world_holds_referrals_in_every_state(demo: Running) -> None:
    sources = [task for name in ("Mercy", "Northside") for task in demo.tasks(f"HTEST {name} Hospital")]
    states = {task["status"] for task in sources}
    assert {"draft", "requested", "accepted", "in-progress", "on-hold", "completed", "cancelled"} <= states
    # A partner that declines, or can't after all, ends its own Task and never the hospital's.
    partners = (demo_world.BRIDGE, demo_world.HARBOR, demo_world.LAKESIDE)
    assert {"rejected", "failed"} <= {task["status"] for name in partners for task in demo.tasks(name)}
    assert {task["priority"] for task in sources if "priority" in task} == {"routine", "urgent", "asap", "stat"}
    business = {task.get("businessStatus", {}).get("text") for task in sources}
    assert {"Needs a person", "Discharge cancelled"} <= business
    flags = set(re.findall(r'"flag", "valueCode": "([a-z-]+)"', json.dumps(sources)))
    assert {"aadvice", "pregnant", "no-phone", "lapsed", "custody"} <= flags


def test_every_person_is_labelled_as_a_test_person(demo: Running) -> None:
    bundle = demo.get("/fhir/R4/Patient?_count=200", "HTEST Mercy Hospital")
    people = [entry["resource"] for entry in bundle["entry"]]
    assert len(people) > 20
    for person in people:
        assert "HTEST" in {label["code"] for label in person["meta"]["security"]}
        assert person["name"][0]["family"].startswith("HTEST")
        assert all(identifier["value"].startswith("HTEST") for identifier in person["identifier"])


def test_a_partner_sees_nothing_of_what_needs_a_consent(demo: Running) -> None:
    assert demo.tasks(demo_world.HOUSE) == []
    assert len(demo.tasks(demo_world.PEERS)) == 1


def test_each_story_says_something_that_no_other_says() -> None:
    assert len(set(demo_world.STORIES)) == len(demo_world.STORIES)
    assert sum(story.left is not None for story in demo_world.STORIES) >= 40


def test_a_second_demo_in_the_same_folder_leaves_the_first_alone(demo: Running) -> None:
    second = launch(demo.folder, spare_port(), spare_port())
    _, errors = second.communicate(timeout=WAIT)
    assert second.returncode == 1
    assert errors.startswith("error: Another process serves this database.")
    assert demo.tasks(demo_world.BRIDGE)


def test_a_taken_port_is_said_in_one_line_and_nothing_is_made(demo: Running, tmp_path: Path) -> None:
    other = launch(tmp_path / "other", demo.port, spare_port())
    _, errors = other.communicate(timeout=WAIT)
    assert other.returncode == 2
    assert re.match(r"error: Port \d+ of 127\.0\.0\.1 can't be used[^\n]*\nhint: [^\n]*\n$", errors)
    assert not (tmp_path / "other").exists()


def test_the_next_start_makes_everything_anew_soon_and_keeps_what_is_not_its_own(demo: Running) -> None:
    (demo.folder / "mine.txt").write_text("kept")
    assert stop(demo) == (0, "")
    began = time.monotonic()
    again = start(demo.folder)
    took = time.monotonic() - began
    try:
        assert took < 10
        assert (demo.folder / "mine.txt").read_text() == "kept"
        assert again.fact("  bearer token") != demo.fact("  bearer token")
        assert not [t for t in again.tasks("HTEST Mercy Hospital") if "HTEST00077" in json.dumps(t)]
        assert again.paste(0).count("MSA|AA") == 3
    finally:
        assert stop(again) == (0, "")


def test_the_readme_shows_the_numbers_that_the_demo_prints(demo: Running) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in ("Referrals", "Messages"):
        printed, shown = (re.search(rf"^  {name} +(\d.+)$", text, re.MULTILINE) for text in (demo.text, readme))
        assert printed
        assert shown
        assert sorted(re.split(r"[:,] ", printed[1])) == sorted(re.split(r"[:,] ", shown[1]))
