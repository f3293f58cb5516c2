"""Consents of a hospital's Bundle: nothing is permitted that was not read as a whole, and no refusal is lost."""

from typing import Any

import pytest

from fhir_mappings.dialects.fhir_message.dialect import DIALECT
from fhir_mappings.fhir_bundle import Refused
from schemas.discharge import ConsentGiven
from schemas.sender import Sender
from tests import fhir_bundles as bundles
from tests.fhir_bundles import PATIENT, Resource, concept, ref

SENDER = Sender(id="s", organization="org", dialect="fhir_message", timezone="America/New_York")
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"


def consent(**changes: Any) -> Resource:
    return {
        "resourceType": "Consent",
        "status": "active",
        "scope": concept(f"{TERMINOLOGY}/consentscope", "patient-privacy"),
        "category": [{"text": "disclosure"}],
        "policyRule": {"text": "42 CFR Part 2"},
        "patient": ref(PATIENT),
        "dateTime": "2026-06-05",
        "provision": provision(),
        **changes,
    }


def provision(**changes: Any) -> Resource:
    role = concept(f"{TERMINOLOGY}/v3-ParticipationType", "IRCP")
    actor = {"role": role, "reference": {"display": "HTEST Harbor OTP"}}
    return {"type": "permit", "actor": [actor], "period": {"end": "2027-06-05"}, **changes}


def given(**changes: Any) -> ConsentGiven | None:
    found = DIALECT.read(bundles.message(k=consent(**changes)), SENDER).facts.circumstances
    return found.consents[0] if found else None


def test_a_consent_names_its_recipients() -> None:
    found = given()
    assert found is not None
    assert (found.status, found.recipients, str(found.signed_at)) == ("active", ["HTEST Harbor OTP"], "2026-06-05")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"status": "proposed"}, "draft"),
        ({"status": "inactive"}, "inactive"),
        ({"provision": provision(type="deny")}, "rejected"),
        ({"provision": {k: v for k, v in provision().items() if k != "type"}}, "draft"),
        ({"provision": provision(code=[{"text": "only this"}])}, "draft"),
        ({"provision": provision(purpose=[{"display": "something"}])}, "draft"),
    ],
)
def test_a_consent_permits_only_what_is_read_as_a_whole(change: Resource, status: str) -> None:
    found = given(**change)
    assert found is not None
    assert found.status == status


def test_a_consent_holds_from_its_first_day_on() -> None:
    found = given(provision=provision(period={"start": "2026-07-01", "end": "2027-01-01"}))
    assert found is not None
    assert str(found.signed_at) == "2026-07-01"


@pytest.mark.parametrize(
    "change", [{"status": "entered-in-error"}, {"scope": concept(f"{TERMINOLOGY}/consentscope", "treatment")}]
)
def test_what_is_no_consent_to_disclose_is_left_out(change: Resource) -> None:
    assert given(**change) is None


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (provision(provision=[{"type": "deny"}]), "provision.provision"),
        ({"type": "deny"}, "provision.actor"),
    ],
)
def test_a_refusal_that_can_not_be_read_is_never_lost(change: Resource, path: str) -> None:
    with pytest.raises(Refused) as refused:
        DIALECT.read(bundles.message(k=consent(provision=change)), SENDER)
    assert [fault.path for fault in refused.value.faults] == [f"Bundle.entry[7].resource.{path}"]
