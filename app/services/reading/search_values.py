"""Tokens, references, strings and URIs of a search (FHIR R4 3.1.1.4, https://hl7.org/fhir/R4/search.html#ptypes)."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from app.services.reading.search_asked import Asked, Clause, Test, malformed, refused
from app.services.writing import Resource, turned
from app.store.queries import AnyOf, ColumnIn, ColumnMissing, ColumnStarts, Condition, IndexIn, Not
from schemas.resources import ALL
from schemas.resources.base import ResourceSpec, SearchParam, elements, fold, tokens_of

_ESCAPE: Final = re.compile(r"\\([\\,|$])")
_SEPARATOR: Final = re.compile(r"\\.|[,|]", re.DOTALL)
"""A separator, or an escape, which may hold one."""
_MODIFIERS: Final = {"token": {"", "not"}, "string": {"", "exact", "contains"}, "uri": {""}}
_LOCAL: Final = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})")
_ABSOLUTE: Final = re.compile(r"(?:https?|urn):.+")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One parameter with its values, as they were sent: parts of a value may still hold escapes."""

    param: SearchParam
    name: str
    modifier: str
    values: Sequence[str]


def split(value: str) -> list[str]:
    """The values of an "or" list; they keep their escapes, which may escape a comma."""
    return _parts(value, ",")


def _parts(value: str, separator: str, most: int | None = None) -> list[str]:
    """What stands between the unescaped separators, of which the first ``most`` count."""
    places = [found.start() for found in _SEPARATOR.finditer(value) if found[0] == separator][:most]
    starts = [0, *(place + 1 for place in places)]
    return [value[start:end] for start, end in zip(starts, [*places, len(value)], strict=True)]


def plain(text: str) -> str:
    """``text`` without its escapes."""
    return _ESCAPE.sub(r"\1", text)


def coded(asked: Asked, spec: ResourceSpec, wanted: Wanted) -> None:
    """Matches have one of the values (or, with ``:not``, none of them)."""
    if wanted.param.kind == "reference":
        asked.demand(_reference(spec, wanted))
    elif wanted.modifier not in _MODIFIERS[wanted.param.kind]:
        known = ", ".join(f":{one}" for one in sorted(_MODIFIERS[wanted.param.kind] | {"missing"}) if one)
        raise refused(wanted.name, f"of the modifiers only {known} can be used.")
    elif wanted.param.kind == "token":
        asked.demand(_token(spec, wanted))
    else:
        asked.demand(_text(spec, wanted))


# ---- tokens


@dataclass(frozen=True, slots=True)
class _Token:
    system: str | None
    """None: any; empty: none."""
    code: str
    """Empty: any."""

    def is_in(self, value: str) -> bool:
        """Whether a value, ``system|code``, is meant."""
        system, _, code = value.partition("|")
        return self.system in {None, system} and self.code in {"", code}


def _tokens(wanted: Wanted) -> list[_Token]:
    found = []
    for value in wanted.values:
        *system, code = [plain(part) for part in _parts(value, "|", 1)]
        if not any(system) and not code:
            raise malformed(wanted.name, "a code, system|code, |code or system| is expected.")
        found.append(_Token(system[0] if system else None, code))
    return found


def _token(spec: ResourceSpec, wanted: Wanted) -> Clause:
    tokens = _tokens(wanted)
    negated = wanted.modifier == "not"
    condition = _stored_tokens(spec, wanted.param, tokens)
    if condition is not None:
        return Not(condition) if negated else condition
    extract = wanted.param.extract

    def test(resource: Resource) -> bool:
        found = [value for value in extract(resource) if isinstance(value, str)]
        return any(token.is_in(value) for value in found for token in tokens) != negated

    return test


def _stored_tokens(spec: ResourceSpec, param: SearchParam, tokens: Sequence[_Token]) -> Condition | None:
    """What the store can look for; None where no column and no index holds the values."""
    if param.column == "id":
        return ColumnIn("id", tuple(token.code for token in tokens))
    if param.column is not None and param.system is not None:
        return _fixed(param.column, param.system, tokens)
    if any(not token.code for token in tokens):
        return None
    exact = tuple(turned(f"{token.system}|{token.code}") for token in tokens if token.system is not None)
    starts = tuple(f"{token.code}|" for token in tokens if token.system is None)
    places: list[Condition] = []
    if param.column is not None:
        places += [ColumnIn(param.column, exact)] if exact else []
        places += [ColumnStarts(param.column, starts)] if starts else []
    if param.column is None or param.many:
        if param.name not in spec.indexed:
            return None
        places += [IndexIn(param.name, exact)] if exact else []
        places += [IndexIn(param.name, starts, prefix=True)] if starts else []
    return _any(places)


