"""What a hospital's Bundle says of person, stay and medication: what counts, and what is left out."""

import json
from typing import Any

import pytest

from fhir_mappings.dialects import find
from fhir_mappings.dialects.fhir_message.dialect import DIALECT
from fhir_mappings.hl7v2 import parse
from schemas.facts import Facts
from schemas.sender import Sender
from tests import fhir_bundles as bundles
from tests.fhir_bundles import ENCOUNTER, PATIENT, Resource, concept, ref

SENDER = Sender.model_validate(
    {
        "id": "s",
        "organization": "org",
        "dialect": "fhir_message",
        "timezone": "America/New_York",
        "units": {"4W": "not-part2"},
        "maps": {
            "class": {"WARD": "IMP"},
            "disposition": {"AMA": "aadvice", "STILL": "not-a-discharge"},
            "local_drugs": {"MTD": {"system": "rxnorm", "code": "991147", "text": "methadone"}},
            "results": {"UDS": "urine-drug-screen", "HCG": "pregnancy", "QT": "qtc"},
        },
    }
)
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
FACT = "https://throughline.org/fhir/CodeSystem/fact"


def told(**changes: Any) -> Facts:
    return DIALECT.read(bundles.message(**changes), SENDER).facts


# ---- the person


def test_the_person_is_read_with_what_a_partner_needs_and_no_more() -> None:
    identifiers = [
        {"type": concept(bundles.V2_0203, "SS"), "system": "urn:oid:1.1", "value": "HTEST-SSN"},
        {"system": "http://hl7.org/fhir/sid/us-ssn", "value": "HTEST-SSN2"},
        {"use": "old", "system": bundles.MR, "value": "HTEST-OLD"},
        {"value": "HTEST-LOCAL"},
    ]
    person = bundles.patient(
        identifier=bundles.patient()["identifier"] + identifiers,
        name=[{"use": "nickname", "text": "HTEST Nick"}, {"use": "official", "family": "HTEST", "given": ["Sam", "B"]}],
        telecom=[
            {"system": "email", "value": "htest@example.org"},
            {"system": "phone", "use": "old", "value": "555-0100"},
            {"system": "phone", "rank": 2, "value": "555-0102"},
            {"system": "sms", "rank": 1, "value": "555-0101"},
        ],
        address=[{"use": "old", "city": "Then"}, {"line": ["1 HTEST St"], "city": "Now"}],
        communication=[
            {"language": {"text": "Spanish"}},
            {"language": concept("urn:ietf:bcp:47", "ht"), "preferred": True},
        ],
    )
    found = told(p=person).patient
    assert found is not None
    assert [one.value for one in found.identifiers] == ["HTEST0001", "HTEST-LOCAL"]
    assert found.identifiers[1].system == "urn:throughline:authority:org:identifier"
    assert found.name is not None
    assert (found.name.family, found.name.given) == ("HTEST", ["Sam", "B"])
    assert found.phones == ["555-0101", "555-0102"]
    assert found.address is not None
    assert (found.address.city, found.language) == ("Now", "ht")


def test_a_record_that_this_one_replaces_gives_numbers_that_no_longer_stand() -> None:
    other = {"other": {"identifier": {"system": bundles.MR, "value": "HTEST0099"}}, "type": "replaces"}
    see = {"other": {"identifier": {"system": bundles.MR, "value": "HTEST0098"}}, "type": "seealso"}
    assert [one.value for one in told(p=bundles.patient(link=[other, see])).merged_identifiers] == ["HTEST0099"]


def test_one_who_died_is_not_referred_home() -> None:
    stay = bundles.encounter()
    del stay["hospitalization"]
    found = told(p=bundles.patient(deceasedDateTime="2026-06-05"), e=stay).visit
    assert found is not None
    assert found.disposition == "exp"


@pytest.mark.parametrize(
    ("said", "died"),
    [
        ({}, None),
        ({"deceasedBoolean": False}, False),
        ({"deceasedBoolean": True}, True),
        ({"deceasedDateTime": "2026-06"}, True),
    ],
)
def test_a_death_is_told_of_the_person_whatever_the_stay_says(said: dict[str, Any], *, died: bool | None) -> None:
    found = told(p=bundles.patient(**said), e=bundles.encounter())
    assert found.died is died
    assert found.visit is not None
    assert found.visit.disposition == "home"


