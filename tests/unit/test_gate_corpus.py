"""The gate against third-party resources; oracles are the official validator's verdicts and fhir.resources."""

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from fhir_mappings.gate import Problem, check
from tools.derive_schema import TYPES

SHARED = Path(__file__).parents[2].parent / "shared"
CASES = SHARED / "corpus" / "validator-cases" / "FHIR+fhir-test-cases" / "validator"
FOLDERS = (SHARED / "ig-examples", SHARED / "corpus" / "fhir")
Resource = dict[str, Any]

# What the gate refuses and fhir.resources lets pass, rule by rule; see the test below.
STRICTER = {
    "reference-target": "an id without type, or a type that the element does not admit",
    "boolean": "the text true",
    "integer": "the text 5",
    "unsignedInt": "the text 1",
    "string": "the empty text",
    "uri": "the empty text",
}


def read(path: Path) -> Resource | None:
    """The resource in a file, where it is one of the types of the schema."""
    try:
        found = json.loads(path.read_bytes())
    except ValueError:
        return None
    return found if isinstance(found, dict) and found.get("resourceType") in TYPES else None


def of_another_type(problem: Problem) -> bool:
    """The hub does not read every R4 type; Bundles of others are refused by policy."""
    return problem.rule == "code" and problem.path.endswith((".resourceType", "Bundle.type"))


def clean_cases() -> Iterator[tuple[str, Resource]]:
    if not CASES.is_dir():
        pytest.skip("the validator's cases are not here (../shared/corpus/validator-cases)")
    for case in json.loads((CASES / "manifest.json").read_bytes())["test-cases"]:
        outcome = case.get("java")
        needs_more = any(case.get(name) for name in ("packages", "profiles", "supporting"))
        if not case.get("version", "").startswith("4.0") or needs_more or not isinstance(outcome, str):
            continue
        path, verdict = CASES / case["file"], CASES / "outcomes" / outcome
        if path.suffix != ".json" or not path.is_file() or not verdict.is_file():
            continue
        issues = json.loads(verdict.read_bytes()).get("issue", [])
        resource = read(path)
        if resource and not any(issue["severity"] in {"error", "fatal"} for issue in issues):
            yield case["file"], resource


def test_what_the_official_validator_finds_clean_passes() -> None:
    cases = list(clean_cases())
    assert len(cases) > 30
    for name, resource in cases:
        assert [problem for problem in check(resource) if not of_another_type(problem)] == [], name


def third_party() -> list[Path]:
    if not all(folder.is_dir() for folder in FOLDERS):
        pytest.skip("the example resources are not here (../shared/ig-examples, ../shared/corpus/fhir)")
    return sorted(path for folder in FOLDERS for path in folder.rglob("*.json") if path.stat().st_size < 100_000)


def accepted_by_library(resource: Resource) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            get_fhir_model_class(resource["resourceType"]).model_validate(resource)
        except ValueError:
            return False
    return True


def structural(problem: Problem) -> bool:
    """Not an invariant or a profile rule, which the library does not know."""
    return problem.code != "invariant" and problem.expected != "an element that the profile requires"


def test_differences_from_fhir_resources_are_the_explained_ones() -> None:
    judged = 0
    for path in third_party():
        resource = read(path)
        if resource is None:
            continue
        judged += 1
        problems = check(resource)
        if not problems:
            assert accepted_by_library(resource), path.name
        elif accepted_by_library(resource):
            others = {p.rule for p in problems if structural(p) and not of_another_type(p)}
            assert others <= set(STRICTER), path.name
    assert judged > 600
