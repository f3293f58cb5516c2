"""The partner states that it received the last dose; the hospital reads it at once, where it may be told."""

from typing import Any

import pytest

from schemas.codes.local import INTAKE_ITEM, REPORT, STATUS_REASON, coding, concept
from tests.contract.fhir_callers import Caller, Resource, caller
from tests.contract.test_consent_life import Scene, consent, offered, scene
from tests.hub_fixtures import World

__all__ = ["scene"]

AT = "2026-06-05T15:30:00-04:00"


def acknowledged(task: Resource) -> Resource:
    dose = next(
        one["valueReference"]
        for one in task["input"]
        if one["valueReference"]["reference"].startswith("MedicationAdministration/")
    )
    return {"type": concept(REPORT, "last-dose-acknowledged"), "valueReference": {"reference": dose["reference"]}}


def reported(task: Resource) -> list[str]:
    return [one["type"]["coding"][0]["code"] for one in task.get("output", []) if "coding" in one["type"]]


def because(*items: str) -> Resource:
    codings = [coding(STATUS_REASON, "incomplete-information"), *(coding(INTAKE_ITEM, one) for one in items)]
    return {"coding": codings, "text": "HTEST something is wanting"}


@pytest.mark.parametrize("by", ["patch", "put"])
async def test_the_hospital_reads_it_while_the_referral_goes_on(
    world: World, harbor: Caller, task: Resource, by: str
) -> None:
    hospital = await caller(world, harbor.web, world.mercy, "system/*.rs")
    accepted = (await harbor.set_status(task, "accepted")).json()
    output = [acknowledged(accepted)]
    if by == "patch":
        answer = await harbor.patch(f"Task/{task['id']}", {"op": "add", "path": "/output", "value": output})
    else:
        answer = await harbor.put(accepted | {"output": output})
    assert (answer.status_code, answer.json()["status"]) == (200, "accepted")
    (source,) = await hospital.search("Task")
    assert (source["status"], reported(source)) == ("accepted", ["last-dose-acknowledged"])
    dose = source["output"][0]["valueReference"]["reference"]
    assert (await hospital.read(dose))["status"] == "completed"
    found = await hospital.search(f"Task?output={dose}")
    assert [one["id"] for one in found] == [source["id"]]
    page = await hospital.get(f"Task/{source['id']}/$packet", accept="text/html")
    assert "<dt><bdi>Acknowledged by the partner</bdi></dt><dd><bdi>yes</bdi></dd>" in page.text


async def test_accepted_and_acknowledged_in_one_change(world: World, harbor: Caller, task: Resource) -> None:
    hospital = await caller(world, harbor.web, world.mercy, "system/*.rs")
    output = {"op": "add", "path": "/output", "value": [acknowledged(task)]}
    assert (await harbor.set_status(task, "accepted", output)).status_code == 200
    (source,) = await hospital.search("Task")
    assert reported(source) == ["last-dose-acknowledged"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_an_acknowledgement_of_no_dose_of_this_referral_is_400(harbor: Caller, task: Resource) -> None:
    for wrong in ({"valueBoolean": True}, {"valueReference": {"reference": f"Task/{task['id']}"}}):
        output = [{"type": concept(REPORT, "last-dose-acknowledged"), **wrong}]
        answer = await harbor.patch(f"Task/{task['id']}", {"op": "add", "path": "/output", "value": output})
        assert answer.status_code == 400, wrong
        issue = answer.json()["issue"][0]
        assert "MedicationAdministration that Task.input names" in issue["diagnostics"]
        assert issue["expression"] == ["Task.output[0].value"]


async def test_what_no_consent_covers_the_hospital_reads_when_one_does(scene: Scene) -> None:
    await scene.tell(consent())
    task = await scene.child()
    output = {"op": "add", "path": "/output", "value": [acknowledged(task)]}
    answer = await scene.partner.set_status(task, "accepted", output)
    assert answer.status_code == 200, answer.text
    assert "output" not in await scene.source()
    await scene.tell(consent(both_directions=True, signed_at="2026-06-05T11:00:00-04:00"))
    assert reported(await scene.source()) == ["last-dose-acknowledged"]


async def test_who_sees_the_offer_knows_no_dose_and_may_say_when(scene: Scene) -> None:
    task = await offered(scene)
    assert (await scene.partner.set_status(task, "accepted")).status_code == 200
    (dose,) = await scene.hospital.search("MedicationAdministration")
    path, kind = f"Task/{task['id']}", concept(REPORT, "last-dose-acknowledged")
    blind: list[dict[str, Any]] = [
        {"type": kind, "valueReference": {"reference": f"MedicationAdministration/{dose['id']}"}}
    ]
    refused = await scene.partner.patch(path, {"op": "add", "path": "/output", "value": blind})
    assert refused.status_code == 400
    by_phone = [{"type": kind, "valueDateTime": AT}]
    answer = await scene.partner.patch(path, {"op": "add", "path": "/output", "value": by_phone})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("by", ["patch", "put"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_who_rejects_for_want_of_information_names_it(harbor: Caller, task: Resource, by: str) -> None:
    async def rejected(reason: Resource) -> Any:
        if by == "put":
            return await harbor.put(task | {"status": "rejected", "statusReason": reason})
        return await harbor.set_status(task, "rejected", {"op": "add", "path": "/statusReason", "value": reason})

    answer = await rejected(because())
    assert answer.status_code == 400
    issue = answer.json()["issue"][0]
    assert "incomplete-information names at least one missing item" in issue["diagnostics"]
    assert issue["expression"] == ["Task.statusReason.coding"]
    answer = await rejected(because("ecg", "photo-id"))
    assert answer.status_code == 200
    again = await rejected(because("ecg", "photo-id"))
    assert again.status_code == 200, "the same again is no second effect"
