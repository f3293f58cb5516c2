"""What Gravity's Coordination Platform must offer as a server, and what of it this hub does not.

Source: SDOHCC 3.0.0, CapabilityStatement SDOHCC-CoordinationPlatform; only what it marks SHALL.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from schemas.resources.base import ResourceSpec

COORDINATION_PLATFORM: Final = (
    "http://hl7.org/fhir/us/sdoh-clinicalcare/CapabilityStatement/SDOHCC-CoordinationPlatform"
)


@dataclass(frozen=True, slots=True)
class Obligation:
    """What must be offered for one type."""

    interactions: tuple[str, ...]
    search: tuple[str, ...] = ()
    includes: tuple[str, ...] = ()


_DIRECTORY: Final = Obligation(("read", "search-type"), ("_id",))
SHALL: Final[Mapping[str, Obligation]] = {
    "Task": Obligation(
        ("create", "update", "read", "search-type"),
        ("_id", "code", "patient", "requester", "status", "focus"),
        ("Task:focus", "Task:output"),
    ),
    "ServiceRequest": Obligation(("read", "search-type"), ("_id", "category", "intent", "patient", "status")),
    "Procedure": Obligation(
        ("create", "update", "read", "search-type"),
        ("_id", "based-on", "category", "patient", "performer", "status"),
    ),
    "Consent": Obligation(("read", "search-type"), ("source-reference",)),
    "DocumentReference": Obligation(("create", "read", "search-type")),
    "Condition": Obligation(("read", "search-type"), ("patient", "category")),
    "Goal": Obligation(("read", "search-type"), ("patient", "category")),
    "Observation": Obligation(("read", "search-type"), ("patient", "category")),
    "Group": Obligation(("read", "search-type"), ("characteristic", "member")),
    "HealthcareService": Obligation(("read",), ("location",), ("HealthcareService:location",)),
    "Organization": _DIRECTORY,
    "Patient": _DIRECTORY,
    "Practitioner": _DIRECTORY,
    "PractitionerRole": _DIRECTORY,
    "QuestionnaireResponse": Obligation(("read",)),
}
"""Type to what the statement marks SHALL for it. It writes the include of HealthcareService with a capital C."""


def unmet(specs: Mapping[str, ResourceSpec]) -> list[str]:
    """What of it is not offered, a phrase for each; XML is named first, since it concerns them all."""
    return ["XML (answered with 406 or 415)", *(text for name in SHALL for text in _missing(name, specs.get(name)))]


def _missing(name: str, spec: ResourceSpec | None) -> Iterator[str]:
    if spec is None or not spec.search:
        yield f"{name} (a hub for this purpose holds none)"
        return
    wanted = SHALL[name]
    yield from (f"{name}.{one}" for one in wanted.interactions if one not in spec.interactions)
    yield from (f"{name}?{one}" for one in wanted.search if one not in spec.params)
    yield from (f"_include={one}" for one in wanted.includes if one not in spec.references)