def test_people_beside_the_person_are_contacts() -> None:
    sister = {
        "relationship": [{"text": "sister"}],
        "name": {"family": "HTEST"},
        "telecom": [{"system": "phone", "value": "1"}],
    }
    friend = {"resourceType": "RelatedPerson", "patient": ref(PATIENT), "name": [{"text": "HTEST Friend"}]}
    gone = {**friend, "active": False}
    found = told(p=bundles.patient(contact=[sister]), f=friend, g=gone).circumstances
    assert found is not None
    assert [(one.what, one.name, one.phone) for one in found.contacts] == [
        ("sister", "HTEST", "1"),
        ("contact", "HTEST Friend", None),
    ]


# ---- the stay


@pytest.mark.parametrize(
    ("stated", "found"),
    [
        ("IMP", "IMP"),
        ("ACUTE", "IMP"),
        ("NONAC", "IMP"),
        ("EMER", "EMER"),
        ("OBSENC", "OBSENC"),
        ("AMB", "AMB"),
        ("WARD", "IMP"),
        ("VR", None),
    ],
)
def test_the_class_is_that_of_the_code_or_of_the_senders_map(stated: str, found: str | None) -> None:
    message = bundles.message(e=bundles.encounter() | {"class": {"system": bundles.ACT, "code": stated}})
    reading = DIALECT.read(message, SENDER)
    assert reading.facts.visit is not None
    assert reading.facts.visit.class_ == found
    assert [one.code for one in reading.unmapped] == ([] if found else ["VR"])


@pytest.mark.parametrize(
    ("system", "code", "found", "ended"),
    [
        (f"{TERMINOLOGY}/discharge-disposition", "snf", "snf", True),
        (f"{TERMINOLOGY}/nubc-UB92", "7", "aadvice", True),
        (f"{TERMINOLOGY}/nubc-UB92", "01", "home", True),
        ("urn:local", "AMA", "aadvice", True),
        ("urn:local", "STILL", None, False),
        ("urn:local", "ELSE", None, True),
    ],
)
def test_the_disposition_is_that_of_fhir_of_ub04_or_of_the_senders_map(
    system: str,
    code: str,
    found: str | None,
    ended: bool,  # noqa: FBT001 - a row
) -> None:
    stay = bundles.encounter(hospitalization={"dischargeDisposition": concept(system, code)})
    read = told(e=stay)
    assert read.visit is not None
    assert (read.visit.disposition, read.visit_status_ended) == (found, ended)


def placed(name: str, **changes: Any) -> Resource:
    return {"location": {"display": name}, **changes}


@pytest.mark.parametrize(
    ("locations", "unit"),
    [
        ([placed("ED", status="completed"), placed("4W", status="active")], "4W"),
        ([placed("ICU", period={"start": "2026-06-03"}), placed("ED", period={"start": "2026-06-01"})], "ICU"),
        ([placed("4W"), placed("5E", status="planned")], "4W"),
        ([{"location": ref("urn:uuid:bed")}], "4W"),
        ([{"location": ref("urn:uuid:site")}], "HTEST Mercy"),
        ([{"location": ref("urn:uuid:room")}], "Ward 9"),
    ],
)
def test_the_unit_is_where_the_person_is_or_left(locations: list[Resource], unit: str) -> None:
    kinds = f"{TERMINOLOGY}/location-physical-type"
    places: dict[str, Resource] = {
        "bed": {"name": "Bed 3", "partOf": ref("urn:uuid:known")},
        "known": {"name": "Four West", "identifier": [{"value": "4W"}]},
        "room": {"name": "Room 1", "partOf": ref("urn:uuid:ward")},
        "ward": {"name": "Ward 9", "physicalType": concept(kinds, "wa"), "partOf": ref("urn:uuid:site")},
        "site": {"name": "HTEST Mercy", "physicalType": concept(kinds, "si")},
    }
    added = {key: {"resourceType": "Location", **one} for key, one in places.items()}
    found = told(e=bundles.encounter(location=locations), **added).visit
    assert found is not None
    assert found.unit == unit


def test_the_attending_is_found_through_role_and_practitioner() -> None:
    doctor = {
        "resourceType": "Practitioner",
        "identifier": [
            {"system": "urn:oid:9", "value": "1"},
            {"system": "http://hl7.org/fhir/sid/us-npi", "value": "1999990017"},
        ],
        "name": [{"family": "HTESTDOC", "given": ["Anna"]}],
    }
    role = {
        "resourceType": "PractitionerRole",
        "practitioner": ref("urn:uuid:doc"),
        "telecom": [{"system": "phone", "value": "555-0109"}],
    }
    people = [
        {"individual": {"display": "HTEST Nurse"}},
        {"type": [concept(f"{TERMINOLOGY}/v3-ParticipationType", "ATND")], "individual": ref("urn:uuid:role")},
    ]
    found = told(e=bundles.encounter(participant=people), doc=doctor, role=role).visit
    assert found is not None
    assert found.attending is not None
    assert found.attending.identifier is not None
    assert (found.attending.identifier.value, found.attending.phone) == ("1999990017", "555-0109")


