"""The coverage clock of a referral: kept when something changed, moved on by time alone, stopped when it is over."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest
import pytest_asyncio

from app.core.errors import NotFound
from app.services.referral.clock_history import history, table
from tests.contract.clocks import Scene, answer, dispensed, parts, prescribed, scene_of
from tests.contract.fhir_callers import OUTPUT
from tests.hub_fixtures import World

REPORT = {"op": "add", "path": "/output", "value": OUTPUT}


@pytest_asyncio.fixture
async def scene(world: World, web: httpx.AsyncClient) -> Scene:
    return await scene_of(world, web)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


# ---- what is kept


async def test_the_clock_is_told_on_the_task_and_kept_with_its_inputs_in_one_commit(scene: Scene) -> None:
    await scene.tell(bridges=[dispensed(3)])
    source, child = await scene.source(), await scene.child()
    told = parts(source)
    last = scene.now - timedelta(hours=8)
    assert abs(at(told["coveredUntil"]) - last - timedelta(days=4)) <= timedelta(hours=1)
    assert (told["gap"], told["confidence"], told["ask"], source["priority"]) == ("none", "verified", [], "urgent")
    assert told["confirmedGapAt"] == told["coveredUntil"]
    assert parts(child) == parts(source)
    assert source["restriction"]["period"]["end"] == told["coveredUntil"]
    (line,) = await scene.history()
    assert (line["why"], line["cause"].partition(":")[0]) == (["first"], "message")
    assert at(line["outputs"]["covered_until"]) == at(told["coveredUntil"])
    here = at(told["coveredUntil"]).replace(tzinfo=ZoneInfo("America/New_York"))
    assert here.isoformat() == told["coveredUntil"], "in the words of the place that dosed"
    assert line["inputs"]["supply"] == [
        {"kind": "dispensed", "days": 3, "doses": None, "start": None, "filled": "unknown"}
    ]
    ((digest, sealed),) = await scene.rows("select digest, inputs from coverage_event")
    assert len(digest) == 22
    assert b"dispensed" not in bytes(sealed)


async def test_what_is_told_again_changes_nothing(scene: Scene) -> None:
    await scene.tell(bridges=[dispensed(3)])
    source, jobs = await scene.source(), await scene.jobs()
    await scene.tell(bridges=[dispensed(3)])
    assert (await scene.source())["meta"]["versionId"] == source["meta"]["versionId"]
    assert len(await scene.history()) == 1
    assert await scene.jobs() == jobs


async def test_a_correction_recomputes_and_says_which_input_changed(scene: Scene) -> None:
    await scene.tell(bridges=[dispensed(3)])
    before = parts(await scene.source())
    corrected = [{"at": scene.before(12), "observed": True}]
    await scene.tell(kind="update", hours_ago=3, bridges=[dispensed(3)], doses=corrected)
    assert [line["why"] for line in await scene.history()] == [["first"], ["last_dose"]]
    after = parts(await scene.source())
    assert at(after["coveredUntil"]) < at(before["coveredUntil"])
    assert after["flag"] == []


async def test_a_change_of_disposition_is_a_reason_too(scene: Scene) -> None:
    await scene.tell(bridges=[dispensed(3)])
    await scene.tell(kind="update", hours_ago=3, bridges=[dispensed(3)], visit={"disposition": "aadvice"})
    assert (await scene.history())[-1]["why"] == ["disposition"]
    assert (await scene.source())["priority"] == "stat"


async def test_a_history_is_printed_for_people(scene: Scene) -> None:
    await scene.tell(bridges=[prescribed()])
    text = table(await scene.history())
    assert "confirm-pick-up" in text
    assert "first (message)" in text
    assert "supply: prescribed, 7 days, filled: unknown" in text
    assert text.endswith(
        "Scheduling support, never a dosing recommendation: whoever doses decides what is given, and when."
    )
    assert "mg" not in text
    with pytest.raises(NotFound):
        await history(scene.world.hub, "nobody")


# ---- time alone


async def test_time_alone_moves_priority_and_flags_on_source_and_child_once_at_each_threshold(scene: Scene) -> None:
    await scene.tell(bridges=[dispensed(4)])
    covered = at(parts(await scene.source())["coveredUntil"])
    to_go = (covered - scene.now).total_seconds() / 3600
    seen = [(await scene.source())["priority"]]
    for hours in (to_go - 71, to_go - 23, to_go + 1, to_go + 73):
        await scene.due(hours=hours)
        source, child = await scene.source(), await scene.child()
        assert parts(child) == parts(source)
        assert (child["priority"], child["restriction"]) == (source["priority"], source["restriction"])
        seen.append(source["priority"])
    assert seen == ["urgent", "asap", "stat", "stat", "stat"]
    told = parts(await scene.source())
    assert told["flag"] == ["lapsed", "reassess-tolerance"]
    assert (told["gap"], told["hoursWithoutMedication"]) == ("confirmed", 73)
    events = len(await scene.history())
    versions = (await scene.source())["meta"]["versionId"]
    await scene.due(hours=to_go + 74)
    assert (len(await scene.history()), (await scene.source())["meta"]["versionId"]) == (events, versions)
    causes = [line["cause"].partition(":")[0] for line in await scene.history()]
    assert causes == ["message", *["job"] * (events - 1)]
    assert {tuple(line["why"]) for line in (await scene.history())[1:]} == {("time",)}


async def test_each_referral_has_one_job_at_the_next_moment_that_counts(scene: Scene) -> None:
    await scene.tell(bridges=[dispensed(3)])
    (first,) = await scene.jobs()
    await scene.tell(kind="update", hours_ago=3, bridges=[dispensed(5)])
    (second,) = await scene.jobs()
    assert second != first
    assert (await scene.history())[-1]["outputs"]["recompute_at"] is not None


async def test_a_person_in_the_bed_has_no_clock(scene: Scene) -> None:
    await scene.tell(kind="expected-discharge", bridges=[dispensed(3)])
    assert "extension" not in await scene.source()
    assert await scene.jobs() == []


@pytest.mark.parametrize("end", ["completed", "cancelled"])
async def test_a_referral_that_is_over_keeps_no_clock_and_no_job(scene: Scene, end: str) -> None:
    await scene.tell(bridges=[dispensed(3)])
    if end == "completed":
        await scene.partner.set_status(await scene.child(), "accepted")
        answered = await scene.partner.set_status(await scene.child(), "completed", REPORT)
        assert answered.status_code == 200
    else:
        await scene.tell(kind="cancel-visit", hours_ago=1)
    await scene.due(seconds=5)
    assert await scene.jobs() == []
    events = await scene.rows("select id from coverage_event")
    await scene.due(days=30)
    assert await scene.rows("select id from coverage_event") == events


# ---- was it picked up


async def test_an_unknown_fill_is_a_possible_gap_that_the_hospital_is_asked_about_first(scene: Scene) -> None:
    await scene.tell(bridges=[prescribed()])
    source = await scene.source()
    told = parts(source)
    assert (told["gap"], told["ask"], source["priority"]) == ("possible", ["confirm-pick-up"], "stat")
    assert told["possibleGapAt"] == told["coveredUntil"]
    assert at(told["confirmedGapAt"]) - at(told["coveredUntil"]) > timedelta(days=6)
    assert at(told["possibleGapAt"]) - at(told["holdPartnerUntil"]) == timedelta(hours=4)
    await scene.due(hours=(at(told["holdPartnerUntil"]) - scene.now).total_seconds() / 3600 + 0.1)
    assert "holdPartnerUntil" not in parts(await scene.source())


@pytest.mark.parametrize(("filled", "gap", "priority"), [("yes", "none", "urgent"), ("no", "confirmed", "stat")])
async def test_the_hospital_answers_by_an_event(scene: Scene, filled: str, gap: str, priority: str) -> None:
    await scene.tell(bridges=[prescribed(5)])
    await scene.tell(kind="update", hours_ago=1, bridges=[prescribed(5, filled)])
    source = await scene.source()
    told = parts(source)
    assert (told["gap"], told["ask"], source["priority"]) == (gap, [], priority)
    assert (await scene.history())[-1]["why"] == ["supply"]


@pytest.mark.parametrize(
    ("value", "gap"),
    [
        ({"valueBoolean": True}, "none"),
        ({"valueBoolean": False}, "confirmed"),
        ({"valueCode": "picked-up"}, "none"),
    ],
)
async def test_the_hospital_answers_by_an_output_of_its_task(scene: Scene, value: dict[str, object], gap: str) -> None:
    await scene.tell(bridges=[prescribed(5)])
    task = await scene.source()
    given = await scene.hospital.patch(f"Task/{task['id']}", answer("pick-up", **value))
    assert given.status_code == 200, given.text
    await scene.due(seconds=1)
    assert (parts(await scene.source())["gap"], parts(await scene.source())["ask"]) == (gap, [])
    line = (await scene.history())[-1]
    assert (line["why"], line["cause"].partition(":")[0]) == (["supply"], "job")
    orders = await scene.hospital.search("MedicationRequest")
    assert [e["valueCode"] for one in orders for e in one.get("extension", ())] == ["yes" if gap == "none" else "no"]


async def test_a_hospital_can_report_nothing_else_as_an_output(scene: Scene) -> None:
    await scene.tell(bridges=[prescribed(5)])
    task = await scene.source()
    given = await scene.hospital.patch(f"Task/{task['id']}", REPORT)
    assert given.status_code == 422
    assert "pick-up" in given.text


async def test_an_answer_holds_until_another_prescription_is_written(scene: Scene) -> None:
    await scene.tell(bridges=[prescribed(5)])
    await scene.hospital.patch(f"Task/{(await scene.source())['id']}", answer("pick-up", valueBoolean=True))
    await scene.due(seconds=1)
    await scene.tell(kind="update", hours_ago=-0.2, bridges=[prescribed(9)])
    assert parts(await scene.source())["ask"] == ["confirm-pick-up"]


# ---- who doses meanwhile


async def test_in_a_nursing_facility_somebody_must_be_named_and_the_clock_runs_on(scene: Scene) -> None:
    await scene.tell(bridges=[dispensed(3)], visit={"disposition": "snf"})
    source = await scene.source()
    told = parts(source)
    assert (source["status"], told["ask"], told["flag"]) == ("requested", ["name-who-doses"], ["snf"])
    reviews = await scene.rows("select reasons from review where closed_at is null")
    assert "dosing-owner-unknown" in reviews[0][0]
    task = await scene.hospital.patch(f"Task/{source['id']}", answer("doses-meanwhile", valueString="HTEST River SNF"))
    assert task.status_code == 200, task.text
    await scene.due(seconds=1)
    assert parts(await scene.source())["ask"] == []
    assert (await scene.history())[-1]["why"] == ["dosed_by"]
    assert await scene.rows("select visit from review where closed_at is null") == []


async def test_the_program_where_the_person_is_enrolled_names_who_doses(scene: Scene) -> None:
    await scene.tell(bridges=[dispensed(3)], visit={"disposition": "snf"}, current_otp={"name": "HTEST Harbor OTP"})
    assert parts(await scene.source())["ask"] == []


async def test_a_partner_that_holds_stops_no_clock_and_must_name_who_doses(scene: Scene) -> None:
    await scene.tell(bridges=[dispensed(3)])
    await scene.partner.set_status(await scene.child(), "accepted")
    hold = {"op": "add", "path": "/statusReason", "value": {"text": "HTEST no slot this week"}}
    answered = await scene.partner.set_status(await scene.child(), "on-hold", hold)
    assert answered.status_code == 200
    await scene.due(seconds=1)
    assert parts(await scene.source())["ask"] == ["name-who-doses"]
    named = await scene.partner.patch(
        f"Task/{(await scene.child())['id']}", answer("doses-meanwhile", valueString="HTEST Bridge Clinic")
    )
    assert named.status_code == 200
    await scene.due(seconds=2)
    assert parts(await scene.source())["ask"] == []
    assert (await scene.jobs()) != []


# ---- facts that contradict each other


async def test_a_dose_after_the_discharge_is_never_taken_silently(scene: Scene) -> None:
    doses = [{"at": scene.before(hours), "observed": True} for hours in (75, 1)]
    entry = await scene.tell(doses=doses, bridges=[dispensed(2)])
    assert "dose-after-discharge" in [one["code"] for one in entry["reasons"]]
    told = parts(await scene.source())
    assert told["flag"] == ["lapsed", "dose-after-discharge"]
    assert (told["gap"], told["ask"]) == ("possible", ["confirm-last-dose"])
    assert at(told["confirmedGapAt"]) > scene.now


@pytest.mark.parametrize("hours", [24 * 50, 24 * 365 * 120, -0.5, -72])
async def test_a_last_dose_that_can_not_be_is_asked_about_and_in_the_review_queue(scene: Scene, hours: float) -> None:
    entry = await scene.tell(doses=[{"at": scene.before(hours), "observed": True}], bridges=[prescribed()])
    assert "implausible-last-dose" in [one["code"] for one in entry["reasons"]]
    told = parts(await scene.source())
    assert "implausible-last-dose" in told["flag"]
    assert told["flag"].count("implausible-last-dose") == 1
    assert "confirm-last-dose" in told["ask"]
    assert "holdPartnerUntil" not in told
    await scene.tell(kind="update", hours_ago=1, doses=[{"at": scene.before(8), "observed": True}])
    reviews = await scene.rows("select reasons from review where closed_at is null")
    # What the same source says of that morning replaces what it said half an hour ahead, not three days ahead.
    assert ("implausible-last-dose" in str(reviews)) is (hours == -72)


@pytest.mark.parametrize("year", ["1850", "1899", "9999"])
async def test_a_last_dose_beyond_the_calendar_is_not_dropped_silently(scene: Scene, year: str) -> None:
    entry = await scene.tell(doses=[{"at": f"{year}-06-05T09:00:00-04:00"}])
    assert "implausible-last-dose" in [one["code"] for one in entry["reasons"]]
    told = parts(await scene.source())
    assert (told["confidence"], told["ask"]) == ("unknown", ["confirm-last-dose"])


async def test_a_supply_that_is_not_in_hand_counts_as_none(scene: Scene) -> None:
    await scene.tell(bridges=[{"kind": "dispensed", "days": 3, "filled": "no"}])
    told = parts(await scene.source())
    assert (told["flag"], told["gap"], told["ask"]) == (["supply-contradicted"], "possible", ["confirm-last-dose"])


# ---- the priority does not fall by itself


async def test_what_is_only_told_does_not_lower_the_priority_and_a_verified_fact_does(scene: Scene) -> None:
    await scene.tell()
    assert (await scene.source())["priority"] == "stat"
    await scene.tell(kind="update", hours_ago=2, bridges=[{"kind": "own-supply", "days": 9}])
    assert ((await scene.source())["priority"], parts(await scene.source())["gap"]) == ("stat", "none")
    await scene.tell(kind="update", hours_ago=1, bridges=[dispensed(9)])
    assert (await scene.source())["priority"] == "routine"


# ---- times of the stay that contradict each other


async def test_a_stay_that_ends_before_it_begins_opens_its_referral_and_asks_which_time_is_wrong(scene: Scene) -> None:
    entry = await scene.tell(visit={"admitted_at": scene.before(1)})
    assert "discharge-before-admission" in [one["code"] for one in entry["reasons"]]
    assert (await scene.child())["status"] == "requested"
    (stay,) = await scene.hospital.search("Encounter")
    assert [*stay["period"]] == ["end"]
    reviews = await scene.rows("select reasons from review where closed_at is null")
    assert "discharge-before-admission" in reviews[0][0]
    await scene.tell(kind="update", hours_ago=1, visit={"admitted_at": scene.before(96)})
    assert await scene.rows("select visit from review where closed_at is null") == []
    (stay,) = await scene.hospital.search("Encounter")
    assert [*stay["period"]] == ["start", "end"]
