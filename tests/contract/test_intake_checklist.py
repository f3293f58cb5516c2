"""What a partner's intake needs: told by the offer, worked off by the hospital, waived by the partner."""

import json
from typing import Any

import httpx
import pytest
import pytest_asyncio

from app.core.errors import BadRequest
from app.services.partners import registration
from fhir_mappings.building.checklist import items_of
from schemas.codes.local import INTAKE_ITEM, REPORT, TASK_CODE, concept
from tests.contract.fhir_callers import OUTPUT, Caller, Resource, caller, discharge
from tests.contract.http_messages import METHADONE
from tests.contract.phone_talks import DIAZ, parameters, spoken
from tests.contract.test_consent_life import IDENTIFYING, Scene, consent, offered, scene
from tests.hub_fixtures import PARTNER, World

__all__ = ["scene"]

LIST = [
    *({"code": code} for code in ("diagnosis", "insurance", "last-dose", "order", "ecg")),
    {"code": "photo-id", "note": "HTEST a letter of the hospital with a photo will do"},
    {"code": "labs", "needed": "wanted"},
    {"code": "forms"},
]
COVERAGE = [{"payer": "HTEST Medicaid", "member_id": "HTEST-M1"}]


async def asks_for(world: World, *items: dict[str, Any], **profile: Any) -> None:
    partner = PARTNER | {"intake_checklist": [*items], **profile}
    await registration.import_partners(world.hub, json.dumps([partner]).encode())


def waived(code: str) -> Resource:
    output = {"type": concept(REPORT, "waived-item"), "valueCodeableConcept": concept(INTAKE_ITEM, code)}
    return {"op": "add", "path": "/output", "value": [output]}


def confirmed(*codes: str, there: bool = True) -> list[Resource]:
    return [{"type": concept(INTAKE_ITEM, code), "valueBoolean": there} for code in codes]


class Two:
    """The hospital and the partner, and how they see what is missing."""

    def __init__(self, hospital: Caller, partner: Caller) -> None:
        self.hospital = hospital
        self.partner = partner

    async def child(self) -> Resource:
        (task,) = await self.partner.search("Task")
        return task

    async def worked(self) -> Resource:
        (task,) = await self.hospital.search(f"Task?code={TASK_CODE}|intake-checklist")
        return task

    async def source(self) -> Resource:
        (task,) = await self.hospital.search("Task?part-of:missing=true")
        return task

    async def open(self) -> set[str]:
        """What both Tasks say is open: the same."""
        theirs, ours = items_of(await self.child()), items_of(await self.worked())
        assert theirs == ours
        return {one.code for one in ours if one.state in {"missing", "wanted"}}

    async def confirm(self, *codes: str, there: bool = True) -> httpx.Response:
        task = await self.worked()
        added = [*task.get("output", []), *confirmed(*codes, there=there)]
        path = f"Task/{task['id']}"
        answer = await self.hospital.patch(path, {"op": "add", "path": "/output", "value": added})
        assert answer.status_code == 200, answer.text
        return answer


@pytest_asyncio.fixture
async def two(world: World, web: httpx.AsyncClient) -> Two:
    await asks_for(world, *LIST)
    await discharge(world, web, 1)
    return Two(await caller(world, web, world.mercy, "system/*.rus"), await caller(world, web, world.harbor))


def summed(task: Resource) -> str:
    return next(
        str(one["valueCodeableConcept"]["text"]) for one in task["input"] if one["type"].get("text") == "Packet"
    )


# ---- who sees what


