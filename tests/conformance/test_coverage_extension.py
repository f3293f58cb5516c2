"""The coverage extension on a Task is what its StructureDefinition says, by the HL7 validator's judgement."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from fhir_mappings.building.coverage_view import CoverageView, extension
from tests.conformance import validator
from tests.conformance.validator import STRUCTURES, Document, Validator

AT = datetime(2026, 6, 9, 13, 15, tzinfo=UTC)
WHOLE = CoverageView(
    covered_until=AT,
    confidence="verified",
    flags=("pregnant", "lapsed"),
    next_due=AT,
    earliest=AT,
    latest=AT,
    gap="possible",
    possible_gap_at=AT,
    confirmed_gap_at=AT,
    hold_partner_until=AT,
    asks=("confirm-pick-up", "name-who-doses"),
    hours_without=3,
    computed_at=AT,
)
UNKNOWN = CoverageView(covered_until=None, confidence="unknown", gap="possible", asks=("confirm-last-dose",))


@pytest.fixture(scope="module")
def hl7() -> Iterator[Validator]:
    validator.require()
    with validator.running() as running:
        yield running


def task(told: dict[str, Any]) -> str:
    return json.dumps({"resourceType": "Task", "status": "requested", "intent": "order", "extension": [told]})


def without(part: str) -> dict[str, Any]:
    told = extension(WHOLE)
    return {**told, "extension": [one for one in told["extension"] if one["url"] != part]}


_NO_SNAPSHOT = "ERROR_GENERATING_SNAPSHOT"


def with_part(part: dict[str, Any]) -> dict[str, Any]:
    told = extension(WHOLE)
    return {**told, "extension": [*told["extension"], part]}


def test_what_the_hub_says_conforms_and_anything_else_does_not(hl7: Validator) -> None:
    sound = {"whole": extension(WHOLE), "unknown": extension(UNKNOWN), "lapsed": extension(replace(WHOLE, gap="none"))}
    wrong = {
        "no confidence": without("confidence"),
        "another part": with_part({"url": "dose", "valueDecimal": 80}),
        "another type": with_part({"url": "flag", "valueString": "pregnant"}),
        "twice": with_part({"url": "coveredUntil", "valueDateTime": "2026-06-09"}),
    }
    documents = [Document(name, task(told)) for name, told in (sound | wrong).items()]
    judged = hl7.judge(documents)
    assert {name for name, issues in judged.items() if any(issue.wrong for issue in issues)} == set(wrong)


def test_the_definition_itself_conforms(hl7: Validator) -> None:
    judged = hl7.judge([Document(path.name, path.read_text()) for path in STRUCTURES.glob("*.json")])
    wrong = {name: [issue for issue in issues if issue.wrong] for name, issues in judged.items()}
    # To build the snapshot the validator asks a package server for FHIR itself, which no test of ours may reach; the
    # differential is judged all the same, and by it the Tasks of the test above.
    wrong = {name: [one for one in issues if one.message_id != _NO_SNAPSHOT] for name, issues in wrong.items()}
    assert wrong == {"coverage.json": []}
