"""Consents as FHIR: what was given and no more, so that who reads one reads the same."""

from typing import Any

import pytest

from fhir_mappings.build import consent_keys
from fhir_mappings.dialects.fhir_message.dialect import DIALECT
from fhir_mappings.gate import check
from fhir_mappings.labels import Labels, Resource
from schemas.discharge import ConsentGiven
from schemas.sender import Sender
from tests import fhir_bundles as bundles
from tests.unit.build_events import OPEN, PART2, PARTIES, built, event, ids, of_type, one_of

HARBOR, HOUSE = "HTEST Harbor OTP", "HTEST House"
WHOLE: dict[str, Any] = {
    "identifier": "HTEST-C1",
    "recipients": [HARBOR],
    "purposes": ["TREAT", "HPAYMT"],
    "signed_at": "2026-06-05",
    "signed_by": "patient",
    "expires_at": "2027-06-05",
    "form": "https://mercy.example/forms/3",
    "document_hash": "ab" * 32,
}
VARIANTS: dict[str, dict[str, Any]] = {
    "whole": {},
    "by a representative": {"signed_by": "representative"},
    "in both directions": {"both_directions": True},
    "with exclusions": {"not_recipients": [HOUSE, "HTEST Other"]},
    "with a class": {"classes": ["my treating providers"]},
    "to a class alone": {"recipients": [], "classes": ["my treating providers"]},
    "of other disclosers": {"disclosers": ["HTEST Clinic", PARTIES.hospital_name]},
    "to the hub": {"recipients": [HARBOR, PARTIES.hub_name]},
    "with a description": {"information": "the referral"},
    "that lacks elements": {"lacks": ["6", "10"]},
    "on a form with a number": {"form": "HTEST MH 12"},
    "without a form": {"form": None, "document_hash": None},
    "without a signer": {"signed_by": None},
    "without an end": {"expires_at": None},
    "taken back": {"status": "inactive"},
    "refused": {"status": "rejected"},
    "in error": {"status": "entered-in-error"},
    "draft": {"status": "draft"},
}
SENDER = Sender(id="s", organization=PARTIES.hospital, dialect="fhir_message", timezone="America/New_York")


def given(**changes: Any) -> ConsentGiven:
    return ConsentGiven.model_validate({**WHOLE, **changes})


def consent(labels: Labels = PART2, **changes: Any) -> Resource:
    return one_of(built(event(consents=[given(**changes)]), labels), "Consent")


def read_again(**changes: Any) -> ConsentGiven:
    """The consent as a hub reads it that is sent what this one built."""
    resources = built(event(consents=[given(**changes)]), PART2)
    person, sent = one_of(resources, "Patient"), one_of(resources, "Consent")
    here = {"reference": "urn:uuid:p"}
    sent["patient"] = here
    if "performer" in sent:
        sent["performer"] = [here if "reference" in one else one for one in sent["performer"]]
    nothing: dict[str, Any] = dict.fromkeys("cods")
    bundle = bundles.message(**nothing, k=sent)
    for entry in bundle["entry"]:
        if entry["fullUrl"] == here["reference"]:
            entry["resource"] = person
    circumstances = DIALECT.read(bundle, SENDER).facts.circumstances
    assert circumstances is not None
    return circumstances.consents[0]


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_is_built_is_valid_and_is_read_as_it_was_given(variant: str) -> None:
    changes = VARIANTS[variant]
    assert check(consent(**changes)) == []
    found, wanted = read_again(**changes), given(**changes)
    assert found.patient == event().patient.identifiers
    assert found.model_copy(update={"patient": []}) == wanted


def test_a_consent_is_built_as_ihe_pcf_intermediate_has_it_but_for_the_law() -> None:
    found = consent(both_directions=True, not_recipients=[HOUSE])
    for element in ("status", "patient", "dateTime", "performer", "organization", "sourceAttachment", "provision"):
        assert element in found
    assert found["scope"]["coding"][0]["code"] == "patient-privacy"
    assert [one["coding"][0]["code"] for one in found["category"]] == ["IDSCL", "59284-0"]
    assert found["policy"] == [{"uri": "https://mercy.example/forms/3"}]
    provision = found["provision"]
    assert provision.keys() == {"type", "period", "actor", "purpose", "provision"}
    assert [one["reference"].get("display") for one in provision["actor"]] == [HARBOR, PARTIES.hospital_name]
    assert provision["provision"][0].keys() == {"type", "actor"}
    actors = [*provision["actor"], *provision["provision"][0]["actor"]]
    assert {one["role"]["coding"][0]["code"] for one in actors} == {"IRCP"}
    assert "verification" not in found
    assert "profile" not in found["meta"]


@pytest.mark.parametrize(("labels", "law"), [(PART2, "42CFRPart2"), (OPEN, "hipaa-auth")])
def test_a_consent_says_under_which_law_it_stands(labels: Labels, law: str) -> None:
    assert consent(labels)["policyRule"]["coding"][0]["code"] == law


def test_a_consent_holds_what_was_given_and_no_more() -> None:
    signed, other = of_type(built(event(), PART2), "Consent")
    assert [one["reference"] for one in signed["provision"]["actor"]] == [{"display": "Harbor OTP"}]
    assert signed["provision"]["period"] == {"start": "2026-06-09T12:00:00-04:00", "end": "2027-06-09"}
    assert signed["provision"]["purpose"][0]["code"] == "TREAT"
    assert other["status"] == "inactive"
    assert "actor" not in other["provision"]
    assert {"dateTime", "performer", "policy", "sourceAttachment"}.isdisjoint(other)


def test_the_consent_of_another_person_is_left_out_and_changes_no_key() -> None:
    other = {"recipients": [HARBOR], "patient": [{"system": "urn:oid:1", "value": "HTEST9"}]}
    mine = {"recipients": [HOUSE], "patient": [event().patient.identifiers[0].model_dump()]}
    found = of_type(built(event(consents=[other, mine])), "Consent")
    assert [one["id"] for one in found] == [ids("Consent", consent_keys(event(consents=[other, mine]).consents)[1])]
