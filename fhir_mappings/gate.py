"""The validation gate: every resource passes it before it is stored or answered upon.

In this order: the JSON Schema derived from the FHIR R4 definitions (structure, primitives, required codes, reference
targets, data type invariants), alignment of primitive extensions, contained references, the invariants of the type and
the rules of each profile that ``meta.profile`` claims. A problem names the element, the rule and what is expected;
never a value, which could identify a person.
"""

import functools
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import files
from itertools import islice
from typing import Any

import jsonschema_rs
import orjson

from schemas.resources import ALL
from schemas.resources.base import Resource, Rules
from schemas.resources.times import date_range

MAX_PROBLEMS = 100
"""Further problems of one resource are not listed."""
MAX_EXPLAINED = 64 * 1024
"""Bytes of JSON up to which all structural problems are listed; of a larger resource only the first, because each
costs time and memory, and a hostile body could hold a million."""

_HOLDERS = frozenset({"Bundle", "Parameters"})
"""Types that hold resources besides contained ones."""
_UNSAFE_NAME = re.compile(r"[^A-Za-z0-9_.\-]")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a resource."""

    path: str
    """FHIR expression of the element: ``Task.input[0].type``."""
    rule: str
    """``required``, ``unknown-element``, ``code``, ``reference-target``, a primitive type, or an invariant's key."""
    expected: str
    code: str
    """FHIR issue type: ``required``, ``structure``, ``value``, ``code-invalid``, ``invariant``."""


def check(resource: Resource, text: bytes | None = None) -> list[Problem]:
    """All problems of one resource, nested ones included; empty = valid.

    Invariants and profiles are judged only where the structure is sound.

    Args:
        resource: a FHIR resource as a dict.
        text: its JSON, of a caller who has it already.
    """
    if text is None:
        try:
            text = orjson.dumps(resource, default=_number)
        except TypeError:
            return [Problem("Resource", "json", "JSON of at most 254 levels, 64-bit integers, UTF-8 text", "structure")]
    problems = [] if _validator().is_valid(resource) else _structure(resource, everything=len(text) <= MAX_EXPLAINED)
    # Most resources hold no primitive extension, no local reference: one look at the bytes saves the walk,
    # first for a single byte, which is found or missed many times quicker than two.
    if b"_" in text and b'"_' in text:
        problems += _misaligned(resource)
    if problems:
        return list(dict.fromkeys(problems))[:MAX_PROBLEMS]
    kind = resource["resourceType"]
    if "contained" in resource or kind in _HOLDERS or (b"#" in text and b'"#' in text):
        problems += _contained(resource)
    problems += _rules(resource, kind)
    return problems[:MAX_PROBLEMS]


def check_all(resources: Iterable[Resource]) -> dict[int, list[Problem]]:
    """Problems by position of the resource; empty = all are valid."""
    return {index: problems for index, resource in enumerate(resources) if (problems := check(resource))}


def _number(value: Any) -> float:
    if isinstance(value, Decimal):
        return 0.0
    raise TypeError


# ---- structure: the derived schema


class _StrictInt:
    """JSON Schema's integer admits 1.0, FHIR's does not."""

    def __init__(self, parent_schema: dict[str, Any], value: Any, schema_path: list[str | int]) -> None:
        """The schema's own words are not needed."""

    def validate(self, instance: Any) -> None:
        if isinstance(instance, (float, Decimal)):
            raise ValueError  # noqa: TRY004 - what the library expects of a keyword


class _StartNotAfterEnd:
    """FHIR per-1: a Period starts before it ends; equal partial dates are fine.

    A day alone has no zone: beside a time it is compared with the day of that time, where the time is.
    """

    def __init__(self, parent_schema: dict[str, Any], value: Any, schema_path: list[str | int]) -> None:
        """The schema's own words are not needed."""

    def validate(self, instance: Any) -> None:
        start, end = _bounds(instance)
        if isinstance(start, str) and isinstance(end, str) and _after(start, end):
            raise ValueError


def _after(start: str, end: str) -> bool:
    if "T" not in start or "T" not in end:
        stated = min(len(start), len(end), len("2026-06-05"))
        return start[:stated] > end[:stated]
    began, ended = date_range(start), date_range(end)
    return began is not None and ended is not None and began[0] >= ended[1]


def _bounds(period: Any) -> tuple[Any, Any]:
    return (period.get("start"), period.get("end")) if isinstance(period, dict) else (None, None)


@functools.cache
def _schema_text() -> str:
    return (files("schemas") / "r4" / "r4.schema.json").read_text(encoding="utf-8")


@functools.cache
def _schema() -> dict[str, Any]:
    """The schema as data, read when the first problem has to be explained."""
    schema: dict[str, Any] = json.loads(_schema_text())
    return schema


