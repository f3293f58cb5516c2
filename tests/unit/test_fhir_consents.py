"""Consents of a hospital's Bundle: nothing is permitted that was not read as a whole, and no refusal is lost."""

from typing import Any

import pytest

from fhir_mappings.dialects.fhir_message.dialect import DIALECT
from fhir_mappings.fhir_in.fhir_bundle import Refused
from schemas.discharge import ConsentGiven
from schemas.sender import Sender
from tests import fhir_bundles as bundles
from tests.fhir_bundles import PATIENT, Resource, concept, ref

SENDER = Sender(id="s", organization="org", dialect="fhir_message", timezone="America/New_York")
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"


def consent(**changes: Any) -> Resource:
    whole = {
        "resourceType": "Consent",
        "status": "active",
        "scope": concept(f"{TERMINOLOGY}/consentscope", "patient-privacy"),
        "category": [{"text": "disclosure"}],
        "organization": [{"reference": "Organization/org"}],
        "performer": [ref(PATIENT)],
        "policy": [{"uri": "https://mercy.example/form/3"}],
        "policyRule": {"text": "42 CFR Part 2"},
        "patient": ref(PATIENT),
        "dateTime": "2026-06-05",
        "provision": provision(),
        **changes,
    }
    return {name: value for name, value in whole.items() if value}


def provision(**changes: Any) -> Resource:
    purpose = [{"system": f"{TERMINOLOGY}/v3-ActReason", "code": "TREAT"}]
    return {"type": "permit", "actor": [actor()], "period": {"end": "2027-06-05"}, "purpose": purpose, **changes}


def actor(**changes: Any) -> Resource:
    role = concept(f"{TERMINOLOGY}/v3-ParticipationType", "IRCP")
    return {"role": role, "reference": {"display": "HTEST Harbor OTP"}, **changes}


def given(**changes: Any) -> ConsentGiven | None:
    found = DIALECT.read(bundles.message(k=consent(**changes)), SENDER).facts.circumstances
    return found.consents[0] if found else None


def test_a_consent_names_its_recipients() -> None:
    found = given()
    assert found is not None
    assert (found.status, found.recipients, str(found.signed_at)) == ("active", ["HTEST Harbor OTP"], "2026-06-05")


def test_what_a_consent_says_of_its_paper_is_read() -> None:
    found = given()
    assert found is not None
    assert (found.form, found.signed_by, str(found.expires_at)) == (
        "https://mercy.example/form/3",
        "patient",
        "2027-06-05",
    )
    assert (found.purposes, found.lacks, found.document_hash) == (["TREAT"], [], None)
    assert [one.value for one in found.patient] == ["HTEST0001"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"status": "proposed"}, "draft"),
        ({"status": "draft"}, "draft"),
        ({"status": "rejected"}, "rejected"),
        ({"status": "inactive"}, "inactive"),
        ({"status": "entered-in-error"}, "entered-in-error"),
        ({"provision": provision(type="deny")}, "rejected"),
        ({"provision": {k: v for k, v in provision().items() if k != "type"}}, "draft"),
        ({"verification": [{"verified": True}]}, "active"),
        ({"verification": [{"verified": True}, {"verified": False}]}, "draft"),
    ],
)
def test_a_consent_permits_only_as_it_stands(change: Resource, status: str) -> None:
    found = given(**change)
    assert found is not None
    assert found.status == status


OTHER_STAY = {"identifier": {"system": bundles.VN, "value": "HTEST-V0009"}}
SAME_STAY = {"identifier": {"system": bundles.VN, "value": "HTEST-V0001"}}


@pytest.mark.parametrize(
    ("change", "lacks"),
    [
        ({"code": [{"text": "only this"}]}, ["3"]),
        ({"class": [{"system": "urn:ietf:bcp:13", "code": "application/pdf"}]}, ["3"]),
        ({"dataPeriod": {"start": "2026-06-01"}}, ["3"]),
        ({"securityLabel": [{"code": "R"}]}, ["3"]),
        ({"action": [concept(f"{TERMINOLOGY}/consentaction", "collect")]}, ["3"]),
        ({"action": [concept(f"{TERMINOLOGY}/consentaction", "disclose")]}, []),
        ({"data": [{"meaning": "related", "reference": ref(bundles.ENCOUNTER)}]}, []),
        ({"data": [{"meaning": "related", "reference": {"type": "Encounter", **SAME_STAY}}]}, []),
        ({"data": [{"meaning": "instance", "reference": ref(bundles.ENCOUNTER)}]}, ["3"]),
        ({"data": [{"meaning": "related", "reference": {"type": "Encounter", **OTHER_STAY}}]}, ["3"]),
        ({"data": [{"meaning": "related", "reference": ref(bundles.CONDITION)}]}, ["3"]),
        ({"data": [{"meaning": "related", "reference": ref("Encounter/nobody-has-it")}]}, ["3"]),
        ({"provision": [{"type": "permit", "purpose": [{"code": "TREAT"}]}]}, ["3"]),
        ({"purpose": [{"display": "something"}]}, ["5"]),
        ({"purpose": []}, ["5"]),
    ],
)
def test_a_consent_that_covers_less_than_a_referral_lacks_an_element_and_keeps_its_status(
    change: Resource, lacks: list[str]
) -> None:
    found = given(provision={k: v for k, v in provision(**change).items() if v})
    assert found is not None
    assert (found.status, found.lacks) == ("active", lacks)


