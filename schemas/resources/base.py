"""What the hub knows about one FHIR type: how it is searched, what holds in it, what may be done with it.

A module of this folder describes one type and names its ``ResourceSpec`` ``SPEC``; ``schemas.resources.ALL``
finds it by listing the folder. Extractors are pure functions over resources that passed the gate
(``fhir_mappings.gate``), so they trust shapes and never raise on such a resource.

Values that extractors give, by kind of parameter:

- ``token``: ``system|code``; the system is empty where none is given. Split at the first ``|``. In a column whose
  ``SearchParam.system`` is set, FHIR fixes the system and the value is the code alone.
- ``reference``: ``Type/id`` for a local reference (a version is cut off), an absolute URL or URN as it is.
  References to contained resources and logical references give nothing.
- ``date``: microseconds since 1970 UTC, first instant (inclusive) and end (exclusive) of what the text says.
- ``string``, ``uri``: the text; compare strings after ``fold`` on both sides.
"""

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from schemas.resources.times import OPEN_END, OPEN_START, date_range

Resource = dict[str, Any]
Kind = Literal["token", "reference", "date", "string", "uri"]
Value = str | tuple[int, int]
Extract = Callable[[Resource], list[Value]]

READ = frozenset({"read", "search-type"})
"""FHIR interaction codes of a type that clients only read."""
AUTHORED = READ | {"vread", "history-instance", "create", "update", "patch", "delete"}
"""Those of a type that its author writes: who created a resource may change and delete it."""


def elements(path: str) -> Callable[[Resource], list[Any]]:
    """A function that lists what stands at a dotted path, lists flattened, absent and null left out."""
    steps = tuple(path.split("."))

    def find(resource: Resource) -> list[Any]:
        found: list[Any] = [resource]
        for step in steps:
            deeper: list[Any] = []
            for item in found:
                below = item.get(step)
                if type(below) is list:
                    deeper += below
                elif below is not None:
                    deeper.append(below)
            if not deeper:
                return deeper
            found = deeper
        return [item for item in found if item is not None]

    return find


@dataclass(frozen=True, slots=True)
class SearchParam:
    """One search parameter of a type; names and meaning are those of FHIR R4 (or the profile guide named beside it)."""

    name: str
    kind: Kind
    extract: Extract
    paths: tuple[str, ...] = ()
    """Element paths that it reads, without the type."""
    column: str | None = None
    """Column of the store's ``resource`` table that holds it; None = the generic index."""
    many: bool = False
    """With a column: the first value stands in the column, further ones in the generic index."""
    system: str | None = None
    """With a column: the code system that FHIR fixes; values are then codes alone."""
    targets: tuple[str, ...] = ()
    """Types that a reference may point to; what ``owner=123`` (an id alone) can mean."""
    index_only: tuple[str, ...] = ()
    """Where set, the generic index holds references to these types only."""
    definition: str = ""
    """Canonical URL of its SearchParameter, where a guide and not FHIR itself defines it."""


@dataclass(frozen=True, slots=True)
class Invariant:
    """One rule that a resource keeps: ``holds`` is asked of each element at ``path``.

    ``path`` starts with the type (``Patient.name``). ``element`` is the child that a report points to, where that is
    not the element itself. ``code`` is the FHIR issue type. ``text`` says what is expected, never what was found.
    """

    key: str
    text: str
    path: str
    holds: Callable[[Resource], bool]
    element: str = ""
    code: str = "invariant"
    given: str = ""
    """Where set, an element that is enough: whatever has it keeps the rule."""

    def broken(self, resource: Resource) -> list[str]:
        """FHIR expressions (``Patient.name[0]``) of the elements that break the rule; empty = it holds."""
        root, *steps = self.path.split(".")
        found: list[tuple[str, Any]] = [(root, resource)]
        for step in steps:
            found = [pair for expression, item in found for pair in _children(expression, item, step)]
        return [self._report(expression) for expression, item in found if not self.holds(item)]

    def _report(self, expression: str) -> str:
        return f"{expression}.{self.element}" if self.element else expression


def _everywhere(steps: list[str], holds: Callable[[Resource], bool]) -> Callable[[Resource], bool]:
    """``holds`` of each element at a path, short for the usual lengths."""
    if not steps:
        return holds
    if len(steps) > 1:
        find = elements(".".join(steps))
        return lambda resource: all(holds(item) for item in find(resource))
    name = steps[0]

    def one(resource: Resource) -> bool:
        found = resource.get(name)
        if found is None:
            return True
        if type(found) is list:
            return all(item is None or holds(item) for item in found)
        return holds(found)

    return one


