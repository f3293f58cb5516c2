"""A person stands at a partner's door: by the card or by name, with a consent that is signed there."""

import asyncio
from typing import Any

import httpx
import pytest

from app.services.packets import card_codes
from app.services.people import todo
from schemas.codes.local import OUTCOME, concept
from tests.contract.fhir_callers import Resource, caller
from tests.contract.passing_time import ALL, ALL_DAYS, HUB, METHADONE, Course, course, partner

__all__ = ["course"]

HARBOR, DAWN = "HTEST Harbor OTP", "HTEST Dawn Clinic"
SUPPLY = [{**METHADONE, "bridges": [{"kind": "dispensed", "days": 3}]}]
BY = {"name": "by", "valueString": "HTEST R. Diaz, front desk"}
SIGNED: list[Resource] = [
    {"name": "consent-signed", "valueDate": "2026-06-05"},
    {"name": "consent-form", "valueString": "HTEST form 7"},
    {"name": "consent-both-directions", "valueBoolean": True},
]
NAMED: list[Resource] = [{"name": "family", "valueString": "htest"}, {"name": "birth-date", "valueDate": "1991-04-02"}]


def parameters(*some: Resource) -> Resource:
    return {"resourceType": "Parameters", "parameter": [*some]}


async def part2(course: Course, *names: str, **sender: Any) -> None:
    """A Part 2 hospital whose person consented to nothing; partners that could take the person."""
    profiles = [partner(name, days=ALL_DAYS) for name in names or (HARBOR, DAWN)]
    await course.register(*profiles, part2="all", **sender)
    await course.discharged(medications=SUPPLY)


async def says(course: Course, name: str, *some: Resource) -> httpx.Response:
    there = await caller(course.world, course.web, course.partners[name], ALL)
    answer = await there.post("Task/$patient-is-here", parameters(*some))
    await course.settled()
    return answer


async def code(course: Course) -> Resource:
    return {"name": "code", "valueString": await card_codes.printed(course.hub, (await course.source())["id"])}


def outcomes(task: Resource) -> list[str]:
    return [one["valueCodeableConcept"]["coding"][0]["code"] for one in task.get("output", ())]


@pytest.mark.parametrize("way", ["card", "name"])
async def test_a_consent_that_is_signed_there_shows_the_referral_and_takes_the_place(course: Course, way: str) -> None:
    await part2(course)
    assert await course.asked() == {}, "nobody may be told yet"
    who = [await code(course)] if way == "card" else NAMED
    answer = await says(course, DAWN, *who, BY, *SIGNED)
    assert answer.status_code == 200, answer.text
    task = answer.json()
    assert (task["status"], outcomes(task)) == ("accepted", ["arrived"])
    there = await caller(course.world, course.web, course.partners[DAWN], ALL)
    person = await there.read(task["for"]["reference"])
    assert person["birthDate"] == "1991-04-02"
    source = await course.source()
    assert (source["status"], outcomes(source)) == ("accepted", ["arrived"]), "the hospital reads it at once"
    assert await course.asked() == {DAWN: "accepted"}


async def test_told_again_it_is_the_same(course: Course) -> None:
    await part2(course)
    told = [await code(course), BY, *SIGNED]
    first, again = await says(course, DAWN, *told), await says(course, DAWN, *told)
    assert (first.json(), again.status_code) == (again.json(), 200)


async def test_the_code_is_read_as_people_write_it(course: Course) -> None:
    await part2(course)
    printed = (await code(course))["valueString"]
    written = {"name": "code", "valueString": f" {printed.lower().replace('-', ' ').replace('o', '0')} "}
    assert (await says(course, DAWN, written, BY, *SIGNED)).status_code == 200


async def test_the_card_alone_permits_nothing(course: Course) -> None:
    await part2(course)
    answer = await says(course, DAWN, await code(course), BY)
    assert answer.status_code == 422
    assert "consent-signed" in answer.json()["issue"][0]["diagnostics"]
    assert await course.asked() == {}


