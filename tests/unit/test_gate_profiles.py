"""Profile rules: each demand of the US Core 7.0.0 snapshots and of the Gravity referral Task is kept."""

import copy
import functools
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fhir_mappings.gate import check
from schemas.resources import ALL
from schemas.resources.profiles import luhn
from tests.unit.gate_samples import SAMPLES, US_CORE, sample

PACKAGE = Path(__file__).parents[2].parent / "shared" / "packages" / "hl7.fhir.us.core-700.tgz"
PROFILES = sorted(url.partition("|")[0] for spec in ALL.values() for url in spec.profiles)
US_CORE_PROFILES = [url for url in PROFILES if url.startswith(US_CORE)]
Resource = dict[str, Any]


@functools.cache
def package() -> dict[str, Resource]:
    if not PACKAGE.is_file():
        pytest.skip("the US Core package is not here (../shared/packages)")
    with tarfile.open(PACKAGE) as archive:
        files = [m for m in archive.getmembers() if m.name.endswith(".json") and "/xml/" not in m.name]
        return {m.name: json.load(archive.extractfile(m) or pytest.fail(m.name)) for m in files}


def snapshot(url: str) -> Resource:
    return next(r for r in package().values() if r.get("url") == url and r["resourceType"] == "StructureDefinition")


def parents(node: Any, steps: list[str]) -> Iterator[Resource]:
    """The objects that hold the last step of a path."""
    if isinstance(node, list):
        for item in node:
            yield from parents(item, steps)
    elif isinstance(node, dict) and len(steps) == 1:
        yield node
    elif isinstance(node, dict) and steps[0] in node:
        yield from parents(node[steps[0]], steps[1:])


def remove(resource: Resource, path: str) -> bool:
    """Takes an element away wherever it stands; whether there was one."""
    *_, last = steps = path.split(".")[1:]
    found = False
    for holder in list(parents(resource, steps)):
        for name in [n for n in holder if n == last or (last.endswith("[x]") and n.startswith(last[:-3]))]:
            del holder[name]
            found = True
    return found


def plain(element_id: str) -> bool:
    """An element proper: no slice, no part of an extension."""
    return ":" not in element_id and "extension" not in element_id.split(".")[1:]


def test_each_checked_profile_has_a_sample_that_conforms() -> None:
    assert set(PROFILES) <= set(SAMPLES)


@pytest.mark.parametrize("url", US_CORE_PROFILES)
def test_every_required_element_of_the_snapshot_is_required_here(url: str) -> None:
    required = [e["id"] for e in snapshot(url)["snapshot"]["element"] if e["min"] and "." in e["id"] and plain(e["id"])]
    tried = 0
    for path in required:
        resource = copy.deepcopy(SAMPLES[url])
        if remove(resource, path):
            tried += 1
            assert [p for p in check(resource) if p.path.split("[")[0].split(".")[0] == resource["resourceType"]], path
    assert tried or not any(path.count(".") == 1 for path in required)
    assert all(remove(copy.deepcopy(SAMPLES[url]), path) for path in required if path.count(".") == 1)


@pytest.mark.parametrize("url", US_CORE_PROFILES)
def test_every_invariant_of_the_profile_is_known_here(url: str) -> None:
    elements = snapshot(url)["snapshot"]["element"]
    keys = {c["key"] for e in elements for c in e.get("constraint", ()) if "/us/core/" in c.get("source", "")}
    rules = ALL[SAMPLES[url]["resourceType"]].claims[url].invariants
    assert keys <= {rule.key for rule in rules}


@pytest.mark.parametrize("url", US_CORE_PROFILES)
def test_every_narrower_maximum_of_the_snapshot_is_kept(url: str) -> None:
    narrowed = [
        (e["id"], int(e["max"]))
        for e in snapshot(url)["snapshot"]["element"]
        if plain(e["id"]) and e.get("base", {}).get("max") == "*" and e["max"] != "*"
    ]
    for path, most in narrowed:
        resource = copy.deepcopy(SAMPLES[url])
        steps = path.split(".")[1:]
        holders = list(parents(resource, steps))
        assert holders, path
        holders[0][steps[-1]] = holders[0][steps[-1]][:1] * (most + 1)
        assert "max" in [p.rule for p in check(resource)], path


def test_the_examples_of_the_package_pass() -> None:
    judged = 0
    for name, resource in package().items():
        if "/example/" not in name or "Endpoint" in json.dumps(resource):
            continue
        spec = ALL.get(resource["resourceType"])
        judged += bool(spec and any(claim in spec.claims for claim in resource.get("meta", {}).get("profile", ())))
        if spec:
            assert check(resource) == [], name
    assert judged > 30


