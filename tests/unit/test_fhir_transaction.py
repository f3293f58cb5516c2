"""A FHIR transaction read into facts: what its entries may be, the course of the stay, and a referral by name."""

from typing import Any

import pytest

from fhir_mappings.dialects.fhir_transaction.dialect import DIALECT
from fhir_mappings.fhir_in import fhir_answers
from fhir_mappings.fhir_in.fhir_answers import Account, Kept
from fhir_mappings.fhir_in.fhir_bundle import Refused, kind_of
from fhir_mappings.fhir_in.fhir_identity import content_of, key_of, looks_like_fhir
from schemas.facts import Facts
from schemas.sender import Sender
from tests import fhir_bundles as bundles
from tests.fhir_bundles import ENCOUNTER, PATIENT, Resource, concept, ref

SENDER = Sender.model_validate(
    {
        "id": "s",
        "organization": "org",
        "dialect": "fhir_transaction",
        "timezone": "America/New_York",
        "maps": {"referral_needs": {"PEER": "peer-support"}},
    }
)
PERIOD = {"start": "2026-06-01T09:00:00-04:00"}
NEED = "https://throughline.org/fhir/CodeSystem/need"
FULFILL = "http://hl7.org/fhir/CodeSystem/task-code"


def facts(transaction: Resource) -> Facts:
    return DIALECT.read(transaction, SENDER).facts


def faults(transaction: Any) -> dict[str, str]:
    with pytest.raises(Refused) as refused:
        DIALECT.read(transaction, SENDER)
    return {fault.path: fault.code for fault in refused.value.faults}


def staying(**changes: Any) -> Resource:
    here = bundles.encounter(**{"status": "in-progress", "period": PERIOD, **changes})
    del here["hospitalization"]
    return here


# ---- the course of the stay


@pytest.mark.parametrize(
    ("encounter", "kind", "ended"),
    [
        (bundles.encounter(), "discharge", True),
        (staying(status="planned"), "pre-admit", None),
        (staying(status="arrived"), "admit", None),
        (staying(status="triaged"), "admit", None),
        (staying(), "admit", None),
        (staying(status="onleave"), "admit", None),
        (staying(status="unknown"), "update", None),
        (staying(status="cancelled"), "cancel-visit", None),
        (staying(status="entered-in-error"), "cancel-visit", None),
        (staying(statusHistory=[{"status": "finished", "period": PERIOD}]), "cancel-discharge", None),
    ],
)
def test_the_state_of_the_encounter_says_what_happened(encounter: Resource, kind: str, ended: bool | None) -> None:  # noqa: FBT001 - a row
    found = facts(bundles.transaction(e=encounter))
    assert (found.kind, found.visit_status_ended, found.trigger) == (kind, ended, "fhir:transaction")


def test_a_time_of_leaving_that_is_known_is_an_expected_discharge() -> None:
    url = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Encounter.plannedEndDate"
    found = facts(bundles.transaction(e=staying(extension=[{"url": url, "valueDateTime": "2026-06-05"}])))
    assert found.kind == "expected-discharge"
    assert found.visit is not None
    assert str(found.visit.expected_discharge_at) == "2026-06-05"


def test_an_end_of_a_stay_that_goes_on_is_noted_and_not_believed() -> None:
    stay = staying(period={**PERIOD, "end": "2026-06-01T10:00:00-04:00"})
    reading = DIALECT.read(bundles.transaction(e=stay), SENDER)
    assert reading.facts.visit is not None
    assert (reading.facts.visit.discharged_at, reading.facts.visit.expected_discharge_at) == (None, None)
    assert [note.path for note in reading.notes] == ["Bundle.entry[1].resource.period.end"]


# ---- what an entry may be


def put(kind: str, identifier: str, **changes: Any) -> Resource:
    return {"method": "PUT", "url": f"{kind}/{identifier}", **changes}


def with_request(request: Resource, **resource: Any) -> Resource:
    sent = bundles.transaction()
    sent["entry"][0]["request"] = request
    sent["entry"][0]["resource"] |= resource
    return sent


