"""The person did not come where a place waits: it is kept, somebody looks for them, and nobody forgets."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from app.services.people import todo
from schemas.partner_server import BSER_BUSINESS_STATUS
from tests.contract.fhir_callers import Resource, caller
from tests.contract.passing_time import ALL, ALL_DAYS, HUB, METHADONE, Course, course, on, partner

__all__ = ["course"]

HARBOR, DAWN = "HTEST Harbor OTP", "HTEST Dawn Clinic"
SUPPLY = [{**METHADONE, "bridges": [{"kind": "dispensed", "days": 3}]}]
BASE = "https://throughline.org/fhir/CodeSystem"


def outcome(code: str, text: str = "As said.") -> Resource:
    coding = [{"system": f"{BASE}/outcome", "code": code}]
    kind = {"coding": [{"system": f"{BASE}/outcome", "code": "outcome"}]}
    return {"type": kind, "valueCodeableConcept": {"coding": coding, "text": text}}


def because(code: str) -> dict[str, Any]:
    return {"statusReason": {"coding": [{"system": f"{BASE}/status-reason", "code": code}], "text": "As said."}}


async def accepted(course: Course, *more: str, **sender: Any) -> None:
    """A place waits at the first partner, until Tuesday morning the person has doses."""
    profiles = [partner(name, days=ALL_DAYS) for name in (HARBOR, *more)]
    await course.register(*profiles, routes={"moud-continuation": HARBOR}, **sender)
    await course.discharged(medications=SUPPLY)
    assert (await course.answers(HARBOR, "accepted")).status_code == 200
    await course.settled()


async def says(course: Course, name: str, code: str, text: str = "As said.") -> httpx.Response:
    """A partner says whether the person came; the same in the same words is a retry."""
    there = await caller(course.world, course.web, course.partners[name], ALL)
    task = await course.task_of(name, there)
    place = "/output/-" if "output" in task else "/output"
    value = outcome(code, text) if "output" in task else [outcome(code, text)]
    told = await there.patch(f"Task/{task['id']}", {"op": "add", "path": place, "value": value})
    await course.settled()
    return told


async def outreach(course: Course) -> Resource:
    """The newest Task by which the hospital looks for the person."""
    found = [one for one in await course.tasks() if code_of(one) == "outreach"]
    return max(found, key=lambda one: str(one["authoredOn"]))


async def place_until(course: Course, name: str) -> datetime | None:
    """Until when a partner is asked to keep its place."""
    task = await course.task_of(name)
    parts = next(one["extension"] for one in task["extension"] if one["url"].endswith("/answer"))
    found = next((one["valueDateTime"] for one in parts if one["url"] == "placeUntil"), None)
    return datetime.fromisoformat(found) if found else None


def due_of(task: Resource) -> datetime:
    return datetime.fromisoformat(task["restriction"]["period"]["end"]).astimezone(UTC)


def code_of(task: Resource) -> str:
    return str(task.get("code", {}).get("coding", [{}])[0].get("code"))


def said_of(task: Resource) -> str | None:
    return task["businessStatus"]["coding"][0]["code"] if "businessStatus" in task else None


async def works(course: Course, status: str, **more: Any) -> None:
    """The hospital says how its search goes."""
    there = await caller(course.world, course.web, course.world.mercy, ALL)
    task = await outreach(course)
    changes: list[Resource] = [{"op": "replace", "path": "/status", "value": status}]
    changes += [{"op": "add", "path": f"/{element}", "value": value} for element, value in more.items()]
    assert (await there.patch(f"Task/{task['id']}", *changes)).status_code == 200
    await course.settled()


async def test_somebody_of_the_hospital_looks_for_the_person_and_the_place_is_kept(course: Course) -> None:
    await accepted(course)
    await course.until(on("06", "11:00"))
    assert (await says(course, HARBOR, "no-show")).status_code == 200
    task, source = await outreach(course), await course.source()
    assert task["owner"]["reference"] == f"Organization/{course.world.mercy}"
    assert (task["status"], due_of(task)) == ("requested", on("06", "15:00"))
    assert task["partOf"] == [{"reference": f"Task/{source['id']}"}]
    assert (source["status"], said_of(source)) == ("accepted", "no-show")
    assert task["description"].endswith(f"{HARBOR} is asked to keep the place until Tue 9 Jun 2026, 11:00 (UTC-04:00)")
    assert await place_until(course, HARBOR) == on("09", "11:00")
    assert await course.told() == ["no-show"]


async def test_a_partner_that_speaks_bser_says_it_by_its_business_status(course: Course) -> None:
    await accepted(course)
    there = await caller(course.world, course.web, course.partners[HARBOR], ALL)
    unattended = {"coding": [{"system": BSER_BUSINESS_STATUS, "code": "5.1.2"}]}
    task = await course.task_of(HARBOR, there)
    change = {"op": "add", "path": "/businessStatus", "value": unattended}
    assert (await there.patch(f"Task/{task['id']}", change)).status_code == 200
    await course.settled()
    assert (await outreach(course))["status"] == "requested"
    assert await course.told() == ["no-show"]


async def test_the_partner_sees_nothing_of_the_search(course: Course) -> None:
    await accepted(course)
    await says(course, HARBOR, "no-show")
    there = await caller(course.world, course.web, course.partners[HARBOR], ALL)
    found = [one for one in await there.search("Task?_count=50") if one["resourceType"] == "Task"]
    assert [code_of(one) for one in found] == ["fulfill"]
    assert (await there.get(f"Task/{(await outreach(course))['id']}")).status_code == 404


async def test_the_search_is_due_before_the_cover_ends(course: Course) -> None:
    """Doses until Tuesday 09:15: of a no-show on Tuesday at seven nobody waits until eleven."""
    await accepted(course)
    await course.until(on("09", "07:00"))
    await says(course, HARBOR, "no-show")
    assert due_of(await outreach(course)) == on("09", "09:15")


async def test_who_comes_after_all_ends_the_search(course: Course) -> None:
    await accepted(course)
    await says(course, HARBOR, "no-show")
    assert (await says(course, HARBOR, "first-dose-given")).status_code == 200
    task, source = await outreach(course), await course.source()
    assert (task["status"], task["output"][-1]["valueCodeableConcept"]["coding"][0]["code"]) == ("completed", "arrived")
    assert said_of(source) is None
    assert [one["valueCodeableConcept"]["coding"][0]["code"] for one in source["output"]] == [
        "no-show",
        "first-dose-given",
    ], "the hospital reads at once whether the person came"
    assert await place_until(course, HARBOR) is None
    assert await course.told() == []


async def test_who_does_not_come_again_is_looked_for_again(course: Course) -> None:
    await accepted(course)
    await says(course, HARBOR, "no-show")
    first = await outreach(course)
    await works(course, "accepted")
    await works(course, "in-progress")
    await works(course, "completed", output=[outcome("reached")])
    assert await course.told() == [], "the person said that they come"
    await course.until(on("07", "11:00"))
    assert (await says(course, HARBOR, "no-show", "HTEST on Sunday again")).status_code == 200
    again = await outreach(course)
    assert (again["id"] != first["id"], again["status"]) == (True, "requested")
    assert await place_until(course, HARBOR) == on("10", "11:00")


async def test_a_search_that_nobody_begins_is_told_of(course: Course) -> None:
    await accepted(course)
    await course.until(on("06", "11:00"))
    await says(course, HARBOR, "no-show")
    await course.until(on("06", "15:00"))
    assert await course.told() == ["no-show", "outreach-overdue"]
    await works(course, "accepted")
    assert await course.told() == ["no-show"]


async def test_an_attempt_is_kept_and_counts(course: Course) -> None:
    await accepted(course)
    await course.until(on("06", "11:00"))
    await says(course, HARBOR, "no-show")
    call = {"coding": [{"system": f"{BASE}/spoken", "code": "call"}]}
    came_of_it = {"coding": [{"system": f"{BASE}/spoken", "code": "no-answer"}]}
    there = await caller(course.world, course.web, course.world.mercy, ALL)
    attempt = {"op": "add", "path": "/output", "value": [{"type": call, "valueCodeableConcept": came_of_it}]}
    assert (await there.patch(f"Task/{(await outreach(course))['id']}", attempt)).status_code == 200
    await course.until(on("06", "15:30"))
    assert await course.told() == ["no-show"]


async def test_the_search_is_in_the_to_do_list_until_it_is_over(course: Course) -> None:
    await accepted(course)
    await course.until(on("06", "11:00"))
    await says(course, HARBOR, "no-show")
    task = await outreach(course)
    (line,) = await todo.listed(course.hub, HUB, "HTEST Mercy")
    assert (line.why, line.task, line.partner, line.calls) == (["no-show"], task["id"], HARBOR, 0)
    assert (line.due_by, line.overdue) == ("2026-06-06T19:00:00+00:00", False)
    (shown,) = todo.todo_sheet([line]).rows
    assert shown[0] == "Saturday, 6 June 2026, 15:00 EDT"
    assert shown[2:4] == (f"the person, not seen at {HARBOR}", "contact plan"), "the partner is not who must be called"
    await course.until(on("06", "15:30"))
    assert (await todo.listed(course.hub, HUB))[0].overdue
    await says(course, HARBOR, "arrived")
    assert await todo.listed(course.hub, HUB) == []


async def test_a_place_is_kept_for_the_time_that_the_partner_says(course: Course) -> None:
    profile = partner(HARBOR, days=ALL_DAYS, place_hours=24)
    await course.register(profile, routes={"moud-continuation": HARBOR})
    await course.discharged(medications=[{**METHADONE, "bridges": [{"kind": "dispensed", "days": 3}]}])
    await course.answers(HARBOR, "accepted")
    await course.until(on("06", "11:00"))
    await says(course, HARBOR, "no-show")
    assert await place_until(course, HARBOR) == on("07", "11:00")
    await works(course, "accepted")
    await works(course, "failed", statusReason={"text": "HTEST nowhere to be found"})
    await course.until(on("07", "11:00"))
    assert await course.told() == ["not-found", "place-lapsed"]
    assert (await course.asked())[HARBOR] == "accepted", "a person decides, not the hub"


async def test_a_partner_that_gives_the_place_away_leaves_the_referral_open(course: Course) -> None:
    """Nobody else is asked before somebody has found the person."""
    await accepted(course, DAWN)
    assert (await course.answers(HARBOR, "failed", **because("no-show"))).status_code == 200
    await course.settled()
    source = await course.source()
    assert (source["status"], source["statusReason"]["text"]) == ("on-hold", "As said.")
    assert await course.asked() == {HARBOR: "failed"}
    assert sorted(await course.told()) == ["did-not-come", "no-show"]
    assert (await outreach(course))["status"] == "requested"


async def test_a_place_that_is_lost_for_another_reason_is_sought_again_at_once(course: Course) -> None:
    await accepted(course, DAWN)
    assert (await course.answers(HARBOR, "failed", **because("no-capacity"))).status_code == 200
    await course.settled()
    assert await course.asked() == {HARBOR: "failed", DAWN: "requested"}
    assert await course.told() == []
    assert (await course.answers(DAWN, "accepted")).status_code == 200
    await course.settled()
    source = await course.source()
    assert (source["status"], said_of(source), source.get("statusReason")) == ("in-progress", None, None)


async def test_who_was_seen_and_left_is_a_persons_to_ask(course: Course) -> None:
    await accepted(course, DAWN)
    await says(course, HARBOR, "first-dose-given")
    assert (await course.answers(HARBOR, "failed", **because("other"))).status_code == 200
    await course.settled()
    assert await course.asked() == {HARBOR: "failed"}
    assert await course.told() == ["left-care"]


async def test_whom_a_person_chooses_afterwards_is_followed_like_everybody(course: Course) -> None:
    await accepted(course, DAWN)
    await course.answers(HARBOR, "failed", **because("patient-unreachable"))
    await course.settled()
    here = await caller(course.world, course.web, course.world.mercy, ALL)
    source = await course.source()
    wanted = {"reference": f"Organization/{course.partners[DAWN]}"}
    by = {"name": "by", "valueString": "Case manager 4W"}
    body = {"resourceType": "Parameters", "parameter": [{"name": "partner", "valueReference": wanted}, by]}
    assert (await here.post(f"Task/{source['id']}/$ask", body)).status_code == 200
    assert await course.asked() == {HARBOR: "failed", DAWN: "requested"}
    await course.until(on("06", "06:31"))
    told = await course.task_of(DAWN)
    parts = next(one["extension"] for one in told["extension"] if one["url"].endswith("/answer"))
    assert "remindedAt" in [one["url"] for one in parts]


@pytest.mark.parametrize("said", ["no-show", "first-dose-given"])
async def test_without_a_way_back_the_hospital_is_told_neither(course: Course, said: str) -> None:
    """What a Part 2 program says of the person's coming is its own record (42 CFR 2.12)."""
    await course.register(partner(HARBOR, days=ALL_DAYS, part2_program=True), routes={"moud-continuation": HARBOR})
    await course.discharged(medications=SUPPLY)
    await course.answers(HARBOR, "accepted")
    await course.settled()
    assert (await says(course, HARBOR, said)).status_code == 200
    assert [one for one in await course.tasks() if code_of(one) == "outreach"] == []
    source = await course.source()
    assert (source["status"], said_of(source), source.get("output")) == ("accepted", None, None)
    assert await course.told() == []


