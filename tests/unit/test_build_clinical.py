"""The person and the stay as resources."""

from typing import Any

import pytest

from fhir_mappings.build import Labels, hospital_organization, hub_organization, partner_organization
from fhir_mappings.building.build_clinical import is_npi
from schemas.discharge import DischargeEvent
from tests.unit.build_events import OPEN, body, built, event, of_type, one_of, referral

US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-"


def smallest(**changes: Any) -> DischargeEvent:
    return event("smallest", **changes)


def patient(**changes: Any) -> dict[str, Any]:
    return one_of(built(smallest(patient={**body("smallest")["patient"], **changes})), "Patient")


def visit(**changes: Any) -> dict[str, Any]:
    return one_of(built(smallest(visit={**body("smallest")["visit"], **changes})), "Encounter")


def profiles(resource: dict[str, Any]) -> list[str]:
    return [one.removeprefix(US_CORE) for one in resource["meta"].get("profile", [])]


UNSAID = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}


def test_a_patient_without_number_or_gender_says_that_they_are_unknown() -> None:
    said: list[dict[str, Any]] = [{}, {"sex": None}, {"identifiers": []}]
    assert [profiles(patient(**one)) for one in said] == [["patient"]] * 3
    assert patient(sex=None)["gender"] == "unknown"
    assert patient(identifiers=[])["identifier"] == [{"_system": UNSAID, "_value": UNSAID}]


def test_a_missing_name_says_that_it_is_unknown_and_no_name_is_invented() -> None:
    reason = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
    assert patient(name=None)["name"] == [{"extension": [reason]}]
    assert patient(name={"text": "HTEST Sam"})["name"] == [{"extension": [reason], "text": "HTEST Sam"}]
    assert "extension" not in patient(name={"given": ["Sam"]})["name"][0]


def test_contacts_keep_their_terms_and_always_have_a_detail() -> None:
    contacts = one_of(built(event()), "Patient")["contact"]
    terms = {
        one["url"]: next(v for k, v in one.items() if k != "url") for one in contacts[0]["extension"][0]["extension"]
    }
    assert terms == {"permission": True, "safeToLeaveMessage": False, "bestTime": "after 17:00"}
    assert contacts[1]["address"] == {"text": "Front desk, Sample Shelter"}
    assert contacts[2]["name"] == {"text": "street outreach"}


def test_of_whom_the_person_does_not_want_to_be_asked_nobody_learns() -> None:
    said = [{"what": "brother", "phone": "555-0190", "permission": False}, {"what": "shelter", "permission": None}]
    contacts = one_of(built(event(contacts=said)), "Patient")["contact"]
    assert [one["relationship"][0]["text"] for one in contacts] == ["shelter"]


def test_language_and_interpreter_are_told() -> None:
    person = one_of(built(event()), "Patient")
    assert person["communication"][0]["language"]["coding"][0] == {"system": "urn:ietf:bcp:47", "code": "es"}
    assert person["extension"] == [
        {"url": "http://hl7.org/fhir/StructureDefinition/patient-interpreterRequired", "valueBoolean": True}
    ]
    assert patient(language="Haitian Creole")["communication"][0]["language"] == {"text": "Haitian Creole"}
    assert patient(interpreter=False)["extension"][0]["valueBoolean"] is False


@pytest.mark.parametrize(
    ("sent", "tag"),
    [
        ("spa", "es"),
        ("SPA", "es"),
        ("EN", "en"),
        ("en_US", "en-US"),
        ("zh-Hant", "zh-Hant"),
        ("chi", "zh"),
        ("haw", "haw"),
        ("HAW", None),
        ("ENGLISH", None),
        ("Spanish", None),
        ("UNK", None),
        ("ASL", None),
        ("xx", None),
        ("port", None),
        ("1", None),
        ("es-", None),
    ],
)
def test_a_language_is_a_tag_that_is_registered_else_the_senders_word(sent: str, tag: str | None) -> None:
    said = patient(language=sent)["communication"][0]["language"]
    assert said == ({"coding": [{"system": "urn:ietf:bcp:47", "code": tag}]} if tag else {"text": sent})


