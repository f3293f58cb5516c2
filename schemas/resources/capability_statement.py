"""CapabilityStatement: what this server does (FHIR R4 5.3). Never stored."""

from schemas.resources.base import Invariant, Resource, ResourceSpec, any_of, has


def _instance_is_described(statement: Resource) -> bool:
    return statement.get("kind") != "instance" or has(statement, "implementation")


def _types_once(rest: Resource) -> bool:
    types = [resource.get("type") for resource in rest.get("resource", ())]
    return len(types) == len(set(types))


def _parameters_once(resource: Resource) -> bool:
    names = [param.get("name") for param in resource.get("searchParam", ())]
    return len(names) == len(set(names))


SPEC = ResourceSpec(
    type="CapabilityStatement",
    interactions=frozenset(),
    invariants=(
        Invariant(
            "cpb-1", "rest, messaging or document", "CapabilityStatement", any_of("rest", "messaging", "document")
        ),
        Invariant(
            "cpb-2",
            "a description, software or implementation",
            "CapabilityStatement",
            any_of("description", "software", "implementation"),
        ),
        Invariant("cpb-9", "each type once", "CapabilityStatement.rest", _types_once, element="resource"),
        Invariant(
            "cpb-12",
            "each parameter once",
            "CapabilityStatement.rest.resource",
            _parameters_once,
            element="searchParam",
        ),
        Invariant(
            "cpb-14",
            "an implementation where kind is instance",
            "CapabilityStatement",
            _instance_is_described,
            element="implementation",
        ),
    ),
)