def _all_of(tests: list[Callable[[Resource], bool]]) -> Callable[[Resource], bool]:
    if len(tests) == 1:
        return tests[0]

    def hold(item: Resource) -> bool:
        for holds in tests:  # noqa: SIM110 - see Rules.kept_by
            if not holds(item):
                return False
        return True

    return hold


class Rules:
    """Invariants that are asked together: of a resource that keeps them all, each is soon asked."""

    def __init__(self, invariants: Iterable[Invariant]) -> None:
        self.invariants = tuple(invariants)
        given: set[str] = set()
        by_path: dict[str, list[Callable[[Resource], bool]]] = {}
        for rule in self.invariants:
            if rule.given and "." not in rule.path:
                given.add(rule.given)
            else:
                by_path.setdefault(rule.path, []).append(rule.holds)
        self._given = frozenset(given)
        self._tests = tuple(_everywhere(path.split(".")[1:], _all_of(holds)) for path, holds in by_path.items())

    def kept_by(self, resource: Resource) -> bool:
        """True: every rule holds. False: one may be broken; ``broken`` of each says whether and where."""
        if not self._given <= resource.keys():
            return False
        for keeps in self._tests:  # noqa: SIM110 - most rules cost less than the generator of an ``all``
            if not keeps(resource):
                return False
        return True


def _children(expression: str, item: Resource, step: str) -> Iterator[tuple[str, Any]]:
    below = item.get(step)
    if isinstance(below, list):
        for index, child in enumerate(below):
            if child is not None:
                yield f"{expression}.{step}[{index}]", child
    elif below is not None:
        yield f"{expression}.{step}", below


@dataclass(frozen=True)
class ResourceSpec:
    """All that is particular to one FHIR type."""

    type: str
    search: tuple[SearchParam, ...] = ()
    interactions: frozenset[str] = READ
    invariants: tuple[Invariant, ...] = ()
    indexed: frozenset[str] = frozenset({"patient"})
    """Parameters that the generic index holds. It costs a row and two tree entries per value in the commit of
    every referral, so only selective ones stand in it; the others are looked for among what those leave."""
    profiles: Mapping[str, tuple[Invariant, ...]] = field(default_factory=dict)
    """Rules of each profile that is checked, by canonical URL with version (``http://...|7.0.0``)."""
    rendered: bool = False
    """Whether it is made from other rows when it is read: then no column and no index holds any of it."""

    @cached_property
    def params(self) -> dict[str, SearchParam]:
        """Every parameter that a search of this type knows, common ones included, by name."""
        common = [replace(param, column=None) for param in COMMON] if self.rendered else COMMON
        return {param.name: param for param in (*common, *self.search)} if self.search else {}

    @cached_property
    def references(self) -> dict[str, Callable[[Resource], list[str]]]:
        """``_include`` name (``Task:focus``) to a function that lists local references (``Type/id``)."""
        if self.rendered:
            return {}
        return {f"{self.type}:{p.name}": _local(p.extract) for p in self.search if p.kind == "reference"}

    @cached_property
    def revincludes(self) -> dict[str, tuple[str, ...]]:
        """``_revinclude`` name (``Provenance:target``) to the types that it can be followed from; none named: any.

        Only references that a column or the index holds: whatever points to a match must be found without looking.
        """
        held = (p for p in self.search if p.kind == "reference" and self._holds(p))
        return {f"{self.type}:{p.name}": p.index_only or p.targets for p in held}

    def _holds(self, param: SearchParam) -> bool:
        in_index = param.name in self.indexed
        return in_index if param.column is None else in_index or not param.many

    @cached_property
    def sorts(self) -> dict[str, str]:
        """``_sort`` name to the column that it sorts by; codes sort as text, several values by the first."""
        if self.rendered:
            return {"_lastUpdated": "last_updated"}
        return {param.name: param.column for param in self.params.values() if param.column}

    @cached_property
    def rules(self) -> Rules:
        """The invariants of the type."""
        return Rules(self.invariants)

    @cached_property
    def claims(self) -> dict[str, Rules]:
        """Rules of each profile by what ``meta.profile`` may say: its URL with or without version."""
        versioned = {url: Rules(rules) for url, rules in self.profiles.items()}
        return {**{url.partition("|")[0]: rules for url, rules in versioned.items()}, **versioned}

    @cached_property
    def _by_column(self) -> tuple[tuple[str, bool, Extract], ...]:
        return tuple((p.column, p.kind == "date", p.extract) for p in self.search if p.column)

    @cached_property
    def _by_index(self) -> tuple[tuple[str, int, tuple[str, ...], Extract], ...]:
        params = (*INDEXED, *self.search) if self.search else ()
        return tuple(
            (p.name, 1 if p.column else 0, tuple(f"{name}/" for name in p.index_only), p.extract)
            for p in params
            if p.name in self.indexed
        )

    def columns(self, resource: Resource) -> dict[str, str | int]:
        """Values of the typed columns; a date gives its first instant in microseconds. Absent = not in the result."""
        out: dict[str, str | int] = {}
        for column, is_date, extract in self._by_column:
            values = extract(resource)
            if values:
                first = values[0]
                out[column] = first[0] if is_date else first  # type: ignore[assignment]  # date values are pairs
        return out

    def index(self, resource: Resource) -> list[tuple[str, Value]]:
        """Rows of the generic index: (parameter name, value), each once."""
        rows: list[tuple[str, Value]] = []
        for name, skip, only, extract in self._by_index:
            found = extract(resource)
            if len(found) > skip:
                values = dict.fromkeys(found[skip:])
                rows += [(name, value) for value in values if not only or str(value).startswith(only)]
        return rows


