"""The weekly list of a partner: who is on it, one word for all of it, what of it reaches whom; on both databases."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import httpx
import pytest

from app.services.clients import accounts
from app.store.retention import Retention
from tests.contract.fhir_callers import Caller, Resource, caller
from tests.contract.passing_time import ALL, ALL_DAYS, HUB, NEW_YORK, Course, course, partner

__all__ = ["course"]

HARBOR, PEERS = "HTEST Harbor OTP", "HTEST Peers"
CODES = "https://throughline.org/fhir/CodeSystem"
BOTH = [{"kind": "moud-continuation"}, {"kind": "peer-support"}]
ROUTES = {"routes": {"moud-continuation": HARBOR, "peer-support": PEERS}}


def monday(week: int, time: str = "09:00") -> datetime:
    """Mondays from the eighth of June 2026 on, three days after the discharge."""
    day = datetime.fromisoformat(f"2026-06-08T{time}").toordinal() + 7 * week
    return datetime.combine(datetime.fromordinal(day), datetime.fromisoformat(f"2026-06-08T{time}").time(), NEW_YORK)


async def there(course: Course, name: str) -> Caller:
    return await caller(course.world, course.web, course.partners[name], ALL)


async def shown(course: Course, name: str) -> tuple[str, dict[str, str]]:
    """The id of the list, and Task to what is asked."""
    one = await there(course, name)
    found = await one.read(f"Organization/{one.organization}/$still-here")
    (listed,) = [p["valueString"] for p in found["parameter"] if p["name"] == "list"]
    parts = [{part["name"]: part for part in p["part"]} for p in found["parameter"] if p["name"] == "person"]
    return listed, {
        part["task"]["valueReference"]["reference"].rpartition("/")[2]: part["asked"]["valueCode"] for part in parts
    }


async def asked(course: Course, name: str) -> list[str]:
    return sorted((await shown(course, name))[1].values())


def said(listed: str, *answers: tuple[str, str], rest: bool = False, on: str | None = None) -> Resource:
    """The Parameters of an answer."""
    parameters: list[Resource] = [{"name": "list", "valueString": listed}, {"name": "by", "valueString": "HTEST Diaz"}]
    parameters += [{"name": "rest-here", "valueBoolean": True}] if rest else []
    for task, code in answers:
        parts: list[Resource] = [
            {"name": "task", "valueReference": {"reference": f"Task/{task}"}},
            {"name": "code", "valueCode": code},
        ]
        parts += [{"name": "on", "valueDate": on}] if on else []
        parameters.append({"name": "answer", "part": parts})
    return {"resourceType": "Parameters", "parameter": parameters}


async def sent(course: Course, name: str, body: Resource) -> httpx.Response:
    one = await there(course, name)
    return await one.post(f"Organization/{one.organization}/$still-here", body)


async def tell(course: Course, name: str, *answers: tuple[str, str], rest: bool = False) -> dict[str, str]:
    """Answer the list as it is now; Task to what became of it."""
    listed, _ = await shown(course, name)
    answer = await sent(course, name, said(listed, *answers, rest=rest))
    assert answer.status_code == 200, answer.text
    parts = [{part["name"]: part for part in one["part"]} for one in answer.json().get("parameter", [])]
    return {
        part["task"]["valueReference"]["reference"].rpartition("/")[2]: part["became"]["valueCode"] for part in parts
    }


def became(answer: httpx.Response) -> list[str]:
    """What became of each."""
    parts = [part for one in answer.json()["parameter"] for part in one["part"]]
    return [part["valueCode"] for part in parts if part["name"] == "became"]


async def all_here(course: Course, name: str) -> set[str]:
    return set((await tell(course, name, rest=True)).values())


def outputs(task: Resource) -> list[tuple[str, str]]:
    """(type, value) of what was put out."""
    return [
        (one["type"]["coding"][0]["code"], one["valueCodeableConcept"]["coding"][0]["code"])
        for one in task.get("output", ())
    ]


def output(system: str, kind: str, value: str) -> Resource:
    """A Task.output as a partner's own system writes it."""
    coded = [{"coding": [{"system": f"{CODES}/{system}", "code": code}]} for code in (kind, value)]
    return {"type": coded[0], "valueCodeableConcept": coded[1]}


