"""Which changes of a topic a Subscription asks for: its filter criteria, read once, asked by the store at each commit.

http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-filter-criteria: search-style texts, all of
which must hold. Gravity's topics say which parameters there are.

What comes out is a JSON object that both databases understand. ``id``, ``status``, ``owner``, ``requester``: one of
these; ``not_status``: none of these; ``code``: one of these, where a value that ends in ``|`` is the beginning of one;
``from`` (inclusive) and ``before`` (exclusive): bounds of lastUpdated in microseconds.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final
from urllib.parse import unquote_plus

from app.rules.verdict import Reason
from schemas.resources import ALL
from schemas.resources.times import date_range

Filters = dict[str, Any]
NAMES: Final = {
    "Task": ("_lastUpdated", "code", "owner", "requester", "status"),
    "ServiceRequest": ("_id", "_lastUpdated"),
}
"""Parameters of each topic (Gravity SDOHCC 3.0.0, canFilterBy)."""
_MAX_VALUES: Final = 200
_TASK_STATUS: Final = frozenset(
    ("draft", "requested", "received", "accepted", "rejected", "ready", "cancelled", "in-progress", "on-hold", "failed")
) | {"completed", "entered-in-error"}
_ID: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_REFERENCE: Final = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})")
_DATE: Final = re.compile(r"(gt|ge|lt|le|sa|eb|eq)?(.+)")


class _RefusedError(Exception):
    """Why one criterion can't be taken."""


def read(criteria: Sequence[str], topic: str, base: str) -> tuple[Filters, tuple[Reason, ...]]:
    """The filters of all ``criteria`` together, and what is wrong with any of them.

    Args:
        criteria: the texts, in the order of the extensions: ``status=requested``, ``Task.owner=Organization/1``,
            ``Task?owner=Organization/1&status:not=draft``.
        topic: Task or ServiceRequest.
        base: base URL of the FHIR API, which references may start with.
    """
    found: Filters = {}
    reasons = []
    for position, text in enumerate(criteria):
        try:
            for pair in _pairs(text, topic):
                _add(found, pair, topic, base)
        except _RefusedError as refusal:
            path = f"Subscription.criteria.extension[{position}].value"
            reasons.append(Reason("filter", str(refusal), path))
    return found, tuple(reasons)


def _pairs(text: str, topic: str) -> list[tuple[str, str, str]]:
    """(parameter, modifier, value) of each part of one criterion."""
    kind, mark, rest = text.partition("?")
    parts = rest.split("&") if mark else [text]
    if mark and kind != topic:
        raise _RefusedError(f"This topic is about {topic}; a filter of another type can't be taken.")
    pairs = []
    for part in parts:
        name, equals, value = part.partition("=")
        if not equals or not value:
            raise _RefusedError("A filter is parameter=value, Type.parameter=value or Type?parameter=value.")
        typed, dot, bare = name.rpartition(".")
        if dot and typed != topic:
            raise _RefusedError(f"This topic is about {topic}; a filter of another type can't be taken.")
        bare, _, modifier = bare.partition(":")
        pairs.append((bare, modifier, unquote_plus(value)))
    return pairs


def _add(found: Filters, pair: tuple[str, str, str], topic: str, base: str) -> None:
    name, modifier, text = pair
    if name not in NAMES[topic]:
        raise _RefusedError(f"Parameters of this topic are {', '.join(NAMES[topic])}.")
    if modifier and (name, modifier) != ("status", "not"):
        raise _RefusedError("The only modifier that a filter may have is status:not.")
    if name == "_lastUpdated":
        _bound(found, text)
        return
    values = text.split(",")
    if len(values) > _MAX_VALUES:
        raise _RefusedError(f"A filter lists at most {_MAX_VALUES} values.")
    read_values = _READERS[name](values, base)
    if modifier:
        found["not_status"] = sorted({*found.get("not_status", ()), *read_values})
    elif name == "code" and "code" in found:
        raise _RefusedError("code is given once; several values are separated by commas.")
    else:
        _narrow(found, name.removeprefix("_"), read_values)


def _narrow(found: Filters, key: str, values: Iterable[str]) -> None:
    """All criteria must hold, so what is left of a repeated one is what stands in each."""
    found[key] = sorted(set(values) & set(found[key]) if key in found else set(values))


def _bound(found: Filters, text: str) -> None:
    parts = _DATE.fullmatch(text)
    span = date_range(parts[2]) if parts else None
    if parts is None or span is None:
        raise _RefusedError("_lastUpdated is a date or an instant with gt, ge, lt, le, sa, eb or eq before it.")
    prefix, (start, end) = parts[1] or "eq", span
    after = {"gt": end, "sa": end, "ge": start, "eq": start}.get(prefix)
    before = {"lt": start, "eb": start, "le": end, "eq": end}.get(prefix)
    if after is not None:
        found["from"] = max(after, found.get("from", after))
    if before is not None:
        found["before"] = min(before, found.get("before", before))


def _statuses(values: Sequence[str], _base: str) -> list[str]:
    bare = [value.removeprefix("http://hl7.org/fhir/task-status|") for value in values]
    if not _TASK_STATUS.issuperset(bare):
        raise _RefusedError("status is one of the codes of http://hl7.org/fhir/task-status.")
    return bare


def _ids(values: Sequence[str], _base: str) -> list[str]:
    if not all(_ID.fullmatch(value) for value in values):
        raise _RefusedError("_id is one or several ids, separated by commas.")
    return list(values)


def _references(name: str) -> Callable[[Sequence[str], str], list[str]]:
    targets = ALL["Task"].params[name].targets

    def references(values: Sequence[str], base: str) -> list[str]:
        found: list[str] = []
        for value in values:
            local = value.removeprefix(f"{base}/")
            typed = _REFERENCE.fullmatch(local)
            if typed and typed[1] in targets:
                found.append(local)
            elif _ID.fullmatch(local):
                found += [f"{target}/{local}" for target in targets]
            else:
                raise _RefusedError(f"{name} is a reference to a resource of this server: Organization/id.")
        return found

    return references


def _codes(values: Sequence[str], _base: str) -> list[str]:
    """As the store keeps them: ``code|system``; a code alone is the beginning of one."""
    found = []
    for value in values:
        system, bar, code = value.rpartition("|")
        if not code or (bar and not system):
            raise _RefusedError("code is system|code or code.")
        found.append(f"{code}|{system}")
    return found


_READERS: Final[dict[str, Callable[[Sequence[str], str], list[str]]]] = {
    "status": _statuses,
    "_id": _ids,
    "owner": _references("owner"),
    "requester": _references("requester"),
    "code": _codes,
}
