"""What a hospital and a partner have agreed: what it changes, who reads it, who is told in time; on both databases."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.core.actor import Actor
from app.core.errors import BadRequest, Conflict, NotFound
from app.main import attach
from app.services.hub import Registry
from app.services.jobs import DueWork
from app.services.partners import agreements, working_agreements
from app.services.partners.working_agreements import Due, due, held, keep, note_meeting, pair_of
from app.store.working_agreements import Pair
from tests.contract.fhir_callers import Resource, caller
from tests.contract.mailboxes import Mailbox, mailserver
from tests.contract.passing_time import ALL, ALL_DAYS, HUB, METHADONE, NEW_YORK, Course, course, on, partner
from tests.unit.test_working_agreement import AGREEMENT, MEETING

__all__ = ["course"]

MERCY, HARBOR, DAWN = "HTEST Mercy", "HTEST Harbor OTP", "HTEST Dawn Clinic"
SUPPLY: Resource = {"medications": [{**METHADONE, "bridges": [{"kind": "dispensed", "days": 3}]}]}


def agreed(**changes: Any) -> bytes:
    """The agreement of the guide, between two of the test."""
    return json.dumps(AGREEMENT | {"hospital": MERCY, "partner": HARBOR} | changes).encode()


async def together(course: Course, **sender: Any) -> Pair:
    """A hospital and two partners; the first is asked."""
    await course.register(
        partner(HARBOR, days=ALL_DAYS), partner(DAWN, days=ALL_DAYS), routes={"moud-continuation": HARBOR}, **sender
    )
    return await pair_of(course.hub, MERCY, HARBOR)


async def answer_by(course: Course, name: str = HARBOR) -> datetime:
    task = await course.task_of(name)
    (found,) = [one for one in task["extension"] if one["url"].endswith("/answer")]
    (at,) = [one["valueDateTime"] for one in found["extension"] if one["url"] == "answerBy"]
    return datetime.fromisoformat(at).astimezone(NEW_YORK)


# ---- the time to answer


@pytest.mark.parametrize(
    ("changes", "minutes"),
    [
        ({"response_minutes": {"urgent": 20, "stat": 20, "asap": 20, "routine": 20}}, 20),
        ({"response_minutes": {}}, 60),
        ({"response_minutes": {"urgent": 20, "stat": 20, "asap": 20}, "services": ["naloxone"]}, 60),
        ({"response_minutes": {"urgent": 20, "stat": 20, "asap": 20}, "ends_on": "2026-06-02"}, 60),
        ({"response_minutes": {"urgent": 20, "stat": 20, "asap": 20}, "starts_on": "2026-06-08"}, 60),
    ],
    ids=["agreed", "silent", "another service", "over", "not yet"],
)
async def test_what_was_agreed_goes_before_what_the_partner_promised(
    course: Course, changes: Resource, minutes: int
) -> None:
    await together(course)
    await keep(course.hub, agreed(**changes), "HTEST Ng")
    await course.discharged(**SUPPLY)
    assert await answer_by(course) == on("06", "06:00") + timedelta(minutes=minutes)


async def test_who_was_asked_keeps_the_time_that_it_was_told(course: Course) -> None:
    await together(course)
    await course.discharged(**SUPPLY)
    before = await answer_by(course)
    await keep(course.hub, agreed(response_minutes={"urgent": 5, "stat": 5, "asap": 5}), "HTEST Ng")
    await course.until(on("06", "06:31"))
    assert await answer_by(course) == before
    assert await course.asked() == {HARBOR: "requested"}


# ---- how much is shown


async def test_the_agreement_narrows_what_consent_permits_and_says_so(course: Course) -> None:
    await together(course, minimum_offer="at-once")
    await keep(course.hub, agreed(disclosure={"to_partner": "offer"}), "HTEST Ng")
    await course.discharged()
    there = await caller(course.world, course.web, course.partners[HARBOR], ALL)
    task = await course.task_of(HARBOR, there)
    assert "REDACTED" in json.dumps(task["meta"]["security"])
    assert await there.search("MedicationAdministration") == []
    rows = await course.hub.store.database.fetch(
        "select reasons from decision where direction = 'to-recipient' and task = $1", task["id"]
    )
    assert [one["code"] for row in rows for one in json.loads(row[0])] == ["agreement-narrows"]


async def in_sight(course: Course, name: str = HARBOR) -> bool:
    """Whether a partner reads the person that it was told of."""
    there = await caller(course.world, course.web, course.partners[name], ALL)
    return "Htest" in json.dumps(await there.search("Patient"))


@pytest.mark.parametrize("status", ["requested", "accepted", "completed"])
@pytest.mark.parametrize("most", ["offer", "nothing"])
async def test_who_was_shown_more_loses_it_at_once(course: Course, most: str, status: str) -> None:
    await together(course)
    await keep(course.hub, agreed(), "HTEST Ng")
    await course.discharged(**SUPPLY)
    output = [{"type": {"text": "service"}, "valueString": "HTEST first dose given"}]
    for answer in {"accepted": ["accepted"], "completed": ["accepted", "completed"]}.get(status, []):
        more = {"output": output} if answer == "completed" else {}
        assert (await course.answers(HARBOR, answer, **more)).status_code == 200
    await course.settled()
    assert await in_sight(course)
    await keep(course.hub, agreed(disclosure={"to_partner": most}), "HTEST Ng")
    await course.until(on("05", "18:01"))
    assert not await in_sight(course)
    assert await course.asked() == {HARBOR: status}
    await keep(course.hub, agreed(), "HTEST Ng")
    await course.until(on("05", "18:02"))
    assert await in_sight(course)


async def test_what_is_agreed_from_a_day_on_holds_from_that_day_on(course: Course) -> None:
    """The version before it holds until then, and on that day nobody waits for the next look."""
    await together(course, minimum_offer="at-once")
    await keep(course.hub, agreed(disclosure={"to_partner": "offer"}), "HTEST Ng")
    await keep(course.hub, agreed(starts_on="2026-06-06", ends_on="2026-06-07"), "HTEST Ng")
    await course.discharged(**SUPPLY)
    await course.settled()
    assert not await in_sight(course), "less was agreed for today"
    await course.until(on("06", "00:01"))
    assert await in_sight(course)
    assert (await course.answers(HARBOR, "accepted")).status_code == 200
    await keep(course.hub, agreed(starts_on="2026-06-07", disclosure={"to_partner": "nothing"}), "HTEST Ng")
    await course.until(on("06", "23:59"))
    assert await in_sight(course)
    course.move(on("07", "00:00"))
    assert not await in_sight(course), "it ends by itself, whether a job has run or not"


async def test_nothing_is_shown_any_more_when_the_agreement_with_the_hub_ends(course: Course) -> None:
    course.hub = replace(course.hub, registry=Registry(course.hub.store, agreements_required=True))
    course.world = replace(course.world, hub=course.hub)
    pair = await together(course)
    signed: Resource = {"kind": "participation", "reference": "HTEST", "signed_on": "2026-01-01", "signer": "HTEST Ng"}
    for organization, ends in zip(pair, (None, "2026-06-06"), strict=True):
        await agreements.file(course.hub, organization, signed | {"document_hash": "0" * 64, "ends_on": ends})
    attach(course.web._transport.app, course.hub)  # type: ignore[attr-defined]
    await course.discharged(**SUPPLY)
    assert await in_sight(course)
    course.move(on("06", "00:00"))
    assert not await in_sight(course)


async def test_where_nothing_is_shown_nobody_is_asked_until_they_agree_on_more(course: Course) -> None:
    await course.register(partner(HARBOR, days=ALL_DAYS))
    await keep(course.hub, agreed(disclosure={"to_partner": "nothing"}), "HTEST Ng")
    await course.discharged(**SUPPLY)
    assert await course.asked() == {}
    assert "agreement-narrows" in await course.told()
    await keep(course.hub, agreed(), "HTEST Ng")
    await course.until(on("05", "18:05"))
    assert await course.asked() == {HARBOR: "requested"}
    assert await course.told() == []


async def test_what_a_partner_reports_stays_there_where_that_was_agreed(course: Course) -> None:
    await together(course)
    await keep(course.hub, agreed(disclosure={"to_hospital": "nothing"}), "HTEST Ng")
    await course.discharged(**SUPPLY)
    assert (await course.answers(HARBOR, "accepted")).status_code == 200
    output = [{"type": {"text": "service"}, "valueString": "HTEST first dose given"}]
    assert (await course.answers(HARBOR, "completed", output=output)).status_code == 200
    source = await course.source()
    assert (source["status"], source["businessStatus"]["coding"][0]["code"]) == ("completed", "closed")
    assert "output" not in source


async def test_no_agreement_lets_through_what_consent_does_not(course: Course) -> None:
    await together(course, part2="all")
    await keep(course.hub, agreed(), "HTEST Ng")
    await course.discharged()
    assert await course.asked() == {}


# ---- on file


async def test_a_change_is_a_new_version_and_the_same_again_is_none(course: Course) -> None:
    pair = await together(course)
    assert [(await keep(course.hub, agreed(reference=one), "HTEST Ng"))[0] for one in ("A", "A", "B", "A")] == [
        1,
        1,
        2,
        3,
    ]
    found = await held(course.hub, HUB, pair)
    assert [(one.version, one.agreement.reference, one.by) for one in found.versions] == [
        (1, "A", "HTEST Ng"),
        (2, "B", "HTEST Ng"),
        (3, "A", "HTEST Ng"),
    ]
    assert found.in_force
    assert not await course.hub.store.working_agreements.keep(pair, found.versions[0].agreement, "HTEST Diaz", 3)


async def test_of_several_at_once_each_version_is_somebody_s_own(course: Course) -> None:
    pair = await together(course)
    wanted = [keep(course.hub, agreed(reference=f"R{number}"), f"HTEST {number}") for number in range(5)]
    results = await asyncio.gather(*wanted, return_exceptions=True)
    assert {type(one) for one in results if isinstance(one, BaseException)} <= {Conflict}
    kept = {one[1].reference: one[0] for one in results if not isinstance(one, BaseException)}
    versions = await course.hub.store.working_agreements.versions(pair)
    assert {one.agreement.reference: one.version for one in versions} == kept
    assert sorted(kept.values()) == [*range(1, len(kept) + 1)]


@pytest.mark.parametrize(
    ("data", "path"),
    [
        (lambda: agreed(hospital="HTEST Nobody"), "hospital"),
        (lambda: agreed(hospital=DAWN), "hospital"),
        (lambda: agreed(partner="HTEST Nobody"), "partner"),
        (lambda: agreed(partner=MERCY, hospital=HARBOR), "hospital"),
        (lambda: agreed(services=["massage"]), "services.0"),
        (lambda: b"[]", ""),
    ],
)
async def test_what_is_no_agreement_of_two_who_are_here_is_refused(
    course: Course, data: Callable[[], bytes], path: str
) -> None:
    await together(course)
    with pytest.raises(BadRequest) as refused:
        await keep(course.hub, data(), "HTEST Ng")
    assert path in {one.path or "" for one in refused.value.issues} | {""}


async def test_the_two_read_it_and_nobody_else_learns_that_there_is_one(course: Course) -> None:
    pair = await together(course)
    with pytest.raises(NotFound):
        await held(course.hub, HUB, pair)
    await keep(course.hub, agreed(), "HTEST Ng")
    await note_meeting(course.hub, pair, json.dumps(MEETING | {"on": "2026-06-04"}).encode(), "HTEST Ng")
    for organization in pair:
        found = await held(course.hub, Actor(organization, "c"), pair)
        assert (len(found.versions), [one.meeting.decisions for one in found.meetings]) == (1, [MEETING["decisions"]])
    with pytest.raises(NotFound):
        await held(course.hub, Actor(course.partners[DAWN], "c"), pair)


async def test_meetings_are_of_the_past_and_of_two_who_have_agreed(course: Course) -> None:
    pair = await together(course)
    been = json.dumps(MEETING | {"on": "2026-06-04", "next_on": "2026-06-11"}).encode()
    with pytest.raises(NotFound):
        await note_meeting(course.hub, pair, been, "HTEST Ng")
    await keep(course.hub, agreed(), "HTEST Ng")
    with pytest.raises(BadRequest):
        await note_meeting(course.hub, pair, json.dumps(MEETING).encode(), "HTEST Ng")
    await note_meeting(course.hub, pair, been, "HTEST Ng")
    assert [(one.what, one.on.isoformat()) for one in await due(course.hub)] == [("meeting", "2026-06-11")]
    course.move(on("12", "09:00"))
    assert [one.overdue for one in await due(course.hub)] == [True]
    await note_meeting(course.hub, pair, json.dumps(MEETING | {"on": "2026-06-12", "next_on": None}).encode(), "HTEST")
    assert await due(course.hub) == []


# ---- in time


async def test_what_must_be_looked_at_is_listed_before_its_day_and_after_it(course: Course) -> None:
    await together(course)
    await keep(course.hub, agreed(), "HTEST Ng")
    assert await due(course.hub) == []
    found: list[Due] = await due(course.hub, timedelta(days=400))
    assert [(one.what, one.on.isoformat()) for one in found] == [
        ("commitment", "2027-01-15"),
        ("commitment", "2027-03-01"),
        ("review", "2027-03-01"),
        ("agreement-ends", "2027-06-01"),
    ]
    course.move(datetime(2027, 6, 2, 9, tzinfo=UTC))
    assert [(one.what, one.overdue) for one in await due(course.hub, timedelta())][-1] == ("agreement-ended", True)


async def test_the_contacts_are_told_by_e_mail_ahead_of_each_day_and_on_it(course: Course) -> None:
    await together(course)
    mailbox = Mailbox()
    with mailserver(mailbox) as smtp_url:
        settings = {"base_url": "http://127.0.0.1:8000", "smtp_url": smtp_url, "mail_from": "hub@hub.example.org"}
        course.hub = replace(course.hub, settings=course.hub.settings.model_copy(update=settings))
        await keep(course.hub, agreed(reference="older"), "HTEST Ng")
        await keep(course.hub, agreed(), "HTEST Ng")
        await course.until(datetime(2026, 12, 15, tzinfo=UTC))
        assert mailbox.mails == []
        await course.until(datetime(2026, 12, 17, tzinfo=UTC))
        assert [(to, mail["Subject"]) for to, mail in mailbox.mails] == [
            (["intake@harbor.example.org"], "An agreement must be looked at")
        ]
        text = mailbox.mails[0][1].get_payload(decode=True)
        assert isinstance(text, bytes)
        assert b"2027-01-15" in text
        await course.until(datetime(2027, 7, 1, tzinfo=UTC))
    assert len(mailbox.mails) == 6, "ahead of a promise, a review and the end, and on each of these days"
    ended = "select outcome from job_done where kind = 'agreement-due' order by id"
    assert [row[0] for row in await course.hub.store.database.fetch(ended)] == ["replaced", "told:1"]


async def test_without_a_mail_server_the_job_goes_on_and_the_list_says_it(course: Course) -> None:
    await together(course)
    await keep(course.hub, agreed(), "HTEST Ng")
    await course.until(datetime(2026, 12, 20, tzinfo=UTC))
    assert await DueWork(course.hub).run() == 0
    assert [one.what for one in await working_agreements.due(course.hub)] == ["commitment"]