def _local(extract: Extract) -> Callable[[Resource], list[str]]:
    def references(resource: Resource) -> list[str]:
        return [value for value in extract(resource) if isinstance(value, str) and ":" not in value]

    return references


def fold(text: str) -> str:
    """A string as searches compare it: without case and accents, white space collapsed (FHIR R4 search, 3.1.1.4.8)."""
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return " ".join(text.casefold().split())


# ---- one function per kind of parameter; each returns the SearchParam


def _gather(paths: tuple[str, ...], convert: Callable[[Any], Iterable[Value]]) -> Extract:
    """Everything at the paths, converted. One function where there is one top-level path: that is the usual case."""
    if len(paths) == 1 and "." not in paths[0]:
        name = paths[0]

        def one(resource: Resource) -> list[Value]:
            found = resource.get(name)
            if found is None:
                return []
            if type(found) is not list:
                return [*convert(found)]
            if len(found) == 1 and found[0] is not None:
                return [*convert(found[0])]
            return [value for item in found if item is not None for value in convert(item)]

        return one
    finders = tuple(elements(path) for path in paths)

    def several(resource: Resource) -> list[Value]:
        return [value for find in finders for item in find(resource) for value in convert(item)]

    return several


def tokens_of(value: Any) -> tuple[str, ...]:
    """Token values of a CodeableConcept, Coding, Identifier, code, boolean or id."""
    if type(value) is str:
        return (f"|{value}",)
    if type(value) is bool:
        return ("|true" if value else "|false",)
    if "coding" in value:
        return tuple(f"{c.get('system', '')}|{c['code']}" for c in value["coding"] if "code" in c)
    code = value.get("code") or value.get("value")
    return (f"{value.get('system', '')}|{code}",) if code else ()


def token(name: str, *paths: str, column: str | None = None, many: bool = False) -> SearchParam:
    """A token parameter over coded elements or identifiers."""
    return SearchParam(name, "token", _gather(paths, tokens_of), paths, column, many)


def code(name: str, path: str, system: str, *, column: str | None = None) -> SearchParam:
    """A token parameter over elements of type ``code``, whose system FHIR fixes; in a column the code stands alone."""
    if column:
        return SearchParam(name, "token", _gather((path,), lambda value: (value,)), (path,), column, system=system)
    return SearchParam(name, "token", _gather((path,), lambda value: (f"{system}|{value}",)), (path,))


def reference_of(value: Resource) -> tuple[str, ...]:
    """A Reference as ``Type/id`` or absolute URI; nothing for contained or logical references."""
    text = value.get("reference")
    if not text or text[0] == "#":
        return ()
    return (text,) if ":" in text else (text.partition("/_history/")[0],)


def reference(
    name: str,
    *paths: str,
    targets: tuple[str, ...] = (),
    column: str | None = None,
    many: bool = False,
    index_only: tuple[str, ...] = (),
    definition: str = "",
) -> SearchParam:
    """A reference parameter; ``targets`` are the types that FHIR allows (none given: any)."""
    extract = _gather(paths, reference_of)
    return SearchParam(
        name,
        "reference",
        extract,
        paths,
        column,
        many,
        targets=targets,
        index_only=index_only,
        definition=definition,
    )


