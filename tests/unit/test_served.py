"""The served bytes: a prefix of columns and a body that is never parsed again."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.served import from_body, to_body

NOW = "2026-06-05T18:10:00.123456Z"
JSON_VALUES = st.recursive(
    st.text(st.characters(codec="utf-8"), max_size=8) | st.booleans() | st.integers(-(2**53), 2**53),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcdef", max_size=4), inner, max_size=3),
    max_leaves=8,
)


def test_a_body_starts_right_after_the_value_of_last_updated() -> None:
    task = {"resourceType": "Task", "id": "t1", "meta": {"profile": ["http://p"]}, "status": "draft"}
    assert to_body(task) == b',"profile":["http://p"]},"status":"draft"}'


def test_a_body_without_further_meta_closes_meta_at_once() -> None:
    assert to_body({"resourceType": "Task", "id": "t1", "status": "draft"}) == b'},"status":"draft"}'
    assert to_body({"resourceType": "Task", "id": "t1", "meta": {}}) == b"}}"


def test_version_and_last_updated_of_the_input_never_reach_the_body() -> None:
    old = {"resourceType": "Task", "id": "t1", "meta": {"versionId": "7", "lastUpdated": "2020"}, "status": "draft"}
    assert to_body(old) == b'},"status":"draft"}'
    assert old["meta"] == {"versionId": "7", "lastUpdated": "2020"}


@given(st.dictionaries(st.sampled_from(["status", "note", "code", "x"]), JSON_VALUES), st.booleans())
def test_prefix_and_body_are_the_whole_resource(elements: dict[str, Any], has_profile: bool) -> None:  # noqa: FBT001 - hypothesis passes it by position
    meta = {"profile": ["http://p"]} if has_profile else {}
    whole = from_body("Task", "t1", 3, NOW, to_body({"resourceType": "Task", "id": "t1", "meta": meta, **elements}))
    expected = {
        "resourceType": "Task",
        "id": "t1",
        "meta": {"versionId": "3", "lastUpdated": NOW, **meta},
        **elements,
    }
    assert json.loads(whole) == expected
    assert list(json.loads(whole)) == list(expected)


def test_a_decimal_keeps_its_digits() -> None:
    assert to_body({"id": "o1", "value": Decimal("1.10")}) == b'},"value":1.10}'


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity"), object()])
def test_what_json_does_not_know_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        to_body({"id": "o1", "value": value})