async def test_the_partner_reads_what_is_missing_and_the_hospital_works_it_off(two: Two) -> None:
    task = await two.child()
    assert summed(task) == "3 of 8, missing: Insurance, ECG, Photo ID, Forms of the partner; wanted: Laboratory results"
    worked = await two.worked()
    assert (worked["status"], worked["partOf"]) == ("in-progress", task["partOf"])
    assert worked["owner"] == (await two.source())["requester"]
    assert "HTEST Harbor OTP" in worked["description"]
    assert "a letter of the hospital with a photo will do" in worked["description"]
    assert await two.open() == {"insurance", "ecg", "photo-id", "labs", "forms"}
    await two.confirm("ecg", "photo-id")
    assert await two.open() == {"insurance", "labs", "forms"}
    assert dict(items_of(await two.child()))["ecg"] == "confirmed"
    answer = await two.confirm("insurance", "forms")
    assert answer.json()["status"] == "completed", "what is only wanted does not keep it open"
    assert summed(await two.child()) == "7 of 8, wanted: Laboratory results"


async def test_nobody_but_the_hospital_sees_its_checklist(world: World, two: Two) -> None:
    worked = await two.worked()
    stranger = await caller(world, two.partner.web, world.north, "system/*.rs")
    for other in (two.partner, stranger):
        for path in (f"Task/{worked['id']}", f"Task/{worked['id']}/$packet", f"Task/{worked['id']}/_history"):
            assert (await other.get(path)).status_code == 404
        assert await other.search(f"Task?code={TASK_CODE}|intake-checklist") == []
    changed = await two.partner.patch(
        f"Task/{worked['id']}", {"op": "add", "path": "/output", "value": confirmed("ecg")}
    )
    assert changed.status_code == 404
    packet = await two.partner.read(f"Task/{(await two.child())['id']}/$packet")
    assert worked["id"] not in json.dumps(packet)


async def test_what_the_visit_tells_later_is_done_and_stays_done(world: World, two: Two) -> None:
    await two.confirm("photo-id")
    await discharge(world, two.partner.web, 1, event_id="HTEST-late", clinical={"qtc_ms": 440}, coverage=COVERAGE)
    states = dict(items_of(await two.child()))
    assert (states["ecg"], states["insurance"], states["photo-id"]) == ("done", "done", "confirmed")
    assert await two.open() == {"labs", "forms"}


async def test_what_was_confirmed_by_mistake_is_taken_back(world: World, two: Two) -> None:
    await two.confirm("ecg")
    await two.confirm("ecg", there=False)
    await discharge(world, two.partner.web, 1, event_id="HTEST-late", photo_id=True)
    assert "ecg" in await two.open()


async def test_a_message_that_comes_again_changes_nothing(world: World, two: Two) -> None:
    before = await two.worked(), await two.child()
    again = await discharge(world, two.partner.web, 1, event_id="HTEST-again")
    assert again["state"] == "updated"
    assert (await two.worked(), await two.child()) == before


# ---- the partner waives


@pytest.mark.parametrize("by", ["patch", "put"])
async def test_a_waived_item_counts_as_done(two: Two, by: str) -> None:
    task = await two.child()
    operation = waived("ecg")
    if by == "patch":
        answer = await two.partner.patch(f"Task/{task['id']}", operation)
    else:
        answer = await two.partner.put(task | {"output": operation["value"]})
    assert answer.status_code == 200, answer.text
    assert dict(items_of(answer.json()))["ecg"] == "waived"
    assert "ecg" not in await two.open()
    assert summed(await two.child()).startswith("4 of 8")


async def test_waived_items_survive_what_the_visit_tells_later(world: World, two: Two) -> None:
    task = await two.child()
    await two.partner.patch(f"Task/{task['id']}", waived("ecg"))
    await discharge(world, two.partner.web, 1, event_id="HTEST-late", coverage=COVERAGE)
    states = dict(items_of(await two.child()))
    assert (states["ecg"], states["insurance"]) == ("waived", "done")
    assert dict(items_of(await two.worked()))["ecg"] == "waived"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_last_waived_item_ends_the_checklist(two: Two) -> None:
    for code in ("insurance", "ecg", "photo-id", "forms"):
        task = await two.child()
        added = [*task.get("output", []), *waived(code)["value"]]
        answer = await two.partner.put(task | {"output": added})
        assert answer.status_code == 200, answer.text
    assert (await two.worked())["status"] == "completed"


