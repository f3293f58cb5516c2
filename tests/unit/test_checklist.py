"""A partner's intake checklist against a visit."""

from typing import Any, get_args

import pytest
from pydantic import ValidationError

from fhir_mappings.building import checklist
from fhir_mappings.building.build_elements import present
from fhir_mappings.building.checklist import Item
from fhir_mappings.building.offer import OfferFacts, carried, offer_of
from fhir_mappings.gate import check
from fhir_mappings.labels import Resource
from schemas.checklist import ChecklistItem, ItemCode
from schemas.codes import local
from schemas.partner import PartnerProfile
from tests.unit.build_events import PART2, PARTIES, asked, built, event, ids
from tests.unit.letters import told

ASKED = [ChecklistItem(code=code) for code in get_args(ItemCode)]
WANTED = [ChecklistItem(code="ecg"), ChecklistItem(code="labs", needed="wanted"), ChecklistItem(code="photo-id")]


def standing(items: list[ChecklistItem], **more: Any) -> tuple[Item, ...]:
    return checklist.standing(items, **{"there": (), "confirmed": (), "waived": (), **more})


def of(**changes: Any) -> frozenset[str]:
    """What a visit tells by itself."""
    return checklist.there(built(told("unknown", **changes)))


def test_the_profile_and_the_code_system_know_the_same_items() -> None:
    assert set(get_args(ItemCode)) == set(local.CODES[local.INTAKE_ITEM])
    assert set(get_args(checklist.State)) == set(local.CODES[local.ITEM_STATE])


@pytest.mark.parametrize(
    "wrong",
    [[{"code": "halo"}], [{"code": "ecg", "needed": "perhaps"}], [{"code": "ecg"}, {"code": "ecg"}], [{"kode": "ecg"}]],
)
def test_a_checklist_that_is_not_one_is_refused(wrong: list[dict[str, str]]) -> None:
    with pytest.raises(ValidationError):
        PartnerProfile.model_validate({"name": "HTEST", "intake_checklist": wrong})


def test_a_visit_tells_what_is_there() -> None:
    assert of() == {"diagnosis", "order"}
    full = checklist.there(built(event()))
    assert full == {
        *("consent-forms", "insurance", "diagnosis", "last-dose", "verified-last-dose", "order", "ecg"),
        "urine-drug-screen",
    }
    assert "photo-id" in of(photo_id=True)
    assert "photo-id" not in of(photo_id="unknown")
    assert "ecg" not in of(clinical={"qtc_ms": "unknown"})
    assert "urine-drug-screen" not in of(clinical={"urine_drug_screen": "unknown"})
    assert "consent-forms" not in of(consents=[{"status": "inactive"}])
    held = {"at": "2026-06-09T09:00:00-04:00", "held": True}
    assert "last-dose" not in of(medications=[{"product": {"code": "x", "display": "x"}, "doses": [held]}])


def test_a_last_dose_is_verified_where_the_newest_is() -> None:
    old = {"at": "2026-06-08T09:00:00-04:00", "amount": 1, "verified_by": "P"}
    new = {"at": "2026-06-09T09:00:00-04:00", "amount": 1}
    product = {"code": "x", "display": "x"}
    assert "verified-last-dose" not in of(medications=[{"product": product, "doses": [old, new]}])
    assert "verified-last-dose" in of(medications=[{"product": product, "doses": [old]}])
    # The clocks went back between the two: the later one has the earlier hour.
    old, new = old | {"at": "2026-11-01T01:30:00-04:00"}, new | {"at": "2026-11-01T01:10:00-05:00"}
    assert "verified-last-dose" not in of(medications=[{"product": product, "doses": [old, new]}])


def test_what_is_there_goes_before_what_is_said_of_it() -> None:
    items = standing(ASKED, there={"ecg"}, confirmed={"ecg", "labs"}, waived={"labs", "tb-test"})
    states = dict(items)
    assert (states["ecg"], states["labs"], states["tb-test"], states["forms"]) == (
        *("done", "confirmed", "waived"),
        "missing",
    )


@pytest.mark.parametrize(
    ("more", "said", "complete"),
    [
        ({}, "0 of 3, missing: ECG, Photo ID; wanted: Laboratory results", False),
        ({"there": {"ecg"}}, "1 of 3, missing: Photo ID; wanted: Laboratory results", False),
        ({"there": {"ecg", "photo-id"}}, "2 of 3, wanted: Laboratory results", True),
        ({"waived": {"ecg", "photo-id", "labs"}}, "3 of 3", True),
    ],
)
def test_it_is_summed_up_in_a_line(more: dict[str, Any], said: str, complete: bool) -> None:  # noqa: FBT001 - a row
    items = standing(WANTED, **more)
    assert (checklist.said(items), checklist.complete(items)) == (said, complete)


