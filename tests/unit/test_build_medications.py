"""Doses and supplies as they were stated; nothing is computed."""

from typing import Any

import pytest

from fhir_mappings.building.build_medications import timing_repeat
from tests.unit.build_events import body, built, event, of_type

Resource = dict[str, Any]


def medication(**changes: Any) -> list[Resource]:
    """The resources of the smallest event, with one medication changed."""
    stated = {**body("smallest")["medications"][0], **changes}
    return built(event("smallest", medications=[stated]))


def doses(*stated: Resource) -> list[Resource]:
    return of_type(medication(doses=list(stated)), "MedicationAdministration")


def test_doses_of_seven_days_are_kept_and_older_ones_are_not() -> None:
    given = of_type(built(event()), "MedicationAdministration")
    methadone = [one for one in given if one["medicationCodeableConcept"]["coding"][0]["code"] == "991147"]
    assert [one["effectiveDateTime"] for one in methadone] == [
        "2026-06-04T09:00:00-04:00",
        "2026-06-08T09:00:00-04:00",
        "2026-06-09T09:15:00-04:00",
    ]


def test_the_last_given_dose_is_kept_however_old_it_is() -> None:
    old = {"at": "2026-02-20", "amount": 300, "unit": "mg"}
    held = {"at": "2026-03-20", "held": True}
    assert [one["effectiveDateTime"] for one in doses(old, held)] == ["2026-02-20"]


def test_a_held_or_zero_dose_is_not_done() -> None:
    given, held, zero = doses(
        {"at": "2026-06-03T09:00:00-04:00", "amount": 80, "unit": "mg"},
        {"at": "2026-06-04T09:00:00-04:00", "held": True},
        {"at": "2026-06-05T09:00:00-04:00", "amount": 0, "unit": "mg"},
    )
    assert [given["status"], held["status"], zero["status"]] == ["completed", "not-done", "not-done"]


def test_an_amount_stands_as_it_was_stated() -> None:
    whole, half, local = doses(
        {"at": "2026-06-03T09:00:00-04:00", "amount": 80, "unit": "MG"},
        {"at": "2026-06-04T09:00:00-04:00", "amount": 42.5, "unit": "mg"},
        {"at": "2026-06-05T09:00:00-04:00", "amount": 1, "unit": "film"},
    )
    assert whole["dosage"]["dose"] == {"value": 80, "unit": "MG", "system": "http://unitsofmeasure.org", "code": "mg"}
    assert repr(whole["dosage"]["dose"]["value"]) == "80"
    assert half["dosage"]["dose"]["value"] == 42.5
    assert local["dosage"]["dose"] == {"value": 1, "unit": "film"}


def test_a_route_without_an_amount_says_that_the_amount_is_unknown() -> None:
    (one,) = doses({"at": "2026-06-05T09:00:00-04:00", "route": "oral"})
    assert one["dosage"]["route"] == {"text": "oral"}
    assert one["dosage"]["dose"]["extension"][0]["valueCode"] == "unknown"
    (bare,) = doses({"at": "2026-06-05T09:00:00-04:00"})
    assert "dosage" not in bare


def test_who_gave_who_verified_and_whom_to_call_are_there() -> None:
    last = of_type(built(event()), "MedicationAdministration")[2]
    roles = {one["function"]["text"]: one["actor"]["display"] for one in last["performer"]}
    assert roles == {"Given by": "N. Nurse RN", "Verified by": "P. Pharmacist"}
    assert last["note"][0]["text"].endswith("555-0193")
    assert last["extension"][0]["valueBoolean"] is True


def test_two_doses_at_the_same_moment_keep_their_own_ids() -> None:
    at = "2026-06-05T09:00:00-04:00"
    first, second = doses({"at": at, "amount": 40, "unit": "mg"}, {"at": at, "amount": 20, "unit": "mg"})
    assert first["id"] != second["id"]


