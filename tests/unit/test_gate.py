"""The gate on structure: what valid resources may look like, and that each fault is named where it stands."""

import copy
import warnings
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from hypothesis import given
from hypothesis import strategies as st

from fhir_mappings.gate import Problem, check, check_all
from schemas.resources import ALL
from tests.unit.gate_samples import SAMPLES, sample

Resource = dict[str, Any]
Change = Callable[[Resource], object]
SECRET = "Htest-Secret"


def accepted_by_library(resource: Resource) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            get_fhir_model_class(resource["resourceType"]).model_validate(copy.deepcopy(resource))
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("url", SAMPLES)
def test_a_valid_resource_passes_here_and_in_fhir_resources(url: str) -> None:
    assert check(SAMPLES[url]) == []
    assert accepted_by_library(SAMPLES[url])


def test_check_all_names_the_position_of_the_bad_ones() -> None:
    bad = sample("us-core-location") | {"name": ""}
    assert list(check_all([sample("us-core-patient"), bad])) == [1]
    assert check_all([sample("us-core-patient")]) == {}


def faults(name: str, change: Change) -> list[Problem]:
    resource = sample(name)
    change(resource)
    return check(resource)


TASK, PATIENT = "TaskForReferralManagement", "us-core-patient"
MUTATIONS: list[tuple[str, Change, str, str, str]] = [
    # sample, change, path, rule, issue type
    (TASK, lambda r: r.pop("status"), "Task.status", "required", "required"),
    (TASK, lambda r: r.update(status="nope"), "Task.status", "code", "code-invalid"),
    (TASK, lambda r: r.update(colour="red"), "Task.colour", "unknown-element", "structure"),
    (TASK, lambda r: r.update(identifier=[]), "Task.identifier", "empty-list", "structure"),
    (TASK, lambda r: r.update(note={}), "Task.note", "type", "structure"),
    (TASK, lambda r: r.update(description={}), "Task.description", "string", "structure"),
    (TASK, lambda r: r.update(description=""), "Task.description", "string", "value"),
    (TASK, lambda r: r.update(description="a\u0000b"), "Task.description", "string", "value"),
    (TASK, lambda r: r.update(description=None), "Task.description", "string", "structure"),
    (TASK, lambda r: r.update(authoredOn="2026-02-30"), "Task.authoredOn", "dateTime", "value"),
    (TASK, lambda r: r.update(authoredOn="2025-02-29"), "Task.authoredOn", "dateTime", "value"),
    (TASK, lambda r: r.update(authoredOn="2026-01-01T10:00:00"), "Task.authoredOn", "dateTime", "value"),
    (TASK, lambda r: r.update(instantiatesUri="a b"), "Task.instantiatesUri", "uri", "value"),
    (TASK, lambda r: r.update(id="a_b"), "Task.id", "id", "value"),
    (TASK, lambda r: r.update(id="a" * 65), "Task.id", "id", "value"),
    (TASK, lambda r: r["restriction"].update(repetitions=0), "Task.restriction.repetitions", "positiveInt", "value"),
    (TASK, lambda r: r["restriction"].update(repetitions=1.0), "Task.restriction.repetitions", "positiveInt", "value"),
    (
        TASK,
        lambda r: r["restriction"].update(repetitions=Decimal("1.0")),
        "Task.restriction.repetitions",
        "positiveInt",
        "value",
    ),
    (TASK, lambda r: r["input"][0].pop("type"), "Task.input[0].type", "required", "required"),
    (TASK, lambda r: r["input"][0].pop("valueReference"), "Task.input[0].value[x]", "choice", "required"),
    (TASK, lambda r: r["input"][0].update(valueString="a"), "Task.input[0].value[x]", "choice", "structure"),
    (
        TASK,
        lambda r: r.update(owner={"reference": "Observation/1"}),
        "Task.owner.reference",
        "reference-target",
        "value",
    ),
    (
        TASK,
        lambda r: r.update(owner={"reference": "https://ehr.example.org/r4/Observation/1/_history/2"}),
        "Task.owner.reference",
        "reference-target",
        "value",
    ),
    (TASK, lambda r: r.update(owner={"reference": "otp"}), "Task.owner.reference", "reference-target", "value"),
    (TASK, lambda r: r.update(owner={"type": "Observation"}), "Task.owner.type", "reference-target", "value"),
    (TASK, lambda r: r.update(_status={}), "Task.status", "empty-object", "structure"),
    (TASK, lambda r: r.update(_description={"id": "x"}), "Task.description", "primitive-extension", "structure"),
    (TASK, lambda r: r.update(extension=[{"url": "urn:x"}]), "Task.extension[0]", "ext-1", "invariant"),
    (TASK, lambda r: r.update(owner={"id": "x"}), "Task.owner", "ele-1", "invariant"),
    (
        TASK,
        lambda r: r.update(executionPeriod={"start": "2026-02-01T00:00:00Z", "end": "2026-01-01"}),
        "Task.executionPeriod",
        "per-1",
        "invariant",
    ),
    (TASK, lambda r: r.update(lastModified="2026-01-01T00:00:00Z"), "Task.lastModified", "inv-1", "invariant"),
    (TASK, lambda r: r.update(owner={"reference": " "}), "Task.owner.reference", "reference-target", "value"),
    (TASK, lambda r: r.update(basedOn=[{"reference": " "}]), "Task.basedOn[0].reference", "uri", "value"),
    (
        TASK,
        lambda r: r.update(
            contained=[{"resourceType": "Patient", "id": "p"}] * 2,
            basedOn=[{"reference": "#p"}],
        ),
        "Task.contained[1].id",
        "contained-id",
        "value",
    ),
    (TASK, lambda r: r.update(focus={"reference": "#gone"}), "Task.focus.reference", "ref-1", "invariant"),
    (
        TASK,
        lambda r: r.update(contained=[{"resourceType": "Patient", "id": "p"}]),
        "Task.contained[0]",
        "dom-3",
        "invariant",
    ),
    (
        TASK,
        lambda r: r.update(contained=[{"resourceType": "Patient", "id": "p", "meta": {"versionId": "1"}}]),
        "Task.contained[0].meta.versionId",
        "dom-4",
        "invariant",
    ),
    (
        TASK,
        lambda r: r.update(contained=[{"resourceType": "Task", "contained": [sample(PATIENT)]}]),
        "Task.contained[0].contained",
        "dom-2",
        "invariant",
    ),
    (PATIENT, lambda r: r["name"][0].update(given=["a", None]), "Patient.name[0].given[1]", "null", "structure"),
    (
        PATIENT,
        lambda r: r["name"][0].update(_given=[None, {"extension": [{"url": "urn:x", "valueCode": "a"}]}, None]),
        "Patient.name[0].given",
        "primitive-extension",
        "structure",
    ),
    (
        PATIENT,
        lambda r: r["name"][0].update(given=["a", None], _given=[None, {"id": "x"}]),
        "Patient.name[0].given[1]",
        "primitive-extension",
        "structure",
    ),
    (PATIENT, lambda r: r["name"][0].update(given=[1]), "Patient.name[0].given[0]", "string", "value"),
    (PATIENT, lambda r: r["telecom"][0].pop("system"), "Patient.telecom[0].system", "cpt-2", "invariant"),
    (PATIENT, lambda r: r.update(contact=[{"gender": "male"}]), "Patient.contact[0]", "pat-1", "invariant"),
    (
        PATIENT,
        lambda r: r.update(deceasedBoolean=False, deceasedDateTime="2020"),
        "Patient.deceased[x]",
        "choice",
        "structure",
    ),
    ("us-core-coverage", lambda r: r["payor"].clear(), "Coverage.payor", "empty-list", "structure"),
    ("dispense", lambda r: r["daysSupply"].pop("system"), "MedicationDispense.daysSupply.system", "qty-3", "invariant"),
    (
        "dispense",
        lambda r: r["daysSupply"].update(value="2"),
        "MedicationDispense.daysSupply.value",
        "decimal",
        "structure",
    ),
    (
        "dispense",
        lambda r: r.update(whenPrepared="2026-07-01T00:00:00Z"),
        "MedicationDispense.whenHandedOver",
        "mdd-1",
        "invariant",
    ),
    (
        "medicationrequest",
        lambda r: r["dosageInstruction"][0]["timing"]["repeat"].update(period=1),
        "MedicationRequest.dosageInstruction[0].timing.repeat.periodUnit",
        "tim-2",
        "invariant",
    ),
    (
        "MedicationAdministration",
        lambda r: r["dosage"].pop("dose"),
        "MedicationAdministration.dosage",
        "empty-object",
        "structure",
    ),
    (
        "MedicationAdministration",
        lambda r: r.update(dosage={"text": "x"}),
        "MedicationAdministration.dosage.dose",
        "mad-1",
        "invariant",
    ),
    ("Consent", lambda r: r.pop("policyRule"), "Consent", "ppc-1", "invariant"),
    ("Consent", lambda r: r.pop("patient"), "Consent.patient", "ppc-2", "invariant"),
    (
        "allergyintolerance",
        lambda r: r.pop("clinicalStatus"),
        "AllergyIntolerance.clinicalStatus",
        "ait-1",
        "invariant",
    ),
    (
        "allergyintolerance",
        lambda r: r.update(clinicalStatus={"text": "active"}),
        "AllergyIntolerance.clinicalStatus",
        "code",
        "code-invalid",
    ),
    (
        "encounter-diagnosis",
        lambda r: r.update(verificationStatus={"text": "confirmed"}),
        "Condition.verificationStatus",
        "code",
        "code-invalid",
    ),
    (
        "simple-observation",
        lambda r: r.update(dataAbsentReason={"text": "x"}),
        "Observation.dataAbsentReason",
        "obs-6",
        "invariant",
    ),
    (
        "simple-observation",
        lambda r: r.update(subject={"reference": "Practitioner/1"}),
        "Observation.subject.reference",
        "reference-target",
        "value",
    ),
    (
        "us-core-servicerequest",
        lambda r: (r.update(orderDetail=[{"text": "x"}]), r.pop("code")),
        "ServiceRequest.orderDetail",
        "prr-1",
        "invariant",
    ),
    (
        "encounter-diagnosis",
        lambda r: r.update(abatementDateTime="2026"),
        "Condition.clinicalStatus",
        "con-4",
        "invariant",
    ),
    (
        "us-core-organization",
        lambda r: r["address"][0].update(use="home"),
        "Organization.address[0].use",
        "org-2",
        "invariant",
    ),
]