async def test_who_may_see_the_packet_already_needs_no_other_consent(course: Course) -> None:
    await course.register(partner(HARBOR, days=ALL_DAYS), routes={"moud-continuation": HARBOR})
    await course.discharged(medications=SUPPLY)
    answer = await says(course, HARBOR, await code(course), BY)
    assert (answer.status_code, answer.json()["status"]) == (200, "accepted")


@pytest.mark.parametrize(
    "who",
    [
        [{"name": "family", "valueString": "HTEST"}, {"name": "birth-date", "valueDate": "1991-04-03"}],
        [{"name": "family", "valueString": "HT"}, {"name": "birth-date", "valueDate": "1991-04-02"}],
        [{"name": "code", "valueString": "AAAAA-AAAAA"}],
    ],
    ids=["another day", "the beginning of a name", "no such code"],
)
async def test_who_is_not_known_is_not_found(course: Course, who: list[Resource]) -> None:
    await part2(course)
    answer = await says(course, DAWN, *who, BY, *SIGNED)
    assert answer.status_code == 404
    assert "1991" not in answer.text


async def test_two_visits_of_such_a_person_are_nobodys_to_choose_between(course: Course) -> None:
    """Across visits and senders nobody is taken for somebody else; the answer is that of an unknown person."""
    await part2(course)
    nobody = await says(course, DAWN, {**NAMED[0], "valueString": "HTESTNOBODY"}, NAMED[1], BY, *SIGNED)
    await course.discharged(8, medications=SUPPLY)
    answer = await says(course, DAWN, *NAMED, BY, *SIGNED)
    assert (answer.status_code, answer.json()["issue"]) == (404, nobody.json()["issue"])


async def test_by_name_a_refused_consent_looks_like_an_unknown_person(course: Course) -> None:
    """An objection of the person outranks what the partner says; that there is a referral is not told."""
    no = {"identifier": "HTEST-no", "status": "rejected", "recipients": [DAWN], "signed_at": "2026-06-06"}
    await course.register(partner(DAWN, days=ALL_DAYS), part2="all")
    await course.discharged(medications=SUPPLY, consents=[no])
    nobody = await says(course, DAWN, {**NAMED[0], "valueString": "HTESTNOBODY"}, NAMED[1], BY, *SIGNED)
    answer = await says(course, DAWN, *NAMED, BY, *SIGNED)
    assert (answer.status_code, answer.json()["issue"]) == (404, nobody.json()["issue"])
    assert await course.asked() == {}


async def test_whoever_had_a_place_is_told_that_it_is_no_longer_needed(course: Course) -> None:
    await course.register(
        partner(HARBOR, days=ALL_DAYS), partner(DAWN, days=ALL_DAYS), routes={"moud-continuation": HARBOR}
    )
    await course.discharged(medications=SUPPLY)
    await course.answers(HARBOR, "accepted")
    await course.settled()
    assert (await says(course, DAWN, await code(course), BY)).status_code == 200
    assert await course.asked() == {HARBOR: "cancelled", DAWN: "accepted"}
    gone = await course.task_of(HARBOR)
    assert gone["statusReason"]["coding"][0]["code"] == "not-selected"
    assert (await course.source())["status"] == "accepted"


async def test_who_did_not_come_here_and_has_come_there_is_looked_for_no_more(course: Course) -> None:
    await course.register(
        partner(HARBOR, days=ALL_DAYS), partner(DAWN, days=ALL_DAYS), routes={"moud-continuation": HARBOR}
    )
    await course.discharged(medications=SUPPLY)
    await course.answers(HARBOR, "accepted")
    missed = {"type": concept(OUTCOME, "outcome"), "valueCodeableConcept": concept(OUTCOME, "no-show")}
    assert (await course.answers(HARBOR, "accepted", output=[missed])).status_code == 200
    await course.settled()
    assert [line.why for line in await todo.listed(course.hub, HUB)] == [["no-show"]]
    assert (await says(course, DAWN, await code(course), BY)).status_code == 200
    assert await todo.listed(course.hub, HUB) == []
    assert await course.told() == []


