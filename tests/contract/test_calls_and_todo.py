"""Calls of the hospital, and its to-do list: who must be called by when, until somebody has answered."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.core.actor import Actor
from app.core.errors import NotFound, Unprocessable
from app.services.partners import registration
from app.services.people import calls, covers, todo
from fhir_mappings.building.answer_view import answer_by
from tests.contract.fhir_callers import caller, discharge
from tests.contract.phone_talks import DIAZ, NG, NUMBER, Talkers, called, parameters, spoken, talkers
from tests.hub_fixtures import PARTNER, World

__all__ = ["talkers"]

OFFICER = Actor.system("test")


async def by_hand(world: World, **profile: Any) -> None:
    changed = {**PARTNER, "receives_by": ["manual"], "phone": "555-0100", **profile}
    await registration.import_partners(world.hub, json.dumps([changed]).encode())


async def todos(world: World, organization: str | None = None) -> list[todo.Todo]:
    return await todo.listed(world.hub, OFFICER, organization)


# ---- calls


async def test_a_call_is_kept_for_the_hospital_alone_and_nobody_changes_it(talkers: Talkers) -> None:
    body = called(talkers.harbor.organization, "left-message", note="HTEST asked to call back")
    first = await talkers.call(body)
    again = await talkers.call(body)
    assert (first.status_code, again.status_code) == (201, 200), first.text
    assert again.json() == first.json()
    made = first.json()
    assert first.headers["location"].endswith(f"Communication/{made['id']}/_history/1")
    assert (made["status"], made["statusReason"]["coding"][0]["code"]) == ("not-done", "left-message")
    for answer in (
        await talkers.mercy.put({**made, "status": "completed"}),
        await talkers.mercy.delete(f"Communication/{made['id']}"),
    ):
        assert answer.status_code == 403
    assert (await talkers.harbor.get(f"Communication/{made['id']}")).status_code == 404
    source = await talkers.source()
    (found,) = await talkers.mercy.search(f"Communication?based-on={source['focus']['reference']}")
    assert found["id"] == made["id"]


async def test_the_calls_of_a_referral_are_listed_oldest_first(talkers: Talkers) -> None:
    source = await talkers.source()
    for outcome in ("no-answer", "busy", "wrong-number"):
        await talkers.call(called(talkers.harbor.organization, outcome))
    await talkers.call(called(talkers.harbor.organization, "talked", talked_to=DIAZ))
    await talkers.record(spoken("accepted"))
    for referral in (source["id"], source["focus"]["reference"].rpartition("/")[2]):
        lines = await calls.listed(talkers.world.hub, OFFICER, referral)
        assert {one.outcome for one in lines} == {"no-answer", "busy", "wrong-number", "talked", "accepted"}
        assert {(one.partner, one.number, one.by) for one in lines} == {(PARTNER["name"], NUMBER, NG)}
        assert lines[-1].kind == "answer"
        assert DIAZ in {one.person for one in lines}
    with pytest.raises(NotFound):
        await calls.listed(talkers.world.hub, OFFICER, "HTEST-nobody")
    looks = "select interaction from access_log where interaction = 'calls'"
    assert len(await talkers.world.hub.store.database.fetch(looks)) == 2


@pytest.mark.parametrize(
    ("changes", "status", "where"),
    [
        ({"number": None}, 400, "number"),
        ({"number": "HTEST"}, 400, "number"),
        ({"outcome": "HTEST"}, 400, "outcome"),
        ({"recorded_by": None}, 400, "recorded-by"),
        ({"at": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}, 422, "at"),
        ({"partner": "HTEST-nobody"}, 422, "partner"),
    ],
)
async def test_a_call_that_can_not_be_is_refused_by_name(
    talkers: Talkers, changes: dict[str, Any], status: int, where: str
) -> None:
    answer = await talkers.call(called(**{"partner": talkers.harbor.organization, **changes}))
    assert answer.status_code == status, answer.text
    assert f"'{where}'" in answer.json()["issue"][0]["expression"][0]
    assert NUMBER not in answer.text


async def test_nobody_else_keeps_calls_of_a_referral(talkers: Talkers, world: World) -> None:
    source, child = await talkers.source(), await talkers.child()
    north = await caller(world, talkers.web, world.north, "system/*.cruds")
    body = called(talkers.harbor.organization)
    assert (await talkers.call(body, north, source["id"])).status_code == 404
    assert (await talkers.call(body, talkers.harbor, source["id"])).status_code == 404
    assert (await talkers.call(body, talkers.harbor, child["id"])).status_code == 403


# ---- the to-do list


async def test_a_partner_that_is_told_by_hand_stands_in_the_list_until_it_answers(talkers: Talkers) -> None:
    world = talkers.world
    assert await todos(world) == []
    await by_hand(world)
    (line,) = await todos(world, "HTEST Mercy")
    source, child = await talkers.source(), await talkers.child()
    assert (line.why, line.phone, line.source, line.task) == (["manual"], "555-0100", source["id"], child["id"])
    assert datetime.fromisoformat(line.due_by) == answer_by(child)
    assert (line.overdue, line.calls, line.last_call) == (False, 0, "")
    await talkers.call(called(talkers.harbor.organization, "busy"))
    (line,) = await todos(world)
    assert (line.calls, line.last_call) == (1, "busy")
    await talkers.record(spoken("accepted"))
    assert await todos(world) == []


async def test_the_time_to_answer_counts_in_the_intake_hours_of_the_partner(talkers: Talkers) -> None:
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    hours = [{"days": days, "opens": "09:00", "closes": "09:10"}]
    await by_hand(talkers.world, intake_hours=hours, time_zone="UTC", response_minutes=15)
    await discharge(talkers.world, talkers.web, 2)
    first, second = [datetime.fromisoformat(line.due_by) for line in await todos(talkers.world)]
    assert first < second
    assert (second.hour, second.minute) == (9, 5)


async def test_where_nobody_vouches_for_a_number_a_person_does_it(talkers: Talkers) -> None:
    await by_hand(talkers.world, receives_by=["fax"])
    await discharge(talkers.world, talkers.web, 2)
    assert [line.why for line in await todos(talkers.world)] == [["manual"], ["manual"]]
    jobs = await talkers.world.hub.store.database.fetch("select kind from job where kind = 'send-fax'")
    assert not jobs


async def test_the_most_urgent_stands_first_and_only_of_the_hospital_that_is_named(
    talkers: Talkers, world: World
) -> None:
    await by_hand(world)
    await discharge(world, talkers.web, 2)
    lines = await todos(world, world.mercy)
    assert len(lines) == 2
    assert [line.due_by for line in lines] == sorted(line.due_by for line in lines)
    assert await todos(world, world.north) == []
    with pytest.raises(NotFound):
        await todos(world, "HTEST Nowhere")


async def test_a_disputed_answer_stays_in_the_list_until_somebody_has_talked(talkers: Talkers) -> None:
    await talkers.record(spoken("rejected", reason="no-capacity"))
    child = await talkers.child()
    await talkers.harbor.post(f"Task/{child['id']}/$correct-answer", parameters(text="HTEST we never said that"))
    (line,) = await todos(talkers.world)
    assert (line.why, line.task) == (["answer-disputed"], child["id"])
    await talkers.call(called(talkers.harbor.organization, "no-answer"))
    assert len(await todos(talkers.world)) == 1
    await talkers.call(called(talkers.harbor.organization, "talked"))
    assert await todos(talkers.world) == []


async def test_what_a_part2_program_writes_reaches_the_hospital_only_where_a_consent_covers_the_way_back(
    talkers: Talkers,
) -> None:
    await by_hand(talkers.world, part2_program=True)
    await discharge(talkers.world, talkers.web, 2)
    *_, child = await talkers.harbor.search("Task?_sort=_lastUpdated")
    source = child["partOf"][0]["reference"].rpartition("/")[2]
    await talkers.record(spoken("rejected", reason="no-capacity"), task=source)
    body = parameters(text="HTEST she is with us already")
    assert (await talkers.harbor.post(f"Task/{child['id']}/$correct-answer", body)).status_code == 200
    said = await talkers.mercy.search("Communication")
    assert len(said) == 2
    assert "with us already" not in json.dumps(said)


# ---- the cover sheet


async def test_the_cover_sheet_says_who_asks_whom_for_what_by_when_and_names_nobody(talkers: Talkers) -> None:
    await by_hand(talkers.world)
    child = await talkers.child()
    source = child["partOf"][0]["reference"].rpartition("/")[2]
    page = await covers.of_task(talkers.world.hub, child["id"])
    for wanted in ("HTEST Mercy", str(PARTNER["name"]), "555-0100", "Continue medication", source):
        assert wanted in page, wanted
    assert not any(secret in page for secret in ("Htest", "HTEST0001", "1991"))
    with pytest.raises(Unprocessable):
        await covers.of_task(talkers.world.hub, (await talkers.source())["id"])
    with pytest.raises(NotFound):
        await covers.of_task(talkers.world.hub, "HTEST-nobody")