@pytest.mark.parametrize(("name", "change", "path", "rule", "code"), MUTATIONS)
def test_a_fault_is_named_where_it_stands(name: str, change: Change, path: str, rule: str, code: str) -> None:
    assert (path, rule, code) in [(p.path, p.rule, p.code) for p in faults(name, change)]


def test_a_primitive_may_have_an_id_or_extensions_beside_or_instead_of_its_value() -> None:
    extension = {"extension": [{"url": "urn:x", "valueCode": "unknown"}]}
    assert faults(PATIENT, lambda r: r.update(_gender={"id": "g"})) == []
    assert faults(PATIENT, lambda r: (r.pop("birthDate"), r.update(_birthDate=extension))) == []
    assert faults(PATIENT, lambda r: r["name"][0].update(given=["a", None], _given=[None, extension])) == []


@pytest.mark.parametrize(
    "reference",
    [
        "https://ehr.example.org/r4/Organization/1",
        "urn:uuid:0190f6a4-0000-7000-8000-000000000000",
        "https://example.org",
    ],
)
def test_references_of_other_kinds_are_left_alone(reference: str) -> None:
    assert faults(TASK, lambda r: r.update(owner={"reference": reference})) == []


@pytest.mark.parametrize(
    ("resource", "path"),
    [
        ({}, "Resource.resourceType"),
        ({"resourceType": SECRET}, "Resource.resourceType"),
        ({"resourceType": ["Task"]}, "Resource.resourceType"),
        ([], "Resource"),
        ("Task", "Resource"),
        ({"resourceType": "Task", 1: 2}, "Resource"),
        ({"resourceType": "Task", "description": "\ud800"}, "Resource"),
    ],
)
def test_what_is_no_resource_is_refused(resource: Any, path: str) -> None:
    assert path in [problem.path for problem in check(resource)]


