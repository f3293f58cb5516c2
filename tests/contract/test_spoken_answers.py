"""A partner's spoken answer, recorded by the hospital: one transition under two names, once, by the rules of both."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.core.actor import Actor
from app.core.clock import Clock
from app.services.jobs import DueWork
from app.services.people import calls
from tests.contract.fhir_callers import OUTPUT, Resource, caller
from tests.contract.phone_talks import DIAZ, NG, NUMBER, Talkers, mark, now, parameters, spoken, talkers
from tests.contract.test_consent_life import IDENTIFYING, Scene, consent, offered, scene
from tests.hub_fixtures import World

__all__ = ["scene", "talkers"]


async def test_an_answer_moves_both_tasks_and_says_how_it_came(talkers: Talkers) -> None:
    answer = await talkers.record(spoken("accepted"))
    assert answer.status_code == 200, answer.text
    assert (answer.json()["id"], answer.json()["status"]) == ((await talkers.source())["id"], "accepted")
    child = await talkers.child()
    assert (child["status"], mark(child), mark(answer.json())) == (
        "accepted",
        "recorded-by-phone",
        "recorded-by-phone",
    )
    assert answer.headers["etag"]
    found = await talkers.harbor.search("Task?_tag=recorded-by-phone")
    assert [one["id"] for one in found] == [child["id"]]


async def test_who_said_it_and_who_recorded_it_is_told_to_both_and_the_number_to_the_hospital_alone(
    talkers: Talkers,
) -> None:
    await talkers.record(spoken("accepted", note="HTEST asks for Rosa at the door"))
    child, source = await talkers.child(), await talkers.source()
    (theirs,) = await talkers.harbor.search(f"Provenance?target=Task/{child['id']}&agent-type=enterer")
    (ours,) = await talkers.mercy.search(f"Provenance?target=Task/{source['id']}&agent-type=enterer")
    for one in (theirs, ours):
        said = {agent["type"]["coding"][0]["code"]: agent for agent in one["agent"]}
        assert said["enterer"]["who"]["display"] == NG
        assert said["enterer"]["onBehalfOf"]["reference"] == f"Organization/{talkers.harbor.organization}"
        assert said["informant"]["who"]["display"] == DIAZ
        assert said["attester"]["who"]["reference"] == f"Organization/{talkers.mercy.organization}"
    assert [one["reference"] for one in theirs["target"]] == [f"Task/{child['id']}/_history/2"]
    (told,) = await talkers.mercy.search(f"Communication?based-on={source['focus']['reference']}")
    assert told["contained"][0]["telecom"] == [{"system": "phone", "value": NUMBER}]
    assert told["topic"]["coding"][0]["code"] == "accepted"
    assert await talkers.harbor.search("Communication") == []
    packet = (await talkers.harbor.get(f"Task/{child['id']}/$packet")).text
    assert NUMBER not in packet
    assert "at the door" not in packet


async def test_it_stands_in_the_audit_trail_of_the_hospital(talkers: Talkers) -> None:
    await talkers.record(spoken("accepted"))
    await talkers.web._transport.app.state.disclosures.flush()  # type: ignore[attr-defined]
    (event,) = await talkers.mercy.search("AuditEvent?subtype=operation")
    assert (event["action"], event["entity"][0]["what"]["reference"].split("/")[0]) == ("E", "Task")
    assert NUMBER not in str(event)


async def test_what_was_answered_by_phone_is_followed_no_further(talkers: Talkers) -> None:
    second = await talkers.partner("HTEST Second OTP", needs=["moud-continuation"])
    await talkers.record(spoken("accepted"))
    hub = replace(talkers.world.hub, clock=Clock(3 * 86_400 * 1_000_000))
    for _ in range(3):
        await DueWork(hub).run()
    assert (await talkers.child())["status"] == "accepted"
    assert await second.search("Task") == []


async def test_what_nobody_answered_is(talkers: Talkers) -> None:
    second = await talkers.partner("HTEST Second OTP", needs=["moud-continuation"])
    hub = replace(talkers.world.hub, clock=Clock(3 * 86_400 * 1_000_000))
    for _ in range(3):
        await DueWork(hub).run()
    assert len(await second.search("Task")) == 1


@pytest.mark.parametrize(
    ("answer", "more"),
    [
        ("accepted", {}),
        ("rejected", {"reason": "no-capacity"}),
        ("accepted in-progress", {}),
        ("accepted on-hold", {"reason": "HTEST waits for the ECG"}),
        ("accepted completed", {"output": "HTEST first dose given"}),
        ("accepted failed", {"reason": "patient-unreachable"}),
    ],
)
async def test_every_answer_that_the_owner_may_give_may_be_recorded(
    talkers: Talkers, answer: str, more: dict[str, str]
) -> None:
    for one in answer.split():
        given = await talkers.record(spoken(one, **more))
        assert given.status_code == 200, given.text
    child = await talkers.child()
    assert (child["status"], mark(child)) == (answer.rsplit(maxsplit=1)[-1], "recorded-by-phone")
    if "rejected" in answer:
        source = await talkers.source()
        assert (source["status"], mark(source)) == ("requested", None)
        assert source["businessStatus"]["coding"][0]["code"] == "needs-a-person"
        assert await talkers.harbor.search("Patient") == []
    if "completed" in answer:
        assert (await talkers.source())["output"][0]["valueString"] == "HTEST first dose given"


async def test_what_came_of_it_is_told_in_the_codes_that_a_partner_would_use_itself(talkers: Talkers) -> None:
    await talkers.record(spoken("accepted"))
    assert (await talkers.record(spoken("accepted", output="no-show"))).status_code == 200
    await DueWork(talkers.world.hub).run()
    (source,) = [one for one in await talkers.mercy.search("Task") if "partOf" not in one]
    assert (source["status"], source["businessStatus"]["coding"][0]["code"]) == ("accepted", "no-show")
    done = await talkers.record(spoken("completed", output="first-dose-given"), task=source["id"])
    assert done.status_code == 200, done.text
    await DueWork(talkers.world.hub).run()
    (source,) = [one for one in await talkers.mercy.search("Task") if "partOf" not in one]
    assert (source["status"], "businessStatus" in source) == ("completed", False)
    codes = [one["valueCodeableConcept"]["coding"][0]["code"] for one in source["output"]]
    assert codes == ["no-show", "first-dose-given"]
    assert source["output"][1] == (await talkers.child())["output"][1]


@pytest.mark.parametrize(
    ("changes", "status", "where", "says"),
    [
        ({"number": None}, 400, "number", "needed"),
        ({"number": "by phone"}, 400, "number", "digits"),
        ({"said_by": None}, 400, "said-by", "needed"),
        ({"recorded_by": " "}, 400, "recorded-by", "needed"),
        ({"at": None}, 400, "at", "needed"),
        ({"at": "2026-06-05"}, 400, "at", "time"),
        ({"at": "9999-12-31T23:59:59-14:00"}, 400, "at", "time"),
        ({"answer": "HTEST-maybe"}, 400, "answer", "accepted"),
        ({"how": "HTEST-pigeon"}, 400, "how", "in-person"),
        ({"answer": "rejected"}, 400, "reason", "needed"),
        ({"answer": "completed"}, 400, "output", "needed"),
        ({"answer": "in-progress"}, 422, "Task.status", "accepted, rejected"),
        ({"partner": "HTEST-nobody"}, 422, "partner", "Not asked"),
        ({"at": (datetime.now(UTC) + timedelta(hours=2)).isoformat()}, 422, "at", "future"),
        ({"at": (datetime.now(UTC) - timedelta(hours=2)).isoformat()}, 422, "at", "before"),
        ({"colour": "HTEST blue"}, 400, "Parameters.parameter", "said-by"),
    ],
)
async def test_what_can_not_be_is_refused_by_name_and_nothing_is_kept(
    talkers: Talkers, changes: dict[str, Any], status: int, where: str, says: str
) -> None:
    answer = await talkers.record(spoken(**{"answer": "accepted", **changes}))
    assert answer.status_code == status, answer.text
    (issue, *_) = answer.json()["issue"]
    assert where in issue["expression"][0]
    assert says in issue["diagnostics"]
    for secret in (DIAZ, NUMBER, "HTEST-maybe", "HTEST-pigeon", "HTEST blue", "by phone"):
        assert secret not in answer.text
    assert (await talkers.child())["status"] == "requested"
    assert await talkers.mercy.search("Communication") == []


async def test_the_same_told_twice_is_once(talkers: Talkers) -> None:
    body = spoken("accepted")
    first, again = await talkers.record(body), await talkers.record(body)
    assert (again.status_code, again.json()) == (200, first.json())
    assert len(await talkers.mercy.search("Communication")) == 1
    at_once = await asyncio.gather(*(talkers.record(spoken("in-progress", at=now()[:17] + "00Z")) for _ in range(8)))
    assert {one.status_code for one in at_once} == {200}
    assert len(await talkers.mercy.search("Communication")) == 2
    assert (await talkers.child())["meta"]["versionId"] == "3"


async def test_an_answer_that_the_partner_gave_itself_is_kept_as_what_was_said_and_changes_nothing(
    talkers: Talkers,
) -> None:
    await talkers.harbor.set_status(await talkers.child(), "accepted")
    answer = await talkers.record(spoken("accepted"))
    assert (answer.status_code, mark(answer.json())) == (200, None)
    assert (await talkers.child())["meta"]["versionId"] == "2"
    assert len(await talkers.mercy.search("Communication")) == 1


# ---- the partner confirms or corrects


async def test_a_put_of_what_was_recorded_confirms_it(talkers: Talkers) -> None:
    stale = await talkers.child()
    await talkers.record(spoken("accepted"))
    answer = await talkers.harbor.put({**stale, "status": "accepted"})
    assert (answer.status_code, mark(answer.json())) == (200, None)
    assert mark(await talkers.source()) is None
    again = await talkers.harbor.put({**stale, "status": "accepted"})
    assert (again.status_code, again.headers["etag"]) == (200, answer.headers["etag"])


async def test_a_patch_to_the_same_status_and_an_output_confirm_it_a_note_does_not(talkers: Talkers) -> None:
    await talkers.record(spoken("accepted"))
    child = await talkers.child()
    note = {"op": "add", "path": "/note", "value": [{"text": "HTEST seen"}]}
    assert mark((await talkers.harbor.patch(f"Task/{child['id']}", note)).json()) == "recorded-by-phone"
    assert mark((await talkers.harbor.set_status(child, "accepted")).json()) is None
    await talkers.record(spoken("in-progress"))
    output = {"op": "add", "path": "/output", "value": OUTPUT}
    assert mark((await talkers.harbor.patch(f"Task/{child['id']}", output)).json()) is None
    assert mark(await talkers.source()) is None


async def test_confirming_by_name_is_kept_and_may_be_repeated(talkers: Talkers) -> None:
    child = await talkers.child()
    path = f"Task/{child['id']}/$confirm-answer"
    assert (await talkers.harbor.post(path, parameters(by=DIAZ))).status_code == 422
    await talkers.record(spoken("accepted"))
    for _ in range(2):
        answer = await talkers.harbor.post(path, parameters(by=DIAZ))
        assert (answer.status_code, mark(answer.json())) == (200, None)
    (verified,) = await talkers.harbor.search(f"Provenance?target=Task/{child['id']}&agent-type=verifier")
    assert verified["agent"][0]["who"]["display"] == DIAZ
    assert (await talkers.mercy.post(f"Task/{child['id']}/$confirm-answer", parameters())).status_code == 404
    source = await talkers.source()
    assert (await talkers.mercy.post(f"Task/{source['id']}/$confirm-answer", parameters())).status_code == 403


async def test_a_later_answer_of_its_own_takes_the_mark_away(talkers: Talkers) -> None:
    await talkers.record(spoken("accepted"))
    moved = await talkers.harbor.set_status(await talkers.child(), "in-progress")
    source = await talkers.source()
    assert (mark(moved.json()), mark(source), source["status"]) == (None, None, "in-progress")


async def test_a_wrong_rejection_is_disputed_and_left_to_a_person(talkers: Talkers) -> None:
    await talkers.record(spoken("rejected", reason="no-capacity"))
    child = await talkers.child()
    path = f"Task/{child['id']}/$correct-answer"
    body = parameters(text="HTEST we never said that", by=DIAZ)
    for _ in range(2):
        answer = await talkers.harbor.post(path, body)
        assert (answer.status_code, answer.json()["status"], mark(answer.json())) == (
            200,
            "rejected",
            "answer-disputed",
        )
    assert mark(await talkers.source()) == "answer-disputed"
    said = await calls.listed(talkers.world.hub, Actor.system("test"), (await talkers.source())["id"])
    assert [(one.kind, one.person, one.note) for one in said][1:] == [("dispute", DIAZ, "HTEST we never said that")]


async def test_a_wrong_acceptance_is_corrected_as_far_as_the_lifecycle_goes(talkers: Talkers) -> None:
    await talkers.record(spoken("accepted"))
    path = f"Task/{(await talkers.child())['id']}/$correct-answer"
    unsaid = await talkers.harbor.post(path, parameters(text="HTEST we never said that"))
    assert unsaid.status_code == 422
    assert all(one in unsaid.json()["issue"][0]["diagnostics"] for one in ("in-progress", "failed", "cancelled"))
    forbidden = parameters(text="HTEST no", answer="rejected", reason="HTEST full")
    assert (await talkers.harbor.post(path, forbidden)).status_code == 422
    body = parameters(text="HTEST no", answer="cancelled", reason="HTEST we have no place")
    answer = await talkers.harbor.post(path, body)
    assert (answer.status_code, answer.json()["status"], mark(answer.json())) == (200, "cancelled", None)
    assert (await talkers.harbor.post(path, body)).status_code == 200


async def test_an_offer_that_is_answered_by_phone_says_so_and_still_identifies_nobody(scene: Scene) -> None:
    await offered(scene)
    source = await scene.source()
    answer = await scene.hospital.post(f"Task/{source['id']}/$record-answer", spoken("accepted"))
    assert answer.status_code == 200, answer.text
    child = await scene.child()
    assert (child["status"], mark(child), mark(await scene.source())) == (
        "accepted",
        "recorded-by-phone",
        "recorded-by-phone",
    )
    seen = json.dumps([child, *await scene.partner.search("Provenance")])
    assert [one for one in IDENTIFYING if one in seen] == []
    # What the visit tells later leaves it as it is.
    await scene.tell(consent())
    assert (mark(await scene.child()), mark(await scene.source())) == ("recorded-by-phone", "recorded-by-phone")
    assert await scene.partner.search("Patient")
    confirmed = await scene.partner.set_status(await scene.child(), "accepted")
    assert (confirmed.status_code, mark(confirmed.json()), mark(await scene.source())) == (200, None, None)


async def test_a_confirmed_offer_stays_an_offer(scene: Scene) -> None:
    await offered(scene)
    await scene.hospital.post(f"Task/{(await scene.source())['id']}/$record-answer", spoken("accepted"))
    confirmed = await scene.partner.set_status(await scene.child(), "accepted")
    assert (confirmed.status_code, mark(confirmed.json())) == (200, None)
    assert [one for one in IDENTIFYING if one in confirmed.text] == []
    assert "REDACTED" in confirmed.text


# ---- others


async def test_the_others_learn_nothing_but_that_they_are_not_needed(talkers: Talkers) -> None:
    north = await talkers.asked_too("HTEST Second OTP")
    assert (await talkers.record(spoken("accepted"))).status_code == 422
    answer = await talkers.record(spoken("accepted", partner=talkers.harbor.organization))
    assert answer.status_code == 200, answer.text
    lost = await talkers.child(north)
    assert (lost["status"], lost["statusReason"]["text"], mark(lost)) == ("cancelled", "Not selected", None)
    everything = [await north.get(kind) for kind in ("Task", "Provenance", "Communication", "ServiceRequest")]
    everything += [await north.get(f"Task/{lost['id']}/{rest}") for rest in ("$packet", "_history")]
    for seen in everything:
        assert not any(secret in seen.text for secret in (DIAZ, NG, NUMBER, talkers.harbor.organization)), seen.url


async def test_one_partner_can_not_answer_for_another_nor_one_hospital_for_another(
    talkers: Talkers, world: World
) -> None:
    other = await talkers.asked_too("HTEST Second OTP")
    source, child = await talkers.source(), await talkers.child()
    body = spoken("accepted", partner=talkers.harbor.organization)
    assert (await talkers.record(body, other, source["id"])).status_code == 404
    assert (await talkers.record(body, other, child["id"])).status_code == 404
    assert (await talkers.record(body, talkers.harbor, child["id"])).status_code == 403
    assert (await talkers.record(body, talkers.mercy, child["id"])).status_code == 404
    north = await caller(world, talkers.web, world.north, "system/*.cruds")
    unknown = await talkers.record(body, north, "0197a2c4-0000-7000-8000-000000000000")
    hidden = await talkers.record(body, north, source["id"])
    assert (hidden.status_code, hidden.content) == (404, unknown.content)
    reader = await caller(world, talkers.web, world.mercy, "system/Task.rs")
    assert (await talkers.record(body, reader, source["id"])).status_code == 403
    assert (await talkers.child())["status"] == "requested"


async def test_a_spoken_and_a_written_acceptance_at_once_make_one_owner(talkers: Talkers) -> None:
    others = [await talkers.asked_too(f"HTEST OTP {number}") for number in range(4)]
    body = spoken("accepted", partner=talkers.harbor.organization)

    async def written(one: Any) -> Any:
        return await one.set_status(await talkers.child(one), "accepted")

    answers = await asyncio.gather(talkers.record(body), *(written(one) for one in others), talkers.record(body))
    assert {answer.status_code for answer in answers} <= {200, 409, 422}
    states = [(await talkers.child(one))["status"] for one in (talkers.harbor, *others)]
    assert sorted(states) == ["accepted", *["cancelled"] * 4]
    assert (await talkers.source())["status"] == "accepted"
    winner: Resource = await talkers.child((talkers.harbor, *others)[states.index("accepted")])
    assert mark(await talkers.source()) == mark(winner)