def test_a_place_on_the_hospitals_server_is_an_identifier() -> None:
    text = json.dumps(bundles.message()).replace(ENCOUNTER, "https://ehr.example.org/fhir/Encounter/e-1")
    message = json.loads(text)
    message["entry"][2]["resource"]["id"] = "e-1"
    found = DIALECT.read(message, SENDER).facts.visit
    assert found is not None
    assert ("https://ehr.example.org/fhir/Encounter", "e-1") in [(one.system, one.value) for one in found.identifiers]


# ---- what counts


@pytest.mark.parametrize(
    ("change", "standing", "removed"),
    [
        ({}, 1, 0),
        ({"verificationStatus": concept(f"{TERMINOLOGY}/condition-ver-status", "entered-in-error")}, 0, 1),
        ({"verificationStatus": concept(f"{TERMINOLOGY}/condition-ver-status", "refuted")}, 0, 1),
        ({"clinicalStatus": concept(f"{TERMINOLOGY}/condition-clinical", "resolved")}, 1, 0),
    ],
)
def test_a_diagnosis_stands_or_is_taken_back(change: Resource, standing: int, removed: int) -> None:
    found = told(c=bundles.condition(**change))
    assert (len(found.diagnoses), len(found.removed_diagnoses)) == (standing, removed)


def test_a_problem_that_is_over_is_left_out_unless_it_is_of_this_stay() -> None:
    over = {"clinicalStatus": concept(f"{TERMINOLOGY}/condition-clinical", "resolved")}
    stay = bundles.encounter()
    del stay["diagnosis"]
    assert told(c=bundles.condition(**over), e=stay).diagnoses == []
    here = {"category": [concept(f"{TERMINOLOGY}/condition-category", "encounter-diagnosis")]}
    assert len(told(c=bundles.condition(**over, **here), e=stay).diagnoses) == 1


def test_the_billable_code_goes_before_others_and_gets_its_dot() -> None:
    codings = [
        {"system": "http://snomed.info/sct", "code": "75544000"},
        {"system": "urn:oid:2.16.840.1.113883.6.90", "code": "F1120"},
    ]
    (found,) = told(c=bundles.condition(code={"coding": codings})).diagnoses
    assert (found.system, found.code) == ("http://hl7.org/fhir/sid/icd-10-cm", "F11.20")


@pytest.mark.parametrize(
    ("status", "outcome", "held", "deleted"),
    [
        ("completed", "complete", False, False),
        ("stopped", "partial", False, False),
        ("not-done", "not-given", True, False),
        ("on-hold", "not-given", True, False),
        ("entered-in-error", "complete", False, True),
    ],
)
def test_a_dose_counts_by_its_status(status: str, outcome: str, held: bool, deleted: bool) -> None:  # noqa: FBT001 - a row
    (found,) = told(d=bundles.dose(status=status)).doses
    assert (found.outcome, found.held, found.deleted) == (outcome, held, deleted)


@pytest.mark.parametrize("status", ["in-progress", "unknown"])
def test_a_dose_that_is_not_known_to_be_given_is_none(status: str) -> None:
    assert told(d=bundles.dose(status=status)).doses == []


@pytest.mark.parametrize(
    ("change", "orders", "withdrawn"),
    [
        ({}, 1, False),
        ({"status": "on-hold"}, 1, False),
        ({"status": "completed"}, 1, False),
        ({"status": "stopped"}, 1, True),
        ({"status": "cancelled"}, 1, True),
        ({"status": "entered-in-error"}, 1, True),
        ({"status": "draft"}, 0, False),
        ({"intent": "proposal"}, 0, False),
        ({"doNotPerform": True}, 0, False),
    ],
)
def test_an_order_counts_by_status_and_intent(change: Resource, orders: int, withdrawn: bool) -> None:  # noqa: FBT001 - a row
    found = told(o=bundles.order(**change), d=None, s=None).orders
    assert len(found) == orders
    assert all(one.withdrawn is withdrawn for one in found)


DAYS = {"value": 2, "unit": "days", "system": "http://unitsofmeasure.org", "code": "d"}
CATEGORY = f"{TERMINOLOGY}/medicationdispense-category"