def test_deep_nesting_is_refused_without_recursion() -> None:
    item: Resource = {"linkId": "a", "type": "group"}
    for _ in range(5000):
        item = {"linkId": "a", "type": "group", "item": [item]}
    assert check({"resourceType": "Questionnaire", "status": "draft", "item": [item]})[0].rule == "json"


def _silence(node: Any) -> None:
    """Every primitive element without value, only with an extension that says so."""
    extension = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "x"}]}
    if isinstance(node, list):
        for item in node:
            _silence(item)
        return
    for name, value in list(node.items()):
        primitives = [value] if not isinstance(value, list) else value
        if name in {"resourceType", "profile", "url"}:
            continue
        if any(isinstance(item, (dict, list)) for item in primitives):
            _silence(value)
        else:
            del node[name]
            node[f"_{name}"] = [extension] * len(value) if isinstance(value, list) else extension


BUNDLE = {
    "resourceType": "Bundle",
    "type": "document",
    "timestamp": "2026-01-01T00:00:00Z",
    "entry": [{"resource": {}}],
}


@pytest.mark.parametrize("resource", [*SAMPLES.values(), BUNDLE])
def test_rules_and_extractors_live_with_elements_that_have_extensions_only(resource: Resource) -> None:
    silent = copy.deepcopy(resource)
    if "entry" in silent:
        silent["entry"][0]["resource"] = sample("us-core-location")
    for holder in (silent, *silent.get("contained", ()), *(e["resource"] for e in silent.get("entry", ()))):
        holder.pop("id", None)  # the one primitive that has no extensions
    _silence(silent)
    assert not [p for p in check(silent) if p.code == "structure" and p.rule != "slice"]
    ALL[silent["resourceType"]].index(silent)
    ALL[silent["resourceType"]].columns(silent)


