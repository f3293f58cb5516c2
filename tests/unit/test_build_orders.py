"""The referral: source and child, and where it comes from."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from fhir_mappings.build import CoverageView, child, provenance, renewed
from fhir_mappings.building.build_orders import GRAVITY_SERVICE_REQUEST, TASK, more_urgent
from schemas.discharge import DischargeEvent, Identifier
from tests.unit.build_events import NOW, OPEN, PARTIES, asked, built, event, ids, of_type, referral


def links(elements: list[dict[str, Any]]) -> set[str]:
    return {one["reference"] for one in elements}


def content(task: dict[str, Any]) -> list[str]:
    return [one["valueReference"]["reference"] for one in task["input"]]


def test_the_source_task_keeps_the_gravity_rules() -> None:
    request, task = referral(event())
    assert task["meta"]["profile"] == [TASK]
    assert (task["status"], task["intent"], task["code"]["coding"][0]["code"]) == ("requested", "order", "fulfill")
    assert task["focus"]["reference"] == f"ServiceRequest/{request['id']}"
    assert task["for"]["reference"] == "Patient/patient"
    assert task["requester"]["reference"] == "Organization/hosp"
    assert task["owner"]["reference"] == "Organization/hub"
    assert task["authoredOn"] == task["lastModified"] == NOW.isoformat()
    assert task["groupIdentifier"]["value"] == "group-1"
    assert task["restriction"] == {"period": {"end": "2026-06-12T09:15:00-04:00"}}


def test_a_need_with_a_verified_procedure_code_claims_gravity_and_any_other_does_not() -> None:
    request, task = referral(event())
    assert request["code"]["coding"][0]["code"] == "1254709001"
    assert GRAVITY_SERVICE_REQUEST in request["meta"]["profile"]
    housing, housing_task = referral(event(), 1)
    assert housing["code"]["coding"][0]["code"] == "recovery-housing"
    assert GRAVITY_SERVICE_REQUEST not in housing["meta"]["profile"]
    assert "profile" not in housing_task["meta"]
    assert task["id"] != housing_task["id"]


def test_a_draft_is_a_draft_in_both_resources() -> None:
    request, task = referral(event(), status="draft")
    assert (request["status"], task["status"]) == ("draft", "draft")
    assert referral(event())[0]["status"] == "active"


def test_every_resource_is_reachable_from_the_request() -> None:
    of = event()
    request, task = referral(of)
    resources = {f"{one['resourceType']}/{one['id']}": one for one in built(of)}
    found: set[str] = set()
    pending = [request, task]
    while pending:
        for reference in references(pending.pop()):
            if reference in resources and reference not in found:
                found.add(reference)
                pending.append(resources[reference])
    assert found == set(resources)


def references(element: Any) -> set[str]:
    if isinstance(element, dict):
        own = {element["reference"]} if isinstance(element.get("reference"), str) else set()
        return own.union(*map(references, element.values()))
    return set().union(*map(references, element)) if isinstance(element, list) else set()


def test_the_request_names_reasons_insurance_and_all_supporting_facts() -> None:
    of = event()
    request, _ = referral(of)
    resources = built(of)
    assert links(request["reasonReference"]) == {f"Condition/{one['id']}" for one in of_type(resources, "Condition")}
    assert links(request["insurance"]) == {f"Coverage/{one['id']}" for one in of_type(resources, "Coverage")}
    for supporting in ("MedicationAdministration", "AllergyIntolerance", "Observation", "Consent"):
        assert {f"{supporting}/{one['id']}" for one in of_type(resources, supporting)} <= links(
            request["supportingInfo"]
        )


def test_the_first_input_is_the_last_dose_of_each_product_and_never_a_held_one() -> None:
    _, task = referral(event())
    doses = [one for one in content(task) if one.startswith("MedicationAdministration/")]
    assert doses == content(task)[:2]
    assert doses[0].endswith("991147-2026-06-09t09-15-00-04-00")
    assert doses[1].endswith("1010604-2026-05-20")
    assert {one.split("/")[0] for one in content(task)} == {
        "MedicationAdministration",
        "MedicationRequest",
        "MedicationDispense",
        "Consent",
    }


def test_the_coverage_clock_is_an_extension_of_the_task() -> None:
    _, task = referral(event())
    parts = [(one["url"], next(v for k, v in one.items() if k != "url")) for one in task["extension"][0]["extension"]]
    assert parts == [
        ("coveredUntil", "2026-06-12T09:15:00-04:00"),
        ("nextDue", "2026-06-10T09:15:00-04:00"),
        ("confidence", "reported"),
        ("flag", "pregnant"),
        ("flag", "no-phone"),
    ]


def test_an_unknown_cover_sets_no_deadline() -> None:
    unknown = CoverageView(covered_until=None, confidence="unknown", priority="stat")
    _, task = referral(event(), coverage=unknown)
    assert "restriction" not in task
    assert task["priority"] == "stat"
    _, without = referral(event(), coverage=None)
    assert "extension" not in without
    assert without["priority"] == "urgent"


@pytest.mark.parametrize(
    ("priorities", "expected"),
    [(("routine", "asap"), "asap"), (("stat", "asap"), "stat"), ((None, "urgent"), "urgent"), ((None, None), None)],
)
def test_the_more_urgent_priority_wins(priorities: tuple[str | None, ...], expected: str | None) -> None:
    assert more_urgent(*priorities) == expected


def test_an_order_number_is_the_placers_identifier() -> None:
    _, task = referral(event(), placer=Identifier(system="urn:oid:1.2.3", value="ORD-1"))
    assert task["identifier"][0]["type"]["coding"][0]["code"] == "PLAC"
    assert task["identifier"][0]["value"] == "ORD-1"
    assert "identifier" not in referral(event())[1]


def test_a_child_points_up_and_belongs_to_the_partner() -> None:
    source_request, source_task = referral(event())
    request, task = asked(event())
    assert (request["intent"], request["status"]) == ("filler-order", "active")
    assert request["basedOn"] == [{"reference": f"ServiceRequest/{source_request['id']}"}]
    assert request["performer"][0]["reference"] == "Organization/harbor"
    assert task["partOf"] == [{"reference": f"Task/{source_task['id']}"}]
    assert task["owner"]["reference"] == "Organization/harbor"
    assert task["focus"]["reference"] == f"ServiceRequest/{request['id']}"
    assert (task["status"], task["input"], task["restriction"]) == (
        "requested",
        source_task["input"],
        source_task["restriction"],
    )
    assert task["meta"] == source_task["meta"]


def test_a_child_tells_nothing_of_group_siblings_or_other_choices() -> None:
    of = event(needs=[{"kind": "moud-continuation", "patient_choice": ["Other OTP"]}])
    source_request, source_task = referral(of, placer=Identifier(system="urn:x", value="ORD-1"))
    assert "Other OTP" in json.dumps(source_request)
    busy = {
        **source_task,
        "note": [{"text": "Other OTP declined"}],
        "businessStatus": {"text": "Other OTP declined"},
        "statusReason": {"text": "Other OTP declined"},
        "output": [{"type": {"text": "x"}, "valueString": "Other OTP"}],
        "restriction": {**source_task["restriction"], "recipient": [{"display": "Other OTP"}]},
        "extension": [*source_task["extension"], {"url": "urn:any", "valueString": "Other OTP"}],
    }
    text = json.dumps(asked_of(source_request, busy))
    for word in ("Other OTP", "group-1", "ORD-1"):
        assert word not in text
    assert "coveredUntil" in text


def asked_of(request: dict[str, Any], task: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    return child(request, task, partner="harbor", partner_name="Harbor OTP", ids=ids, now=NOW)


def test_two_partners_get_two_children_with_their_own_ids() -> None:
    request, task = referral(event())
    one = child(request, task, partner="a", partner_name="A", ids=ids, now=NOW)
    other = child(request, task, partner="b", partner_name="B", ids=ids, now=NOW)
    assert {one[0]["id"], one[1]["id"]}.isdisjoint({other[0]["id"], other[1]["id"]})


def test_building_a_child_leaves_the_source_as_it_was() -> None:
    request, task = referral(event())
    before = json.dumps([request, task])
    asked_of(request, task)
    assert json.dumps([request, task]) == before


def test_the_same_input_gives_the_same_bytes() -> None:
    def everything(of: DischargeEvent) -> str:
        return json.dumps([built(of), referral(of), asked(of)])

    assert everything(event()) == everything(event())


def test_provenance_names_message_sender_and_hub() -> None:
    origin = provenance(
        ["Task/t1", "ServiceRequest/s1"],
        key="ledger-1",
        message_hash="ab" * 32,
        control_id="MSG0001",
        sender="northgate",
        recorded=NOW,
        occurred=datetime(2026, 6, 9, 20, 5, tzinfo=UTC),
        parties=PARTIES,
        ids=ids,
        labels=OPEN,
    )
    assert links(origin["target"]) == {"Task/t1", "ServiceRequest/s1"}
    assert [one["type"]["coding"][0]["code"] for one in origin["agent"]] == ["author", "assembler"]
    identifiers = [one["what"]["identifier"] for one in origin["entity"]]
    assert identifiers[0]["value"] == "MSG0001"
    assert identifiers[0]["system"].endswith("/control-id/northgate")
    assert identifiers[1]["value"] == "ab" * 32
    assert origin["recorded"] == NOW.isoformat()


LATER = datetime(2026, 6, 10, 9, 0, tzinfo=UTC)


def test_a_late_fact_renews_links_and_clock_and_leaves_the_life_of_the_task() -> None:
    request, task = referral(event("smallest"), coverage=None)
    accepted = {**task, "status": "accepted", "note": [{"text": "called"}], "output": [{"x": 1}]}
    late_request, late_task = referral(event())
    now_task = renewed(accepted, late_task, now=LATER)
    assert (now_task["status"], now_task["note"], now_task["output"]) == ("accepted", [{"text": "called"}], [{"x": 1}])
    assert now_task["input"] == late_task["input"]
    assert now_task["restriction"] == late_task["restriction"]
    assert (now_task["authoredOn"], now_task["lastModified"]) == (NOW.isoformat(), LATER.isoformat())
    now_request = renewed({**request, "status": "completed"}, late_request, now=LATER)
    assert now_request["status"] == "completed"
    assert now_request["supportingInfo"] == late_request["supportingInfo"]


def test_a_fact_that_went_away_goes_away() -> None:
    _, task = referral(event())
    _, without_clock = referral(event(), coverage=None)
    assert "restriction" not in renewed(task, without_clock, now=LATER)


def test_renewing_without_news_changes_nothing() -> None:
    request, task = referral(event())
    again_request, again_task = referral(event())
    assert renewed(task, again_task, now=LATER) is task
    assert renewed(request, again_request, now=LATER) is request


def test_a_child_is_renewed_from_its_rebuilt_self_and_still_tells_nothing_of_the_group() -> None:
    first_request, first_task = referral(event("smallest"), coverage=None)
    _, existing = asked_of(first_request, first_task)
    _, rebuilt = asked_of(*referral(event()))
    now_child = renewed({**existing, "status": "in-progress"}, rebuilt, now=LATER)
    assert now_child["status"] == "in-progress"
    assert now_child["input"] == rebuilt["input"]
    assert "groupIdentifier" not in now_child
