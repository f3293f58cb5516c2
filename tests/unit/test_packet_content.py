"""What of a visit goes to who takes one need, and what of the child may then stand."""

import json
from typing import Any, get_args

import pytest

from fhir_mappings.build import child
from fhir_mappings.gate import check
from fhir_mappings.labels import Resource
from fhir_mappings.packet_content import cut, within
from schemas.codes import local
from schemas.codes.packet_content import packet_contents
from schemas.discharge import Need, NeedKind
from schemas.resources import ALL
from tests.unit.build_events import NOW, asked, built, event, ids, of_type, one_of, referral

NEEDS = get_args(NeedKind)
VISIT = built(event())
CONSENT = of_type(VISIT, "Consent")[0]["id"]
DOSING = {"moud-continuation", "guest-order"}
"""Needs that a program takes which doses the person."""
LEAST = [need for need in NEEDS if need not in DOSING | {"primary-care", "mental-health", "hcv-hiv"}]
"""Needs that no clinician takes."""


def packet(need: str) -> list[Resource]:
    return within(VISIT, need, consent=CONSENT)


def facts(resources: list[Resource]) -> set[str]:
    """Observations by the code of ours."""
    codings = [one for resource in of_type(resources, "Observation") for one in resource["code"].get("coding", ())]
    return {one["code"] for one in codings if one["system"] == local.FACT}


def children(need: str) -> tuple[Resource, Resource]:
    """A child of one need of the full visit, cut to its packet."""
    of = event(needs=[Need(kind=need).model_dump()])
    request, task = child(*referral(of), partner="harbor", partner_name="Harbor OTP", ids=ids, now=NOW)
    return cut(request, task, need, {one["id"] for one in packet(need)})


def pointers(element: Any) -> list[dict[str, Any]]:
    """Every reference of a resource."""
    if isinstance(element, list):
        return [found for one in element for found in pointers(one)]
    if not isinstance(element, dict):
        return []
    own = [element] if isinstance(element.get("reference"), str) else []
    return own + [found for one in element.values() for found in pointers(one)]


def test_every_need_has_its_packet_with_a_reason_and_a_source() -> None:
    assert set(packet_contents()) == set(NEEDS)
    for content in packet_contents().values():
        assert content.reason.endswith(".")
        assert content.source


def test_what_a_packet_names_exists() -> None:
    for content in packet_contents().values():
        for name in content.resources:
            kind, _, detail = name.partition("/")
            assert kind in ALL
            assert not detail or detail in {"plan", "order"} or detail in local.CODES[local.FACT]
        assert content.offer <= {"product", "due"}


def test_who_gives_the_next_dose_gets_all() -> None:
    others = {one["id"] for one in of_type(VISIT, "Consent")} - {CONSENT}
    assert packet("moud-continuation") == [one for one in VISIT if one["id"] not in others]


@pytest.mark.parametrize("need", NEEDS)
def test_of_all_consents_only_the_one_that_permits_goes(need: str) -> None:
    assert [one["id"] for one in of_type(packet(need), "Consent")] == [CONSENT]
    assert of_type(within(VISIT, need), "Consent") == []


@pytest.mark.parametrize("need", LEAST)
def test_who_treats_nothing_gets_no_dose_no_diagnosis_no_test_and_no_stay(need: str) -> None:
    kinds = {one["resourceType"] for one in packet(need)}
    assert kinds <= {"Patient", "Observation", "Consent"}
    assert not facts(packet(need)) & {"qtc", "urine-drug-screen", "current-otp", "overdose-this-visit", "continuation"}
    written = json.dumps([*packet(need), *children(need)])
    for word in ("F11.20", "methadone", "buprenorphine", "ACS", "Sample Medicaid", "coveredUntil", "mg"):
        assert word not in written


@pytest.mark.parametrize(
    ("need", "told"),
    [
        ("recovery-housing", {"homeless", "mobility", "photo-id"}),
        ("transport", {"mobility"}),
        ("identification", {"photo-id"}),
        ("phone", set()),
        ("naloxone", {"naloxone-given"}),
        ("harm-reduction", {"naloxone-given", "supplies-given"}),
        ("peer-support", {"homeless", "next-appointment"}),
    ],
)
def test_the_facts_of_a_packet_are_those_that_the_need_needs(need: str, told: set[str]) -> None:
    assert facts(packet(need)) == told