def test_resources_in_nested_parameters_are_judged() -> None:
    task = sample(TASK) | {"lastModified": "2025"}
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "a", "part": [{"name": "b", "resource": task}]}]}
    assert [(p.path, p.rule) for p in check(parameters)] == [
        ("Parameters.parameter[0].part[0].resource.lastModified", "inv-1")
    ]


def test_an_id_may_have_extensions() -> None:
    masked = [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "masked"}]
    assert check(sample("us-core-location") | {"_id": {"extension": masked}}) == []


def test_a_contained_resource_may_be_named_by_a_uri() -> None:
    task = sample(TASK)
    task["contained"] = [{"resourceType": "Questionnaire", "id": "q", "status": "draft"}]
    task["instantiatesCanonical"] = "#q"
    assert check(task) == []


def _leaves(node: Any) -> int:
    if isinstance(node, dict):
        return sum(map(_leaves, node.values()))
    return sum(map(_leaves, node)) if isinstance(node, list) else 1


def _replace(node: Any, number: int) -> int:
    """Puts the secret in place of the leaf with this number."""
    pairs = list(node.items()) if isinstance(node, dict) else list(enumerate(node))
    for key, value in pairs:
        if isinstance(value, (dict, list)):
            number = _replace(value, number)
        else:
            if number == 0:
                node[key] = f"{SECRET} \u0000"
            number -= 1
    return number


@pytest.mark.parametrize("url", SAMPLES)
def test_a_problem_never_quotes_a_value(url: str) -> None:
    for number in range(_leaves(SAMPLES[url])):
        resource = copy.deepcopy(SAMPLES[url])
        _replace(resource, number)
        problems = check(resource)
        assert problems
        assert SECRET not in repr(problems)
    for problem in check(SAMPLES[url] | {f"{SECRET} Jane": 1}):
        assert " Jane" not in problem.path