@pytest.mark.parametrize(
    ("sent", "coded"), [("MR", True), ("NPI", True), ("MRN", False), ("EPI", False), ("HTEST General", False)]
)
def test_a_type_of_the_hospitals_own_is_a_text(sent: str, *, coded: bool) -> None:
    (number,) = patient(identifiers=[{"system": "urn:a", "value": "HTEST1", "type": sent}])["identifier"]
    v2_0203 = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": sent}]}
    assert number["type"] == (v2_0203 if coded else {"text": sent})


@pytest.mark.parametrize(
    ("kind", "discharged", "status"),
    [
        ("discharge", "2026-06-05T14:00:00-04:00", "finished"),
        ("discharge", None, "finished"),
        ("expected-discharge", None, "in-progress"),
        ("update", None, "in-progress"),
        ("update", "2026-06-05", "finished"),
        ("cancel-discharge", "2026-06-05", "in-progress"),
        ("cancel-visit", None, "cancelled"),
    ],
)
def test_the_encounter_status_follows_the_event(kind: str, discharged: str | None, status: str) -> None:
    stay = {**body("smallest")["visit"], "discharged_at": discharged}
    assert one_of(built(smallest(kind=kind, visit=stay)), "Encounter")["status"] == status


def test_an_encounter_of_unknown_class_is_of_unknown_type() -> None:
    stay = visit(**{"class": None})
    assert stay["class"]["code"] == "UNK"
    assert profiles(stay) == ["encounter"]
    assert stay["type"][0]["coding"][0]["code"] == "unknown"
    assert profiles(visit()) == ["encounter"]


def test_custody_is_said_in_words_because_fhir_has_no_code_for_it() -> None:
    disposition = one_of(built(event()), "Encounter")["hospitalization"]["dischargeDisposition"]
    assert disposition["coding"][0]["code"] == "oth"
    assert "law enforcement" in disposition["text"]
    assert visit()["hospitalization"]["dischargeDisposition"]["coding"][0]["code"] == "home"


def test_the_expected_end_is_told_only_while_the_person_is_in_the_bed() -> None:
    planned = "2026-06-07T10:00:00-04:00"
    assert visit(expected_discharge_at=planned, discharged_at=None)["extension"][0]["valueDateTime"] == planned
    assert "extension" not in visit(expected_discharge_at=planned)


def test_a_diagnosis_stands_once_with_its_first_rank_and_without_invented_status() -> None:
    resources = built(event())
    first, second = of_type(resources, "Condition")
    assert (first["code"]["coding"][0]["code"], second["code"]["coding"][0]["code"]) == ("F11.20", "L03.113")
    assert "clinicalStatus" not in first
    assert first["recordedDate"] == "2026-06-03T10:00:00-04:00"
    ranks = [(one["condition"]["reference"], one["rank"]) for one in one_of(resources, "Encounter")["diagnosis"]]
    assert ranks == [(f"Condition/{first['id']}", 1), (f"Condition/{second['id']}", 2)]


def test_the_same_code_of_two_systems_makes_two_conditions_with_two_ids() -> None:
    both = [{"system": "urn:a", "code": "X1"}, {"system": "urn:b", "code": "X1"}]
    conditions = of_type(built(smallest(diagnoses=both)), "Condition")
    assert len({one["id"] for one in conditions}) == 2


def test_coverage_claims_us_core_only_with_a_member_id() -> None:
    with_id, without = of_type(built(event()), "Coverage")
    assert (profiles(with_id), profiles(without)) == (["coverage"], [])
    assert with_id["subscriberId"] == "HTEST-M-1"
    assert with_id["relationship"]["coding"][0]["code"] == "unknown"


def test_the_attending_is_a_role_that_points_to_a_person() -> None:
    resources = built(event())
    role = one_of(resources, "PractitionerRole")
    person = one_of(resources, "Practitioner")
    stay = one_of(resources, "Encounter")
    assert role["practitioner"]["reference"] == f"Practitioner/{person['id']}"
    assert stay["participant"][0]["individual"]["reference"] == f"PractitionerRole/{role['id']}"
    assert (profiles(role), profiles(person)) == (["practitionerrole"], ["practitioner"])


NPI = "http://hl7.org/fhir/sid/us-npi"


