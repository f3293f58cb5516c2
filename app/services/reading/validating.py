"""``$validate``: what this server would say of a resource (https://hl7.org/fhir/R4/resource-operation-validate.html).

Who judged stands in each issue: FHIR R4 and the profiles by the gate, fhir.resources as second opinion where the gate
found nothing. Nothing is stored, and no issue holds a value.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.core import json
from app.core.actor import Actor
from app.core.errors import BadRequest, NotSupported
from app.services.reading.reads import Reads, not_found
from fhir_mappings.gate import MAX_PROBLEMS, Problem, check, expression
from fhir_mappings.second_opinion import MAX_BYTES, SOURCE, beside, second_opinion
from schemas.resources import ALL
from schemas.resources.base import Resource, ResourceSpec

Pairs = Sequence[tuple[str, str]]
MODES: Final = frozenset({"create", "update", "delete", "profile"})
"""http://hl7.org/fhir/R4/valueset-resource-validation-mode.html"""
_ONE: Final = MODES - {"create"}
"""Modes that are about a resource which is there."""
_GATE: Final = "FHIR R4"
_SERVER: Final = "This server"
_IGNORED: Final = frozenset({"_format", "_pretty"})


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be judged."""

    type: str
    id: str | None
    """Of the stored resource that the request is about."""
    mode: str | None
    profile: str | None
    """Canonical that the caller names."""
    resource: Any
    """As it was sent; None where the stored one is meant."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One issue of the outcome: how grave, who says so by which rule, what is expected, where."""

    severity: str
    code: str
    """FHIR issue type."""
    said_by: str
    expected: str
    path: str | None = None

    def issue(self) -> dict[str, Any]:
        """As OperationOutcome.issue."""
        issue: dict[str, Any] = {
            "severity": self.severity,
            "code": self.code,
            "details": {"text": self.said_by},
            "diagnostics": self.expected,
        }
        return {**issue, "expression": [self.path]} if self.path else issue


# ---- what is asked


def asked_of(resource_type: str, resource_id: str | None, query: Pairs, body: Any = None) -> Asked:
    """The question of one request.

    Args:
        resource_type: type of the address.
        resource_id: id of the address, where it has one.
        query: parameters of the address.
        body: the resource, or Parameters that hold it; None where the request has no body.

    Raises:
        NotFound: this server has no such type.
        BadRequest: the parameters contradict each other or the address, or name no resource.
        NotSupported: a parameter that the operation does not have.
    """
    if resource_type not in ALL:
        not_found()
    given = _parameters(query, "http", _IGNORED)
    resource = body
    if isinstance(body, dict) and body.get("resourceType") == "Parameters":
        resource, inside = _unwrapped(body)
        for name in given.keys() & inside.keys():
            if given[name] != inside[name]:
                raise BadRequest("The address and the Parameters say different things.", path=f"http.{name}")
        given |= inside
    asked = Asked(resource_type, resource_id, given.get("mode"), given.get("profile"), resource)
    _refuse_contradictions(asked)
    return asked


def _parameters(pairs: Pairs, place: str, ignored: frozenset[str] = frozenset()) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in ignored:
            continue
        if name not in {"mode", "profile"}:
            raise NotSupported("$validate takes mode and profile, and in Parameters resource.", path=place)
        if name in found:
            raise BadRequest("Once at most.", path=f"{place}.{name}")
        found[name] = value
    return found


def _unwrapped(body: Resource) -> tuple[Any, dict[str, str]]:
    """The resource in Parameters, if there is one, and the other parameters."""
    parts = body.get("parameter")
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise BadRequest("A list of parameters.", path="Parameters.parameter")
    resources = [part for part in parts if part.get("name") == "resource"]
    if len(resources) > 1:
        raise BadRequest("One resource.", path="Parameters.parameter")
    texts = [
        _text(part, f"Parameters.parameter[{index}]")
        for index, part in enumerate(parts)
        if part.get("name") != "resource"
    ]
    resource = resources[0].get("resource", {}) if resources else None
    return resource, _parameters(texts, "Parameters.parameter")


