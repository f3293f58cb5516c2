"""JSON Patch (RFC 6902) with JSON Pointer (RFC 6901).

An error names the operation by its place in the patch and the rule that it breaks; it holds neither
a value nor a pointer, since both are the caller's and may identify a person.
"""

import re
from collections.abc import Callable
from typing import Any

from app.core.errors import BadRequest

MAX_OPERATIONS = 100
MAX_DEPTH = 64
MAX_NODES = 100_000
"""JSON values that all operations together may insert: ``copy`` could otherwise double a document without end."""

_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_BAD_ESCAPE = re.compile(r"~(?![01])")


class PatchError(BadRequest):
    """The patch is malformed (RFC 6902 section 4)."""

    def __init__(self, path: str, rule: str) -> None:
        super().__init__(rule, path=path)
        self.path = path
        self.rule = rule


class PatchConflict(PatchError):
    """The patch is well formed, but its target is not there or its test fails (RFC 6902 section 5, RFC 5789)."""

    status = 422
    code = "conflict"


class _Patch:
    """A document while it is being patched, the place of the current operation, and what may still be inserted."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.operation: dict[str, Any] = {}
        self.place = "patch"
        self.nodes = MAX_NODES
        self.root: Any = _copied(document)

    def malformed(self, member: str, rule: str) -> PatchError:
        return PatchError(f"{self.place}.{member}", rule)

    def conflict(self, member: str, rule: str) -> PatchConflict:
        return PatchConflict(f"{self.place}.{member}", rule)

    def clone(self, value: Any, depth: int = 0) -> Any:
        """A copy that shares no container with ``value``."""
        self.nodes -= 1
        if self.nodes < 0:
            raise self.malformed("value", f"all operations together insert at most {MAX_NODES} values")
        if depth > MAX_DEPTH:
            raise self.malformed("value", f"depth of at most {MAX_DEPTH}")
        if isinstance(value, dict):
            return {key: self.clone(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list):
            return [self.clone(item, depth + 1) for item in value]
        return value

    def tokens(self, member: str) -> list[str]:
        """The reference tokens of a pointer; the whole document has none."""
        pointer = self.operation.get(member)
        if not isinstance(pointer, str):
            raise self.malformed(member, "a JSON Pointer as text is required")
        if pointer and not pointer.startswith("/"):
            raise self.malformed(member, "a JSON Pointer is empty or starts with /")
        if _BAD_ESCAPE.search(pointer):
            raise self.malformed(member, "~ is written as ~0 and / inside a name as ~1")
        tokens = [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]
        if len(tokens) > MAX_DEPTH:
            raise self.malformed(member, f"depth of at most {MAX_DEPTH}")
        return tokens

    def value(self) -> Any:
        if "value" not in self.operation:
            raise self.malformed("value", "a value is required")
        return self.operation["value"]

    def index(self, member: str, token: str, stop: int) -> int:
        """The place in an array: 0 <= place < stop."""
        if not _INDEX.fullmatch(token):
            raise self.conflict(member, "an array is addressed by a number without leading zeros")
        place = int(token)
        if place >= stop:
            raise self.conflict(member, "the array has no such entry")
        return place

    def child(self, member: str, holder: Any, token: str) -> Any:
        if isinstance(holder, dict):
            if token in holder:
                return holder[token]
            raise self.conflict(member, "the target does not exist")
        if isinstance(holder, list):
            return holder[self.index(member, token, len(holder))]
        raise self.conflict(member, "the target does not exist")

    def find(self, member: str, tokens: list[str]) -> Any:
        found = self.root
        for token in tokens:
            found = self.child(member, found, token)
        return found

    def insert(self, tokens: list[str], value: Any) -> None:
        if not tokens:
            self.root = value
            return
        holder, last = self.find("path", tokens[:-1]), tokens[-1]
        if isinstance(holder, dict):
            holder[last] = value
        elif isinstance(holder, list):
            place = len(holder) if last == "-" else self.index("path", last, len(holder) + 1)
            holder.insert(place, value)
        else:
            raise self.conflict("path", "the target's parent is neither object nor array")

    def take(self, member: str, tokens: list[str]) -> Any:
        if not tokens:
            raise self.malformed(member, "the whole document can't be removed")
        holder, last = self.find(member, tokens[:-1]), tokens[-1]
        found = self.child(member, holder, last)
        del holder[last if isinstance(holder, dict) else int(last)]
        return found

    def add(self) -> None:
        self.insert(self.tokens("path"), self.clone(self.value(), len(self.tokens("path"))))

    def remove(self) -> None:
        self.take("path", self.tokens("path"))

    def replace(self) -> None:
        tokens, value = self.tokens("path"), self.value()
        value = self.clone(value, len(tokens))
        if not tokens:
            self.root = value
            return
        holder, last = self.find("path", tokens[:-1]), tokens[-1]
        self.child("path", holder, last)
        holder[last if isinstance(holder, dict) else int(last)] = value

    def move(self) -> None:
        source, target = self.tokens("from"), self.tokens("path")
        if target[: len(source)] == source and len(target) > len(source):
            raise self.malformed("path", "a value can't be moved into itself")
        if source == target:
            self.find("from", source)
            return
        self.insert(target, self.clone(self.take("from", source), len(target)))

    def copy(self) -> None:
        source, target = self.tokens("from"), self.tokens("path")
        self.insert(target, self.clone(self.find("from", source), len(target)))

    def test(self) -> None:
        if not _equal(self.find("path", self.tokens("path")), self.value()):
            raise self.conflict("value", "the target is not equal to the tested value")

    def run(self, operations: list[Any]) -> None:
        for number, operation in enumerate(operations):
            self.place = f"patch[{number}]"
            name = operation.get("op") if isinstance(operation, dict) else None
            act = _ACTS.get(name) if isinstance(name, str) else None
            if act is None:
                raise self.malformed("op", f"one of {', '.join(_ACTS)}")
            self.operation = operation
            act(self)


_ACTS: dict[str, Callable[[_Patch], None]] = {
    "add": _Patch.add,
    "remove": _Patch.remove,
    "replace": _Patch.replace,
    "move": _Patch.move,
    "copy": _Patch.copy,
    "test": _Patch.test,
}


def apply_patch(document: dict[str, Any], operations: object) -> dict[str, Any]:
    """The document after all operations; the given one is left as it is.

    Args:
        document: a JSON object.
        operations: the body of the request: a list of RFC 6902 operations, applied in order, all or none.

    Raises:
        PatchError: the patch is malformed, too long, or inserts too much.
        PatchConflict: a target is not there, or a test fails.
    """
    if not isinstance(operations, list):
        raise PatchError("patch", "a JSON array of operations")
    if len(operations) > MAX_OPERATIONS:
        raise PatchError("patch", f"at most {MAX_OPERATIONS} operations")
    patch = _Patch(document)
    patch.run(operations)
    if not isinstance(patch.root, dict):
        raise PatchError("patch", "the patched document is an object")
    return patch.root


def _copied(value: Any) -> Any:
    """The given document is the store's own: no limits, and quick, since it is copied once per patch."""
    if isinstance(value, dict):
        return {key: _copied(item) if isinstance(item, (dict, list)) else item for key, item in value.items()}
    return [_copied(item) if isinstance(item, (dict, list)) else item for item in value]


def _equal(left: Any, right: Any) -> bool:
    """Equality of RFC 6902 section 4.6: numbers by value, and true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equal(item, right[key]) for key, item in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_equal, left, right))
    return bool(left == right)
