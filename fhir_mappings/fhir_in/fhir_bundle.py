"""A FHIR Bundle from a hospital as a graph: which entries are read, and what their references lead to.

``opened`` refuses what is no valid FHIR R4, and whatever it may not ignore: an extension that modifies a meaning, a
resource type that intake doesn't take. A fault names the element and the rule, never a value.

Source: FHIR R4 2.36.4 (references in a Bundle), 2.1.0.4 (modifier extensions), http.html#trules (transactions).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, NoReturn
from urllib.parse import parse_qsl

import orjson

from fhir_mappings import gate, strict_json
from fhir_mappings.fhir_in import fhir_types
from fhir_mappings.labels import Resource

Kind = Literal["message", "transaction"]
KINDS: Final[tuple[Kind, ...]] = ("message", "transaction")
MAX_ENTRIES: Final = 1000
"""Entries of one Bundle. One stay needs some dozens."""
ENVELOPE: Final = frozenset({"id", "meta", "implicitRules", "language", "identifier", "timestamp", "signature"})
"""Elements of a Bundle that tell of its sending, not of what is sent."""

_ENTRY: Final = re.compile(r"Bundle\.entry\[(\d+)\]")
_LITERAL: Final = re.compile(r"([A-Z][A-Za-z]{1,40})/[A-Za-z0-9\-.]{1,64}")
_ABSOLUTE: Final = re.compile(r"(https?://\S+/)?([A-Z][A-Za-z]{1,40})/([A-Za-z0-9\-.]{1,64})")
_MODIFIERS: Final = ("modifierExtension", "implicitRules")


class Fault(NamedTuple):
    """One thing that is wrong: where, which rule, and the FHIR issue type; never the value."""

    path: str
    rule: str
    code: str = "invalid"


class Refused(Exception):
    """The Bundle can't be taken; ``reason`` is the ledger's."""

    def __init__(self, reason: str, faults: Iterable[Fault]) -> None:
        super().__init__("not a Bundle that can be taken")
        self.reason = reason
        self.faults = tuple(faults)


def refuse(path: str, rule: str, reason: str = "not-conforming", code: str = "invalid") -> NoReturn:
    """Raise ``Refused`` for one fault."""
    raise Refused(reason, (Fault(path, rule, code),))


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One resource of the Bundle: an entry's, or one contained in it."""

    type: str
    resource: Resource
    path: str
    """``Bundle.entry[2].resource``, and ``.contained[0]`` below it."""
    url: str | None
    """``fullUrl``."""
    entry: int
    request: Resource | None = None
    """``entry.request`` of a transaction."""
    holder: "Node | None" = None
    """The resource that contains this one."""

    @property
    def status(self) -> str:
        """The state of the resource; one that says by an extension alone why it has none is unknown."""
        found: str = self.resource.get("status", "unknown")
        return found

    def at(self, element: str) -> str:
        """The path of an element below it."""
        return f"{self.path}.{element}"


class Logical(NamedTuple):
    """By what a resource outside of the Bundle is known: an identifier, or a place on the hospital's own server."""

    system: str | None
    value: str
    type: Resource | None = None
    """``Identifier.type``."""
    kind: str | None = None
    """Type of the resource, where the reference says it."""


class Link(NamedTuple):
    """What a reference leads to: a resource of the Bundle, one that is known by an identifier, or nothing."""

    node: Node | None = None
    logical: Logical | None = None
    display: str | None = None


_NOWHERE: Final = Link()


def loads(data: bytes) -> Any:
    """The value of a JSON text.

    Raises:
        Refused: It is not JSON, or a name stands twice in one object.
    """
    try:
        return strict_json.loads(data)
    except ValueError:
        pass
    refuse("Bundle", strict_json.RULE, "not-json", "structure")


def kind_of(document: object) -> Kind:
    """Message or transaction.

    Raises:
        Refused: It is neither.
    """
    if not isinstance(document, dict) or document.get("resourceType") != "Bundle":
        refuse("Bundle", "the body is one Bundle", "not-a-bundle", "structure")
    for kind in KINDS:
        if document.get("type") == kind:
            return kind
    if document.get("type") == "batch":
        refuse("Bundle.type", "batch is not supported; send a transaction", "not-supported", "not-supported")
    refuse("Bundle.type", "a Bundle of type message or transaction", "not-a-bundle", "value")