@pytest.mark.parametrize("fault", [{"use": "nope", "colour": 1}, {"text": "x", "_text": {}}, {"_text": {"id": "x"}}])
def test_the_number_of_problems_is_limited(fault: Resource) -> None:
    assert 1 < len(faults(PATIENT, lambda r: r.update(name=[fault] * 500))) <= 100
    assert len(faults(PATIENT, lambda r: r.update(contact=[{"gender": "male"}] * 500))) <= 100


def test_of_a_large_resource_only_the_first_fault_is_explained() -> None:
    assert len(faults(PATIENT, lambda r: r.update(name=[{"use": "nope"}] * 200_000))) == 1


def test_entries_of_a_bundle_are_judged_like_resources() -> None:
    task = sample(TASK)
    task["lastModified"] = "2025"
    task["focus"] = {"reference": "#x"}
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": sample(PATIENT)}, {"resource": task}],
    }
    found = {(p.path, p.rule) for p in check(bundle)}
    assert found == {
        ("Bundle.entry[1].resource.lastModified", "inv-1"),
        ("Bundle.entry[1].resource.focus.reference", "ref-1"),
    }


@pytest.mark.parametrize(
    ("bundle", "rule"),
    [
        ({"type": "collection", "total": 1}, "bdl-1"),
        ({"type": "transaction", "entry": [{"resource": {}}]}, "bdl-3"),
        ({"type": "collection", "entry": [{"resource": {}, "request": {"method": "GET", "url": "x"}}]}, "bdl-3"),
        ({"type": "batch-response", "entry": [{"resource": {}}]}, "bdl-4"),
        ({"type": "collection", "entry": [{"resource": {}, "search": {"mode": "match"}}]}, "bdl-2"),
        ({"type": "collection", "entry": [{"fullUrl": "urn:x"}]}, "bdl-5"),
        (
            {
                "type": "collection",
                "entry": [{"fullUrl": "urn:x", "resource": {}}, {"fullUrl": "urn:x", "resource": {}}],
            },
            "bdl-7",
        ),
        ({"type": "collection", "entry": [{"fullUrl": "http://x/Task/1/_history/1", "resource": {}}]}, "bdl-8"),
        ({"type": "document", "entry": [{"resource": {}}]}, "bdl-9"),
        ({"type": "document", "entry": [{"resource": {}}]}, "bdl-10"),
        ({"type": "document", "entry": [{"resource": {}}]}, "bdl-11"),
        ({"type": "message", "entry": [{"resource": {}}]}, "bdl-12"),
    ],
)
def test_bundle_invariants_hold(bundle: Resource, rule: str) -> None:
    for entry in bundle.get("entry", ()):
        if "resource" in entry:
            entry["resource"] = sample("us-core-location")
    assert rule in [problem.rule for problem in check({"resourceType": "Bundle", **bundle})]


_NAMES = st.sampled_from(
    ["id", "status", "_status", "contained", "meta", "profile", "extension", "url", "input", "reference"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | _NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(_NAMES, JSON, max_size=6), st.sampled_from(["Task", "Patient", "Bundle", "Parameters", "Nope"]))
def test_the_gate_judges_anything_without_failing(resource: Resource, kind: str) -> None:
    assert isinstance(check({**resource, "resourceType": kind}), list)


@pytest.mark.parametrize(
    ("start", "end", "fits"),
    [
        ("2026-06-05", "2026-06-05T00:30:00+05:30", True),
        ("2026-06-05T23:30:00-07:00", "2026-06-05", True),
        ("2026-06", "2026-06-05T00:30:00+05:30", True),
        ("2026-06-06", "2026-06-05T23:30:00-07:00", False),
        ("2026-06-05T01:10:00-05:00", "2026-06-05T01:30:00-04:00", False),
    ],
)
def test_a_day_beside_a_time_is_a_day_where_the_time_is(start: str, end: str, *, fits: bool) -> None:
    period = {"start": start, "end": end}
    assert [one.rule for one in faults(TASK, lambda r: r.update(executionPeriod=period))] == ([] if fits else ["per-1"])