def _fixed(column: str, system: str, tokens: Sequence[_Token]) -> Condition:
    """A column of codes, all of one system."""
    fits = [token for token in tokens if token.system in {None, system}]
    places: list[Condition] = [ColumnIn(column, tuple(token.code for token in fits if token.code))]
    if any(not token.code for token in fits):
        places.append(ColumnMissing(column, missing=False))
    return _any(places)


def _any(options: Sequence[Condition]) -> Condition:
    return options[0] if len(options) == 1 else AnyOf(tuple(options))


# ---- references


def _reference(spec: ResourceSpec, wanted: Wanted) -> Clause:
    if wanted.modifier == "identifier":
        return _identified(wanted)
    values = [one for value in wanted.values for one in _pointers(wanted, plain(value))]
    param = wanted.param
    indexed = param.name in spec.indexed and _is_indexed(param, values)
    if param.column is None:
        return IndexIn(param.name, tuple(values)) if indexed else _test(param, values, _equals)
    if not param.many:
        return ColumnIn(param.column, tuple(values))
    if not indexed:
        return _test(param, values, _equals)
    return AnyOf((ColumnIn(param.column, tuple(values)), IndexIn(param.name, tuple(values))))


def _is_indexed(param: SearchParam, values: Iterable[str]) -> bool:
    return not param.index_only or all(value.partition("/")[0] in param.index_only for value in values)


def _pointers(wanted: Wanted, value: str) -> list[str]:
    """What a value may stand for: ``Type/id``, or a URL. A URL is also compared by type and id: ids here are random."""
    asked = wanted.modifier
    if asked and asked not in _targets(wanted.param):
        raise refused(wanted.name, f"a modifier is :missing, :identifier or a type: {_listed(wanted.param)}.")
    local = value.partition("/_history/")[0]
    found = _LOCAL.fullmatch(local)
    if found is None and _ABSOLUTE.fullmatch(local):
        end = _LOCAL.fullmatch("/".join(local.split("/")[-2:]))
        return [local] if end is None else [local, _checked(wanted, end[1], end[2])]
    if found is not None:
        return [_checked(wanted, found[1], found[2])]
    if "/" in local or ":" in local or not local:
        raise malformed(wanted.name, f"Type/id, an id or a URL is expected; the type is {_listed(wanted.param)}.")
    types = (asked,) if asked else wanted.param.targets
    if not types:
        raise malformed(wanted.name, "Type/id is expected, since it may point to any type.")
    return [f"{target}/{local}" for target in types]


def _checked(wanted: Wanted, target: str, resource_id: str) -> str:
    if target not in _targets(wanted.param) or (wanted.modifier and wanted.modifier != target):
        raise malformed(wanted.name, f"it points to {wanted.modifier or _listed(wanted.param)}, not to this type.")
    return f"{target}/{resource_id}"


def _targets(param: SearchParam) -> Iterable[str]:
    return param.targets or ALL.keys()


def _listed(param: SearchParam) -> str:
    return ", ".join(sorted(param.targets)) or "any of this server"


def _identified(wanted: Wanted) -> Test:
    """``:identifier``: what the reference itself says of its target's identifier (3.1.1.4.11)."""
    tokens = _tokens(wanted)
    finders = [elements(path) for path in wanted.param.paths]

    def test(resource: Resource) -> bool:
        pointers = [pointer for find in finders for pointer in find(resource) if type(pointer) is dict]
        found = [value for pointer in pointers for value in tokens_of(pointer.get("identifier", {}))]
        return any(token.is_in(value) for value in found for token in tokens)

    return test


# ---- strings and URIs


def _text(spec: ResourceSpec, wanted: Wanted) -> Clause:
    param, values = wanted.param, [plain(value) for value in wanted.values]
    if wanted.modifier in {"exact", "contains"}:
        return _test(param, values, _equals if wanted.modifier == "exact" else _contains)
    if param.kind == "string":
        folded = tuple(fold(value) for value in values)
        return IndexIn(param.name, folded, prefix=True) if param.name in spec.indexed else _test(param, values, _starts)
    return IndexIn(param.name, tuple(values)) if param.name in spec.indexed else _test(param, values, _equals)


def _test(param: SearchParam, values: Sequence[str], matches: Callable[[str, str], bool]) -> Test:
    def test(resource: Resource) -> bool:
        found = [value for value in param.extract(resource) if isinstance(value, str)]
        return any(matches(value, asked) for value in found for asked in values)

    return test


def _equals(value: str, asked: str) -> bool:
    return value == asked


def _starts(value: str, asked: str) -> bool:
    return fold(value).startswith(fold(asked))


def _contains(value: str, asked: str) -> bool:
    return fold(asked) in fold(value)
