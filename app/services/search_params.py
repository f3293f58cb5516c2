"""Search parameters of a request to a query of the store (FHIR R4 3.1.1, https://hl7.org/fhir/R4/search.html).

Only what a ResourceSpec declares is searched; anything else is refused by name, or left out and said
so under ``Prefer: handling=lenient``. Nothing is silently widened.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from app.core.errors import NotSupported
from app.services.writing import turned
from app.store.reader import (
    ColumnIn,
    ColumnIs,
    ColumnMissing,
    ColumnStarts,
    Condition,
    IdIn,
    IndexIn,
    IndexIs,
    Operator,
)
from schemas.resources import ALL
from schemas.resources.base import ResourceSpec, SearchParam, fold
from schemas.resources.times import date_range

Pairs = Sequence[tuple[str, str]]
DEFAULT_COUNT: Final = 50
MAX_COUNT: Final = 500
_PREFIXES: Final = frozenset({"eq", "ne", "gt", "ge", "lt", "le"})
_RESULT: Final = frozenset(
    {"_count", "_sort", "_include", "_include:iterate", "_total", "_summary", "_format", "_pretty"}
)


@dataclass(slots=True)
class Asked:
    """What a search request asks for."""

    type: str
    conditions: list[Condition] = field(default_factory=list)
    includes: list[str] = field(default_factory=list)
    iterate: list[str] = field(default_factory=list)
    descending: bool = False
    count: int = DEFAULT_COUNT
    count_only: bool = False
    total: bool = False
    ignored: list[str] = field(default_factory=list)
    """Parameters that a lenient request had left out."""
    used: list[tuple[str, str]] = field(default_factory=list)
    """What was honoured, for the self link."""


def parse(resource_type: str, pairs: Pairs, *, lenient: bool) -> Asked:
    """The request's parameters; NotSupported names the first that this server does not know."""
    spec = ALL[resource_type]
    asked = Asked(resource_type)
    for name, value in pairs:
        try:
            if name in _RESULT:
                _result_parameter(asked, name, value)
            else:
                asked.conditions.append(_condition(spec, name, value))
        except NotSupported:
            if not lenient:
                raise
            asked.ignored.append(name)
            continue
        asked.used.append((name, value))
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


def _condition(spec: ResourceSpec, name: str, value: str) -> Condition:
    base, _, modifier = name.partition(":")
    param = spec.params.get(base)
    if param is None:
        raise _refuse(name, f"not a search parameter of {spec.type} on this server.")
    if not value:
        raise _refuse(name, "a value is expected.")
    if modifier == "missing":
        return _missing(param, name, value)
    if base == "_id":
        return IdIn(tuple(value.split(",")))
    values = _values(value)
    if param.kind == "date":
        return _date(param, name, modifier, values)
    if param.kind == "reference":
        return _reference(param, name, modifier, values)
    if param.kind == "token":
        return _token(param, name, modifier, values)
    return _text(param, name, modifier, values)


def _values(value: str) -> list[str]:
    """Values of an "or" list; a comma may be escaped."""
    parts = value.replace("\\,", "\x00").split(",")
    return [part.replace("\x00", ",").replace("\\|", "|").replace("\\$", "$").replace("\\\\", "\\") for part in parts]


def _missing(param: SearchParam, name: str, value: str) -> Condition:
    if value not in {"true", "false"} or param.column is None or param.column in {"id", "last_updated"}:
        raise _refuse(name, ":missing=true|false is supported for indexed elements of Task and ServiceRequest only.")
    return ColumnMissing(param.column, value == "true")


def _date(param: SearchParam, name: str, modifier: str, values: list[str]) -> Condition:
    if modifier or len(values) != 1:
        raise _refuse(name, "one date with an optional prefix is expected.")
    text = values[0].replace(" ", "+")
    operator = text[:2] if text[:2] in _PREFIXES else "eq"
    text = text.removeprefix(operator)
    found = date_range(text)
    if found is None:
        raise _refuse(name, "a FHIR date or instant is expected.")
    start, end = found
    compare = cast("Operator", operator)
    if "T" in text and operator in {"gt", "ge", "lt", "le"}:
        return _at(param, compare, start)
    bound = {"gt": ("ge", end), "ge": ("ge", start), "lt": ("lt", start), "le": ("lt", end)}.get(operator)
    if bound is None:
        raise _refuse(name, "the prefixes gt, ge, lt and le are supported.")
    return _at(param, cast("Operator", bound[0]), bound[1])


def _at(param: SearchParam, operator: Operator, micros: int) -> Condition:
    if param.column is not None:
        return ColumnIs(param.column, operator, micros)
    index = f"{param.name}:end" if operator in {"gt", "ge"} else param.name
    return IndexIs(index, operator, f"{micros:020d}")


def _reference(param: SearchParam, name: str, modifier: str, values: list[str]) -> Condition:
    if modifier and modifier not in ALL:
        raise _refuse(name, "this modifier is not supported.")
    wanted: list[str] = []
    for value in values:
        local = value.partition("/_history/")[0]
        if "/" in local or ":" in local:
            wanted.append("/".join(local.split("/")[-2:]) if _is_ours(local) else local)
        else:
            wanted += [f"{target}/{local}" for target in ((modifier,) if modifier else param.targets)]
    return _among(param, wanted)


def _is_ours(reference: str) -> bool:
    """An absolute URL is compared by type and id: every resource here has a random id."""
    return reference.startswith(("http://", "https://")) or ":" not in reference


def _token(param: SearchParam, name: str, modifier: str, values: list[str]) -> Condition:
    if modifier not in {"", "not"}:
        raise _refuse(name, "this modifier is not supported.")
    negated = modifier == "not"
    if param.system:
        codes = [v.partition("|")[2] if v.startswith(f"{param.system}|") else v for v in values]
        return _among(param, codes, negated=negated)
    if all("|" in value and not value.endswith("|") for value in values):
        return _among(param, [turned(value) for value in values], negated=negated)
    if any("|" in value for value in values) or (negated and param.column):
        raise _refuse(name, "all values must have the same form: code, or system|code.")
    starts = tuple(f"{value}|" for value in values)
    if param.column is not None:
        return ColumnStarts(param.column, starts)
    return IndexIn(param.name, starts, prefix=True, negated=negated)


def _text(param: SearchParam, name: str, modifier: str, values: list[str]) -> Condition:
    if param.kind == "uri":
        if modifier:
            raise _refuse(name, "this modifier is not supported.")
        return IndexIn(param.name, tuple(values))
    if modifier not in {"", "exact"}:
        raise _refuse(name, "this modifier is not supported.")
    return IndexIn(param.name, tuple(fold(value) for value in values), prefix=not modifier)


def _among(param: SearchParam, values: list[str], *, negated: bool = False) -> Condition:
    if param.column is not None:
        return ColumnIn(param.column, tuple(values), negated)
    return IndexIn(param.name, tuple(values), negated=negated)