def test_what_a_packet_may_not_hold_is_not_told() -> None:
    def codes(need: str) -> set[str]:
        return {one.code for one in checklist.of_need(ASKED, need)}

    assert codes("moud-continuation") == set(get_args(ItemCode))
    assert codes("recovery-housing") == {"consent-forms", "photo-id", "forms"}
    assert codes("mental-health") >= {"ecg", "order", "insurance"}
    assert codes("mental-health").isdisjoint({"last-dose", "verified-last-dose", "urine-drug-screen", "photo-id"})


# ---- on Tasks


def child(items: tuple[Item, ...]) -> tuple[Resource, Resource]:
    request, task = asked(event(), PART2)
    return request, checklist.with_items(task, items)


def test_a_task_tells_its_items_once_however_often_they_are_written() -> None:
    first = standing(WANTED)
    _, task = child(first)
    assert checklist.items_of(task) == first
    later = standing(WANTED, there={"ecg"})
    again = checklist.with_items(task, later)
    assert checklist.items_of(again) == later
    assert len(again["input"]) == len(task["input"])
    assert [one for one in again["input"] if "valueReference" in one] == asked(event(), PART2)[1]["input"]
    assert check(again) == []


def test_a_task_without_a_checklist_stays_as_it_was() -> None:
    _, task = asked(event(), PART2)
    assert checklist.with_items(task, ()) == task
    bare = present({**task, "input": None})
    assert checklist.with_items(bare, ()) is bare
    assert checklist.settled(task, waived={"ecg"}) is task


def test_an_offer_tells_the_items_in_our_words_and_nothing_else_of_the_inputs() -> None:
    request, task = child(standing(WANTED, there={"ecg"}))
    task["input"].append(
        {"type": local.concept(local.INTAKE_ITEM, "labs"), "valueCodeableConcept": {"text": "HTEST of Elm Street"}}
    )
    facts = OfferFacts(need="moud-continuation", complete=True)
    offer = offer_of(request, task, facts=facts, parties=PARTIES, ids=ids, labels=PART2)
    told = {one["type"]["coding"][0]["code"]: one["valueCodeableConcept"] for one in offer.task["input"]}
    assert told["packet"]["coding"][0]["code"] == "incomplete"
    assert told["packet"]["text"] == "1 of 3, missing: Photo ID; wanted: Laboratory results"
    assert told["ecg"]["coding"][0]["code"] == "done"
    assert "HTEST" not in str(offer.task["input"])
    assert all("valueReference" not in one for one in offer.task["input"])
    assert check(offer.task) == []
    settled = checklist.settled(task, waived={"photo-id"})
    later = carried(offer.task, settled)
    assert dict(checklist.items_of(later))["photo-id"] == "waived"
    assert [one["type"] for one in later["input"]][-4:] == [one["type"] for one in offer.task["input"]][-4:]


def test_a_checklist_is_a_task_of_the_hospital_that_ends_with_its_last_item() -> None:
    items = standing(WANTED, there={"ecg"})
    _, task = child(items)
    notes = [ChecklistItem(code="labs", note="not older than 30 days")]
    made = checklist.checklist_task(task, checklist="list", hub=("hub", "Throughline"), items=items, notes=notes)
    assert check(made) == []
    assert checklist.is_checklist(made)
    assert not checklist.is_checklist(task)
    assert made["owner"] == task["requester"]
    assert made["requester"]["reference"] == "Organization/hub"
    assert (made["status"], made["partOf"]) == ("in-progress", task["partOf"])
    assert made["meta"]["security"] == task["meta"]["security"]
    assert "Laboratory results: not older than 30 days" in made["description"]
    assert checklist.finished(made) is made
    done = checklist.finished(checklist.settled(made, confirmed={"photo-id"}))
    assert done["status"] == "completed"


def test_what_the_hospital_said_last_counts() -> None:
    def says(code: str, *, there: bool) -> Resource:
        return {"type": local.concept(local.INTAKE_ITEM, code), "valueBoolean": there}

    outputs = [says("ecg", there=True), says("labs", there=True), says("ecg", there=False), {"type": {"text": "x"}}]
    assert checklist.confirmed_by(outputs) == {"labs"}