def _text(part: Resource, place: str) -> tuple[str, str]:
    name = part.get("name")
    value = next((part[key] for key in ("valueCode", "valueUri", "valueCanonical", "valueString") if key in part), None)
    if not isinstance(name, str) or not isinstance(value, str):
        raise BadRequest("mode as valueCode, profile as valueUri.", path=place)
    return name, value


def _refuse_contradictions(asked: Asked) -> None:
    if asked.mode is not None and asked.mode not in MODES:
        raise BadRequest(f"One of {', '.join(sorted(MODES))}, or no mode.", path="http.mode")
    if asked.id is None and asked.mode in _ONE:
        raise BadRequest("That mode is about one resource: <type>/<id>/$validate.", path="http.mode")
    if asked.mode == "profile" and asked.profile is None:
        raise BadRequest("The mode profile needs a profile.", path="http.profile")
    if asked.mode == "profile" and asked.resource is not None:
        raise BadRequest("The mode profile judges the stored resource; send none.", path="http.mode")
    if asked.resource is None and (asked.id is None or asked.mode in {"create", "update"}):
        raise BadRequest("The resource to judge is missing.", path="Parameters.parameter")


# ---- the answer


async def validate(reads: Reads, actor: Actor, asked: Asked) -> bytes:
    """The OperationOutcome.

    Raises:
        NotFound: the address names a resource that is not known or not visible.
        Forbidden: it names one, and the token does not cover reading it.
    """
    resource, version = asked.resource, None
    if asked.id is not None:
        stored = await reads.read(actor, asked.type, asked.id)
        version = str(stored.version)
        if resource is None:
            resource = json.loads(stored.body)
    # In a thread: a large body takes long enough to keep messages waiting.
    findings = await asyncio.to_thread(_judged, asked, resource, version)
    return json.dumps({"resourceType": "OperationOutcome", "issue": [finding.issue() for finding in findings]})


def _judged(asked: Asked, resource: Any, version: str | None) -> list[Finding]:
    """What is found, what would keep the server from taking it first."""
    spec = ALL[asked.type]
    found = [*_taken(asked, spec, resource, version)]
    if asked.mode != "delete":
        found += _of_content(asked, spec, resource)
    if any(finding.severity in {"error", "warning"} for finding in found):
        return found
    return [Finding("information", "informational", _SERVER, "All OK."), *found]


def _taken(asked: Asked, spec: ResourceSpec, resource: Any, version: str | None) -> Iterator[Finding]:
    """Whether the interaction of the mode is one that this server has, and fits the resource that is there."""
    if asked.mode is None or asked.mode == "profile":
        return
    if asked.mode not in spec.interactions:
        yield Finding(
            "error", "not-supported", _SERVER, f"no {asked.mode} of {asked.type}; see the CapabilityStatement"
        )
        return
    yield Finding(
        "information",
        "informational",
        _SERVER,
        f"takes {asked.mode} of {asked.type}; whether this caller may do so now is judged when it is sent",
    )
    if asked.mode == "update" and isinstance(resource, dict):
        if resource.get("id") != asked.id:
            yield Finding("error", "invalid", _SERVER, "the id of the address", f"{asked.type}.id")
        if _version_of(resource) not in {None, version}:
            yield Finding("error", "conflict", _SERVER, "the current version", f"{asked.type}.meta.versionId")


def _version_of(resource: Resource) -> Any:
    meta = resource.get("meta")
    return meta.get("versionId") if isinstance(meta, dict) else None


def _of_content(asked: Asked, spec: ResourceSpec, resource: Any) -> list[Finding]:
    if not isinstance(resource, dict) or resource.get("resourceType") != asked.type:
        expected = f"a JSON object with the resourceType {asked.type}, as the address says"
        return [Finding("error", "invalid", _SERVER, expected, f"{asked.type}.resourceType")]
    claims = _claims(resource)
    named = asked.profile if asked.profile in spec.claims else None
    known = [one for one in dict.fromkeys((*claims, named)) if one in spec.claims]
    problems = check(_claiming(resource, [*claims, named]) if named else resource)
    sources = _sources(resource, known) if problems and known else {}
    found = [
        Finding("error", problem.code, f"{sources.get(problem, _GATE)}: {problem.rule}", problem.expected, problem.path)
        for problem in problems
    ]
    structural = any(problem.code != "invariant" and problem not in sources for problem in problems)
    return [
        *found,
        *_incomplete(len(problems), structural=structural),
        *_not_judged(asked, spec, resource),
        *_doubts(resource, problems),
    ]