# ---- the life of the referral goes on


async def test_the_checklist_is_no_child_of_the_referral(two: Two) -> None:
    task = await two.child()
    for status in ("accepted", "in-progress"):
        assert (await two.partner.set_status(task, status)).status_code == 200
        assert (await two.source())["status"] == status
    assert (await two.worked())["status"] == "in-progress"
    done = {"op": "add", "path": "/output", "value": OUTPUT}
    assert (await two.partner.set_status(task, "completed", done)).status_code == 200
    assert (await two.source())["status"] == "completed"
    assert (await two.worked())["status"] == "cancelled", "nobody waits for it any more"


async def test_a_partner_that_declines_ends_the_hospitals_work_for_it(two: Two) -> None:
    task = await two.child()
    why = {"op": "add", "path": "/statusReason", "value": {"text": "HTEST full"}}
    assert (await two.partner.set_status(task, "rejected", why)).status_code == 200
    worked = await two.worked()
    assert (worked["status"], worked["statusReason"]["coding"][0]["code"]) == ("cancelled", "withdrawn")
    source = await two.source()
    assert source["businessStatus"]["coding"][0]["code"] == "needs-a-person"
    assert len(await two.hospital.search("MedicationAdministration")) == 1, "the hospital goes on seeing its own"
    assert await two.partner.search("MedicationAdministration") == []


async def test_a_hospital_that_takes_the_referral_back_ends_its_checklist(two: Two) -> None:
    why = {"op": "add", "path": "/statusReason", "value": {"text": "HTEST no more"}}
    assert (await two.hospital.set_status(await two.source(), "cancelled", why)).status_code == 200
    assert (await two.child())["status"] == "cancelled"
    assert (await two.worked())["status"] == "cancelled"


async def test_a_cancelled_discharge_ends_it_and_the_next_one_asks_anew(world: World, two: Two) -> None:
    web = two.partner.web
    await two.confirm("ecg", "forms")
    await discharge(
        world, web, 1, event_id="HTEST-cancel", kind="cancel-discharge", occurred_at="2026-06-05T15:00:00-04:00"
    )
    assert (await two.worked())["status"] == "cancelled"
    await discharge(world, web, 1, event_id="HTEST-again", occurred_at="2026-06-05T18:00:00-04:00")
    worked = await two.hospital.search(f"Task?code={TASK_CODE}|intake-checklist")
    assert sorted(one["status"] for one in worked) == ["cancelled", "in-progress"]


async def test_who_answers_by_phone_is_the_partner_and_not_the_hospitals_own_list(two: Two) -> None:
    source, worked = await two.source(), await two.worked()
    own = await two.hospital.post(f"Task/{worked['id']}/$confirm-answer", parameters(by=DIAZ))
    assert own.status_code == 403, "it was asked by nobody"
    answer = await two.hospital.post(f"Task/{source['id']}/$record-answer", spoken("accepted"))
    assert answer.status_code == 200, answer.text
    assert (await two.child())["status"] == "accepted"
    assert (await two.worked())["status"] == "in-progress"
    assert "ecg" in await two.open()
    await two.confirm("ecg")
    assert (await two.source())["meta"]["versionId"] == answer.json()["meta"]["versionId"], (
        "its own list changes no answer"
    )


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_hospital_may_do_to_it_what_an_owner_may_and_nothing_else(two: Two) -> None:
    worked = await two.worked()
    wrong = await two.hospital.patch(f"Task/{worked['id']}", {"op": "replace", "path": "/priority", "value": "routine"})
    assert wrong.status_code == 422
    back = await two.hospital.set_status(worked, "requested")
    assert back.status_code == 422
    why = {"op": "add", "path": "/statusReason", "value": {"text": "HTEST waits for the laboratory"}}
    assert (await two.hospital.set_status(worked, "on-hold", why)).status_code == 200
    assert (await two.child())["status"] == "requested"