def opened(document: Resource, taken: frozenset[str], *, leave_out: bool) -> "Graph":
    """The Bundle, checked.

    Args:
        document: a Bundle of the right type.
        taken: the resource types that are read.
        leave_out: an entry of another type is noted and left out; else it is a fault.

    Raises:
        Refused: With everything that is wrong.
    """
    entries = document.get("entry", [])
    if isinstance(entries, list) and len(entries) > MAX_ENTRIES:
        refuse("Bundle.entry", f"at most {MAX_ENTRIES} entries", "too-many-entries", "too-costly")
    others = {index: kind for index, kind in _types(entries) if kind not in taken}
    if others and not leave_out:
        raise Refused("not-supported", [_not_taken(index, kind, taken) for index, kind in sorted(others.items())])
    kept = [index for index in range(len(entries)) if index not in others] if isinstance(entries, list) else []
    bundle = {**document, "entry": [entries[index] for index in kept]} if others else document
    _check(bundle, kept)
    return Graph(bundle, kept, {index: entries[index] for index in others})


def _types(entries: object) -> Iterator[tuple[int, str]]:
    """(position, resource type) of whatever has one; the rest is left to the gate."""
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        kind = resource.get("resourceType") if isinstance(resource, dict) else None
        if isinstance(kind, str):
            yield index, kind


def _not_taken(index: int, kind: str, taken: frozenset[str]) -> Fault:
    named = kind if kind in fhir_types.NAMES else "This type"
    rule = f"{named} is not taken here; these are: {', '.join(sorted(taken))}"
    return Fault(f"Bundle.entry[{index}].resource", rule, "not-supported")


def _check(bundle: Resource, kept: list[int]) -> None:
    """FHIR R4 structure and invariants, then what may not be ignored; paths are those of the Bundle as it was sent."""
    plain = _without_claims(bundle)
    try:
        text = orjson.dumps(plain, default=float)
    except TypeError:
        refuse("Bundle", "JSON of at most 254 levels, 64-bit integers, UTF-8 text", "not-json", "structure")
    problems = gate.check(plain, text)
    if problems:
        raise Refused(
            "not-conforming",
            [Fault(_moved(one.path, kept), f"{one.rule}: {one.expected}", one.code) for one in problems],
        )
    # One look at the bytes spares most Bundles the walk.
    suspect = any(f'"{name}"'.encode() in text for name in _MODIFIERS)
    modified = [
        Fault(_moved(path, kept), "a meaning that this server doesn't know modifies the resource", "extension")
        for path in (_modifiers(bundle) if suspect else ())
    ]
    if modified:
        raise Refused("not-conforming", modified[: gate.MAX_PROBLEMS])


def _without_claims(bundle: Resource) -> Resource:
    """The Bundle without the profiles that its resources claim: whether they conform is the hospital's matter."""
    entries = bundle.get("entry")
    if not isinstance(entries, list):
        return bundle
    return {**bundle, "entry": [_unclaimed_entry(entry) for entry in entries]}


def _unclaimed_entry(entry: Any) -> Any:
    resource = entry.get("resource") if isinstance(entry, dict) else None
    meta = resource.get("meta") if isinstance(resource, dict) else None
    if not isinstance(resource, dict) or not isinstance(meta, dict) or "profile" not in meta:
        return entry
    rest = {name: value for name, value in meta.items() if name != "profile"}
    plain = {name: value for name, value in resource.items() if name != "meta"}
    return {**entry, "resource": {**plain, "meta": rest} if rest else plain}


def _moved(path: str, kept: list[int]) -> str:
    """A path of the Bundle that was checked, as a path of the Bundle that was sent."""
    return _ENTRY.sub(lambda found: f"Bundle.entry[{kept[int(found[1])]}]", path, count=1)


def _modifiers(bundle: Resource) -> Iterator[str]:
    waiting: list[tuple[Any, str]] = [(bundle, "Bundle")]
    while waiting:
        value, path = waiting.pop()
        if isinstance(value, dict):
            yield from (f"{path}.{name}" for name in _MODIFIERS if name in value)
            waiting += [(item, f"{path}.{name}") for name, item in value.items() if isinstance(item, dict | list)]
        else:
            waiting += [
                (item, f"{path}[{number}]") for number, item in enumerate(value) if isinstance(item, dict | list)
            ]