# ---- said again


async def tells(course: Course, name: str, code: str, **headers: str) -> httpx.Response:
    """A partner appends what it says, in words that it uses each time."""
    there = await caller(course.world, course.web, course.partners[name], ALL)
    task = await course.task_of(name, there)
    place, value = ("/output/-", outcome(code)) if "output" in task else ("/output", [outcome(code)])
    told = await there.patch(f"Task/{task['id']}", {"op": "add", "path": place, "value": value}, **headers)
    assert told.status_code == 200, told.text
    await course.settled()
    return told


def words(task: Resource) -> list[str]:
    return [one["valueCodeableConcept"]["coding"][0]["code"] for one in task.get("output", ())]


async def test_the_same_words_again_are_a_retry_while_somebody_still_looks(course: Course) -> None:
    await accepted(course)
    await course.until(on("06", "11:00"))
    unaware = (await course.task_of(HARBOR))["meta"]["versionId"]
    await tells(course, HARBOR, "no-show")
    kept, search = await place_until(course, HARBOR), await outreach(course)
    await course.until(on("06", "12:00"))
    before = (await course.task_of(HARBOR))["meta"]["versionId"]
    again = await tells(course, HARBOR, "no-show")
    assert (again.headers["etag"], words(again.json())) == (f'W/"{before}"', ["no-show"])
    there = await caller(course.world, course.web, course.partners[HARBOR], ALL)
    change = {"op": "add", "path": "/output", "value": [outcome("no-show")]}
    older = await there.patch(f"Task/{again.json()['id']}", change, if_match=f'W/"{unaware}"')
    assert (older.status_code, older.headers["etag"]) == (200, again.headers["etag"]), "the very first request again"
    assert await place_until(course, HARBOR) == kept
    assert await outreach(course) == search