@pytest.mark.parametrize(
    ("change", "supplies", "withdrawn"),
    [
        ({}, 1, False),
        ({"category": concept(CATEGORY, "outpatient")}, 1, False),
        ({"category": concept(CATEGORY, "inpatient")}, 0, False),
        ({"status": "preparation"}, 0, False),
        ({"status": "in-progress"}, 0, False),
        ({"status": "cancelled"}, 1, True),
        ({"status": "declined"}, 1, True),
        ({"status": "entered-in-error"}, 1, True),
        ({"daysSupply": {"value": 2, "unit": "films"}}, 0, False),
        ({"daysSupply": {"value": 1.5, "unit": "d"}}, 0, False),
        ({"daysSupply": {"value": 9999, "unit": "d"}}, 0, False),
    ],
)
def test_a_supply_counts_when_it_was_handed_over_for_the_way_home(
    change: Resource,
    supplies: int,
    withdrawn: bool,  # noqa: FBT001 - a row
) -> None:
    found = told(s=bundles.supply(**change)).supplies
    assert len(found) == supplies
    assert all(one.withdrawn is withdrawn for one in found)


def test_tablets_and_millilitres_are_never_doses() -> None:
    (found,) = told(s=bundles.supply(quantity={"value": 6, "unit": "film"})).supplies
    assert (found.days, found.doses) == (2, None)
    (found,) = told(s=bundles.supply(quantity={"value": 6, "unit": "doses"})).supplies
    assert found.doses == 6


