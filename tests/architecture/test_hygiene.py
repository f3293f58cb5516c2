"""What must not be in the tree: paths of one machine, addresses in lock files, secrets, unpinned needs."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT

_CACHES = {".mypy_cache", ".ruff_cache", ".hypothesis", "__pycache__"}
_NOT_OURS = {".git", ".venv", "node_modules", "target", "var", "build", "dist"} | _CACHES
_TEXT = {".py", ".md", ".toml", ".lock", ".yml", ".yaml", ".json", ".csv", ".sql", ".ini", ".mako", ".hl7", ".txt", ""}
_MACHINE_PATH = re.compile(r"(?<![\w.}])/(?:wo" + r"rk|home|root|Users)(?=/|\b(?![-\w]))")
_OUTSIDE = "../" + "shared"
_ADDRESS = re.compile(r"://|^\s*-|@|index|\.whl|\.tar\.gz")
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?==([^\s;]+)(?:\s*;.*)?$")
LOCKS = ("requirements.lock", "requirements-dev.lock")


def texts() -> Iterator[tuple[str, str]]:
    """Path from the root and text of each file that belongs to the project."""
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        ours = not _NOT_OURS & set(parts) and not any(part.endswith(".egg-info") for part in parts)
        if ours and path.is_file() and path.suffix in _TEXT and path.name != ".env":
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8", errors="replace")


def pins(name: str) -> dict[str, str]:
    """The lock file as package -> version; a line that is no pin is a failure."""
    found: dict[str, str] = {}
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            match = _PIN.match(line)
            assert match, f"{name}: {line.split('=')[0]} is not pinned with =="
            found[normal(match[1])] = match[2]
    return found


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_no_file_names_a_path_of_one_machine() -> None:
    assert [path for path, text in texts() if _MACHINE_PATH.search(text)] == []


def test_only_tests_know_what_lies_beside_the_project() -> None:
    assert [path for path, text in texts() if _OUTSIDE in text and not path.startswith("tests/")] == []


@pytest.mark.parametrize("planted", ["/wo" + "rk/x", '"/ho' + 'me/someone/x"', "cd /ro" + "ot", "/wo" + "rk"])
def test_a_path_of_one_machine_would_be_found(planted: str) -> None:
    assert _MACHINE_PATH.search(planted)


@pytest.mark.parametrize("innocent", ["/worker", "x/work", "/workspace", "/fhir/R4/Task", "/work-list"])
def test_an_innocent_path_is_not_taken_for_one(innocent: str) -> None:
    assert not _MACHINE_PATH.search(innocent)


@pytest.mark.parametrize("name", LOCKS)
def test_lock_files_hold_no_address(name: str) -> None:
    assert [line for line in (ROOT / name).read_text(encoding="utf-8").splitlines() if _ADDRESS.search(line)] == []


def test_the_lock_files_pin_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    runtime, everything = (pins(name) for name in LOCKS)
    development = project["optional-dependencies"]["dev"]
    for lock, wanted in ((runtime, project["dependencies"]), (everything, [*project["dependencies"], *development])):
        asked = {normal(line.partition("==")[0].partition("[")[0]): line.partition("==")[2] for line in wanted}
        assert {name: lock.get(name) for name in asked} == asked


def test_the_development_lock_holds_the_runtime_lock() -> None:
    runtime, everything = (pins(name) for name in LOCKS)
    assert runtime.items() <= everything.items()


def test_no_key_or_environment_file_can_be_committed() -> None:
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    assert {".env", "/var/", ".venv/"} <= set(ignored)
    assert not list(Path(ROOT / "app").rglob("*.pem"))


def test_every_ring_of_tests_is_run_by_one_of_the_two_commands() -> None:
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]["testpaths"]
    rings = {f"tests/{path.parent.name}" for path in (ROOT / "tests").glob("*/test_*.py")}
    assert rings - {"tests/conformance"} == set(asked)
