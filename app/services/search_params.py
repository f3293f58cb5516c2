"""Search parameters of a request to a query of the store (FHIR R4 3.1.1, https://hl7.org/fhir/R4/search.html).

Only what a ResourceSpec declares is searched; anything else is refused by name, or left out and said
so under ``Prefer: handling=lenient``. Nothing is silently widened.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, cast
from urllib.parse import urlencode

from app.core.errors import NotSupported
from app.services.writing import Resource, turned
from app.store.reader import (
    AnyOf,
    ColumnIn,
    ColumnIs,
    ColumnMissing,
    ColumnStarts,
    Condition,
    IdIn,
    IndexIn,
    Operator,
)
from schemas.resources import ALL
from schemas.resources.base import ResourceSpec, SearchParam, fold
from schemas.resources.times import date_range

Pairs = tuple[tuple[str, str], ...]
Test = Callable[[Resource], bool]
DEFAULT_COUNT: Final = 50
MAX_COUNT: Final = 500
_PREFIXES: Final = frozenset({"eq", "gt", "ge", "lt", "le"})
_RESULT: Final = frozenset(
    {"_count", "_sort", "_include", "_include:iterate", "_total", "_summary", "_format", "_pretty"}
)


@dataclass(slots=True)
class Asked:
    """What a search request asks for."""

    type: str
    conditions: list[Condition] = field(default_factory=list)
    """What the store looks for."""
    tests: list[Test] = field(default_factory=list)
    """What is looked for among the resources that the conditions leave: parameters that no index holds."""
    includes: list[str] = field(default_factory=list)
    iterate: list[str] = field(default_factory=list)
    descending: bool = False
    count: int = DEFAULT_COUNT
    count_only: bool = False
    total: bool = False
    ignored: list[str] = field(default_factory=list)
    """Parameters that a lenient request had left out."""
    used: list[tuple[str, str]] = field(default_factory=list)
    """What was honoured."""
    link: str = ""
    """The same as the query of the self link, with its question mark."""


@lru_cache(maxsize=1024)
def parse(resource_type: str, pairs: Pairs, *, lenient: bool) -> Asked:
    """The request's parameters; NotSupported names the first that this server does not know.

    A poller asks the same again and again, so the answer is kept; it holds no data and is not changed.
    """
    spec = ALL[resource_type]
    asked = Asked(resource_type)
    for name, value in pairs:
        try:
            if name in _RESULT:
                _result_parameter(asked, name, value)
            else:
                _resource_parameter(asked, spec, name, value)
        except NotSupported:
            if not lenient:
                raise
            asked.ignored.append(name)
            continue
        asked.used.append((name, value))
    if asked.used:
        asked.link = f"?{urlencode(asked.used)}"
    return asked


def _refuse(name: str, why: str) -> NotSupported:
    shown = "".join(c for c in name[:64] if c.isalnum() or c in "_:-.")
    return NotSupported(f"Search parameter {shown}: {why}", path=f"http.{shown}")


# ---- parameters about the result


def _result_parameter(asked: Asked, name: str, value: str) -> None:
    handler = _HANDLERS.get(name)
    if handler is not None:
        handler(asked, value)


def _count(asked: Asked, value: str) -> None:
    if not value.isdecimal() or len(value) > 6:
        raise _refuse("_count", "a whole number is expected.")
    asked.count = min(int(value), MAX_COUNT)
    if asked.count == 0:
        asked.count_only = True


def _sort(asked: Asked, value: str) -> None:
    if value not in {"_lastUpdated", "-_lastUpdated"}:
        raise _refuse("_sort", "only _lastUpdated and -_lastUpdated are supported.")
    asked.descending = value.startswith("-")


def _include(asked: Asked, value: str) -> None:
    asked.includes.append(_known_include(value))


def _iterate(asked: Asked, value: str) -> None:
    asked.iterate.append(_known_include(value))


def _known_include(value: str) -> str:
    parts = value.split(":")
    source = ALL.get(parts[0])
    if len(parts) not in {2, 3} or source is None or ":".join(parts[:2]) not in source.references:
        raise _refuse("_include", "not an include of this server; see the CapabilityStatement.")
    return ":".join(parts[:2])


def _total(asked: Asked, value: str) -> None:
    if value not in {"none", "estimate", "accurate"}:
        raise _refuse("_total", "none, estimate or accurate is expected.")
    asked.total = value != "none"


def _summary(asked: Asked, value: str) -> None:
    if value not in {"count", "false"}:
        raise _refuse("_summary", "only count and false are supported.")
    asked.count_only = asked.count_only or value == "count"


_HANDLERS: Final[dict[str, Callable[[Asked, str], None]]] = {
    "_count": _count,
    "_sort": _sort,
    "_include": _include,
    "_include:iterate": _iterate,
    "_total": _total,
    "_summary": _summary,
}


# ---- parameters about the resource


def _resource_parameter(asked: Asked, spec: ResourceSpec, name: str, value: str) -> None:
    base, _, modifier = name.partition(":")
    param = spec.params.get(base)
    if param is None:
        raise _refuse(name, f"not a search parameter of {spec.type} on this server.")
    if not value:
        raise _refuse(name, "a value is expected.")
    if modifier == "missing":
        _missing(asked, param, name, value)
    elif base == "_id":
        asked.conditions.append(IdIn(tuple(value.split(","))))
    elif param.kind == "date":
        _date(asked, param, name, value)
    else:
        _coded(asked, spec, _Wanted(param, name, modifier, _values(value)))


def _values(value: str) -> list[str]:
    """Values of an "or" list; a comma may be escaped."""
    parts = value.replace("\\,", "\x00").split(",")
    return [part.replace("\x00", ",").replace("\\|", "|").replace("\\$", "$").replace("\\\\", "\\") for part in parts]


def _missing(asked: Asked, param: SearchParam, name: str, value: str) -> None:
    if value not in {"true", "false"}:
        raise _refuse(name, "true or false is expected.")
    missing = value == "true"
    if param.column is not None:
        asked.conditions.append(ColumnMissing(param.column, missing))
    else:
        asked.tests.append(lambda resource: (not param.extract(resource)) == missing)


# ---- dates


def _date(asked: Asked, param: SearchParam, name: str, value: str) -> None:
    text = value.replace(" ", "+")
    operator = text[:2] if text[:2] in _PREFIXES else "eq"
    text = text.removeprefix(operator)
    found = date_range(text)
    if ":" in name or found is None:
        raise _refuse(name, "one FHIR date or instant with an optional prefix is expected.")
    start, end = found
    if "T" in text and operator in {"gt", "lt", "ge", "le"}:
        # An instant is compared as it was sent: a client that cuts digits off sees repeats, never a gap.
        bounds = [(operator, start)]
    else:
        bounds = [*_BOUNDS[operator](start, end)]
    for compare, micros in bounds:
        if param.column is not None:
            asked.conditions.append(ColumnIs(param.column, cast("Operator", compare), micros))
        else:
            asked.tests.append(_date_test(param, compare, micros))


_BOUNDS: Final[dict[str, Callable[[int, int], list[tuple[str, int]]]]] = {
    "eq": lambda start, end: [("ge", start), ("lt", end)],
    "gt": lambda _, end: [("ge", end)],
    "ge": lambda start, _: [("ge", start)],
    "lt": lambda start, _: [("lt", start)],
    "le": lambda _, end: [("lt", end)],
}


def _date_test(param: SearchParam, compare: str, micros: int) -> Test:
    """Whether some range of the resource reaches past ``micros`` (gt, ge) or starts before it (lt, le)."""

    def test(resource: Resource) -> bool:
        ranges = [value for value in param.extract(resource) if isinstance(value, tuple)]
        if compare in {"gt", "ge"}:
            return any(end > micros for _, end in ranges)
        return any(start < micros or (compare == "le" and start == micros) for start, _ in ranges)

    return test


# ---- codes, references and texts


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One parameter with its values."""

    param: SearchParam
    name: str
    modifier: str
    values: list[str]