@pytest.mark.parametrize(
    "request_of",
    [
        {"method": "POST", "url": "Patient"},
        {"method": "POST", "url": "/Patient"},
        {"method": "POST", "url": "Patient", "ifNoneExist": "identifier=urn:oid:1|2"},
        {"method": "PUT", "url": "Patient/p-1"},
        {"method": "PUT", "url": "Patient?identifier=urn:oid:1|2"},
    ],
)
def test_entries_create_or_update(request_of: Resource) -> None:
    assert facts(with_request(request_of, id="p-1")).patient is not None


@pytest.mark.parametrize(
    ("request_of", "path"),
    [
        ({"method": "GET", "url": "Patient/p-1"}, "request.method"),
        ({"method": "DELETE", "url": "Patient/p-1"}, "request.method"),
        ({"method": "PATCH", "url": "Patient/p-1"}, "request.method"),
        ({"method": "POST", "url": "Encounter"}, "request.url"),
        ({"method": "POST", "url": "Patient/p-1"}, "request.url"),
        ({"method": "PUT", "url": "Patient/p-2"}, "request.url"),
        ({"method": "PUT", "url": "Patient"}, "request.url"),
        ({"method": "PUT", "url": "Patient?name=x"}, "request.url"),
        ({"method": "POST", "url": "Patient", "ifNoneExist": "name=x"}, "request.url"),
        ({"method": "PUT", "url": "Patient/p-1", "ifMatch": 'W/"1"'}, "request"),
    ],
)
def test_what_would_not_be_done_as_it_was_asked_is_refused(request_of: Resource, path: str) -> None:
    assert list(faults(with_request(request_of, id="p-1"))) == [f"Bundle.entry[0].{path}"]


def test_an_entry_without_a_resource_is_refused() -> None:
    sent = bundles.transaction()
    del sent["entry"][5]["resource"]
    assert faults(sent) == {"Bundle.entry[5].resource": "required"}


@pytest.mark.parametrize("kind", ["Appointment", "Procedure", "MessageHeader", "Binary", "HTESTTYPE"])
def test_a_type_that_is_not_taken_is_refused_with_its_place(kind: str) -> None:
    sent = bundles.transaction(x={"resourceType": kind}, y={"resourceType": kind})
    with pytest.raises(Refused) as refused:
        DIALECT.read(sent, SENDER)
    places = [(fault.path, fault.code) for fault in refused.value.faults]
    assert places == [(f"Bundle.entry[{n}].resource", "not-supported") for n in (6, 7)]
    assert (kind in refused.value.faults[0].rule) is (kind != "HTESTTYPE")


def test_the_id_that_a_put_names_is_kept_as_identifier() -> None:
    sent = with_request(put("Patient", "p-1"), id="p-1")
    found = facts(sent).patient
    assert found is not None
    assert [(one.system, one.value) for one in found.identifiers][-1] == ("urn:throughline:source:org:Patient", "p-1")
    sent["entry"][0]["request"] = {"method": "POST", "url": "Patient"}
    assert facts(sent).patient != found


def test_a_batch_and_other_bundles_are_refused_by_name() -> None:
    with pytest.raises(Refused) as refused:
        kind_of(bundles.transaction() | {"type": "batch"})
    assert refused.value.reason == "not-supported"
    for other in ("document", "collection", "searchset", None):
        with pytest.raises(Refused):
            kind_of(bundles.transaction() | {"type": other})
    assert faults(bundles.message()) == {"Bundle.type": "value"}


def test_two_stays_in_one_bundle_are_refused() -> None:
    assert list(faults(bundles.transaction(e2=bundles.encounter(2)))) == ["Bundle.entry[6].resource"]


# ---- a referral by name


def asking(task: Resource | None = None, request: Resource | None = None) -> Resource:
    both = bundles.request_and_task(**(task or {}))
    both["r"] |= request or {}
    return bundles.transaction(**both)