async def test_who_has_seen_the_first_word_says_a_second_one(course: Course) -> None:
    await accepted(course)
    await course.until(on("06", "11:00"))
    await tells(course, HARBOR, "no-show")
    await course.until(on("07", "07:00"))
    seen = (await course.task_of(HARBOR))["meta"]["versionId"]
    assert words((await tells(course, HARBOR, "no-show", if_match=f'W/"{seen}"')).json()) == ["no-show", "no-show"]
    assert await place_until(course, HARBOR) == on("10", "07:00")
    assert words(await course.source()) == ["no-show", "no-show"]


async def test_the_same_words_are_news_once_the_first_search_has_ended(course: Course) -> None:
    await accepted(course)
    await tells(course, HARBOR, "no-show")
    first = await outreach(course)
    await works(course, "accepted")
    await works(course, "in-progress")
    await works(course, "completed", output=[outcome("reached")])
    await course.until(on("07", "11:00"))
    assert words((await tells(course, HARBOR, "no-show")).json()) == ["no-show", "no-show"]
    again = await outreach(course)
    assert (again["id"] != first["id"], again["status"]) == (True, "requested")
    assert await course.told() == ["no-show"]
    unchanged = (await tells(course, HARBOR, "no-show")).json()
    assert words(unchanged) == ["no-show", "no-show"], "and the second search goes on"