@pytest.mark.parametrize("need", [need for need in NEEDS if need not in DOSING])
def test_doses_supplies_and_drug_screens_go_only_to_who_doses(need: str) -> None:
    assert not {one["resourceType"] for one in packet(need)} & {"MedicationAdministration", "MedicationDispense"}
    assert "urine-drug-screen" not in facts(packet(need))
    assert "Own supply in hand" not in json.dumps(packet(need))


@pytest.mark.parametrize("need", ["mental-health", "hcv-hiv"])
def test_who_prescribes_something_else_learns_what_is_taken_and_no_prescription(need: str) -> None:
    assert {one["intent"] for one in of_type(packet(need), "MedicationRequest")} == {"plan"}


@pytest.mark.parametrize("need", NEEDS)
def test_a_reference_to_what_does_not_go_says_nothing(need: str) -> None:
    allowed = {one["id"] for one in packet(need)}
    seen = {"Organization/hosp", "Organization/hub", "Organization/harbor", *children_of_themselves(need)}
    for pointer in pointers([*packet(need), *children(need)]):
        kind, _, resource_id = pointer["reference"].partition("/")
        if resource_id not in allowed and pointer["reference"] not in seen:
            assert set(pointer) == {"reference"}
            assert kind in {"Encounter", "Location", "PractitionerRole"}


def children_of_themselves(need: str) -> set[str]:
    request, task = children(need)
    return {f"ServiceRequest/{request['id']}", *(one["reference"] for one in (*request["basedOn"], *task["partOf"]))}


@pytest.mark.parametrize("need", NEEDS)
def test_the_stay_goes_only_where_its_diagnoses_do(need: str) -> None:
    named = packet_contents()[need].resources
    assert "Encounter" not in named or "Condition" in named
    assert "Location" not in named or "Encounter" in named


@pytest.mark.parametrize("need", NEEDS)
def test_a_child_refers_to_nothing_of_the_visit_that_does_not_go(need: str) -> None:
    known = {f"{one['resourceType']}/{one['id']}" for one in packet(need)}
    withheld = {f"{one['resourceType']}/{one['id']}" for one in VISIT} - known
    assert not {pointer["reference"] for pointer in pointers(list(children(need)))} & withheld


@pytest.mark.parametrize("need", NEEDS)
def test_a_cut_child_is_valid(need: str) -> None:
    assert [problem for one in children(need) for problem in check(one)] == []


def test_the_child_of_who_gets_all_is_the_child_itself() -> None:
    request, task = asked(event())
    allowed = {one["id"] for one in VISIT}
    assert cut(request, task, "moud-continuation", allowed) == (request, task)


def test_the_coverage_clock_the_reasons_and_the_insurance_stay_with_who_needs_them() -> None:
    request, task = asked(event())
    allowed = {one["id"] for one in VISIT}
    _, housing = cut(request, task, "recovery-housing", allowed)
    assert not {"extension", "encounter"} & set(housing)
    housing_request, _ = cut(request, task, "recovery-housing", allowed)
    assert not {"reasonReference", "insurance", "encounter"} & set(housing_request)
    assert housing["status"] == task["status"]
    assert housing["priority"] == task["priority"]


def test_what_an_owner_wrote_into_the_child_stays() -> None:
    request, task = asked(event())
    own = {"note": [{"text": "HTEST"}], "output": [{"type": {"text": "HTEST"}, "valueString": "HTEST"}]}
    _, kept = cut(request, {**task, **own}, "phone", ())
    assert {name: kept[name] for name in own} == own


def test_an_element_that_only_led_to_what_does_not_go_is_gone() -> None:
    request, task = asked(event())
    bare_request, bare_task = cut(request, task, "moud-continuation", ())
    assert not {"reasonReference", "insurance", "supportingInfo", "encounter"} & set(bare_request)
    assert not {"input", "encounter"} & set(bare_task)
    patient = one_of(VISIT, "Patient")["id"]
    assert bare_request["subject"] == {"reference": f"Patient/{patient}"}