def references_to(target: str, name: str, *paths: str, column: str | None = None) -> SearchParam:
    """A reference parameter over those that point to one type (``where(resolve() is Patient)``)."""

    def values(value: Resource) -> tuple[str, ...]:
        points = f"{target}/" in value.get("reference", "") or value.get("type") == target
        return reference_of(value) if points else ()

    return SearchParam(name, "reference", _gather(paths, values), paths, column, targets=(target,))


def patient(*paths: str, column: str | None = None) -> SearchParam:
    """The parameter ``patient``: the subject, where that is a Patient."""
    return references_to("Patient", "patient", *paths, column=column)


def dates_of(value: Any) -> tuple[Value, ...]:
    """A date, dateTime, instant, Period or Timing as ranges of microseconds."""
    if type(value) is str:
        found = date_range(value)
        return (found,) if found else ()
    if "event" in value or "repeat" in value:
        bounds = value.get("repeat", {}).get("boundsPeriod")
        inner = [*value.get("event", ()), *((bounds,) if bounds else ())]
        return tuple(found for item in inner if item is not None for found in dates_of(item))
    start, end = date_range(value.get("start", "")), date_range(value.get("end", ""))
    if not start and not end:
        return ()
    return ((start[0] if start else OPEN_START, end[1] if end else OPEN_END),)


def date(name: str, *paths: str, column: str | None = None) -> SearchParam:
    """A date parameter; a column holds the first instant."""
    return SearchParam(name, "date", _gather(paths, dates_of), paths, column)


_STRING_PARTS = (
    *("text", "family", "given", "prefix", "suffix"),
    *("line", "city", "district", "state", "postalCode", "country"),
)


def strings_of(value: Any) -> tuple[str, ...]:
    """The texts of a string, HumanName or Address."""
    if type(value) is str:
        return (value,)
    found: list[str] = []
    for part in _STRING_PARTS:
        text = value.get(part)
        if type(text) is list:
            found += [item for item in text if item is not None]
        elif text is not None:
            found.append(text)
    return tuple(found)


def string(name: str, *paths: str) -> SearchParam:
    """A string parameter over text, names or addresses."""
    return SearchParam(name, "string", _gather(paths, strings_of), paths)


def uri(name: str, *paths: str) -> SearchParam:
    """A URI parameter."""
    return SearchParam(name, "uri", _gather(paths, lambda value: (value,)), paths)


def _canonical(value: str) -> tuple[str, ...]:
    bare, bar, _version = value.partition("|")
    return (value, bare) if bar else (value,)


INDEXED = (
    # with and without version, so that a search for the bare URL finds each version
    SearchParam("_profile", "uri", _gather(("meta.profile",), _canonical), ("meta.profile",)),
    token("_security", "meta.security"),
    token("_tag", "meta.tag"),
    uri("_source", "meta.source"),
)
"""Parameters of every type that stand in the generic index."""

COMMON = (
    token("_id", "id", column="id"),
    date("_lastUpdated", "meta.lastUpdated", column="last_updated"),
    *INDEXED,
)
"""Parameters of every type; ``_id`` and ``_lastUpdated`` are the store's own columns."""


def contact(name: str, path: str, system: str | None = None) -> SearchParam:
    """A token parameter over contact points, of one system (``phone``) or all; the use of a contact is no namespace."""

    def values(value: Resource) -> tuple[str, ...]:
        wanted = system is None or value.get("system") == system
        return (f"|{value['value']}",) if wanted and "value" in value else ()

    return SearchParam(name, "token", _gather((path,), values), (path,))


# ---- words of invariants


def has(item: Resource, name: str) -> bool:
    """FHIRPath ``exists()`` of an element; extensions without value count."""
    return name in item or f"_{name}" in item


def has_choice(item: Resource, name: str) -> bool:
    """FHIRPath ``exists()`` of a choice: ``value`` finds valueString, valueQuantity, ..."""
    size = len(name)
    for key in item:
        if name in key:
            plain = key.removeprefix("_")
            if plain.startswith(name) and plain[size : size + 1].isupper():
                return True
    return False


def any_of(*names: str) -> Callable[[Resource], bool]:
    """A rule: at least one of these elements is there."""
    return lambda item: any(has(item, name) for name in names)


def coded(concept: Resource | None, system: str, *codes: str) -> bool:
    """Whether a CodeableConcept holds one of the codes of a system."""
    for coding in concept.get("coding", ()) if concept else ():
        if coding.get("system") == system and coding.get("code") in codes:
            return True
    return False