async def source(course: Course, need: str = "moud-continuation") -> Resource:
    """The hospital's Task of a need, as the hospital reads it."""
    hospital = await caller(course.world, course.web, course.world.mercy, "system/*.cruds")
    for task in await hospital.search("Task?_include=Task:focus&_count=100"):
        if task["resourceType"] == "Task" and "partOf" not in task:
            request = await hospital.read(task["focus"]["reference"])
            if need in str(request["category"]):
                return task
    raise AssertionError("no such need")


async def taken(course: Course, *numbers: int, consents: Sequence[Resource] = (), **more: Any) -> None:
    """People on methadone leave on Friday; both partners accept."""
    peers = partner(PEERS, days=ALL_DAYS, needs=["peer-support"], products=[])
    await course.register(partner(HARBOR, days=ALL_DAYS, **more), peers, **ROUTES)
    for number in numbers:
        await course.discharged(number, needs=BOTH, consents=consents)
    for name in (HARBOR, PEERS):
        one = await there(course, name)
        for task in await one.search("Task?status=requested"):
            answer = await one.set_status(task, "accepted")
            assert answer.status_code == 200, answer.text
    await course.until(monday(0))


async def test_a_program_is_asked_for_arrival_then_the_dose_then_four_days(course: Course) -> None:
    await taken(course, 7)
    found = {}
    for week in range(31):
        await course.until(monday(week))
        listed, points = await shown(course, HARBOR)
        for task, point in points.items():
            found[week] = point
            code = "first-dose-given" if point == "first-dose" else None
            answer = await sent(course, HARBOR, said(listed, *([(task, code)] if code else []), rest=code is None))
            assert answer.status_code == 200, answer.text
            assert await asked(course, HARBOR) == []
    assert found == {0: "arrival", 1: "first-dose", 2: "day-7", 6: "day-30", 14: "day-90", 27: "day-180"}
    child = await course.task_of(HARBOR)
    assert child["status"] == "completed"
    told = outputs(child)
    assert told[:2] == [("outcome", "arrived"), ("outcome", "first-dose-given")]
    assert told[2:] == [(point, "in-care") for point in ("day-7", "day-30", "day-90", "day-180")]
    assert outputs(await source(course)) == told


async def test_peers_are_never_asked_about_a_dose(course: Course) -> None:
    await taken(course, 7)
    found = []
    for week in range(31):
        await course.until(monday(week))
        found += await asked(course, PEERS)
        assert "answered" in {*await all_here(course, PEERS), "answered"}
    assert found == ["arrival", "day-7", "day-30", "day-90", "day-180"]
    assert outputs(await source(course, "peer-support"))[-1] == ("day-180", "in-care")


async def test_one_word_answers_the_list_that_was_shown_and_nobody_who_came_since(course: Course) -> None:
    await taken(course, 7, 8)
    listed, before = await shown(course, PEERS)
    await course.discharged(9, needs=BOTH)
    one = await there(course, PEERS)
    (fresh,) = await one.search("Task?status=requested")
    assert (await one.set_status(fresh, "accepted")).status_code == 200
    await course.until(monday(1))
    again, after = await shown(course, PEERS)
    assert (set(after) - set(before), again == listed) == ({fresh["id"]}, False)
    first = await sent(course, PEERS, said(listed, rest=True))
    assert {
        part["valueCode"] for one in first.json()["parameter"] for part in one["part"] if part["name"] == "became"
    } == {"answered"}
    assert len(first.json()["parameter"]) == 2
    second = await sent(course, PEERS, said(listed, rest=True))
    assert became(second) == ["known"] * 2
    _, left = await shown(course, PEERS)
    assert set(left) == {fresh["id"]}
    kept = await Retention(HUB, course.hub.store.database).said(sorted(before))
    assert {(row.point, row.answer, row.by, row.list) for row in kept} == {("arrival", "arrived", "HTEST Diaz", listed)}
    assert len(kept) == 2


async def test_exceptions_are_told_with_it_and_end_the_questions(course: Course) -> None:
    await taken(course, 7, 8, 9)
    listed, points = await shown(course, HARBOR)
    gone, held, *rest = sorted(points)
    answer = await sent(course, HARBOR, said(listed, (gone, "no-show"), (held, "custody"), rest=True))
    assert answer.status_code == 200, answer.text
    one = await there(course, HARBOR)
    statuses = [(await one.read(f"Task/{task}"))["status"] for task in (gone, held, *rest)]
    assert statuses == ["accepted", "accepted", "in-progress"]
    for week in range(1, 30):
        await course.until(monday(week))
        assert not {gone, held} & set((await shown(course, HARBOR))[1])