async def test_whom_another_partner_has_seen_is_for_people_to_settle(course: Course) -> None:
    await course.register(
        partner(HARBOR, days=ALL_DAYS), partner(DAWN, days=ALL_DAYS), routes={"moud-continuation": HARBOR}
    )
    await course.discharged(medications=SUPPLY)
    assert (await says(course, HARBOR, await code(course), BY)).status_code == 200
    answer = await says(course, DAWN, await code(course), BY)
    assert answer.status_code == 422
    assert await course.asked() == {HARBOR: "accepted"}


async def test_who_tries_names_is_stopped_and_who_does_not_is_not(course: Course) -> None:
    await part2(course)
    guess = [{"name": "family", "valueString": "HTESTNOBODY"}, NAMED[1], BY, *SIGNED]
    found = [(await says(course, DAWN, *guess)).status_code for _ in range(21)]
    assert found == [404] * 20 + [429]
    assert (await says(course, HARBOR, await code(course), BY, *SIGNED)).status_code == 200


async def test_who_tries_many_names_at_once_is_stopped_as_well(course: Course) -> None:
    await part2(course)
    there = await caller(course.world, course.web, course.partners[DAWN], ALL)
    guesses = [parameters({"name": "family", "valueString": f"HTESTNO{n}"}, NAMED[1], BY, *SIGNED) for n in range(60)]
    answers = await asyncio.gather(*(there.post("Task/$patient-is-here", one) for one in guesses))
    found = [answer.status_code for answer in answers]
    assert (found.count(404), found.count(429)) == (20, 40)


async def test_who_comes_again_and_again_is_not_counted(course: Course) -> None:
    await part2(course)
    told = [await code(course), BY, *SIGNED]
    assert {(await says(course, DAWN, *told)).status_code for _ in range(25)} == {200}


@pytest.mark.parametrize(
    ("some", "told"),
    [
        ([BY], "family"),
        ([*NAMED, BY], "consent-signed"),
        ([*NAMED, *SIGNED], "by"),
        ([{"name": "code", "valueString": "A"}, *NAMED, BY, *SIGNED], "Either the code"),
        ([{"name": "code", "valueString": "A"}, BY, SIGNED[0]], "consent-form"),
        ([*NAMED, BY, {"name": "consent-signed", "valueDateTime": "2026-06"}, SIGNED[1]], "offset"),
        ([NAMED[0], {"name": "birth-date", "valueDate": "1991"}, BY, *SIGNED], "whole date"),
        ([NAMED[0], {"name": "birth-date", "valueDate": "1991-04"}, BY, *SIGNED], "whole date"),
        ([*NAMED, BY, *SIGNED, {"name": "mother", "valueString": "HTEST"}], "Parameters are"),
    ],
)
async def test_what_is_missing_or_wrong_is_named(course: Course, some: list[Resource], told: str) -> None:
    await part2(course, DAWN)
    answer = await says(course, DAWN, *some)
    assert answer.status_code == 400
    assert told in answer.text
    assert "1991-04-02" not in answer.text


async def test_only_partners_say_so(course: Course) -> None:
    await part2(course)
    here = await caller(course.world, course.web, course.world.mercy, ALL)
    assert (await here.post("Task/$patient-is-here", parameters(*NAMED, BY, *SIGNED))).status_code == 403
    reader = await caller(course.world, course.web, course.partners[DAWN], "system/*.rs")
    assert (await reader.post("Task/$patient-is-here", parameters(*NAMED, BY, *SIGNED))).status_code == 403


async def test_a_card_that_is_printed_twice_at_once_has_one_code(course: Course) -> None:
    await part2(course, DAWN)
    task = (await course.source())["id"]
    codes = await asyncio.gather(*(card_codes.printed(course.hub, task) for _ in range(8)))
    assert len(set(codes)) == 1
    assert await card_codes.found(course.hub, codes[0]) == task