@pytest.mark.parametrize("status", ["draft", "requested", "received"])
def test_a_task_that_asks_is_a_referral_and_the_end_of_the_stay_still_counts(status: str) -> None:
    found = facts(asking({"status": status}))
    assert (found.kind, found.visit_status_ended) == ("referral", True)
    assert found.circumstances is not None
    assert [(need.kind, need.priority) for need in found.circumstances.needs] == [("moud-continuation", "urgent")]


@pytest.mark.parametrize(
    ("task", "request_of"),
    [
        ({"status": "cancelled"}, {}),
        ({"status": "entered-in-error"}, {}),
        ({}, {"status": "revoked"}),
        ({}, {"status": "entered-in-error"}),
    ],
)
def test_a_task_or_request_that_is_taken_back_takes_the_referral_back(task: Resource, request_of: Resource) -> None:
    assert facts(asking(task, request_of)).kind == "cancel-referral"


def test_a_stay_that_never_was_outranks_the_referral() -> None:
    both = bundles.request_and_task()
    assert facts(bundles.transaction(e=bundles.encounter(status="entered-in-error"), **both)).kind == "cancel-visit"


@pytest.mark.parametrize(
    ("code", "need"),
    [
        (concept("http://snomed.info/sct", "1254709001"), "moud-continuation"),
        (concept("http://snomed.info/sct", "461481000124109"), "peer-support"),
        (concept(NEED, "recovery-housing"), "recovery-housing"),
        (concept("urn:local", "PEER"), "peer-support"),
        ({"text": "something"}, None),
        (concept("http://snomed.info/sct", "306206005"), None),
    ],
)
def test_the_need_is_that_of_the_code_or_of_the_senders_map(code: Resource, need: str | None) -> None:
    reading = DIALECT.read(asking(request={"code": code}), SENDER)
    found = reading.facts.circumstances
    assert (found.needs[0].kind if found else None) == need
    if need is None:
        assert [note.path for note in reading.notes] == ["Bundle.entry[6].resource.code"]


def test_the_performer_that_is_named_is_a_choice() -> None:
    found = facts(asking(request={"performer": [{"display": "HTEST Harbor OTP"}]})).circumstances
    assert found is not None
    assert found.needs[0].patient_choice == ["HTEST Harbor OTP"]


def test_the_category_says_the_need_where_the_code_says_none() -> None:
    request = {"code": {"text": "please"}, "category": [concept(NEED, "transport")]}
    found = facts(asking(request=request)).circumstances
    assert found is not None
    assert found.needs[0].kind == "transport"


@pytest.mark.parametrize(
    ("task", "request_of", "path"),
    [
        ({"status": "completed"}, {}, "Bundle.entry[7].resource.status"),
        ({"status": "accepted"}, {}, "Bundle.entry[7].resource.status"),
        ({}, {"status": "completed"}, "Bundle.entry[6].resource.status"),
        ({"intent": "plan"}, {}, "Bundle.entry[7].resource.code"),
        ({"code": concept(FULFILL, "approve")}, {}, "Bundle.entry[7].resource.code"),
        ({"focus": ref(ENCOUNTER)}, {}, "Bundle.entry[7].resource.focus"),
        ({"focus": ref("urn:uuid:none")}, {}, "Bundle.entry[7].resource.focus"),
        ({"for": ref("urn:uuid:none")}, {}, "Bundle.entry[7].resource.for"),
    ],
)
def test_what_is_not_the_requesters_to_set_is_refused(task: Resource, request_of: Resource, path: str) -> None:
    assert path in faults(asking(task, request_of))


def test_a_request_without_its_task_is_refused() -> None:
    only = bundles.request_and_task()["r"]
    assert faults(bundles.transaction(r=only)) == {"Bundle.entry[6].resource": "not-supported"}


