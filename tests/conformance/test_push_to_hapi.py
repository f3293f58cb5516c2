"""What is pushed is FHIR R4 to HAPI, which refuses what it doesn't know; and what HAPI says there is followed."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import httpx
import pytest

from tests.conformance.clients.served import HERE, java_command
from tests.contract.passing_time import Course, course
from tests.contract.pushed import pushing
from tests.contract.test_pushing import FIRST_DOSE
from tests.journeys.running_hub import HOST, SEVERAL_SECONDS

__all__ = ["course"]
Resource = dict[str, Any]
GIVEN: Final = {
    "Task": 1, "ServiceRequest": 1, "Patient": 1, "Encounter": 1, "Condition": 1, "MedicationAdministration": 1,
}  # fmt: skip


@dataclass
class Hapi:
    """HAPI's plain server."""

    web: httpx.Client

    def all(self, kind: str) -> list[Resource]:
        found = self.web.get(kind).raise_for_status().json()
        return [one["resource"] for one in found.get("entry", ())]

    def says(self, **more: Any) -> None:
        (task,) = [one for one in self.all("Task") if one["code"]["coding"][0]["code"] == "fulfill"]
        headers = {"content-type": "application/fhir+json"}
        self.web.put(f"Task/{task['id']}", json={**task, **more}, headers=headers).raise_for_status()


@pytest.fixture
def hapi() -> Iterator[Hapi]:
    command = [*java_command(), str(HERE / "FhirServer.java")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with httpx.Client(base_url=f"http://{HOST}:{port}/fhir/", trust_env=False, timeout=SEVERAL_SECONDS) as web:
            yield Hapi(web)
        process.kill()


@pytest.mark.parametrize("vocabulary", ["gravity", "bser"])
async def test_it_is_taken_followed_and_completed(course: Course, hapi: Hapi, vocabulary: Any) -> None:
    base = str(hapi.web.base_url)
    async with pushing(course, base, vocabulary=vocabulary) as push:
        await course.discharged()
        await push.turn()
        assert [(one.state, one.reason) for one in await push.listed()] == [("waiting", None)]
        assert {kind: len(hapi.all(kind)) for kind in GIVEN} == GIVEN
        hapi.says(status="in-progress")
        await push.later()
        assert (await push.child())["status"] == "in-progress"
        (patient,) = hapi.all("Patient")
        done = {
            "resourceType": "Procedure",
            "status": "completed",
            "code": {"text": "HTEST dosing"},
            "subject": {"reference": f"Patient/{patient['id']}"},
        }
        made = hapi.web.post("Procedure", json=done, headers={"content-type": "application/fhir+json"}).json()
        reported = {"type": {"text": "activity"}, "valueReference": {"reference": f"Procedure/{made['id']}"}}
        hapi.says(status="completed", output=[FIRST_DOSE, reported])
        await push.later()
        source = await course.source()
        assert source["status"] == "completed"
        assert len(source["output"]) == 2
        assert [one.state for one in await push.listed("ended")] == ["ended"]


async def test_it_is_asked_by_a_task_of_its_own_to_abort(course: Course, hapi: Hapi) -> None:
    async with pushing(course, str(hapi.web.base_url), cancels="abort") as push:
        await course.discharged()
        await push.turn()
        hapi.says(status="in-progress")
        await push.later()
        await push.withdrawn()
        await push.later()
        codes = sorted((one["code"]["coding"][0]["code"], one["status"]) for one in hapi.all("Task"))
        assert codes == [("abort", "requested"), ("fulfill", "in-progress")]