async def test_a_dose_is_no_part_of_one_word_for_all(course: Course) -> None:
    await taken(course, 7)
    assert await all_here(course, HARBOR) == {"answered"}
    await course.until(monday(1))
    assert await asked(course, HARBOR) == ["first-dose"]
    assert await all_here(course, HARBOR) == {"left-open"}
    assert await asked(course, HARBOR) == ["first-dose"]


async def test_who_says_nothing_is_asked_four_times_and_a_late_word_is_taken(course: Course) -> None:
    await taken(course, 7)
    listed, _ = await shown(course, PEERS)
    found = []
    for week in range(8):
        await course.until(monday(week))
        found.append(await asked(course, PEERS))
    assert found == [["arrival"]] * 4 + [[]] * 4
    assert outputs(await source(course, "peer-support")) == []
    answer = await sent(course, PEERS, said(listed, rest=True))
    assert answer.status_code == 200
    await course.until(monday(10))
    assert await asked(course, PEERS) == ["day-7"]


async def test_what_is_known_is_not_asked_however_it_was_told(course: Course) -> None:
    await taken(course, 7)
    done = output("outcome", "outcome", "first-dose-given")
    assert (await course.answers(HARBOR, "completed", output=[done])).status_code == 200
    assert await asked(course, HARBOR) == []
    await course.until(monday(1))
    assert await asked(course, HARBOR) == ["day-7"]
    there_ = await there(course, HARBOR)
    task = await course.task_of(HARBOR)
    by_hand = output("retention", "day-7", "in-care")
    wrong = by_hand | {"valueCodeableConcept": {"text": "HTEST fine"}}
    assert (await there_.put({**task, "output": [*task["output"], wrong]})).status_code == 400
    assert (await there_.put({**task, "output": [*task["output"], by_hand]})).status_code == 200
    assert await asked(course, HARBOR) == []
    assert outputs(await source(course))[-1] == ("day-7", "in-care")


async def test_an_answer_is_corrected_and_the_last_word_holds(course: Course) -> None:
    await taken(course, 7)
    await all_here(course, PEERS)
    await course.until(monday(1))
    listed, points = await shown(course, PEERS)
    (task,) = points
    for code in ("in-care", "left", "in-care", "in-care"):
        assert (await sent(course, PEERS, said(listed, (task, code)))).status_code == 200
    kept = await Retention(HUB, course.hub.store.database).said([task])
    assert [row.answer for row in kept] == ["arrived", "in-care", "left", "in-care"]
    await course.until(monday(5))
    assert await asked(course, PEERS) == ["day-30"]


async def test_the_day_counts_that_is_told(course: Course) -> None:
    await taken(course, 7)
    listed, (task,) = await shown(course, PEERS)
    later = await sent(course, PEERS, said(listed, (task, "arrived"), on="2026-06-09"))
    assert later.status_code == 422
    assert (await sent(course, PEERS, said(listed, (task, "arrived"), on="2026-06-06"))).status_code == 200
    await course.until(monday(1))
    assert await asked(course, PEERS) == ["day-7"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda body: body["parameter"].pop(1), 400),
        (lambda body: body["parameter"].append({"name": "colour", "valueString": "blue"}), 400),
        (lambda body: body["parameter"].append(body["parameter"][-1]), 400),
        (lambda body: body["parameter"][-1]["part"].pop(), 400),
        (lambda body: body["parameter"][-1]["part"][1].update(valueCode="first-dose-given"), 422),
        (lambda body: body["parameter"][-1]["part"][0].update(valueReference={"reference": "Task/nobody"}), 422),
        (lambda body: body["parameter"][0].update(valueString="nothing"), 404),
    ],
)
async def test_what_is_wrong_is_refused_and_nothing_of_it_is_taken(course: Course, change: Any, status: int) -> None:
    await taken(course, 7)
    listed, (task,) = await shown(course, PEERS)
    body = said(listed, (task, "arrived"))
    change(body)
    answer = await sent(course, PEERS, body)
    assert (answer.status_code, answer.json()["resourceType"]) == (status, "OperationOutcome")
    assert await asked(course, PEERS) == ["arrival"]