@pytest.mark.parametrize(
    ("attending", "number", "name"),
    [
        (
            {"name": {"family": "Doctor"}},
            {"_system": UNSAID, "_value": UNSAID},
            {"family": "Doctor"},
        ),
        (
            {"identifier": {"system": NPI, "value": "1234567890"}, "name": {"given": ["D"]}},
            {"type": {"text": "NPI"}, "_system": UNSAID, "value": "1234567890"},
            {"given": ["D"], "_family": UNSAID},
        ),
        (
            {"identifier": {"system": "urn:local", "value": "D1"}},
            {"system": "urn:local", "value": "D1"},
            {"_family": UNSAID},
        ),
    ],
)
def test_what_a_profile_demands_and_nobody_said_is_said_to_be_unknown(
    attending: dict[str, Any], number: dict[str, Any], name: dict[str, Any]
) -> None:
    resources = built(smallest(visit={**body("smallest")["visit"], "attending": attending}))
    role, person = one_of(resources, "PractitionerRole"), one_of(resources, "Practitioner")
    assert role["telecom"] == [{"system": "phone", "_value": UNSAID}]
    assert (person["identifier"], person["name"]) == ([number], [name])
    assert (profiles(role), profiles(person)) == (["practitionerrole"], ["practitioner"])


def test_an_attending_of_whom_only_a_telephone_is_known_is_a_role_alone() -> None:
    resources = built(smallest(visit={**body("smallest")["visit"], "attending": {"phone": "555-0192"}}))
    assert profiles(one_of(resources, "PractitionerRole")) == ["practitionerrole"]
    assert of_type(resources, "Practitioner") == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [("1234567893", True), ("1234567890", False), ("123456789", False), ("12345678a3", False), ("1245319599", True)],
)
def test_an_npi_has_ten_digits_and_the_right_check_digit(value: str, expected: bool) -> None:  # noqa: FBT001 - a table of cases
    assert is_npi(value) is expected


def label_codes(labels: Labels) -> set[tuple[str, ...]]:
    return {tuple(one["code"] for one in resource["meta"]["security"]) for resource in built(event(), labels)}


def test_every_resource_carries_the_labels_of_its_visit() -> None:
    assert label_codes(Labels(part2=False, test=False)) == {("R", "OPIOIDUD", "ETH")}
    assert label_codes(OPEN) == {("R", "OPIOIDUD", "ETH", "HTEST")}
    assert label_codes(Labels(part2=True, test=False)) == {
        ("R", "42CFRPart2", "OPIOIDUD", "ETH", "NORDSCLCD", "PERSISTLABEL")
    }


def test_organisations_of_the_directory_are_us_core_and_tell_of_no_person() -> None:
    partner = partner_organization("p1", "Harbor OTP", phone="555-0100")
    assert partner["telecom"] == [{"system": "phone", "value": "555-0100"}]
    for one in (partner, hospital_organization("h1", "Northgate"), hub_organization("hub")):
        assert profiles(one) == ["organization"]
        assert one["active"] is True
        assert "security" not in one["meta"]


def test_words_without_a_code_are_text_and_no_code_is_made_of_them() -> None:
    words = {"code": "Opioid  use disorder", "display": "Opioid  use disorder"}
    code = one_of(built(smallest(diagnoses=[words])), "Condition")["code"]
    assert code == {"text": "Opioid  use disorder"}
    product = {"code": "BUP FILM LOCAL", "display": "BUP FILM LOCAL"}
    of = smallest(medications=[{"product": product, "doses": [{"at": "2026-06-05T09:00:00-04:00"}]}])
    assert of_type(built(of), "MedicationRequest")[0]["medicationCodeableConcept"] == {"text": "BUP FILM LOCAL"}
    assert referral(of)[1]["input"][0]["valueReference"]["reference"].startswith("MedicationAdministration/")


def test_loose_white_space_becomes_the_syntax_of_fhir() -> None:
    loose = {"system": "LOCAL CODES", "code": " F11   20 ", "display": "x"}
    coding = one_of(built(smallest(diagnoses=[loose])), "Condition")["code"]["coding"][0]
    assert (coding["system"], coding["code"]) == ("LOCAL%20CODES", "F11 20")
    assert (
        patient(identifiers=[{"system": "NORTH GATE", "value": "HTEST1"}])["identifier"][0]["system"] == "NORTH%20GATE"
    )