def _coded(asked: Asked, spec: ResourceSpec, wanted: _Wanted) -> None:
    if wanted.param.kind == "reference":
        wanted = _as_references(wanted)
    elif wanted.modifier not in _MODIFIERS[wanted.param.kind]:
        raise _refuse(wanted.name, "this modifier is not supported.")
    condition = _stored(spec, wanted)
    if condition is not None:
        asked.conditions.append(condition)
    else:
        asked.tests.append(_test(wanted))


_MODIFIERS: Final = {"token": {"", "not"}, "string": {"", "exact"}, "uri": {""}}


def _as_references(wanted: _Wanted) -> _Wanted:
    """Ids and URLs as ``Type/id``; an absolute URL is compared by type and id: ids here are random."""
    if wanted.modifier and wanted.modifier not in ALL:
        raise _refuse(wanted.name, "this modifier is not supported.")
    values: list[str] = []
    for value in wanted.values:
        local = value.partition("/_history/")[0]
        if local.startswith(("http://", "https://")):
            values.append("/".join(local.split("/")[-2:]))
        elif "/" in local or ":" in local:
            values.append(local)
        else:
            values += [
                f"{target}/{local}" for target in ((wanted.modifier,) if wanted.modifier else wanted.param.targets)
            ]
    return _Wanted(wanted.param, wanted.name, "", values)


