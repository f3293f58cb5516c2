"""docs/friday-evening.md is true: who pastes its commands, beside a demo on that evening, sees what it shows."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path

import pytest

from tests.requirements import missing
from tests.scratch import spare_port

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "friday-evening.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(sh|console|)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
END = "---- shown"
WAIT = 120.0


def parts() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Each command that serves, with the blocks that are pasted beside it and what each shows."""
    found = [(match[1], match[2]) for match in FENCE.finditer(GUIDE)]
    starts = [place for place, (kind, _) in enumerate(found) if kind == "sh"]
    for start, end in zip(starts, [*starts[1:], len(found)], strict=True):
        beside = found[start + 1 : end]
        blocks = [
            (text, beside[place + 1][1] if place + 1 < len(beside) and not beside[place + 1][0] else "")
            for place, (kind, text) in enumerate(beside)
            if kind == "console"
        ]
        yield found[start][1], blocks


@contextmanager
def served(command: str, folder: Path, environment: dict[str, str], port: int) -> Iterator[None]:
    """The command of the guide, on a port of its own, until Ctrl-C."""
    words = f"{command.strip()} --port {port} --mllp-port 0".replace("\nTHROUGHLINE", "\nexec env THROUGHLINE")
    if not words.startswith("."):
        words = f"exec env {words}"
    quiet = subprocess.DEVNULL
    with subprocess.Popen(["bash", "-euc", words], cwd=folder, env=environment, stdout=quiet, stderr=quiet) as process:
        try:
            wait_for(port, process)
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(WAIT)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until the hub answers."""
    for _ in range(int(WAIT * 10)):
        assert process.poll() is None, "it did not start"
        with socket.socket() as door:
            if door.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("it does not answer")


def test_the_commands_of_the_guide_show_what_it_says_when_pasted_in_order(tmp_path: Path) -> None:
    for program in ("curl", "jq"):
        if shutil.which(program) is None:
            missing(program, f"{program} is not installed")
    port = spare_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("THROUGHLINE_")}
    environment = {**kept, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    with subprocess.Popen(
        ["bash", "-euo", "pipefail"],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as terminal:
        assert terminal.stdin is not None
        assert terminal.stdout is not None
        for command, blocks in parts():
            with served(command, tmp_path, environment, port):
                for block, shown in blocks:
                    terminal.stdin.write(f"{block}\necho '{END}'\n")
                    terminal.stdin.flush()
                    printed = "".join(takewhile(lambda line: line != f"{END}\n", terminal.stdout))
                    assert printed == shown, block
        terminal.stdin.close()


@pytest.mark.parametrize("word", ["demo", "serve"])
def test_the_guide_has_both_that_serve(word: str) -> None:
    assert [f"throughline {word}" in command for command, _ in parts()].count(True) == 1
