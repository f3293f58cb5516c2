from typing import Any

import pytest

from app.core.json_meaning import added, beyond, meaning, same

EQUAL: list[tuple[Any, Any]] = [
    ("2026-06-08T14:00:00Z", "2026-06-08T10:00:00-04:00"),
    ("2026-06-08T14:00:00.100Z", "2026-06-08T14:00:00.1Z"),
    ("2026-06-08T14:00:00.000Z", "2026-06-08T14:00:00+00:00"),
    (1, 1.0),
    (1.50, 1.5),
    (0.1, 0.10),
    ({"a": 1, "b": [2]}, {"b": [2.0], "a": 1}),
    ([1, 2, 2], [2, 1, 2]),
    ([{"a": [1, 2]}], [{"a": [2, 1]}]),
    ({}, {}),
    (None, None),
]
DIFFERENT: list[tuple[Any, Any]] = [
    ("2026-06-08T14:00:00Z", "2026-06-08T14:00:00.000001Z"),
    ("2026-06-08T14:00:00.0000001Z", "2026-06-08T14:00:00.0000002Z"),
    ("2026-06-08T14:00:00Z", "2026-06-08T14:00:00-04:00"),
    ("2026-06-08", "2026-06-08T00:00:00Z"),
    ("2026-06-08T14:00:00", "2026-06-08T14:00:00Z"),
    ("2026-13-08T14:00:00Z", "2026-14-08T14:00:00Z"),
    ("a", "A"),
    ("a ", "a"),
    ("1", 1),
    (1, True),
    (0, False),
    (0, None),
    ("", None),
    ([1, 2, 2], [1, 1, 2]),
    ([1], 1),
    ([], {}),
    ({"a": None}, {}),
    (12345678901234567890123456789012345678, 12345678901234567890123456789012345679),
    (1e-7, 2e-7),
]


@pytest.mark.parametrize(("left", "right"), EQUAL)
def test_values_of_the_same_meaning_are_the_same(left: Any, right: Any) -> None:
    assert same(left, right)
    assert hash(meaning(left)) == hash(meaning(right))


@pytest.mark.parametrize(("left", "right"), DIFFERENT)
def test_values_of_another_meaning_are_not(left: Any, right: Any) -> None:
    assert not same(left, right)
    assert not same(right, left)


def test_what_a_list_has_beyond_another_keeps_its_order_and_counts() -> None:
    assert beyond([3, 1, 1, 2], [1, 2]) == [3, 1]
    assert beyond([{"a": 1.0}, 2], [{"a": 1}]) == [2]
    assert beyond([1], [1]) == []
    assert beyond([], []) == []


def test_what_was_added_to_a_list_counts_whatever_else_is_gone() -> None:
    assert added([1, 2, 2], [2, 3]) == [1, 2]
    assert added([], [1]) == []
    assert added([{"a": 1.0}], [{"a": 1}]) == []


def test_a_list_that_lacks_an_entry_is_not_beyond() -> None:
    assert beyond([1, 2], [1, 1]) is None
    assert beyond([], [1]) is None
