"""A folder on a machine where an operator types commands, each a process of its own."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tests.journeys.typist import typist

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Machine:
    """A folder with its own environment, in which commands are typed."""

    folder: Path
    database_url: str
    settings: Mapping[str, str] = field(default_factory=dict)
    """More of the environment."""

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("THROUGHLINE_")}
        return kept | {"PYTHONPATH": str(ROOT), "THROUGHLINE_DATABASE_URL": self.database_url, **self.settings}

    def type(self, *words: str | Path, code: int = 0, **settings: str) -> subprocess.CompletedProcess[str]:
        """What a command told that ended with ``code``."""
        done = typist().type([*map(str, words)], self.folder, self.environment | settings)
        assert "Traceback" not in done.stderr
        assert done.returncode == code, done.stderr
        return done

    def json(self, *words: str | Path, code: int = 0) -> Any:
        return json.loads(self.type(*words, code=code).stdout)

    def start(self, *words: str, output: int | IO[str] = subprocess.PIPE) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "app.cli", *words],
            cwd=self.folder,
            env=self.environment,
            stdout=output,
            stderr=output,
            text=True,
        )

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path


def wait_for(url: str, process: "subprocess.Popen[str]") -> None:
    """Until the hub of the process answers; a minute is more than a busy machine takes to start one."""
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    process.kill()
    raise AssertionError(process.communicate()[1])