# ---- offers


async def test_the_offer_says_what_is_missing_and_of_whom_it_says_nothing(scene: Scene) -> None:
    await asks_for(scene.world, *LIST, part2_program=True)
    task = await offered(scene)
    assert summed(task).startswith("3 of 8, missing: Insurance, ECG, Photo ID, Forms of the partner")
    assert [one for one in IDENTIFYING if one in json.dumps(task)] == []
    answer = await scene.partner.patch(f"Task/{task['id']}", waived("photo-id"))
    assert answer.status_code == 200, answer.text
    assert dict(items_of(answer.json()))["photo-id"] == "waived"
    assert summed(await scene.child()).startswith("4 of 8, missing: Insurance, ECG, Forms")
    (worked,) = await scene.hospital.search(f"Task?code={TASK_CODE}|intake-checklist")
    added = {"op": "add", "path": "/output", "value": confirmed("ecg")}
    assert (await scene.hospital.patch(f"Task/{worked['id']}", added)).status_code == 200
    offer = await scene.child()
    assert dict(items_of(offer))["ecg"] == "confirmed"
    assert "REDACTED" in json.dumps(offer)
    page = (await scene.partner.get(f"Task/{task['id']}/$packet", accept="text/html")).text
    assert "5 of 8, missing: Insurance, Forms of the partner" in page
    await scene.tell(consent())
    assert dict(items_of(await scene.child()))["photo-id"] == "waived"


async def test_what_is_waived_after_the_person_came_is_told_where_a_consent_covers_it(scene: Scene) -> None:
    await asks_for(scene.world, *LIST, part2_program=True)
    await scene.tell(consent())
    two = Two(scene.hospital, scene.partner)
    task = await two.child()
    assert (await two.partner.patch(f"Task/{task['id']}", waived("ecg"))).status_code == 200
    assert dict(items_of(await two.worked()))["ecg"] == "waived", "an answer about a place"
    for status in ("accepted", "in-progress"):
        assert (await two.partner.set_status(task, status)).status_code == 200
    more = (await two.child())["output"] + waived("forms")["value"]
    answer = await two.partner.patch(f"Task/{task['id']}", {"op": "add", "path": "/output", "value": more})
    assert dict(items_of(answer.json()))["forms"] == "waived"
    assert dict(items_of(await two.worked()))["forms"] == "missing"
    await scene.tell(consent(), photo_id=True)
    states = dict(items_of(await two.worked()))
    assert (states["photo-id"], states["ecg"], states["forms"]) == ("done", "waived", "missing")
    await scene.tell(consent(both_directions=True, signed_at="2026-06-05T11:00:00-04:00"))
    assert dict(items_of(await two.worked()))["forms"] == "waived"


async def test_a_house_is_not_told_of_doses_by_its_checklist(world: World, web: httpx.AsyncClient) -> None:
    house = {"name": "HTEST Maple House", "covered_entity": True, "needs": ["recovery-housing"]}
    asked = house | {"intake_checklist": [{"code": "last-dose"}, {"code": "ecg"}, {"code": "photo-id"}]}
    (made,) = await registration.import_partners(world.hub, json.dumps([asked]).encode())
    await discharge(world, web, 1, needs=[{"kind": "recovery-housing"}], medications=[{"product": METHADONE}])
    partner = await caller(world, web, made.organization)
    for task in await partner.search("Task"):
        assert [one.code for one in items_of(task)] == ["photo-id"]


@pytest.mark.parametrize("items", [[{"code": "halo"}], [{"code": "ecg"}, {"code": "ecg"}], "ecg"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_list_of_what_is_not_known_is_refused(world: World, items: Any) -> None:
    with pytest.raises(BadRequest, match="intake_checklist"):
        await registration.import_partners(world.hub, json.dumps([PARTNER | {"intake_checklist": items}]).encode())
