"""The README is true: its commands run in the order in which they stand, its tables are those of the code."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from app.cli import app
from app.core.settings import Settings
from app.services.demo import demo_world
from app.services.demo.demo_messages import DRUGS, Chart

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```console\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
WAIT = 30.0


def names(group: TyperGroup, before: str = "throughline") -> Iterator[str]:
    """``throughline ledger replay``: every command, and groups that do something by themselves."""
    for name, command in group.commands.items():
        whole = f"{before} {name}"
        if not isinstance(command, TyperGroup) or command.invoke_without_command:
            yield whole
        if isinstance(command, TyperGroup):
            yield from names(command, whole)


def known() -> set[str]:
    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup)
    return set(names(root))


def table(heading: str) -> list[list[str]]:
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    return rows[2:]


def commands() -> Iterator[list[str]]:
    """Words of each console line that runs throughline, here-documents left out."""
    for block in BLOCKS:
        for line in re.sub(r"^cat > .*?^END$", "", block, flags=re.MULTILINE | re.DOTALL).splitlines():
            found = re.search(r"(?:^|\$\()(throughline .*?)(?= \||\)|$)", line)
            if found:
                yield shlex.split(found[1])


def test_every_command_in_a_console_block_exists_with_its_options() -> None:
    root = typer.main.get_command(app)
    seen = 0
    for words in commands():
        command: Any = root
        rest = words[1:]
        while isinstance(command, TyperGroup) and rest and rest[0] in command.commands:
            command = command.commands[rest.pop(0)]
        assert command is not root, words
        options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        assert {word for word in rest if word.startswith("--")} <= options, words
        seen += 1
    assert seen > 8


def test_the_list_of_commands_is_complete() -> None:
    assert known() <= {row[0].strip("`") for row in table("Commands")}


def test_the_settings_are_those_of_the_code_with_their_defaults() -> None:
    said = {row[0].strip("`"): row[1].strip("`") for row in table("Settings")}
    defaults = {f"THROUGHLINE_{name.upper()}": field.default for name, field in Settings.model_fields.items()}
    assert said == {name: "none" if value is None else text(value) for name, value in defaults.items()}


def text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class Reader:
    """Somebody who pastes one block after the other into a terminal, and notes the ids that are printed."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as http, socket.socket() as mllp:
            http.bind(("127.0.0.1", 0))
            mllp.bind(("127.0.0.1", 0))
            self.port, self.mllp_port = http.getsockname()[1], mllp.getsockname()[1]
        self.folder = folder
        self.server: subprocess.Popen[bytes] | None = None
        kept = {name: value for name, value in os.environ.items() if not name.startswith("THROUGHLINE_")}
        self.environment = {**kept, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}

    def paste(self, block: str) -> str:
        if block.startswith("throughline serve"):
            self._serve(block.strip())
            return ""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block.replace("127.0.0.1:8000", f"127.0.0.1:{self.port}")],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=WAIT,
            check=False,
        )
        assert done.returncode == 0, f"{block}\n{done.stderr}"
        for line in re.split(r"\n(?=[{\[])", done.stdout):
            self._note(line)
        return done.stdout

    def _serve(self, command: str) -> None:
        words = [*shlex.split(command), "--port", str(self.port), "--mllp-port", str(self.mllp_port)]
        self.server = subprocess.Popen(
            words, cwd=self.folder, env=self.environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        assert self.server.stderr
        for line in self.server.stderr:
            if b"Uvicorn running" in line:
                return
        raise AssertionError("it did not start")

    def _note(self, printed: str) -> None:
        try:
            found: Any = json.JSONDecoder().raw_decode(printed)[0]
        except ValueError:
            return
        if isinstance(found, list) and found and "name" in found[0]:
            self.environment["PARTNER"] = found[0]["organization"]
        elif isinstance(found, dict) and "sender" in found and "organization" in found:
            self.environment["HOSPITAL"] = found["organization"]
        elif isinstance(found, dict) and "client_id" in found:
            self.environment["CLIENT"] = found["client_id"]

    def leave(self) -> None:
        if self.server is not None:
            self.server.send_signal(signal.SIGINT)
            self.server.communicate(timeout=WAIT)


def discharge() -> bytes:
    """A message of the reader's own."""
    left = datetime.now(UTC) - timedelta(hours=1)
    chart = Chart(demo_world.MERCY, demo_world.person(5), "4W", left - timedelta(days=2))
    return chart.dose(DRUGS["methadone"], left - timedelta(hours=3))


def test_the_commands_of_the_readme_do_what_it_says_when_pasted_in_order(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "discharge.hl7").write_bytes(discharge())
    (tmp_path / "baa-7.pdf").write_bytes(b"%PDF HTEST")
    (tmp_path / "inbox" / "one.hl7").write_bytes(discharge())
    reader = Reader(tmp_path)
    try:
        # What prints an id comes in the same block as what needs it: the person reads it in between.
        printed = "\n".join(reader.paste(part) for block in BLOCKS for part in parts(block))
    finally:
        reader.leave()
    assert "MSA|AA|" in printed
    assert '"state": "review"' not in printed
    assert re.search(r"RAS\^O17 +MC0000501 +referral", printed)


def parts(block: str) -> list[str]:
    """``client add`` prints the id that the rest of its block needs."""
    first, _, rest = block.partition("--secret\n")
    return [f"{first}--secret\n", rest] if rest.strip() else [block]