@dataclass(slots=True, init=False)
class Graph:
    """The resources of a Bundle, and how they refer to each other."""

    bundle: Resource
    nodes: tuple[Node, ...]
    left_out: tuple[int, ...]
    """Positions of entries whose type is not read."""
    _by_url: dict[str, Node] = field(repr=False)
    _by_name: dict[str, Node | None] = field(repr=False)
    """``Type/id`` of the entries whose fullUrl is no address; None where two have the same."""

    def __init__(self, bundle: Resource, positions: list[int], left_out: Mapping[int, Resource]) -> None:
        self.bundle = bundle
        self.left_out = tuple(sorted(left_out))
        entries = zip(positions, bundle.get("entry", ()), strict=True)
        self.nodes = tuple(_node(index, entry) for index, entry in entries if "resource" in entry)
        self._by_url, self._by_name = {}, {}
        for node in self.nodes:
            self._add(node)
        for index, entry in left_out.items():
            # Nobody looked into it: only that it is there, and of which type, is known.
            bare = {"resourceType": entry["resource"]["resourceType"]}
            self._by_url.setdefault(str(entry.get("fullUrl")), _node(index, {"resource": bare}))

    def _add(self, node: Node) -> None:
        if node.url is not None:
            if node.url in self._by_url:
                refuse(f"Bundle.entry[{node.entry}].fullUrl", "each fullUrl stands once", code="duplicate")
            self._by_url[node.url] = node
        own = node.resource.get("id")
        if own is not None and _server(node.url) is None:
            name = f"{node.type}/{own}"
            self._by_name[name] = None if name in self._by_name else node

    def of_type(self, *types: str) -> list[Node]:
        """The entries of these types, in the order of the Bundle."""
        return [node for node in self.nodes if node.type in types]

    def follow(self, holder: Node, reference: Mapping[str, Any] | None) -> Link:
        """What a reference of ``holder`` leads to (FHIR R4 2.36.4.1)."""
        if not reference:
            return _NOWHERE
        display = reference.get("display")
        target = reference.get("reference")
        if target is not None:
            found = self._literal(holder, target.partition("/_history/")[0])
            if found.node is not None or (found.logical is not None and "identifier" not in reference):
                return found._replace(display=display)
        logical = _logical(reference.get("identifier"), reference.get("type"))
        return Link(self._identified(reference.get("type"), logical), logical, display)

    def _literal(self, holder: Node, target: str) -> Link:
        if target.startswith("#"):
            return Link(_contained(holder, target[1:]))
        if target in self._by_url:
            return Link(self._by_url[target])
        if target.startswith("urn:"):
            return _NOWHERE
        kind, _, query = target.partition("?")
        if query:
            logical = _asked_for(kind, query)
            return Link(self._identified(kind, logical), logical)
        server = _server((holder.holder or holder).url)
        if server is None and _LITERAL.fullmatch(target):
            return Link(self._by_name.get(target))
        absolute = f"{server}{target}" if server is not None and _LITERAL.fullmatch(target) else target
        if absolute in self._by_url:
            return Link(self._by_url[absolute])
        place = place_of(absolute)
        return Link(None, place)

    def _identified(self, kind: str | None, logical: Logical | None) -> Node | None:
        """The entry that carries an identifier, where just one does."""
        if logical is None or logical.system is None:
            return None
        found = [node for node in self.nodes if kind in (None, node.type) and _carries(node, logical)]
        return found[0] if len(found) == 1 else None


def _node(index: int, entry: Resource) -> Node:
    resource = entry["resource"]
    path = f"Bundle.entry[{index}].resource"
    return Node(resource["resourceType"], resource, path, entry.get("fullUrl"), index, entry.get("request"))


def _contained(holder: Node, wanted: str) -> Node | None:
    root = holder.holder or holder
    if not wanted:
        return root
    for index, resource in enumerate(root.resource.get("contained", ())):
        if resource.get("id") == wanted:
            path = root.at(f"contained[{index}]")
            return Node(resource["resourceType"], resource, path, None, root.entry, holder=root)
    return None


def _server(url: str | None) -> str | None:
    """The base address of a RESTful fullUrl, with its slash."""
    match = _ABSOLUTE.fullmatch(url) if url is not None else None
    return match[1] if match is not None else None


def place_of(url: str | None) -> Logical | None:
    """An address on the hospital's server as an identifier: the type's address is its system, the id its value."""
    match = _ABSOLUTE.fullmatch(url) if url is not None else None
    if match is None or not match[1]:
        return None
    return Logical(f"{match[1]}{match[2]}", match[3], kind=match[2])


def _logical(identifier: Mapping[str, Any] | None, kind: str | None) -> Logical | None:
    if identifier is None or not identifier.get("value"):
        return None
    return Logical(identifier.get("system"), identifier["value"], identifier.get("type"), kind)


def _asked_for(kind: str, query: str) -> Logical | None:
    """The identifier of a conditional reference (``Patient?identifier=system|value``); None for any other."""
    pairs = parse_qsl(query, keep_blank_values=True)
    if len(pairs) != 1 or pairs[0][0] != "identifier":
        return None
    system, bar, value = pairs[0][1].rpartition("|")
    return Logical(system, value, kind=kind) if bar and system and value else None


def _carries(node: Node, logical: Logical) -> bool:
    stated = node.resource.get("identifier", [])
    identifiers = stated if isinstance(stated, list) else [stated]
    return any((one.get("system"), one.get("value")) == (logical.system, logical.value) for one in identifiers)