@functools.cache
def _validator() -> jsonschema_rs.Draft202012Validator:
    # RegexOptions: the engine that needs linear time. mask: no value in the library's own messages.
    return jsonschema_rs.Draft202012Validator(
        orjson.loads(_schema_text()),
        keywords={"strictInt": _StrictInt, "startNotAfterEnd": _StartNotAfterEnd},
        pattern_options=jsonschema_rs.RegexOptions(),
        mask="***",
    )


def _structure(resource: Any, *, everything: bool) -> list[Problem]:
    name = resource.get("resourceType") if isinstance(resource, dict) else None
    root = name if isinstance(name, str) and name in _schema()["$defs"] else "Resource"
    errors = islice(_validator().iter_errors(resource), MAX_PROBLEMS) if everything else _first_error(resource)
    return list(dict.fromkeys(_problem(root, error) for error in errors))


def _first_error(resource: Any) -> Iterator[jsonschema_rs.ValidationError]:
    try:
        _validator().validate(resource)
    except jsonschema_rs.ValidationError as error:
        yield error


def _problem(root: str, error: jsonschema_rs.ValidationError) -> Problem:
    """One error of the library in our words: of it, only paths and the schema's own side are read."""
    kind = type(error.kind).__name__.split("_")[-1]
    path = list(error.instance_path)
    comment = _comment(error.schema_path)
    what, _, detail = comment.partition(" ")
    if isinstance(error.kind, jsonschema_rs.ValidationErrorKind.Required):
        path.append(error.kind.property)
    if what == "choice":
        path.append(detail)
    elif what == "invariant" and "@" in detail:
        path.append(detail.partition(": ")[0].partition("@")[2])
    elif isinstance(error.kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
        path.append(_UNSAFE_NAME.sub("?", error.kind.unexpected[0])[:64])
    rule, expected, code = _meaning(kind, what, detail, error)
    return Problem(expression(root, path), rule, expected, code)


def _comment(schema_path: list[str | int]) -> str:
    """The nearest ``$comment`` above the schema node that failed."""
    node: Any = _schema()
    found = ""
    for step in schema_path[:-1]:
        node = node[step]
        if isinstance(node, dict):
            found = node.get("$comment", found)
    return found if schema_path[:1] == ["$defs"] else ""


_BY_KIND = {
    "Required": ("required", "a required element", "required"),
    "AdditionalProperties": ("unknown-element", "only elements that FHIR R4 has here", "structure"),
    "MinItems": ("empty-list", "at least one item, or no element", "structure"),
    "MinProperties": ("empty-object", "at least one element", "structure"),
    "Type": ("type", "another JSON type", "structure"),
}


def _meaning(kind: str, what: str, detail: str, error: jsonschema_rs.ValidationError) -> tuple[str, str, str]:
    """(rule, expected, issue type) of a failure."""
    if what == "invariant":
        key, _, text = detail.partition(": ")
        return key.partition("@")[0], text, "invariant"
    if what == "choice":
        return "choice", f"exactly one of {detail}", "structure" if kind == "OneOfMultipleValid" else "required"
    if what == "target":
        return "reference-target", f"a reference to {detail.replace('|', ', ')}", "value"
    if what == "null":
        return "null", f"null {detail}", "structure"
    if isinstance(error.kind, jsonschema_rs.ValidationErrorKind.Enum):
        return "code", "one of: " + ", ".join(str(option) for option in error.kind.options), "code-invalid"
    if isinstance(error.kind, jsonschema_rs.ValidationErrorKind.Type) and not what:
        return "type", "a JSON " + " or ".join(error.kind.types), "structure"
    if what == "primitive":
        return detail, f"a FHIR {detail}", "structure" if kind == "Type" else "value"
    return _BY_KIND.get(kind, (kind, "what FHIR R4 defines here", "structure"))


def expression(root: str, path: Iterable[str | int]) -> str:
    """A path of names and positions as FHIR expression; a primitive's ``_x`` is the element x."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step.removeprefix('_')}" for step in path)
    return root + "".join(steps)


# ---- what a schema can't say


def _walk(resource: Any) -> Iterator[tuple[dict[str, Any], tuple[str | int, ...]]]:
    """Every object of a resource with its path; no recursion, so that depth is no matter."""
    todo: list[tuple[Any, tuple[str | int, ...]]] = [(resource, ())]
    while todo:
        node, path = todo.pop()
        if isinstance(node, dict):
            yield node, path
            todo += [(child, (*path, name)) for name, child in node.items() if isinstance(child, (dict, list))]
        else:
            todo += [(child, (*path, i)) for i, child in enumerate(node) if isinstance(child, (dict, list))]


def _misaligned(resource: Any) -> list[Problem]:
    """``x`` and ``_x`` agree (R4 2.6.2.3): lists of equal length, a value or extensions at each position."""
    root = resource.get("resourceType", "Resource") if isinstance(resource, dict) else "Resource"
    root = root if root in ALL else "Resource"
    expected = "a value or an extension at each position, lists of equal length"
    found = (
        Problem(expression(root, (*path, name, *position)), "primitive-extension", expected, "structure")
        for node, path in _walk(resource)
        for name, sidecar in node.items()
        if name[:1] == "_"
        for position in _gaps(node.get(name[1:]), sidecar)
    )
    return list(islice(found, MAX_PROBLEMS))


def _gaps(value: Any, sidecar: Any) -> Iterator[tuple[int, ...]]:
    if not isinstance(sidecar, list):
        if value is None and isinstance(sidecar, dict) and not sidecar.get("extension"):
            yield ()
        return
    values = value if isinstance(value, list) else [None] * len(sidecar)
    if len(values) != len(sidecar):
        yield ()
    for index, (one, extra) in enumerate(zip(values, sidecar, strict=False)):
        if one is None and not (isinstance(extra, dict) and extra.get("extension")):
            yield (index,)


def _contained(resource: Resource) -> list[Problem]:
    """Local references and contained resources belong together (FHIR ref-1, dom-3)."""
    return [
        problem
        for holder, prefix in _holders(resource, resource["resourceType"])
        for problem in _unmatched(holder, prefix)
    ]


def _holders(resource: Resource, prefix: str) -> Iterator[tuple[Resource, str]]:
    """The resources that may hold contained ones: this one, or those in a Bundle or Parameters."""
    inner = [(child, path) for child, path in _members(resource, prefix) if ".contained[" not in path]
    if not inner:
        yield resource, prefix
    for child, path in inner:
        yield from _holders(child, path)


def _unmatched(resource: Resource, prefix: str) -> Iterator[Problem]:
    ids = {child.get("id") for child in resource.get("contained", ())}
    used: set[str] = set()
    for node, path in _walk(resource):
        reference = node.get("reference")
        if isinstance(reference, str) and reference[:1] == "#":
            used.add(reference[1:])
            if reference != "#" and reference[1:] not in ids:
                place = expression(prefix, (*path, "reference"))
                yield Problem(place, "ref-1", "the id of a contained resource after #", "invariant")
        used.update(_fragments(node.values()))
        if path[:1] == ("contained",) and reference == "#":
            used.add(resource["contained"][path[1]].get("id", ""))
    seen: set[str | None] = set()
    for index, child in enumerate(resource.get("contained", ())):
        place, name = f"{prefix}.contained[{index}]", child.get("id")
        if name in seen:
            yield Problem(f"{place}.id", "contained-id", "an id that no other contained resource has", "value")
        elif name not in used:
            yield Problem(place, "dom-3", "a reference to it from its container", "invariant")
        seen.add(name)


def _fragments(values: Iterable[Any]) -> Iterator[str]:
    """Ids that texts point to (``#id``): references, and URIs alone or in lists."""
    for value in values:
        if isinstance(value, str):
            if value[:1] == "#":
                yield value[1:]
        elif isinstance(value, list):
            yield from _fragments(text for text in value if isinstance(text, str))


# ---- invariants and profiles of the types


def _members(resource: Resource, prefix: str) -> Iterator[tuple[Resource, str]]:
    """Resources directly inside another one."""
    for index, child in enumerate(resource.get("contained", ())):
        yield child, f"{prefix}.contained[{index}]"
    kind = resource["resourceType"]
    if kind == "Bundle":
        for index, entry in enumerate(resource.get("entry", ())):
            if "resource" in entry:
                yield entry["resource"], f"{prefix}.entry[{index}].resource"
    elif kind == "Parameters":
        yield from _parameters(resource.get("parameter", ()), f"{prefix}.parameter")


def _parameters(parameters: Iterable[Resource], prefix: str) -> Iterator[tuple[Resource, str]]:
    for index, parameter in enumerate(parameters):
        if "resource" in parameter:
            yield parameter["resource"], f"{prefix}[{index}].resource"
        yield from _parameters(parameter.get("part", ()), f"{prefix}[{index}].part")


def _rules(resource: Resource, prefix: str) -> list[Problem]:
    problems: list[Problem] = []
    kind = resource["resourceType"]
    spec = ALL.get(kind)
    if spec:
        if not spec.rules.kept_by(resource):
            problems += _broken(spec.rules, resource, prefix)
        for claim in resource.get("meta", _NOTHING).get("profile", ()):
            rules = spec.claims.get(claim)
            if rules and not rules.kept_by(resource):
                problems += _broken(rules, resource, prefix)
    if "contained" in resource or kind in _HOLDERS:
        for child, path in _members(resource, prefix):
            problems += _rules(child, path)
    return problems


_NOTHING: dict[str, Any] = {}


def _broken(rules: Rules, resource: Resource, prefix: str) -> list[Problem]:
    kind = resource["resourceType"]
    return [
        Problem(prefix + path.removeprefix(kind), rule.key, rule.text, rule.code)
        for rule in rules.invariants
        for path in rule.broken(resource)
    ]