async def test_who_came_and_did_not_come_again_in_the_same_words(course: Course) -> None:
    await accepted(course)
    for code in ("no-show", "arrived", "no-show"):
        await tells(course, HARBOR, code)
    assert words(await course.source()) == ["no-show", "arrived", "no-show"], "the last word is the hospital's as well"
    assert (said_of(await course.source()), (await outreach(course))["status"]) == ("no-show", "requested")


async def test_another_word_takes_no_search_back_to_its_start(course: Course) -> None:
    """What was tried stays on record, and nobody has more time because somebody said it once more."""
    await accepted(course)
    await course.until(on("06", "11:00"))
    await says(course, HARBOR, "no-show", "HTEST at eleven")
    due = due_of(await outreach(course))
    await works(course, "accepted")
    await works(course, "in-progress", output=[outcome("not-reached")])
    await course.until(on("06", "14:00"))
    await says(course, HARBOR, "not-reached", "HTEST no answer at two")
    task = await outreach(course)
    assert (task["status"], words(task), due_of(task)) == ("in-progress", ["not-reached"], due)
    assert await place_until(course, HARBOR) == on("09", "14:00")
    assert task["description"].endswith("Tue 9 Jun 2026, 14:00 (UTC-04:00)")


async def test_another_word_gives_nobody_who_has_not_begun_more_time(course: Course) -> None:
    await accepted(course)
    await course.until(on("06", "11:00"))
    await says(course, HARBOR, "no-show", "HTEST at eleven")
    await course.until(on("06", "14:00"))
    await says(course, HARBOR, "not-reached", "HTEST no answer at two")
    await course.until(on("06", "15:00"))
    assert await course.told() == ["no-show", "outreach-overdue"]


async def test_a_second_missed_appointment_of_bser_is_looked_after_like_the_first(course: Course) -> None:
    """Unattended, scheduled anew, unattended: its business status says no more than how it stands."""
    await accepted(course)

    async def business(code: str) -> None:
        there = await caller(course.world, course.web, course.partners[HARBOR], ALL)
        task = await course.task_of(HARBOR, there)
        value = {"coding": [{"system": BSER_BUSINESS_STATUS, "code": code}]}
        change = {"op": "add", "path": "/businessStatus", "value": value}
        assert (await there.patch(f"Task/{task['id']}", change)).status_code == 200
        await course.settled()

    await business("5.1.2")
    first = await outreach(course)
    await works(course, "accepted")
    await works(course, "in-progress")
    await works(course, "completed", output=[outcome("reached")])
    await business("5.1.1")
    assert await course.told() == []
    await course.until(on("07", "11:00"))
    await business("5.1.2")
    assert (await outreach(course))["id"] != first["id"]
    assert await course.told() == ["no-show"]
