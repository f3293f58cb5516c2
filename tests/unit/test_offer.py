"""What a partner is shown of a referral whose packet may not be shown to it."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, get_args

import pytest

from fhir_mappings.building import offer
from fhir_mappings.building.offer import OfferFacts, age_band, due_band, facts_of, offer_of, widened
from fhir_mappings.gate import check
from fhir_mappings.labels import HTEST
from schemas.codes import local
from schemas.discharge import DischargeEvent, NeedKind
from tests.unit.build_events import NOW, OPEN, PART2, PARTIES, asked, event, ids

FACTS = OfferFacts(
    need="moud-continuation",
    product="methadone",
    due="within-24-hours",
    age="25-to-44",
    state="MA",
    policies="no-conflict",
    complete=True,
)
NEEDS = get_args(NeedKind)


def offered(facts: OfferFacts = FACTS, **task: Any) -> offer.Offer:
    request, full = asked(event(), PART2)
    return offer_of(request, {**full, **task}, facts=facts, parties=PARTIES, ids=ids, labels=PART2)


def said(facts: OfferFacts = FACTS) -> dict[str, str]:
    """The inputs of the offered Task, by code."""
    codes = [(one["type"], one["valueCodeableConcept"]) for one in offered(facts).task["input"]]
    return {name["coding"][0]["code"]: value["coding"][0]["code"] for name, value in codes}


def facts(of: DischargeEvent, **changes: Any) -> OfferFacts:
    options: dict[str, Any] = {
        "need": "moud-continuation",
        "product": "methadone",
        "due": None,
        "now": NOW,
        "gendered": False,
        "policies": "conflict-unknown",
        "complete": False,
    }
    return facts_of(of, **{**options, **changes})


def test_an_offer_is_the_closed_list_and_nothing_more() -> None:
    request, task, patient = offered()
    assert set(request) == {
        *("resourceType", "id", "meta", "status", "intent", "category", "priority", "code", "subject", "requester"),
    }
    assert set(task) == {
        *("resourceType", "id", "meta", "status", "intent", "priority", "code", "focus", "for", "requester", "owner"),
        "input",
    }
    assert set(patient) == {"resourceType", "id", "meta", "extension", "address"}
    assert patient["address"] == [{"state": "MA"}]
    assert said() == {
        "product": "methadone",
        "due": "within-24-hours",
        "policies": "no-conflict",
        "packet": "complete",
    }


def test_an_offer_has_the_ids_the_status_and_the_owner_of_the_full_resources() -> None:
    full_request, full_task = asked(event(), PART2)
    request, task, _ = offered()
    assert (request["id"], request["status"]) == (full_request["id"], full_request["status"])
    assert (task["id"], task["status"], task["intent"]) == (full_task["id"], full_task["status"], full_task["intent"])
    assert task["owner"]["reference"] == full_task["owner"]["reference"]
    assert task["focus"]["reference"] == f"ServiceRequest/{request['id']}"


def test_the_patient_of_an_offer_is_another_one_for_each_child() -> None:
    request, task, patient = offered()
    assert patient["id"] == ids("Patient", f"offer|{task['id']}") != ids("Patient", "")
    assert task["for"] == request["subject"] == {"reference": f"Patient/{patient['id']}"}
    assert offered(id="another-child").patient["id"] != patient["id"]


def test_the_hub_stands_for_the_hospital() -> None:
    request, task, _ = offered()
    assert request["requester"]["reference"] == task["requester"]["reference"] == "Organization/hub"


@pytest.mark.parametrize("need", NEEDS)
@pytest.mark.parametrize("gender", [None, "female", "other"])
def test_every_offer_passes_the_gate(need: NeedKind, gender: str | None) -> None:
    told = replace(FACTS, need=need, gender=gender)
    assert [problem for one in offered(told) for problem in check(one)] == []


def test_a_referral_of_which_nothing_is_known_is_a_valid_offer() -> None:
    bare = offered(OfferFacts(need="phone"))
    assert set(bare.patient) == {"resourceType", "id", "meta"}
    assert [problem for one in bare for problem in check(one)] == []


def test_an_offer_claims_no_profile() -> None:
    assert all("profile" not in one["meta"] for one in offered())


@pytest.mark.parametrize("labels", [OPEN, PART2])
def test_an_offer_has_the_labels_of_the_whole_and_says_that_it_is_less(labels: Any) -> None:
    request, task = asked(event(), labels)
    for one in offer_of(request, task, facts=FACTS, parties=PARTIES, ids=ids, labels=labels):
        assert one["meta"]["security"] == [*request["meta"]["security"], *offer.LESS]
        assert HTEST in one["meta"]["security"]
    assert {(one["system"], one["code"]) for one in offer.LESS} == {
        ("http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "SUBSETTED"),
        ("http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "REDACTED"),
    }


def test_a_label_that_somebody_added_to_the_whole_stays() -> None:
    request, task = asked(event())
    added = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "SDV"}
    task["meta"] = {"security": [*task["meta"]["security"], added]}
    made = offer_of(request, task, facts=FACTS, parties=PARTIES, ids=ids, labels=OPEN)
    assert added in made.task["meta"]["security"]


def test_a_business_status_of_ours_is_told_in_our_words_and_no_other() -> None:
    ours = {"system": local.BUSINESS_STATUS, "code": "discharge-cancelled", "display": "HTEST of Elm Street"}
    told = offered(businessStatus={"coding": [{"system": "urn:x", "code": "HTEST"}, ours], "text": "HTEST"}).task
    assert told["businessStatus"] == local.concept(local.BUSINESS_STATUS, "discharge-cancelled")
    assert "businessStatus" not in offered(businessStatus={"text": "HTEST"}).task
    assert "businessStatus" not in offered(businessStatus={"coding": [{**ours, "code": "HTEST"}]}).task


@pytest.mark.parametrize(
    ("need", "shown"),
    [
        ("moud-continuation", {"product", "due"}),
        ("primary-care", {"product"}),
        ("transport", {"due"}),
        ("recovery-housing", set()),
        ("hcv-hiv", set()),
    ],
)
def test_product_and_time_are_told_only_where_the_need_asks_for_them(need: NeedKind, shown: set[str]) -> None:
    assert set(said(replace(FACTS, need=need))) == {*shown, "policies", "packet"}


@pytest.mark.parametrize(
    ("due", "priority"),
    [("lapsed", "stat"), ("within-24-hours", "stat"), ("24-to-72-hours", "asap"), ("later", None), ("not-known", None)],
)
def test_the_priority_tells_no_more_than_the_time(due: offer.DueBand, priority: str | None) -> None:
    # That of the whole is asap, because of what the flags say.
    for one in offered(replace(FACTS, due=due))[:2]:
        assert one.get("priority") == priority
    assert "priority" not in offered(replace(FACTS, need="phone", due=due)).task


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("left", "band"),
    [
        (None, "not-known"),
        (-HOUR, "lapsed"),
        (timedelta(), "lapsed"),
        (timedelta(microseconds=1), "within-24-hours"),
        (24 * HOUR, "within-24-hours"),
        (24.1 * HOUR, "24-to-72-hours"),
        (72 * HOUR, "24-to-72-hours"),
        (73 * HOUR, "later"),
    ],
)
def test_the_time_is_a_band(left: timedelta | None, band: str) -> None:
    assert due_band(None if left is None else NOW + left, NOW) == band


@pytest.mark.parametrize(
    ("born", "band"),
    [
        (None, None),
        (date(2026, 6, 10), None),
        (date(2008, 6, 10), "under-18"),
        (date(2008, 6, 9), "18-to-24"),
        (date(2001, 6, 10), "18-to-24"),
        (date(2001, 6, 9), "25-to-44"),
        (date(1981, 6, 9), "45-to-64"),
        (date(1961, 6, 10), "45-to-64"),
        (date(1961, 6, 9), "65-and-over"),
        (date(1930, 1, 1), "65-and-over"),
        (date(2004, 2, 29), "18-to-24"),
    ],
)
def test_the_age_is_a_band(born: date | None, band: str | None) -> None:
    assert age_band(born, date(2026, 6, 9)) == band


PLAIN = OfferFacts(need="recovery-housing", age="25-to-44", state="MA")


@pytest.mark.parametrize(
    ("told", "wider"),
    [
        ({}, {}),
        ({"gender": "female"}, {"gender": "female"}),
        ({"age": "18-to-24"}, {"age": "18-to-24"}),
        ({"age": "45-to-64"}, {"age": "45-to-64"}),
        ({"age": "65-and-over"}, {"age": "45-and-over"}),
        ({"age": "65-and-over", "state": None}, {"age": "65-and-over", "state": None}),
        (
            {"age": "65-and-over", "state": None, "gender": "male"},
            {"age": "45-and-over", "state": None, "gender": "male"},
        ),
        ({"age": "under-18"}, {"age": "under-18", "state": None}),
        ({"age": "under-18", "gender": "male"}, {"age": "under-18", "gender": "male", "state": None}),
        ({"gender": "other"}, {"gender": "other", "state": None}),
        ({"gender": "unknown"}, {"gender": "unknown", "state": None}),
        ({"gender": "other", "age": "65-and-over"}, {"gender": "other", "age": "45-and-over", "state": None}),
    ],
)
def test_what_is_rare_together_is_widened(told: dict[str, Any], wider: dict[str, Any]) -> None:
    once = widened(replace(PLAIN, **told))
    assert once == replace(PLAIN, **wider)
    assert widened(once) == once


def test_what_is_told_of_a_visit_is_coarse() -> None:
    due = datetime.fromisoformat("2026-06-10T09:15:00-04:00")
    assert facts(event(), due=due, complete=True, policies="conflict") == OfferFacts(
        need="moud-continuation",
        product="methadone",
        due="within-24-hours",
        age="25-to-44",
        gender=None,
        state="MA",
        policies="conflict",
        complete=True,
    )


def test_the_gender_is_told_only_where_the_place_is_for_one() -> None:
    assert facts(event(), gendered=True).gender == "female"
    assert facts(event("smallest"), gendered=False).gender is None


@pytest.mark.parametrize("state", ["Massachusetts", "1 Elm Street", "M", "", None, "M\u00c4"])
def test_a_state_that_is_no_two_letters_is_not_told(state: str | None) -> None:
    address = {"address": {"lines": ["1 Elm Street"], **({"state": state} if state else {})}}
    assert facts(event(patient={**event().patient.model_dump(exclude={"address"}), **address})).state is None


def test_a_state_is_read_whatever_its_case() -> None:
    assert facts(event(patient={"address": {"state": "ma "}})).state == "MA"
