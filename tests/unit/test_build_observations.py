"""Facts without an element of their own: one Observation each."""

from typing import Any

import pytest

from tests.unit.build_events import body, built, event, of_type

FACT = "https://throughline.org/fhir/CodeSystem/fact"


def facts(**changes: Any) -> dict[str, dict[str, Any]]:
    found = {}
    for one in of_type(built(event("smallest", **changes)), "Observation"):
        code = next(c["code"] for c in one["code"]["coding"] if c["system"] == FACT)
        found[code] = one
    return found


def test_what_was_not_said_is_not_there() -> None:
    assert facts() == {}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"photo_id": "?"}, "photo-id"),
        ({"naloxone_given": "?"}, "naloxone-given"),
        ({"clinical": {"overdose_this_visit": "?"}}, "overdose-this-visit"),
        ({"clinical": {"benzodiazepines": "?"}}, "benzodiazepines"),
        ({"clinical": {"alcohol": "?"}}, "alcohol"),
        ({"clinical": {"stimulants": "?"}}, "stimulants"),
        ({"clinical": {"wounds_or_picc": "?"}}, "wounds-or-picc"),
    ],
)
def test_yes_no_and_unknown_are_three_different_things(changes: dict[str, Any], code: str) -> None:
    def stated(value: object) -> dict[str, Any]:
        filled = {name: dict.fromkeys(old, value) if isinstance(old, dict) else value for name, old in changes.items()}
        return facts(**filled)[code]

    yes, no, unknown = stated(value=True), stated(value=False), stated("unknown")
    assert (yes["valueBoolean"], no["valueBoolean"]) == (True, False)
    assert unknown["dataAbsentReason"]["coding"][0]["code"] == "unknown"
    assert "valueBoolean" not in unknown


def test_homeless_is_a_fact_of_the_person() -> None:
    assert facts(patient={**body("smallest")["patient"], "homeless": True})["homeless"]["valueBoolean"] is True


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [(True, "77386006", "Pregnant"), (False, None, "Not pregnant"), ("unknown", "UNK", "Unknown")],
)
def test_pregnancy_uses_only_verified_codes(value: object, code: str | None, text: str) -> None:
    told = facts(clinical={"pregnant": value})["pregnant"]
    assert told["code"]["coding"][0] == {"system": "http://loinc.org", "code": "82810-3", "display": "Pregnancy status"}
    assert told["valueCodeableConcept"].get("coding", [{"code": None}])[0]["code"] == code
    assert told["valueCodeableConcept"]["text"] == text
    assert told["effectiveDateTime"]


def test_a_qtc_is_in_milliseconds_or_unknown() -> None:
    assert facts(clinical={"qtc_ms": 461})["qtc"]["valueQuantity"] == {
        "value": 461,
        "unit": "ms",
        "system": "http://unitsofmeasure.org",
        "code": "ms",
    }
    assert "dataAbsentReason" in facts(clinical={"qtc_ms": "unknown"})["qtc"]


def test_a_drug_screen_claims_the_laboratory_profile_for_loinc_only() -> None:
    screens = [
        one for one in of_type(built(event()), "Observation") if one["category"][0]["coding"][0]["code"] == "laboratory"
    ]
    coded, local = screens
    assert coded["meta"]["profile"][0].endswith("us-core-observation-lab")
    assert coded["valueString"] == "positive"
    assert coded["effectiveDateTime"] == "2026-06-03"
    assert local["meta"]["profile"][0].endswith("us-core-simple-observation")
    assert "dataAbsentReason" in local
    assert "dataAbsentReason" in facts(clinical={"urine_drug_screen": "unknown"})["urine-drug-screen"]


def test_texts_stay_texts_and_an_unknown_text_is_unknown() -> None:
    told = facts(clinical={"psychiatric_acuity": "calm", "mobility": "unknown"}, continuation="guest-dosing")
    assert told["psychiatric-acuity"]["valueString"] == "calm"
    assert "dataAbsentReason" in told["mobility"]
    assert told["continuation"]["valueString"] == "guest-dosing"


def test_the_current_program_and_the_next_appointment_are_told_whole() -> None:
    every = {one["code"]["text"]: one for one in of_type(built(event()), "Observation")}
    otp, booked = every["Current OTP"], every["Next appointment"]
    assert otp["valueString"] == "Old Town OTP"
    assert {one["code"]["text"] for one in otp["component"]} == {"Phone", "Contacted at", "Dose confirmed"}
    assert booked["valueDateTime"] == "2026-06-11T08:00:00-04:00"
    assert {one["valueString"] for one in booked["component"]} == {"Harbor OTP intake", "555-0195"}


def test_each_supply_is_its_own_fact_with_its_own_id() -> None:
    supplies = [one for one in of_type(built(event()), "Observation") if one["code"]["text"] == "Supplies given"]
    assert [one["valueString"] for one in supplies] == ["Wound care kit", "Fentanyl test strips"]
    assert len({one["id"] for one in supplies}) == 2