def _stored(spec: ResourceSpec, wanted: _Wanted) -> Condition | None:
    """What the store can look for; None where no column and no index holds the values."""
    param = wanted.param
    indexed = param.name in spec.indexed and _is_indexed(param, wanted.values)
    if param.column is None:
        return _in_index(wanted) if indexed else None
    column = _in_column(wanted)
    if column is None or not param.many:
        return column
    negated = wanted.modifier == "not"
    return AnyOf((column, _in_index(wanted))) if indexed and not negated else None


def _is_indexed(param: SearchParam, values: list[str]) -> bool:
    return not param.index_only or all(value.partition("/")[0] in param.index_only for value in values)


def _in_column(wanted: _Wanted) -> Condition | None:
    param, negated, values = wanted.param, wanted.modifier == "not", wanted.values
    column = param.column or ""
    if param.kind != "token":
        return ColumnIn(column, tuple(values), negated)
    if param.system:
        codes = tuple(v.partition("|")[2] if v.startswith(f"{param.system}|") else v for v in values)
        return ColumnIn(column, codes, negated)
    if all("|" in value and not value.endswith("|") for value in values):
        return ColumnIn(column, tuple(turned(value) for value in values), negated)
    if negated or any("|" in value for value in values):
        return None
    return ColumnStarts(column, tuple(f"{value}|" for value in values))


def _in_index(wanted: _Wanted) -> Condition:
    param, negated, values = wanted.param, wanted.modifier == "not", wanted.values
    if param.kind == "string":
        return IndexIn(param.name, tuple(fold(value) for value in values), prefix=wanted.modifier != "exact")
    if param.kind != "token":
        return IndexIn(param.name, tuple(values), negated=negated)
    if all("|" in value for value in values):
        return IndexIn(param.name, tuple(turned(value) for value in values), negated=negated)
    return IndexIn(param.name, tuple(f"{value}|" for value in values), prefix=True, negated=negated)


def _test(wanted: _Wanted) -> Test:
    """The same question, asked of a resource."""
    param = wanted.param
    matches = _MATCHES[param.kind]

    def test(resource: Resource) -> bool:
        found = [value for value in param.extract(resource) if isinstance(value, str)]
        hit = any(matches(value, asked, wanted.modifier) for value in found for asked in wanted.values)
        return hit != (wanted.modifier == "not")

    return test


def _token_matches(value: str, asked: str, _: str) -> bool:
    system, bar, code = asked.partition("|")
    if not bar:
        return value.rpartition("|")[2] == asked
    return value == asked or (not code and value.startswith(f"{system}|"))


def _string_matches(value: str, asked: str, modifier: str) -> bool:
    return value == asked if modifier == "exact" else fold(value).startswith(fold(asked))


def _equals(value: str, asked: str, _: str) -> bool:
    return value == asked


_MATCHES: Final[dict[str, Callable[[str, str, str], bool]]] = {
    "token": _token_matches,
    "string": _string_matches,
    "reference": _equals,
    "uri": _equals,
}
