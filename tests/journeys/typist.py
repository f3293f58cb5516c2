"""Runs commands of the hub, each in a process of its own, without starting Python and its libraries anew each time.

``python -m tests.journeys.typist`` reads one order per line (JSON: words, folder, environment, files for the output),
forks, and in the child becomes ``python -m app.cli`` in that folder; then it prints the exit status. What is loaded
before is what every command loads: libraries and the hub's own floors, not the command line and its commands.
"""

import atexit
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import IO, Final

import app.main  # noqa: F401 - loaded for the children

ROOT: Final = Path(__file__).parents[2]
_SECONDS: Final = 120
"""A command that takes longer hangs; SIGALRM ends it."""


Done = subprocess.CompletedProcess[str]


class Typist:
    """The process that commands come from; started when the first is typed."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.journeys.typist"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def leave(self) -> None:
        """Nothing more is typed."""
        self._process.communicate()

    def type(self, words: list[str], folder: Path, environment: Mapping[str, str]) -> Done:
        """One command, from its start to its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with tempfile.TemporaryDirectory() as own:
            files = [f"{own}/out", f"{own}/err"]
            order = {"words": words, "folder": str(folder), "environment": dict(environment), "files": files}
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            code = int(self._process.stdout.readline())
            out, err = [Path(file).read_text() for file in files]
        return Done(words, code, out, err)


@cache
def typist() -> Typist:
    """The one of this run."""
    made = Typist()
    atexit.register(made.leave)
    return made


def _become(words: list[str], folder: str, environment: dict[str, str], files: list[str]) -> int:
    """The command, in the child."""
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)
    for number, name in enumerate([os.devnull, *files]):
        opened = os.open(name, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.argv = ["throughline", *words]
    sys.path[:1] = [folder, str(ROOT)]
    try:
        runpy.run_module("app.cli", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - as Python itself ends
        traceback.print_exc()
        return 1
    return 0


def _main(orders: IO[str]) -> None:
    for line in iter(orders.readline, ""):
        child = os.fork()
        if child == 0:
            signal.alarm(_SECONDS)
            code = 1
            try:
                code = _become(**json.loads(line))
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)  # noqa: T201 - what the parent reads


if __name__ == "__main__":
    _main(sys.stdin)