@pytest.mark.parametrize(
    ("timing", "interval"),
    [
        ({"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}, "PT24H"),
        ({"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}}, "PT12H"),
        ({"repeat": {"frequency": 3, "period": 1, "periodUnit": "d"}}, "PT8H"),
        ({"repeat": {"period": 12, "periodUnit": "h"}}, "PT12H"),
        ({"repeat": {"period": 1, "periodUnit": "wk"}}, "P7D"),
        ({"repeat": {"period": 28, "periodUnit": "d"}}, "P28D"),
        ({"repeat": {"period": 1, "periodUnit": "mo"}}, "P28D"),
        ({"repeat": {"frequency": 5, "period": 1, "periodUnit": "d"}}, None),
        ({"repeat": {"period": 20, "periodUnit": "min"}}, None),
        ({"code": concept(f"{TERMINOLOGY}/v3-GTSAbbreviation", "BID")}, "PT12H"),
        ({"code": {"text": "daily"}}, None),
    ],
)
def test_how_often_is_told_in_whole_hours_or_not_at_all(timing: Resource, interval: str | None) -> None:
    (found,) = told(o=bundles.order(dosageInstruction=[{"timing": timing}])).orders
    assert found.interval == interval


def test_the_drug_may_be_a_resource_contained_or_in_the_bundle_or_a_local_code() -> None:
    contained = {"resourceType": "Medication", "id": "m", "code": bundles.METHADONE}
    plain = bundles.order(contained=[contained], medicationReference=ref("#m"))
    del plain["medicationCodeableConcept"]
    assert told(o=plain).orders[0].product.code == "991147"
    shared = {**bundles.order(), "medicationReference": ref("urn:uuid:m")}
    del shared["medicationCodeableConcept"]
    assert (
        told(o=shared, m={"resourceType": "Medication", "code": bundles.METHADONE}).orders[0].product.code == "991147"
    )
    local = told(o=bundles.order(medicationCodeableConcept=concept("urn:local", "MTD"))).orders[0].product
    assert (local.code, local.display, local.alternates[0].code) == ("991147", "methadone", "MTD")
    unknown = DIALECT.read(
        bundles.message(o=bundles.order(medicationCodeableConcept=concept("urn:local", "XYZ"))), SENDER
    )
    assert [(one.kind, one.code) for one in unknown.unmapped] == [("drug", "XYZ")]


def test_a_prescription_for_the_way_home_says_for_how_long() -> None:
    order = bundles.order(
        category=[concept(f"{TERMINOLOGY}/medicationrequest-category", "discharge")],
        dispenseRequest={"expectedSupplyDuration": {**DAYS, "value": 7}, "validityPeriod": {"start": "2026-06-05"}},
    )
    (found,) = told(o=order).orders
    assert (found.discharge, found.days, str(found.start)) == (True, 7, "2026-06-05")
    for change in ({"intent": "plan"}, {"reportedBoolean": True}):
        (told_of,) = told(o=order | change).orders
        assert not told_of.discharge


def observation(code: Resource, **value: Any) -> Resource:
    return {"resourceType": "Observation", "status": "final", "code": code, "subject": ref(PATIENT), **value}


@pytest.mark.parametrize(
    ("code", "value", "field", "found"),
    [
        (
            concept("http://loinc.org", "82810-3"),
            {"valueCodeableConcept": concept("http://snomed.info/sct", "77386006")},
            "pregnant",
            True,
        ),
        (concept("http://loinc.org", "82810-3"), {"valueCodeableConcept": {"text": "Not pregnant"}}, "pregnant", False),
        (concept("urn:lab", "HCG"), {"valueString": "Negative"}, "pregnant", False),
        (concept("urn:lab", "QT"), {"valueQuantity": {"value": 441, "unit": "ms"}}, "qtc_ms", 441),
        (concept("urn:lab", "QT"), {"valueQuantity": {"value": 0.44, "unit": "s"}}, "qtc_ms", None),
        (concept(FACT, "benzodiazepines"), {"valueBoolean": True}, "benzodiazepines", True),
        (concept(FACT, "alcohol"), {"dataAbsentReason": {"text": "asked"}}, "alcohol", "unknown"),
        (concept(FACT, "mobility"), {"valueString": "walks"}, "mobility", "walks"),
    ],
)
def test_observations_that_a_policy_asks_for(code: Resource, value: Resource, field: str, found: object) -> None:
    circumstances = told(x=observation(code, **value)).circumstances
    assert (getattr(circumstances.clinical, field) if circumstances else None) == found


def test_an_observation_that_does_not_stand_says_nothing() -> None:
    told_wrong = observation(concept(FACT, "alcohol"), valueBoolean=True) | {"status": "entered-in-error"}
    assert told(x=told_wrong).circumstances is None


def test_urine_drug_screens_and_other_facts_are_gathered() -> None:
    found = told(
        a=observation(concept("urn:lab", "UDS"), valueString="fentanyl positive", effectiveDateTime="2026-06-04"),
        a2=observation(concept("http://loinc.org", "3779-6"), valueCodeableConcept={"text": "Negative"}),
        a3=observation(concept("http://loinc.org", "718-7"), valueString="no referral needs it"),
        b=observation(concept(FACT, "naloxone-given"), valueBoolean=True),
        f=observation(concept(FACT, "homeless"), valueBoolean=True),
        g=observation(concept(FACT, "supplies-given"), valueString="syringes"),
        h2=observation(concept(FACT, "continuation"), valueString="new-intake"),
    )
    assert found.circumstances is not None
    screens = found.circumstances.clinical.urine_drug_screen
    assert not isinstance(screens, str)
    assert [(one.code, one.result) for one in screens] == [("UDS", "fentanyl positive"), ("3779-6", "Negative")]
    assert (found.circumstances.naloxone_given, found.circumstances.continuation) == (True, "new-intake")
    assert found.circumstances.supplies_given == ["syringes"]
    assert found.patient is not None
    assert found.patient.homeless is True


def test_insurance_that_is_active_is_read() -> None:
    plan = {"type": concept(f"{TERMINOLOGY}/coverage-class", "plan"), "value": "P1"}
    insured = {
        "resourceType": "Coverage",
        "status": "active",
        "beneficiary": ref(PATIENT),
        "payor": [ref("urn:uuid:payer")],
        "subscriberId": "HTEST-W1",
        "class": [plan],
    }
    payer = {"resourceType": "Organization", "name": "HTEST Health Plan"}
    found = told(i=insured, j={**insured, "status": "cancelled"}, payer=payer).circumstances
    assert found is not None
    assert [(one.payer, one.member_id, one.plan) for one in found.coverage] == [("HTEST Health Plan", "HTEST-W1", "P1")]


def test_an_authority_that_two_interfaces_name_in_two_ways_is_one() -> None:
    shared = "urn:oid:2.16.840.1.113883.3.9999.77"
    told_by_fhir = DIALECT.read(bundles.message(), SENDER).facts.patient
    assert told_by_fhir is not None
    stated = told_by_fhir.identifiers[0]
    maps = {"authorities": {stated.system: shared, "HTESTMRN": shared}}
    sender = Sender.model_validate(SENDER.model_dump(by_alias=True) | {"maps": maps})
    by_fhir = DIALECT.read(bundles.message(), sender).facts.patient
    hl7 = rf"MSH|^~\&|A|F|B|G|20260608||ADT^A01|1|P|2.5.1{chr(13)}PID|1||{stated.value}^^^HTESTMRN^MR"
    by_hl7 = find("adt_generic").read(parse(hl7.encode()), sender).facts.patient
    assert by_fhir is not None
    assert by_hl7 is not None
    assert by_fhir.identifiers[0].system == by_hl7.identifiers[0].system == shared
    assert by_fhir.identifiers[0].value == by_hl7.identifiers[0].value
