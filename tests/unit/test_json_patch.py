import json
from typing import Any

import pytest

from app.core.errors import HubError
from app.core.json_patch import MAX_DEPTH, MAX_OPERATIONS, PatchConflict, PatchError, apply_patch

SECRET = "HTEST-Secret"


def op(name: str, path: str, **more: Any) -> dict[str, Any]:
    return {"op": name, "path": path, **more}


RFC: dict[str, tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]]] = {
    "A.1 a member is added": ({"foo": "bar"}, [op("add", "/baz", value="qux")], {"baz": "qux", "foo": "bar"}),
    "A.2 an entry is added": (
        {"foo": ["bar", "baz"]},
        [op("add", "/foo/1", value="qux")],
        {"foo": ["bar", "qux", "baz"]},
    ),
    "A.3 a member is removed": ({"baz": "qux", "foo": "bar"}, [op("remove", "/baz")], {"foo": "bar"}),
    "A.4 an entry is removed": ({"foo": ["bar", "qux", "baz"]}, [op("remove", "/foo/1")], {"foo": ["bar", "baz"]}),
    "A.5 a value is replaced": (
        {"baz": "qux", "foo": "bar"},
        [op("replace", "/baz", value=1)],
        {"baz": 1, "foo": "bar"},
    ),
    "A.6 a value is moved": (
        {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
        [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}],
        {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
    ),
    "A.7 an entry is moved": (
        {"foo": ["all", "grass", "cows", "eat"]},
        [{"op": "move", "from": "/foo/1", "path": "/foo/3"}],
        {"foo": ["all", "cows", "eat", "grass"]},
    ),
    "A.8 values are tested": (
        {"baz": "qux", "foo": ["a", 2, "c"]},
        [op("test", "/baz", value="qux"), op("test", "/foo/1", value=2.0)],
        {"baz": "qux", "foo": ["a", 2, "c"]},
    ),
    "A.10 a nested member is added": (
        {"foo": "bar"},
        [op("add", "/child", value={"grandchild": {}})],
        {"foo": "bar", "child": {"grandchild": {}}},
    ),
    "A.11 unknown members are ignored": (
        {"foo": "bar"},
        [op("add", "/baz", value="qux", xyz=123)],
        {"foo": "bar", "baz": "qux"},
    ),
    "A.14 escapes are read in order": ({"/": 9, "~1": 10}, [op("test", "/~01", value=10)], {"/": 9, "~1": 10}),
    "A.16 an entry is appended": (
        {"foo": ["bar"]},
        [op("add", "/foo/-", value=["abc", "def"])],
        {"foo": ["bar", ["abc", "def"]]},
    ),
    "a slash in a name": ({"a/b": 1}, [op("replace", "/a~1b", value=2)], {"a/b": 2}),
    "the empty name": ({"": 1}, [op("replace", "/", value=2)], {"": 2}),
    "an existing member is replaced by add": ({"a": 1}, [op("add", "/a", value=2)], {"a": 2}),
    "an entry is added at the end by number": ({"a": [1]}, [op("add", "/a/1", value=2)], {"a": [1, 2]}),
    "an entry is replaced": ({"a": [1, 2]}, [op("replace", "/a/1", value=None)], {"a": [1, None]}),
    "a value is copied": (
        {"a": {"b": [1]}},
        [{"op": "copy", "from": "/a/b", "path": "/c"}],
        {"a": {"b": [1]}, "c": [1]},
    ),
    "a copy is no alias": (
        {"a": [1]},
        [{"op": "copy", "from": "/a", "path": "/b"}, op("add", "/b/-", value=2)],
        {"a": [1], "b": [1, 2]},
    ),
    "the whole document is replaced": ({"a": 1}, [op("add", "", value={"b": 2})], {"b": 2}),
    "the whole document is replaced by replace": ({"a": 1}, [op("replace", "", value={"b": 2})], {"b": 2}),
    "the whole document is tested": ({"a": [1]}, [op("test", "", value={"a": [1.0]})], {"a": [1]}),
    "a value is moved to where it is": ({"a": 1}, [{"op": "move", "from": "/a", "path": "/a"}], {"a": 1}),
    "nothing is done": ({"a": 1}, [], {"a": 1}),
}


@pytest.mark.parametrize("name", RFC)
def test_a_patch_does_what_rfc_6902_says(name: str) -> None:
    document, operations, expected = RFC[name]
    before = json.dumps(document)
    assert apply_patch(document, operations) == expected
    assert json.dumps(document) == before


DOCUMENT: dict[str, Any] = {"a": 1, "list": [1, 2], "t": True, SECRET: {"x": SECRET}}

CONFLICTS: dict[str, tuple[dict[str, Any], str]] = {
    "no such member to remove": (op("remove", f"/{SECRET}1"), "path"),
    "no such member to replace": (op("replace", "/b", value=1), "path"),
    "no such parent": (op("add", f"/{SECRET}1/b", value=1), "path"),
    "a parent that holds nothing": (op("add", "/a/b", value=1), "path"),
    "a child of a number": (op("remove", "/a/b"), "path"),
    "past the end": (op("add", "/list/3", value=1), "path"),
    "replace at the end": (op("replace", "/list/2", value=1), "path"),
    "remove at the dash": (op("remove", "/list/-"), "path"),
    "a leading zero": (op("remove", "/list/01"), "path"),
    "a negative number": (op("remove", "/list/-1"), "path"),
    "a name in an array": (op("add", f"/list/{SECRET}", value=1), "path"),
    "a digit that is none of ours": (op("remove", "/list/\N{SUPERSCRIPT ONE}"), "path"),
    "nothing to move": ({"op": "move", "from": "/b", "path": "/c"}, "from"),
    "nothing to copy": ({"op": "copy", "from": "/b", "path": "/c"}, "from"),
    "a test of another value": (op("test", f"/{SECRET}/x", value="other"), "value"),
    "a test of another type": (op("test", "/a", value="1"), "value"),
    "true is not one": (op("test", "/t", value=1), "value"),
    "one is not true": (op("test", "/a", value=True), "value"),
    "an array of another length": (op("test", "/list", value=[1]), "value"),
    "an array in another order": (op("test", "/list", value=[2, 1]), "value"),
    "an object with more": (op("test", f"/{SECRET}", value={"x": SECRET, "y": 1}), "value"),
}


@pytest.mark.parametrize("name", CONFLICTS)
def test_a_patch_that_can_not_be_applied_names_the_operation_and_the_rule_and_no_value(name: str) -> None:
    operation, member = CONFLICTS[name]
    with pytest.raises(PatchConflict) as caught:
        apply_patch(DOCUMENT, [op("test", "/a", value=1), operation])
    assert (caught.value.status, caught.value.path) == (422, f"patch[1].{member}")
    assert SECRET not in str(caught.value) + caught.value.rule


MALFORMED: dict[str, tuple[Any, str]] = {
    "no object": (SECRET, "op"),
    "no op": ({"path": "/a"}, "op"),
    "an unknown op": ({"op": SECRET, "path": "/a"}, "op"),
    "an op that is no text": ({"op": ["add"], "path": "/a"}, "op"),
    "no path": ({"op": "remove"}, "path"),
    "a path that is no text": ({"op": "remove", "path": 1}, "path"),
    "a path without slash": ({"op": "remove", "path": SECRET}, "path"),
    "a bad escape": ({"op": "remove", "path": "/~2"}, "path"),
    "an open escape": ({"op": "remove", "path": "/a~"}, "path"),
    "no value to add": ({"op": "add", "path": "/b"}, "value"),
    "no value to test": ({"op": "test", "path": "/a"}, "value"),
    "no from": ({"op": "move", "path": "/b"}, "from"),
    "a move into itself": ({"op": "move", "from": f"/{SECRET}", "path": f"/{SECRET}/y"}, "path"),
    "no document left": ({"op": "remove", "path": ""}, "path"),
    "a path too deep": ({"op": "add", "path": "/a" * (MAX_DEPTH + 1), "value": 1}, "path"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_patch_names_the_operation_and_the_rule_and_no_value(name: str) -> None:
    operation, member = MALFORMED[name]
    with pytest.raises(PatchError) as caught:
        apply_patch(DOCUMENT, [operation])
    assert (caught.value.status, caught.value.path) == (400, f"patch[0].{member}")
    assert isinstance(caught.value, HubError)
    assert SECRET not in str(caught.value) + caught.value.rule


@pytest.mark.parametrize("body", [None, {}, {"op": "add"}, "[]", 1])
def test_a_patch_is_an_array(body: object) -> None:
    with pytest.raises(PatchError, match="array of operations"):
        apply_patch({}, body)


def test_a_patch_that_leaves_no_object_is_refused() -> None:
    with pytest.raises(PatchError, match="is an object"):
        apply_patch({"a": 1}, [op("replace", "", value=[])])


def test_a_failing_operation_leaves_the_document_as_it_was() -> None:
    document = {"a": [1]}
    with pytest.raises(PatchConflict):
        apply_patch(document, [op("add", "/a/-", value=2), op("remove", "/b")])
    assert document == {"a": [1]}


def test_a_value_of_the_patch_is_no_alias_of_the_document() -> None:
    value: list[int] = []
    patched = apply_patch({}, [op("add", "/a", value=value), op("add", "/a/-", value=1)])
    assert (patched, value) == ({"a": [1]}, [])


def test_too_many_operations_are_refused() -> None:
    operations = [op("test", "/a", value=1)] * MAX_OPERATIONS
    assert apply_patch({"a": 1}, operations) == {"a": 1}
    with pytest.raises(PatchError, match="at most"):
        apply_patch({"a": 1}, [*operations, operations[0]])


def test_copies_that_double_the_document_are_stopped() -> None:
    doubling = [{"op": "copy", "from": "/a", "path": f"/a/{number}"} for number in range(40)]
    with pytest.raises(PatchError, match="insert at most"):
        apply_patch({"a": {"x": [0] * 100}}, doubling)


@pytest.mark.parametrize("name", ["copy", "move"])
def test_a_patch_can_not_build_a_document_without_end(name: str) -> None:
    deeper: list[dict[str, Any]] = [op("add", "/b", value={})]
    for _ in range(45):
        deeper += [
            {"op": "copy", "from": "/b", "path": "/c"},
            op("replace", "/b", value={"n": {"n": {}}}),
            {"op": name, "from": "/c", "path": "/b/n/n/n"},
        ]
    with pytest.raises(PatchError, match=r"depth|at most"):
        apply_patch({}, deeper[:MAX_OPERATIONS])
