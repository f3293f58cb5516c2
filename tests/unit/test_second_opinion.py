"""fhir.resources beside the gate: what it doubts, where, and that its words stay inside."""

import json
import subprocess
import sys
from typing import Any

import pytest

from fhir_mappings.gate import Problem, check
from fhir_mappings.second_opinion import beside, second_opinion

TASK = {"resourceType": "Task", "status": "requested", "intent": "order"}


def doubts(resource: dict[str, Any]) -> list[tuple[str, str, str]]:
    found = second_opinion(resource["resourceType"], json.dumps(resource).encode())
    return [(doubt.path, doubt.rule, doubt.code) for doubt in found]


def test_it_takes_what_is_right() -> None:
    assert doubts(TASK) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"status": 7}, [("Task.status", "string-type", "value")]),
        ({"input": [{"type": {"text": 7}, "valueInteger": 1}]}, [("Task.input[0].type.text", "string-type", "value")]),
        ({"HTESTname": 1}, [("Task", "extra-forbidden", "structure")]),
        ({"contained": [{"resourceType": "HTESTnone"}]}, [("Task", "unreadable", "processing")]),
        (
            {"status": None, "intent": None},
            [("Task.intent", "missing", "required"), ("Task.status", "missing", "required")],
        ),
    ],
)
def test_a_doubt_has_its_place_and_its_kind(change: dict[str, Any], expected: list[tuple[str, str, str]]) -> None:
    assert sorted(doubts({**TASK, **change})) == expected


def test_a_doubt_repeats_nothing_of_the_resource() -> None:
    resource = {**TASK, "HTESTname": 1, "authoredOn": "HTEST", "code": {"HTESTname": "HTEST", "text": ["HTEST"]}}
    found = second_opinion("Task", json.dumps(resource).encode())
    assert len(found) >= 3
    assert "HTEST" not in repr(found)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"null", b'"HTEST"', b'{"resourceType": 7}', b"[" * 300 + b"]" * 300]
)
def test_whatever_it_stumbles_over_is_a_doubt(text: bytes) -> None:
    assert second_opinion("Task", text) != []


def test_where_the_gate_has_spoken_it_is_not_asked() -> None:
    gate = [Problem("Task.code.coding[0]", "required", "a required element", "required")]

    def doubt(path: str) -> Problem:
        return Problem(path, "value-error", "what FHIR R4B defines here", "value")

    silent = [doubt(path) for path in ("Task", "Task.code", "Task.code.coding[0]", "Task.code.coding[0].system")]
    kept = [doubt(path) for path in ("Task.codes", "Task.code.coding[01]", "Task.code.coding[1]", "Task.status")]
    assert beside([*silent, *kept], gate) == kept
    assert beside(silent, []) == silent


def test_the_gate_takes_what_only_r4_has() -> None:
    resource = {**TASK, "extension": [{"url": "http://example.org/htest", "valueMeta": {"versionId": "1"}}]}
    assert check(resource) == []
    assert [doubt[0] for doubt in doubts(resource)] == ["Task.extension[0]"]


def test_the_library_is_loaded_when_it_is_asked() -> None:
    code = "import sys, fhir_mappings.second_opinion; print(any(name.startswith('fhir.') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
