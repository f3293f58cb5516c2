"""A hub that serves, with referrals waiting for one partner, and what a program of others is told about it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.contract.http_messages import event
from tests.journeys.running_hub import Caller, Resource, RunningHub, command, running
from tests.journeys.stay import HARBOR, MERCY
from tests.postgres import PostgresServer
from tests.requirements import missing

HERE: Final = Path(__file__).parent
NODE: Final = HERE / "node"
JAVA: Final = HERE / "java"
REFERRALS: Final = 12
CONSENT: Final = {
    "identifier": "HTEST-C1",
    "recipients": [HARBOR["name"]],
    "disclosers": [MERCY["organization"]],
    "signed_at": "2026-06-05T10:00:00-04:00",
    "form": "urn:htest:form:1",
}
"""What sends the records of a Part 2 unit, so that every client meets the notice that comes with them."""
SCOPE: Final = "system/*.cruds"
BOTH: Final = ("sqlite", pytest.param("postgresql", marks=pytest.mark.postgres))
_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Served:
    """The hub, the hospital that reads what became of its referrals, and the partner's credentials."""

    hub: RunningHub
    hospital: Caller
    partner: str
    """FHIR id of the partner's organisation."""
    client_id: str
    client_secret: str

    @property
    def environment(self) -> dict[str, str]:
        """What each program finds in its environment; the machine's own settings of the hub are not passed on."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("THROUGHLINE_")}
        return {
            **kept,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HUB": self.hub.base,
            "CLIENT_ID": self.client_id,
            "CLIENT_SECRET": self.client_secret,
        }

    def discharge(self, number: int) -> None:
        """One more referral that waits for the partner."""
        visit = [{"system": "urn:oid:2.16.840.1.113883.3.9999.2", "value": f"HTEST-V{number:04d}"}]
        stay = {**event(number)["visit"], "identifiers": visit, "unit": "ACS"}
        told = event(number, visit=stay, consents=[CONSENT])
        answer = self.hub.post_event(self.hospital, told, "mercy")
        assert answer.status_code == 201, answer.text

    def reported(self) -> list[Resource]:
        """Procedures that are output of a completed source Task, as the hospital reads them."""
        found = self.hospital.search("Task?status=completed&_include=Task:output")
        return [one for one in found if one["resourceType"] == "Procedure"]


@contextmanager
def serving(folder: Path, database_url: str, referrals: int = REFERRALS) -> Iterator[Served]:
    """A hub with ``referrals`` referrals for one partner."""
    with (
        pytest.MonkeyPatch.context() as patch,
        running(patch, folder, database_url, senders=[MERCY], partners=[HARBOR]) as hub,
    ):
        partner = hub.organizations[HARBOR["name"]]
        made = command("client", "add", "--organization", partner, "--scope", SCOPE, "--secret")
        served = Served(hub, hub.caller("mercy"), partner, made["client_id"], made["client_secret"])
        for number in range(referrals):
            served.discharge(number)
        yield served


def on_database(request: pytest.FixtureRequest, folder: Path, referrals: int = REFERRALS) -> Iterator[Served]:
    """The same on the kind of database that a fixture's parameter names, for fixtures that live longer than a test."""
    if request.param == "sqlite":
        with serving(folder, f"sqlite:///{folder / 'throughline.db'}", referrals) as made:
            yield made
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.create()
    with serving(folder, url, referrals) as made:
        yield made
    server.drop(url)


# ---- programs


def ran(command_line: Sequence[str | Path], folder: Path, environment: dict[str, str]) -> str:
    """What a program prints; its own words where it fails."""
    done = subprocess.run(
        command_line, cwd=folder, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def last_line(printed: str) -> dict[str, Any]:
    """The JSON object that a program prints last."""
    found: dict[str, Any] = json.loads(printed.strip().rpartition("\n")[2])
    return found


def python(file: Path, folder: Path, environment: dict[str, str]) -> str:
    """A Python program, with the clients that the development requirements install."""
    return ran([sys.executable, file], folder, environment)


def node(file: Path, folder: Path, environment: dict[str, str]) -> str:
    """An ECMAScript module, with the packages of the lock file installed beside it."""
    program = shutil.which("node")
    if program is None or shutil.which("npm") is None:
        missing("node", "needs node: node and npm not found")
    _install_node()
    packages = file.parent / "node_modules"
    if not packages.exists():
        packages.symlink_to(NODE / "node_modules")
    # MedplumClient asks for WebSocket, which Node.js 20 has behind this flag and later ones have without.
    return ran([program, "--experimental-websocket", file], folder, environment)


def _install_node() -> None:
    installed, lock = NODE / "node_modules" / ".package-lock.json", NODE / "package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    try:
        subprocess.run(
            ["npm", "ci", "--ignore-scripts", "--fetch-retries=1"],
            cwd=NODE, capture_output=True, timeout=120, check=True,
        )  # fmt: skip
    except subprocess.SubprocessError:
        missing("node", "needs node: npm ci could not install the clients")


def java(file: Path, folder: Path, environment: dict[str, str]) -> str:
    """A Java program of one source file, with HAPI's client on its class path."""
    return ran([*java_command(), file], folder, environment)


def java_command() -> list[str]:
    """What runs a Java program of one source file, with HAPI on its class path."""
    for name in ("java", "mvn"):
        if shutil.which(name) is None:
            missing(name, f"needs {name}: it is not installed")
    return ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", _class_path()]


def _class_path() -> str:
    """What Maven resolves of ``java/pom.xml``: from what it has kept, else from its registry."""
    target = JAVA / "target"
    listed = target / "classpath"
    if not listed.exists() or listed.stat().st_mtime < (JAVA / "pom.xml").stat().st_mtime:
        target.mkdir(exist_ok=True)
        goal = ["dependency:build-classpath", f"-Dmdep.outputFile={listed}"]
        for mode in (["--offline"], []):
            done = subprocess.run(
                ["mvn", "--quiet", "--batch-mode", *mode, *goal], cwd=JAVA, capture_output=True, check=False
            )
            if done.returncode == 0:
                break
        else:
            missing("mvn", "needs mvn: HAPI's client could not be installed")
    return listed.read_text().strip()


def curl(file: Path, folder: Path, environment: dict[str, str]) -> str:
    """A shell script that calls curl and reads answers with jq."""
    for name in ("curl", "jq"):
        if shutil.which(name) is None:
            missing(name, f"needs {name}: it is not installed")
    return ran(["bash", "-euo", "pipefail", file], folder, environment)