async def test_a_list_is_its_partner_s_alone(course: Course) -> None:
    await taken(course, 7)
    listed, (task,) = await shown(course, PEERS)
    assert (await sent(course, HARBOR, said(listed, (task, "arrived")))).status_code == 404
    harbor = await there(course, HARBOR)
    hospital = await caller(course.world, course.web, course.world.mercy, ALL)
    for stranger in (harbor, hospital):
        path = f"Organization/{course.partners[PEERS]}/$still-here"
        assert (await stranger.get(path)).status_code == 404
        assert (await stranger.post(path, said(listed, rest=True))).status_code == 404
    reader = await caller(course.world, course.web, course.partners[PEERS], "system/Task.rs")
    assert (await reader.post(path, said(listed, rest=True))).status_code == 403


async def test_the_weekday_is_the_partner_s(course: Course) -> None:
    await taken(course, 7, still_here_on="thu")
    assert await asked(course, HARBOR) == [], "the list of Thursday was before anybody was asked for"
    await course.until(datetime(2026, 6, 11, 0, 1, tzinfo=NEW_YORK))
    assert await asked(course, HARBOR) == ["arrival"]


async def test_a_part_2_program_is_asked_only_as_far_as_a_consent_covers_the_way_back(course: Course) -> None:
    await taken(course, 7, part2_program=True)
    assert await asked(course, HARBOR) == []
    assert await asked(course, PEERS) == ["arrival"]
    done = output("retention", "day-7", "in-care")
    assert (await course.answers(HARBOR, "in-progress", output=[done])).status_code == 200
    assert outputs(await source(course)) == []


async def test_when_the_consent_is_taken_back_nobody_is_asked_and_nothing_is_told(course: Course) -> None:
    given = {
        "identifier": "HTEST-C1",
        "recipients": [HARBOR, PEERS],
        "signed_at": "2026-06-05T10:00:00-04:00",
        "form": "urn:htest:form:1",
        "both_directions": True,
    }
    await taken(course, 7, consents=[given], part2_program=True)
    listed, (task,) = await shown(course, HARBOR)
    await course.discharged(
        7,
        event_id="HTEST-E2",
        needs=BOTH,
        consents=[given | {"status": "inactive", "signed_at": "2026-06-07T09:30:00-04:00"}],
    )
    await course.until(monday(0, "10:00"))
    assert await asked(course, HARBOR) == []
    answer = await sent(course, HARBOR, said(listed, rest=True))
    assert became(answer) == ["refused"]
    assert outputs(await source(course)) == outputs(await course.task_of(HARBOR)) == []
    assert await Retention(HUB, course.hub.store.database).said([task]) == []


async def test_two_clicks_at_once_are_one_answer(course: Course) -> None:
    await taken(course, 7, 8)
    listed, points = await shown(course, PEERS)
    answers = await asyncio.gather(*(sent(course, PEERS, said(listed, rest=True)) for _ in range(4)))
    assert {one.status_code for one in answers} == {200}
    kept = await Retention(HUB, course.hub.store.database).said(sorted(points))
    assert sorted(row.task for row in kept) == sorted(points)
    assert outputs(await course.task_of(PEERS)) == [("outcome", "arrived")]


async def test_who_is_answered_for_by_an_older_list_is_not_asked_about_again_this_week(course: Course) -> None:
    await taken(course, 7)
    listed, _ = await shown(course, HARBOR)
    await course.until(monday(2))
    assert await asked(course, HARBOR) == ["arrival"]
    assert became(await sent(course, HARBOR, said(listed, rest=True))) == ["answered"]
    assert await asked(course, HARBOR) == []
    await course.until(monday(3))
    assert await asked(course, HARBOR) == ["first-dose"]


async def test_a_client_that_must_name_versions_answers_a_list_without(course: Course) -> None:
    await taken(course, 7)
    listed, _ = await shown(course, PEERS)
    made = await accounts.add_client(course.hub, course.partners[PEERS], "system/Task.rus", require_if_match=True)
    token = (await accounts.issue(course.hub, made.client_id)).token
    strict = Caller(course.web, course.partners[PEERS], {"authorization": f"Bearer {token}"})
    answer = await strict.post(f"Organization/{strict.organization}/$still-here", said(listed, rest=True))
    assert became(answer) == ["answered"]


@pytest.mark.parametrize(("scope", "named"), [("system/Task.r", False), ("system/Task.r system/Patient.r", True)])
async def test_names_stand_on_the_list_of_who_may_read_people(course: Course, *, scope: str, named: bool) -> None:
    await taken(course, 7)
    one = await caller(course.world, course.web, course.partners[PEERS], scope)
    answer = await one.get(f"Organization/{one.organization}/$still-here")
    assert ('"display"' in answer.text) is named
