"""From what a hospital sent to what clauses know of the person, and from profiles to candidates and offers."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest

from app.rules.policies.base import Person
from app.services.partners import registration
from app.services.referral import match_requests
from app.services.referral.match_requests import coverage_for
from app.services.referral.matching import candidates_for, person_of, policies_of, questions_for, ranked
from app.services.referral.referral_facts import offer_facts
from app.services.referral.situation import Situation
from fhir_mappings.visits import visit
from schemas.discharge import DischargeEvent
from schemas.facets import Amount
from tests.contract.fhir_callers import discharge
from tests.hub_fixtures import PARTNER, World

SAID = {"attested_by": "intake desk", "attested_at": "2026-01-01T09:00:00-05:00", "expires": "2099-01-01"}
MOUD = "moud-continuation"
FULL: dict[str, Any] = {
    "clinical": {
        "benzodiazepines": True,
        "alcohol": "unknown",
        "stimulants": False,
        "qtc_ms": 440,
        "urine_drug_screen": [{"result": "HTEST"}],
        "wounds_or_picc": True,
        "psychiatric_acuity": "HTEST as told",
        "mobility": "HTEST as told",
        "pregnant": "unknown",
    },
    "photo_id": False,
    "continuation": "new-intake",
    "coverage": [{"payer": "HTEST State Medicaid"}, {"payer": "HTEST Mutual"}],
}


async def situation(world: World, referral: str) -> tuple[Situation, DischargeEvent]:
    found = await match_requests._situation(world.hub, referral)
    record = found.file.content.record
    return found, visit.as_event(record, event_id=found.file.id, occurred_at=record.ended_at or found.now)


async def test_the_person_is_what_was_sent_and_unknown_where_nothing_was(world: World, web: httpx.AsyncClient) -> None:
    patient = {
        "identifiers": [{"system": "urn:oid:2.16.840.1.113883.3.9999.1", "value": "HTEST0001"}],
        "birth_date": "1991-04-02",
        "sex": "male",
        "address": {"state": "ny"},
        "language": "spa",
        "interpreter": True,
    }
    entry = await discharge(world, web, 1, patient=patient, **FULL)
    now, event = await situation(world, entry["referral"])
    covered = datetime(2026, 6, 8, 13, tzinfo=UTC)
    today = now.now.date()
    assert person_of(now, event, covered) == Person(
        product="methadone",
        product_class="methadone-daily",
        dose=Amount(value=80, unit="mg"),
        dosed=True,
        interval_hours=24,
        runs_out_on=0,
        continuation="new-intake",
        benzodiazepines=True,
        alcohol=None,
        stimulants=False,
        screened=True,
        heart_measured=True,
        photo_id=False,
        insurance=frozenset({"medicaid", "private-insurance"}),
        state="NY",
        sex="male",
        age=today.year - 1991 - (today < date(today.year, 4, 2)),
        mobility="HTEST as told",
        wounds_or_picc=True,
        psychiatric_acuity="HTEST as told",
        language="es",
        interpreter=True,
    )


async def test_a_bare_discharge_leaves_nearly_everything_unknown(world: World, web: httpx.AsyncClient) -> None:
    entry = await discharge(world, web, 1)
    now, event = await situation(world, entry["referral"])
    person = person_of(now, event, None)
    known = {name for name in Person.__dataclass_fields__ if getattr(person, name) is not None}
    assert known == {"product", "product_class", "dose", "dosed", "interval_hours", "sex", "age"}


async def test_candidates_are_every_partner_and_know_who_was_asked(world: World, web: httpx.AsyncClient) -> None:
    hours = [{"days": ["mon"], "opens": "06:00", "closes": "11:00"}]
    other = {**PARTNER, "name": "HTEST Other", "intake_hours": hours}
    entry = await discharge(world, web, 1)
    await registration.import_partners(world.hub, json.dumps([other]).encode())
    now, _ = await situation(world, entry["referral"])
    found = {one.profile.name: one for one in candidates_for(now, MOUD)}
    assert {name: one.asked for name, one in found.items()} == {PARTNER["name"]: True, "HTEST Other": False}
    assert (found["HTEST Other"].intake is None, found[str(PARTNER["name"])].intake is None) == (False, True)
    assert all(one.agreement for one in found.values())
    assert not any(one.asked for one in candidates_for(now, "peer-support"))


async def test_the_choice_of_the_person_comes_with_the_need(world: World, web: httpx.AsyncClient) -> None:
    other = {**PARTNER, "name": "HTEST Other"}
    await registration.import_partners(world.hub, json.dumps([other]).encode())
    entry = await discharge(world, web, 1, needs=[{"kind": MOUD, "patient_choice": ["htest  other"]}])
    now, event = await situation(world, entry["referral"])
    first, second = ranked(now, MOUD, event, coverage_for(now, event)).ranked
    assert (first.candidate.profile.name, "patient-choice" in first.codes) == ("HTEST Other", True)
    assert "patient-choice" not in second.codes


@pytest.mark.parametrize(
    ("facets", "told"),
    [
        ({"benzodiazepines": "no"}, "conflict"),
        ({"benzodiazepines": "yes", "methadone-onsite": "yes"}, "no-conflict"),
        ({"benzodiazepines": "yes"}, "conflict-unknown"),
        ({}, "conflict-unknown"),
    ],
)
async def test_an_offer_says_what_the_partners_own_policies_come_to(
    world: World, web: httpx.AsyncClient, facets: dict[str, str], told: str
) -> None:
    entry = await discharge(world, web, 1, clinical={"benzodiazepines": True})
    stated = {name: {"value": value, **SAID} for name, value in facets.items()}
    await registration.import_partners(world.hub, json.dumps([{**PARTNER, "facets": stated}]).encode())
    now, event = await situation(world, entry["referral"])
    covered = coverage_for(now, event)
    assert offer_facts(now, event, MOUD, [], covered, partner=world.harbor).policies == told
    assert offer_facts(now, event, MOUD, [], covered).policies == "conflict-unknown"
    assert policies_of(now, MOUD, event, covered, "HTEST nobody") == "conflict-unknown"


async def test_a_question_counts_once_for_a_referral_and_names_nobody(world: World, web: httpx.AsyncClient) -> None:
    entry = await discharge(world, web, 1)
    now, event = await situation(world, entry["referral"])
    ranking = ranked(now, MOUD, event, coverage_for(now, event))
    first, again = (questions_for(now, MOUD, ranking) for _ in range(2))
    assert [(one.organization, one.facet) for one in first] == [
        (world.harbor, "intake-hours"),
        (world.harbor, "methadone-onsite"),
    ]
    assert first == again
    assert all(len(one.id) == 64 and now.file.id not in one.id for one in first)


async def test_the_second_need_of_a_transition_is_matched_for_itself(world: World, web: httpx.AsyncClient) -> None:
    needs = [{"kind": MOUD}, {"kind": "peer-support"}]
    peers = {**PARTNER, "name": "HTEST Peers", "needs": ["peer-support"]}
    await registration.import_partners(world.hub, json.dumps([peers]).encode())
    entry = await discharge(world, web, 1, needs=needs)
    now, _ = await situation(world, entry["referral"])
    link = now.file.content.referral
    assert link is not None
    other = next(one.service_request for one in link.needs if one.need == "peer-support")
    matched = await match_requests.found(world.hub, other)
    assert (matched.need, [one.candidate.profile.name for one in matched.ranking.ranked]) == (
        "peer-support",
        ["HTEST Peers"],
    )
    assert matched.at - now.now < timedelta(minutes=5)