def test_a_consent_without_who_discloses_says_so_and_one_that_the_hospital_itself_gives_does_not() -> None:
    (bare, own, named) = (
        given(organization=one) for one in ([], [ref("Organization/org")], [{"display": "HTEST Other"}])
    )
    assert bare is not None
    assert own is not None
    assert named is not None
    assert (bare.lacks, own.lacks, named.lacks) == (["2"], [], [])
    assert (bare.disclosers, own.disclosers, named.disclosers) == ([], [], ["HTEST Other"])


HOSPITAL, UNIT = "urn:uuid:x", "urn:uuid:y"


def organization(name: str, **more: Any) -> Resource:
    return {"resourceType": "Organization", "name": name, **more}


@pytest.mark.parametrize("custodian", [HOSPITAL, UNIT])
def test_a_hospital_among_the_recipients_means_that_they_may_report_back(custodian: str) -> None:
    stated = consent(
        organization=[ref(custodian)], provision=provision(actor=[actor(reference=ref(custodian)), actor()])
    )
    sent = bundles.message(
        e=bundles.encounter(serviceProvider=ref(HOSPITAL)),
        k=stated,
        x=organization("HTEST Mercy"),
        y=organization("HTEST Consult Service", partOf=ref(HOSPITAL)),
    )
    found = DIALECT.read(sent, SENDER)
    assert found.facts.circumstances is not None
    (read,) = found.facts.circumstances.consents
    assert (read.both_directions, read.recipients, read.disclosers) == (True, ["HTEST Harbor OTP"], [])


def test_recipients_keep_their_order_and_a_class_is_kept_as_it_is_worded() -> None:
    names = ["HTEST Second", "my treating providers", "HTEST First", "HTEST Second"]
    found = given(provision=provision(actor=[actor(reference={"display": name}) for name in names]))
    assert found is not None
    assert (found.recipients, found.classes) == (["HTEST Second", "HTEST First"], ["my treating providers"])


def test_a_nested_denial_excludes_whom_it_names() -> None:
    denial = {"type": "deny", "actor": [actor(reference={"display": "HTEST House"})], "purpose": [{"code": "HPAYMT"}]}
    found = given(provision=provision(provision=[denial]))
    assert found is not None
    assert (found.status, found.not_recipients, found.lacks) == ("active", ["HTEST House"], [])


@pytest.mark.parametrize(
    ("change", "form", "document"),
    [
        ({"policy": [{"uri": "urn:a"}], "sourceAttachment": {"title": "HTEST form"}}, "urn:a", None),
        ({"sourceAttachment": {"title": "HTEST form"}}, "HTEST form", None),
        ({"sourceAttachment": {"url": "https://mercy.example/1"}}, "https://mercy.example/1", None),
        ({"sourceReference": {"identifier": {"value": "HTEST-D1"}}}, "HTEST-D1", None),
        ({"sourceReference": ref("DocumentReference/7")}, "DocumentReference/7", None),
        (
            {"sourceAttachment": {"contentType": "text/plain", "data": "SFRFU1Q=", "hash": "AAAA"}},
            None,
            "e9d3a81fdd3e42dfa808896f6b799c096a2940cc1f8af38793ad7da5a6c685cc",
        ),
        ({}, None, None),
    ],
)
def test_the_paper_is_known_by_its_policy_its_name_or_its_hash(
    change: Resource, form: str | None, document: str | None
) -> None:
    found = given(**{"policy": [], **change})
    assert found is not None
    assert (found.form, found.document_hash) == (form, document)


@pytest.mark.parametrize(
    ("performer", "signer"),
    [
        ([ref(PATIENT)], "patient"),
        ([ref("RelatedPerson/1")], "representative"),
        ([{"type": "RelatedPerson", "display": "HTEST Parent"}], "representative"),
        ([ref("Practitioner/1")], None),
        ([], None),
    ],
)
def test_who_signed_is_told_by_the_kind_of_the_performer(performer: list[Resource], signer: str | None) -> None:
    found = given(performer=performer)
    assert found is not None
    assert found.signed_by == signer


def test_a_consent_holds_from_its_first_day_on() -> None:
    found = given(provision=provision(period={"start": "2026-07-01", "end": "2027-01-01"}))
    assert found is not None
    assert str(found.signed_at) == "2026-07-01"


def test_what_is_no_consent_to_disclose_is_left_out() -> None:
    assert given(scope=concept(f"{TERMINOLOGY}/consentscope", "treatment")) is None


def test_the_consent_of_another_person_is_never_taken_for_this_one() -> None:
    other = {"type": "Patient", "identifier": {"system": bundles.MR, "value": "HTEST0009"}}
    with pytest.raises(Refused) as refused:
        given(patient=other)
    assert [fault.path for fault in refused.value.faults] == ["Bundle.entry[7].resource.patient"]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (provision(provision=[{"type": "deny"}]), "provision.provision[0].actor"),
        (
            provision(provision=[{"type": "deny", "actor": [actor()], "provision": [{"type": "permit"}]}]),
            "provision.provision[0].actor",
        ),
        (provision(type="deny", provision=[{"type": "permit"}]), "provision.provision"),
        ({"type": "deny"}, "provision.actor"),
        (provision(type="deny", actor=[actor(reference={"display": "my treating providers"})]), "provision.actor"),
    ],
)
def test_a_refusal_that_can_not_be_read_is_never_lost(change: Resource, path: str) -> None:
    with pytest.raises(Refused) as refused:
        DIALECT.read(bundles.message(k=consent(provision=change)), SENDER)
    assert [fault.path for fault in refused.value.faults] == [f"Bundle.entry[7].resource.{path}"]