def test_person_and_visit_may_be_named_by_identifier_or_by_their_place_at_the_hospital() -> None:
    both = bundles.request_and_task()
    both["r"] |= {"subject": _by("HTEST0001"), "encounter": ref("https://ehr.example.org/fhir/Encounter/e-1")}
    both["t"] |= {"for": ref(f"Patient?identifier={bundles.MR}|HTEST0001"), "encounter": both["r"]["encounter"]}
    found = facts(bundles.transaction(**bundles.NOTHING, **both))
    assert found.patient is not None
    assert [(one.system, one.value) for one in found.patient.identifiers] == [(bundles.MR, "HTEST0001")]
    assert found.visit is not None
    assert [one.value for one in found.visit.identifiers] == ["e-1"]


def _by(value: str) -> Resource:
    return {"identifier": {"system": bundles.MR, "value": value}}


def test_two_persons_by_identifier_are_refused() -> None:
    both = bundles.request_and_task()
    both["r"] |= {"subject": _by("HTEST0001")}
    both["t"] |= {"for": _by("HTEST0002")}
    del both["r"]["encounter"], both["t"]["encounter"]
    assert "Bundle.entry[1].resource.for" in faults(bundles.transaction(**bundles.NOTHING, **both))


def test_an_identifier_that_stands_in_the_bundle_leads_to_its_resource() -> None:
    assert facts(bundles.transaction(c=bundles.condition(subject=_by("HTEST0001")))).diagnoses
    stranger = bundles.condition(subject=_by("HTEST0002"))
    assert "Bundle.entry[2].resource.subject" in faults(bundles.transaction(c=stranger))


# ---- identity and answer


def test_a_transaction_is_known_by_its_identifier_else_by_its_content() -> None:
    sent = bundles.transaction()
    assert key_of(sent, "transaction") is None
    assert content_of(sent, "transaction") == sent
    named = sent | {"identifier": {"value": "HTEST-1"}}
    assert key_of(named, "transaction") == "HTEST-1"
    assert "timestamp" not in content_of(named, "transaction")


def test_what_was_kept_is_told_from_an_event() -> None:
    assert looks_like_fhir(b' {"resourceType": "Bundle"}')
    assert not looks_like_fhir(b'{"schema_version": "1"}')
    assert not looks_like_fhir(b"MSH|^~\\&|")


def kept(resource: Resource, version: int = 1) -> Kept:
    return Kept({"id": "x", **resource}, version, "2026-06-05T18:00:00.000000Z")


def test_the_answer_has_an_entry_for_each_entry_in_order() -> None:
    sent = bundles.transaction(
        x={"resourceType": "RelatedPerson", "patient": ref(PATIENT)},
        y={"resourceType": "Organization", "name": "HTEST"},
        **bundles.request_and_task(),
    )
    later = {**bundles.dose(), "effectiveDateTime": "2026-06-05T13:00:00Z", "id": "dose"}
    found = [
        kept(bundles.patient(), 2),
        kept(bundles.encounter()),
        kept({**bundles.condition(code=concept("urn:other", "X")), "id": "other"}),
        kept({**bundles.condition(), "id": "right"}),
        kept({**bundles.dose(effectiveDateTime="2026-06-04T09:00:00-04:00"), "id": "earlier"}),
        kept(later),
        kept({**bundles.request_and_task()["r"], "id": "r1"}),
        kept({**bundles.request_and_task(focus=ref("ServiceRequest/r1"))["t"], "id": "t1"}),
    ]
    account = Account("01a215d0-64d9-7236-880c-5a8e127f8e5c", "referral", [("moud-daily", "text")], "r1")
    answer = fhir_answers.transaction(sent, account, found)
    places = [entry["response"].get("location", "").partition("/_history")[0] for entry in answer["entry"]]
    assert places == [
        "Patient/x",
        "Encounter/x",
        "Condition/right",
        "",
        "MedicationAdministration/dose",
        "",
        "Patient/x",
        "",
        "ServiceRequest/r1",
        "Task/t1",
    ]
    statuses = [entry["response"]["status"][:3] for entry in answer["entry"]]
    assert statuses == ["200", "201", "201", "202", "201", "202", "200", "202", "201", "201"]
    assert answer["entry"][7]["response"]["outcome"]["issue"][0]["details"]["text"] == "referral"