def test_the_schedule_is_a_plan_that_authorises_nobody() -> None:
    ongoing = of_type(medication(next_due_ordered="2026-06-06T09:00:00-04:00"), "MedicationRequest")[0]
    assert (ongoing["intent"], ongoing["status"]) == ("plan", "active")
    assert ongoing["dosageInstruction"] == [
        {
            "text": "Every 24 hours",
            "timing": {
                "event": ["2026-06-06T09:00:00-04:00"],
                "repeat": {"frequency": 1, "period": 24, "periodUnit": "h"},
            },
        }
    ]


def test_a_medication_of_which_only_the_product_is_known_does_not_vanish() -> None:
    only = medication(doses=[], bridges=[], schedule=None)
    assert [one["intent"] for one in of_type(only, "MedicationRequest")] == ["plan"]
    assert "dosageInstruction" not in of_type(only, "MedicationRequest")[0]


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ("PT24H", (24, "h")),
        ("PT12H", (12, "h")),
        ("P28D", (28, "d")),
        ("P4W", (4, "wk")),
        ("P1DT12H", (36, "h")),
        ("PT90M", (90, "min")),
        ("PT6H30M", (390, "min")),
        ("PT0H", None),
        (None, None),
    ],
)
def test_an_interval_is_one_timing(interval: str | None, expected: tuple[int, str] | None) -> None:
    repeat = timing_repeat(interval)
    assert ((repeat["period"], repeat["periodUnit"]) if repeat else None) == expected


def test_dispensed_days_and_counted_doses_stay_what_they_are() -> None:
    counted, home = of_type(built(event()), "MedicationDispense")
    assert counted["quantity"]["value"] == 4
    assert counted["quantity"]["code"] == "{dose}"
    assert "daysSupply" not in counted
    assert counted["dosageInstruction"][0]["timing"]["repeat"]["boundsPeriod"] == {"start": "2026-06-10"}
    assert home["daysSupply"]["value"] == 1
    assert "quantity" not in home
    assert home["category"]["text"] == "Take-home doses"


def test_no_hand_over_time_is_invented_and_so_no_profile_is_claimed() -> None:
    for one in of_type(built(event()), "MedicationDispense"):
        assert "whenHandedOver" not in one
        assert "profile" not in one["meta"]


def test_a_supply_of_zero_days_is_a_statement() -> None:
    (one,) = of_type(medication(bridges=[{"kind": "dispensed", "days": 0}]), "MedicationDispense")
    assert one["daysSupply"]["value"] == 0


def test_a_prescription_is_an_order_that_names_who_asked_and_whether_it_was_filled() -> None:
    order = next(one for one in of_type(built(event()), "MedicationRequest") if one["intent"] == "order")
    assert order["requester"]["reference"].startswith("PractitionerRole/")
    assert order["dispenseRequest"]["expectedSupplyDuration"]["value"] == 7
    assert order["dispenseRequest"]["validityPeriod"] == {"start": "2026-06-10"}
    assert order["extension"][0]["valueCode"] == "no"
    by_hospital = of_type(medication(bridges=[{"kind": "prescribed", "days": 7}]), "MedicationRequest")[1]
    assert by_hospital["requester"]["reference"] == "Organization/hosp"
    assert by_hospital["extension"][0]["valueCode"] == "unknown"


def test_own_supply_is_an_observation_because_nobody_here_handed_it_over() -> None:
    (own,) = [one for one in of_type(built(event()), "Observation") if one["code"]["text"] == "Own supply in hand"]
    assert own["valueQuantity"]["value"] == 2
    parts = {one["code"]["text"]: one for one in own["component"]}
    assert parts["Doses"]["valueQuantity"]["value"] == 4
    assert parts["Product"]["valueCodeableConcept"]["coding"][0]["code"] == "1010604"


def test_the_number_of_the_dose_is_told() -> None:
    notes = [one["note"][0]["text"] for one in of_type(built(event()), "MedicationRequest") if "note" in one]
    assert notes == ["Number of the last dose of this product: 3"]
