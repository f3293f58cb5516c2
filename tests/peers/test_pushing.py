"""A served hub pushes to a FHIR server of others (Medplum's router and repository), is killed, and follows it there."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.http_messages import event
from tests.journeys.machine import Machine
from tests.journeys.running_hub import HOST, SEVERAL_SECONDS
from tests.journeys.stay import HARBOR, MERCY
from tests.journeys.typist import typist
from tests.peers.test_mllp import NODE, node
from tests.scratch import spare_port

__all__ = ["node"]
Resource = dict[str, Any]
_OUTCOME = "https://throughline.org/fhir/CodeSystem/outcome"
FIRST_DOSE = {
    "type": {"coding": [{"system": _OUTCOME, "code": "outcome"}]},
    "valueCodeableConcept": {"coding": [{"system": _OUTCOME, "code": "first-dose-given"}]},
}


@dataclass
class Medplum:
    """The other server."""

    web: httpx.Client
    base: str

    def control(self, **wanted: Any) -> None:
        self.web.post("/control", json=wanted)

    def all(self, kind: str) -> list[Resource]:
        found = self.web.get(f"/fhir/{kind}?_count=1000").json()
        return [one["resource"] for one in found.get("entry", ())]

    def says(self, **more: Any) -> None:
        """The partner changes its Task here."""
        (task,) = self.all("Task")
        answer = self.web.put(f"/fhir/Task/{task['id']}", json={**task, **more})
        assert answer.status_code == 200, answer.text


@pytest.fixture
def medplum(node: str) -> Iterator[Medplum]:
    with subprocess.Popen([node, "fhir.mjs"], cwd=NODE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        base = f"http://{HOST}:{int(process.stdout.readline())}"
        with httpx.Client(base_url=base, trust_env=False, timeout=SEVERAL_SECONDS) as web:
            yield Medplum(web, f"{base}/fhir")
        process.kill()


@dataclass
class Hub:
    """The hub as an operator runs it."""

    machine: Machine
    port: int

    @contextmanager
    def serving(self) -> Iterator["subprocess.Popen[str]"]:
        process = self.machine.start("serve", "--port", str(self.port), "--mllp-port", "0", output=subprocess.DEVNULL)
        try:
            until(lambda: _answers(self.port))
            yield process
        finally:
            process.kill()
            process.wait()

    def later(self) -> "Hub":
        """It when what a dead process held is free again."""
        clock = (datetime.now(UTC) + timedelta(minutes=10)).isoformat()
        settings = {**self.machine.settings, "THROUGHLINE_FAKE_CLOCK": clock}
        return replace(self, machine=replace(self.machine, settings=settings))

    def pushed(self) -> Resource:
        (found,) = self.machine.json("push", "list")
        return dict(found)

    def look(self) -> None:
        """An operator does not wait for the next look, where there is one."""
        for one in self.machine.json("push", "list"):
            done = typist().type(["push", "retry", one["task"]], self.machine.folder, self.machine.environment)
            assert done.returncode == 0 or "pushed any more" in done.stderr

    def source(self) -> Resource:
        """The hospital's Task, as the hospital reads it."""
        organization = self.machine.json("sender", "add", MERCY["id"], "--file", "mercy.json")["organization"]
        wanted = ("client", "add", "--organization", organization, "--scope", "system/*.rus", "--secret")
        token = self.machine.type("token", "--client", self.machine.json(*wanted)["client_id"]).stdout
        headers = {"authorization": f"Bearer {token.strip().rpartition(chr(10))[2]}"}
        with httpx.Client(base_url=f"http://{HOST}:{self.port}", trust_env=False, headers=headers) as web:
            found = web.get("/fhir/R4/Task?part-of:missing=true").json()
        (one,) = [entry["resource"] for entry in found["entry"]]
        return dict(one)


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://{HOST}:{port}/health/ready", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + SEVERAL_SECONDS * 2
    while not holds():
        assert time.monotonic() < end, "it does not come about"
        time.sleep(0.2)


@pytest.fixture
def hub(tmp_path: Path, medplum: Medplum) -> Hub:
    port = spare_port()
    machine = Machine(tmp_path, f"sqlite:///{tmp_path}/hub.db", {"THROUGHLINE_BASE_URL": f"http://{HOST}:{port}"})
    machine.type("db", "upgrade")
    machine.type("sender", "add", MERCY["id"], "--file", machine.write("mercy.json", json.dumps(MERCY)))
    harbor = {**HARBOR, "part2_program": False, "receives_by": ["push"], "server": {"base": medplum.base}}
    machine.type("partner", "import", machine.write("partners.json", json.dumps([harbor])))
    return Hub(machine, port)


@pytest.mark.parametrize("transactions", [True, False], ids=["transaction", "one-by-one"])
def test_a_hub_that_is_killed_after_it_pushed_makes_nothing_twice(
    hub: Hub, medplum: Medplum, *, transactions: bool
) -> None:
    medplum.control(transactions=transactions)
    with hub.serving() as first:
        medplum.control(kill=first.pid)
        hub.machine.type("ingest", hub.machine.write("event.json", json.dumps(event(1))), "--sender", MERCY["id"])
        assert first.wait(SEVERAL_SECONDS) == -9
    hub = hub.later()
    with hub.serving():
        until(lambda: hub.pushed()["status"] == "requested")
        kinds = ("Task", "ServiceRequest", "Patient", "Encounter", "MedicationAdministration")
        assert [len(medplum.all(kind)) for kind in kinds] == [1, 1, 1, 1, 1]
        (task,) = medplum.all("Task")
        (request,) = medplum.all("ServiceRequest")
        assert task["focus"]["reference"] == f"ServiceRequest/{request['id']}"
        followed(hub, medplum)


def followed(hub: Hub, medplum: Medplum) -> None:
    """It is accepted and completed there, and the hospital reads it here."""
    medplum.says(status="accepted")
    hub.look()
    until(lambda: hub.source()["status"] == "accepted")
    medplum.says(status="completed", output=[FIRST_DOSE])
    hub.look()
    until(lambda: hub.source()["status"] == "completed")
    assert hub.source()["output"] == [FIRST_DOSE]
    assert hub.machine.json("push", "list") == []
