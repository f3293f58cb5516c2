"""The browser of the page tests: found on PATH, never downloaded."""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.requirements import missing

QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
"""A browser that asks nobody but the page's own server for anything, and runs as root too."""
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass(frozen=True, slots=True)
class Chromium:
    """A browser that starts: where it is, and what it says its version is."""

    path: Path
    version: str


def find() -> Path | None:
    """The first browser of ``NAMES`` on PATH."""
    return next((Path(found) for name in NAMES if (found := shutil.which(name))), None)


@pytest.fixture(scope="session")
def chromium() -> Chromium:
    """The browser; skipped, or failed where required, when there is none."""
    path = find()
    if path is None:
        missing("chromium", "chromium not found")
    with tempfile.TemporaryDirectory(prefix="throughline-browser-") as home:
        environment = {**os.environ, "HOME": home}
        command = [str(path), "--version"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=environment)
    return Chromium(path, done.stdout.strip())
