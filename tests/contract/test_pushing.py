"""Referrals are pushed to a partner's own FHIR server and followed there: both databases, over real sockets."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from app.services.push.push_following import Following, There
from tests.contract.fhir_callers import Resource, caller
from tests.contract.passing_time import ALL, Course, course
from tests.contract.pushed import HARBOR, Pushing, pushing
from tests.fhir_servers import FhirServer, fhir_server

__all__ = ["course"]
_OUTCOME = "https://throughline.org/fhir/CodeSystem/outcome"
FIRST_DOSE = {
    "type": {"coding": [{"system": _OUTCOME, "code": "outcome"}]},
    "valueCodeableConcept": {"coding": [{"system": _OUTCOME, "code": "first-dose-given"}]},
}

ARRIVED = {**FIRST_DOSE, "valueCodeableConcept": {"coding": [{"system": _OUTCOME, "code": "arrived"}]}}


@pytest_asyncio.fixture(params=[True, False], ids=["transaction", "one-by-one"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[FhirServer]:
    async with fhir_server(transactions=request.param) as made:
        yield made


@pytest_asyncio.fixture
async def push(course: Course, server: FhirServer) -> AsyncIterator[Pushing]:
    async with pushing(course, server.base) as made:
        yield made


async def test_the_request_is_there_once_with_what_the_partner_may_see(push: Pushing, server: FhirServer) -> None:
    await push.course.discharged()
    await push.turn()
    child = await push.child()
    assert server.task["status"] == "requested"
    assert {one.headers["accept-encoding"] for one in server.asked} == {"identity"}
    assert (f"{push.hub.settings.fhir_base}/Task", child["id"]) in [
        (one["system"], one["value"]) for one in server.task["identifier"]
    ]
    (request,) = server.of("ServiceRequest")
    assert server.task["focus"]["reference"] == f"ServiceRequest/{request['id']}"
    (patient,) = server.of("Patient")
    assert server.task["for"]["reference"] == f"Patient/{patient['id']}"
    assert len({one.task for one in await push.listed()}) == 1


async def test_its_answers_go_the_way_that_a_partners_own_would(push: Pushing, server: FhirServer) -> None:
    await push.course.discharged()
    await push.turn()
    server.says(status="accepted")
    await push.later()
    assert (await push.course.source())["status"] == "accepted"
    server.says(status="completed", output=[FIRST_DOSE])
    await push.later()
    source = await push.course.source()
    assert source["status"] == "completed"
    assert source["output"] == [FIRST_DOSE]
    assert [one.state for one in await push.listed("ended")] == ["ended"]
    read = await push.rows("select count(*) from resource where type = 'Provenance' and deleted = $1", False)
    assert read[0][0] >= 3, "the messages' own, and one for each step that was read"


async def test_what_lies_between_two_readings_is_taken_as_it_must_have_been(push: Pushing, server: FhirServer) -> None:
    await push.course.discharged()
    await push.turn()
    server.says(status="in-progress")
    await push.later()
    assert (await push.child())["status"] == "in-progress"
    versions = await push.rows("select count(*) from body where id = $1", (await push.child())["id"])
    assert versions[0][0] == 3


async def test_what_is_put_out_there_can_be_read_by_the_hospital_once(push: Pushing, server: FhirServer) -> None:
    await push.course.discharged()
    await push.turn()
    patient = server.task["for"]["reference"]
    done = server.make(
        {
            "resourceType": "Procedure",
            "status": "completed",
            "subject": {"reference": patient},
            "code": {"text": "dose"},
        }
    )
    output = {"type": {"text": "resulting activity"}, "valueReference": {"reference": done}}
    server.says(status="in-progress", output=[output])
    for _ in range(3):
        await push.later()
    server.says(status="completed")
    await push.later()
    source = await push.course.source()
    (told,) = source["output"]
    hospital = await caller(push.course.world, push.course.web, push.course.world.mercy, ALL)
    read = await hospital.read(told["valueReference"]["reference"])
    assert read["meta"]["source"] == f"{server.base}/{done}"
    assert read["subject"]["reference"] == source["for"]["reference"]
    # It is the partner's, and is not given back to the partner's server as something else.
    assert [one["id"] for one in server.of("Procedure")] == [done.partition("/")[2]]
    assert server.task["output"] == [output]


async def test_a_second_no_show_there_is_one_here_in_whatever_words(push: Pushing, server: FhirServer) -> None:
    """Its list has both, so that the second is no retry; read again it is no third."""
    missed = {**FIRST_DOSE, "valueCodeableConcept": {"coding": [{"system": _OUTCOME, "code": "no-show"}]}}
    await push.course.discharged()
    await push.turn()
    server.says(status="accepted", output=[missed])
    await push.later()
    server.says(output=[missed, missed])
    for _ in range(3):
        await push.later()
    assert (await push.child())["output"] == [missed, missed]
    assert (await push.one()).state == "waiting"


async def test_what_is_said_at_the_hub_while_the_server_is_read_is_kept_beside_it(
    push: Pushing, server: FhirServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await push.course.discharged()
    await push.turn()
    server.says(status="accepted")
    await push.later()
    read, note = Following._outputs, {"text": "HTEST said at the hub"}

    async def meanwhile(following: Following, child: Resource, there: There) -> Any:
        found = await read(following, child, there)
        if "note" not in child:
            partner = await caller(push.course.world, push.course.web, push.course.partners[HARBOR], ALL)
            told = {"op": "add", "path": "/output", "value": [ARRIVED]}
            noted = {"op": "add", "path": "/note", "value": [note]}
            assert (await partner.patch(f"Task/{child['id']}", told, noted)).status_code == 200
        return found

    monkeypatch.setattr(Following, "_outputs", meanwhile)
    server.says(output=[FIRST_DOSE], note=[{"text": "HTEST said there"}])
    await push.later()
    assert (await push.one()).reason == "changed-meanwhile"
    await push.later(1)
    child = await push.child()
    assert ((await push.one()).reason, child["output"]) == (None, [ARRIVED, FIRST_DOSE])
    assert [one["text"] for one in child["note"]] == [note["text"], "HTEST said there"]


@pytest.mark.parametrize("place", ["Procedure/999", "DocumentReference/7"])
async def test_an_acceptance_does_not_wait_for_what_can_not_be_read(
    push: Pushing, server: FhirServer, place: str
) -> None:
    """Gone, or more than is read: the reference stays where it leads to, and the status counts."""
    await push.course.discharged()
    await push.turn()
    if place == "DocumentReference/7":
        large = {"resourceType": "DocumentReference", "status": "current", "description": "x" * 5_000_000}
        server.put(place, large)
    server.says(status="accepted", output=[{"type": {"text": "HTEST"}, "valueReference": {"reference": place}}])
    await push.later()
    child = await push.child()
    assert child["status"] == "accepted"
    assert child["output"][0]["valueReference"]["reference"] == f"{server.base}/{place}"
    server.says(status="in-progress")
    await push.later()
    child = await push.child()
    assert (child["status"], len(child["output"])) == ("in-progress", 1)


async def test_an_answer_at_the_hub_itself_holds_whatever_the_server_still_says(
    push: Pushing, server: FhirServer
) -> None:
    await push.course.discharged()
    await push.turn()
    assert (await push.course.answers(HARBOR, "accepted")).status_code == 200
    await push.later()
    assert (await push.course.answers(HARBOR, "in-progress")).status_code == 200
    await push.later()
    assert [(one.state, one.status) for one in await push.listed()] == [("waiting", "requested")]
    assert (await push.child())["status"] == "in-progress"
    server.says(status="completed", output=[FIRST_DOSE])
    await push.later()
    assert (await push.course.source())["status"] == "completed"


@pytest.mark.parametrize("why", [{}, {"statusReason": {"text": "  "}}], ids=["none", "blank"])
async def test_a_decline_without_words_is_one(push: Pushing, server: FhirServer, why: Resource) -> None:
    await push.course.discharged()
    await push.turn()
    server.says(status="rejected", **why)
    await push.later()
    child = await push.child()
    assert (child["status"], child["statusReason"]["text"]) == ("rejected", "The partner's system gives no reason.")
    assert "nobody-left" in await push.course.told()


async def test_what_changes_later_is_given_and_what_the_partner_said_stays(push: Pushing, server: FhirServer) -> None:
    await push.course.discharged()
    await push.turn()
    server.says(status="accepted", note=[{"text": "HTEST we call"}])
    await push.later()
    assert [one["text"] for one in (await push.child())["note"]] == ["HTEST we call"]
    before = server.task
    await push.course.discharged(kind="cancel-discharge", event_id="HTEST-cancel")
    await push.later()
    assert server.task["businessStatus"]["coding"][0]["code"] == "discharge-cancelled"
    assert (server.task["status"], server.task["note"]) == ("accepted", before["note"])
    writes = len(server.wrote())
    await push.later()
    assert len(server.wrote()) == writes, "nothing is new, so nothing is given"


@pytest.mark.parametrize("lost", [1, 2])
async def test_an_answer_that_gets_lost_makes_nothing_twice(push: Pushing, server: FhirServer, lost: int) -> None:
    await push.course.discharged()
    server.cuts = lost
    for _ in range(lost + 1):
        # Each time another process, as after a crash between what it sent and what it kept.
        push.again()
        await push.later()
    assert [len(server.of(kind)) for kind in ("Task", "ServiceRequest", "Patient", "Encounter")] == [1, 1, 1, 1]
    assert (await push.one()).state == "waiting"
    await push.later()
    assert (await push.one()).status == "requested"


async def test_a_request_that_is_withdrawn_before_it_arrives_never_leaves(push: Pushing, server: FhirServer) -> None:
    await push.course.discharged()
    await push.withdrawn()
    await push.turn()
    assert server.wrote() == []
    assert [(one.state, one.reason) for one in await push.listed("ended")] == [("ended", "over")]


async def test_a_request_that_may_have_arrived_is_looked_for_before_it_is_forgotten(
    push: Pushing, server: FhirServer
) -> None:
    await push.course.discharged()
    if not server.transactions:
        # One by one nobody is asked before the Task, which is the last.
        server.cuts = 0
        await push.turn()
        await push.rows("update push set known = $1, looked = 0", '{"begun":true}')
    else:
        server.cuts = 1
        await push.later()
    await push.withdrawn()
    for _ in range(4):
        await push.later()
    assert server.task["status"] == "cancelled"


# ---- cancelled by the hub


@pytest.mark.parametrize("accepted", [False, True])
async def test_gravity_is_told_by_the_status(push: Pushing, server: FhirServer, *, accepted: bool) -> None:
    await push.course.discharged()
    await push.turn()
    if accepted:
        server.says(status="in-progress")
        await push.later()
    await push.withdrawn()
    await push.later()
    assert server.task["status"] == "cancelled"
    assert server.task["statusReason"]["text"]
    await push.later()
    assert [one.state for one in await push.listed("ended")] == ["ended"]