Change = Callable[[Resource], object]
FAULTS: list[tuple[str, Change, str, str]] = [
    # sample, change, path, rule
    ("TaskForReferralManagement", lambda r: r.update(status="ready"), "Task.status", "code"),
    ("TaskForReferralManagement", lambda r: r.update(status="received"), "Task.status", "code"),
    ("TaskForReferralManagement", lambda r: r.update(intent="plan"), "Task.intent", "code"),
    ("TaskForReferralManagement", lambda r: r["code"]["coding"][0].update(code="abort"), "Task.code", "code"),
    ("TaskForReferralManagement", lambda r: r.pop("code"), "Task.code", "required"),
    ("TaskForReferralManagement", lambda r: r.pop("focus"), "Task.focus", "required"),
    ("TaskForReferralManagement", lambda r: r.pop("for"), "Task.for", "required"),
    ("TaskForReferralManagement", lambda r: r.pop("authoredOn"), "Task.authoredOn", "required"),
    ("TaskForReferralManagement", lambda r: r.pop("requester"), "Task.requester", "required"),
    (
        "TaskForReferralManagement",
        lambda r: r.update(statusReason={"coding": [{"code": "x"}]}),
        "Task.statusReason.text",
        "required",
    ),
    (
        "TaskForReferralManagement",
        lambda r: r.update(requester={"reference": "Practitioner/1"}),
        "Task.requester.reference",
        "reference-target",
    ),
    (
        "TaskForReferralManagement",
        lambda r: r.update(focus={"reference": "https://x.example/Task/1"}),
        "Task.focus.reference",
        "reference-target",
    ),
    ("SDOHCC-ServiceRequest", lambda r: r.pop("code"), "ServiceRequest.code", "required"),
    ("SDOHCC-ServiceRequest", lambda r: r.update(bodySite=[{"text": "x"}]), "ServiceRequest.bodySite", "max"),
    (
        "us-core-patient",
        lambda r: r["name"][0].update(family="x") or r["name"].append({"text": "x"}),
        "Patient.name[1]",
        "us-core-6",
    ),
    ("us-core-patient", lambda r: r["extension"][0]["extension"].pop(), "Patient.extension[0].extension", "required"),
    ("us-core-patient", lambda r: r["extension"].append(r["extension"][0]), "Patient.extension", "max"),
    (
        "us-core-patient",
        lambda r: r["extension"][0]["extension"].append({"url": "ombCategory", "valueCoding": {"code": "UNK"}}),
        "Patient.extension[0].extension",
        "us-core-23",
    ),
    (
        "us-core-patient",
        lambda r: r["extension"][0]["extension"][0]["valueCoding"].update(code="2135-2"),
        "Patient.extension[0].extension",
        "code",
    ),
    (
        "encounter-diagnosis",
        lambda r: r["category"][0]["coding"][0].update(code="problem-list-item"),
        "Condition.category",
        "slice",
    ),
    ("encounter-diagnosis", lambda r: r["category"].append(r["category"][0]), "Condition.category", "max"),
    (
        "problems-health-concerns",
        lambda r: r["category"][0]["coding"][0].update(code="encounter-diagnosis"),
        "Condition.category",
        "slice",
    ),
    ("us-core-medicationrequest", lambda r: r.pop("requester"), "MedicationRequest.requester", "us-core-21"),
    (
        "us-core-medicationdispense",
        lambda r: r.pop("whenHandedOver"),
        "MedicationDispense.whenHandedOver",
        "us-core-20",
    ),
    ("us-core-coverage", lambda r: r["identifier"][0].pop("type"), "Coverage", "us-core-15"),
    ("us-core-coverage", lambda r: r["class"].append(r["class"][0]), "Coverage.class", "max"),
    (
        "us-core-organization",
        lambda r: r["identifier"][0].update(value="123"),
        "Organization.identifier[0].value",
        "us-core-16",
    ),
    (
        "us-core-organization",
        lambda r: r["identifier"][0].update(value="1234567890"),
        "Organization.identifier[0].value",
        "us-core-17",
    ),
    (
        "us-core-organization",
        lambda r: r["identifier"].append({"system": "urn:oid:2.16.840.1.113883.4.7", "value": "1"}),
        "Organization.identifier[1].value",
        "us-core-18",
    ),
    (
        "us-core-organization",
        lambda r: r["identifier"].append({"system": "urn:oid:2.16.840.1.113883.6.300", "value": "1"}),
        "Organization.identifier[1].value",
        "us-core-19",
    ),
    ("us-core-practitionerrole", lambda r: r.pop("telecom"), "PractitionerRole.telecom", "pd-1"),
    (
        "us-core-practitionerrole",
        lambda r: (r.pop("practitioner"), r.pop("organization")),
        "PractitionerRole",
        "us-core-13",
    ),
    ("clinical-result", lambda r: r.update(effectiveDateTime="2026"), "Observation.effectiveDateTime", "us-core-1"),
    ("clinical-result", lambda r: r.pop("valueQuantity"), "Observation.value[x]", "us-core-2"),
    ("clinical-result", lambda r: r["valueQuantity"].update(system="urn:x"), "Observation.valueQuantity", "us-core-3"),
    (
        "us-core-provenance",
        lambda r: r["agent"].append({"who": {"reference": "Practitioner/1"}}),
        "Provenance.agent[1].onBehalfOf",
        "provenance-1",
    ),
]


@pytest.mark.parametrize(("name", "change", "path", "rule"), FAULTS)
def test_a_fault_against_a_profile_is_named(name: str, change: Change, path: str, rule: str) -> None:
    resource = sample(name)
    change(resource)
    assert (path, rule) in [(p.path, p.rule) for p in check(resource)]


def test_a_profile_is_judged_only_where_it_is_claimed_in_the_version_known_here() -> None:
    patient = sample("us-core-patient")
    del patient["gender"]
    url = f"{US_CORE}patient"
    for claim, faults in ((url, 1), (f"{url}|7.0.0", 1), (f"{url}|9.0.0", 0), ("http://example.org/other", 0)):
        patient["meta"]["profile"] = [claim]
        assert len(check(patient)) == faults, claim


def test_an_absent_name_is_said_by_extension() -> None:
    patient = sample("us-core-patient")
    patient["name"] = [
        {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}
    ]
    assert check(patient) == []


def test_the_npi_check_digit_is_luhn_with_prefix_80840() -> None:
    assert luhn("1234567893")
    assert not any(luhn(f"123456789{digit}") for digit in "012456789")