def _claims(resource: Resource) -> list[str]:
    """What ``meta.profile`` says; nothing, where it is no list of texts."""
    meta = resource.get("meta")
    profiles = meta.get("profile") if isinstance(meta, dict) else None
    return profiles if isinstance(profiles, list) and all(isinstance(one, str) for one in profiles) else []


def _claiming(resource: Resource, profiles: list[str]) -> Resource:
    """The resource with these claims instead of its own; as it is, where what stands there is not even a claim."""
    meta = resource.get("meta", {})
    if not isinstance(meta, dict) or ("profile" in meta and not _claims(resource)):
        return resource
    kept = {key: value for key, value in meta.items() if key != "profile"} | ({"profile": profiles} if profiles else {})
    return {**{key: value for key, value in resource.items() if key != "meta"}, **({"meta": kept} if kept else {})}


def _sources(resource: Resource, profiles: list[str]) -> dict[Problem, str]:
    """The profile that a problem comes from, where it is not of FHIR itself."""
    without = set(check(_claiming(resource, [])))
    return {
        problem: f"Profile {profile}"
        for profile in profiles
        for problem in check(_claiming(resource, [profile]))
        if problem not in without
    }


def _incomplete(number: int, *, structural: bool) -> Iterator[Finding]:
    if number == MAX_PROBLEMS:
        yield Finding("information", "incomplete", _GATE, f"No more than {MAX_PROBLEMS} problems are listed.")
    if structural:
        text = "Invariants and profiles are judged when the structure is right."
        yield Finding("information", "incomplete", _GATE, text)


def _not_judged(asked: Asked, spec: ResourceSpec, resource: Resource) -> Iterator[Finding]:
    text = "Not judged: this server has no rules of that profile; see supportedProfile in the CapabilityStatement."
    for inner, place in _resources(resource):
        rules = ALL[inner["resourceType"]].claims if inner["resourceType"] in ALL else {}
        for index, claim in enumerate(_claims(inner)):
            if claim not in rules:
                yield Finding("warning", "not-supported", _SERVER, text, f"{place}.meta.profile[{index}]")
    if asked.profile is not None and asked.profile not in spec.claims:
        # R4: a server that can't validate against the nominated profile returns an error.
        yield Finding("error", "not-supported", _SERVER, text, "http.profile")


def _resources(resource: Resource) -> Iterator[tuple[Resource, str]]:
    """This resource and all that stand in it, with their places."""
    todo: list[tuple[Any, tuple[str | int, ...]]] = [(resource, ())]
    while todo:
        node, path = todo.pop()
        if isinstance(node, dict):
            if isinstance(node.get("resourceType"), str):
                yield node, expression(resource["resourceType"], path)
            todo += [(child, (*path, name)) for name, child in node.items()]
        elif isinstance(node, list):
            todo += [(child, (*path, index)) for index, child in enumerate(node)]


def _doubts(resource: Resource, problems: list[Problem]) -> Iterator[Finding]:
    """What only fhir.resources finds: a hint, since it reads R4B and the gate takes it."""
    text = json.dumps(resource)
    if len(text) > MAX_BYTES:
        yield Finding("information", "too-costly", SOURCE, f"Not asked: the body is larger than {MAX_BYTES} bytes.")
        return
    for doubt in beside(second_opinion(resource["resourceType"], text), problems):
        expected = f"A second opinion, which this server does not follow: expects {doubt.expected}"
        yield Finding("warning", doubt.code, f"{SOURCE}: {doubt.rule}", expected, doubt.path)
