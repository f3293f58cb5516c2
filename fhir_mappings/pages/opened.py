"""A packet opened: what of its document says what, for whoever makes pages of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cached_property

from fhir_mappings.building.build_elements import EXTENSION
from fhir_mappings.building.offer import LESS
from fhir_mappings.labels import HTEST, Resource
from fhir_mappings.pages.readable import NOT_KNOWN, NOT_STATED, text
from schemas.codes import local
from schemas.codes.packet_content import packet_contents


@dataclass(frozen=True)
class Opened:
    """The document Bundle of one referral."""

    document: Resource

    @cached_property
    def members(self) -> list[Resource]:
        """All resources but the Composition."""
        return [one["resource"] for one in self.document["entry"][1:]]

    @property
    def composition(self) -> Resource:
        """What says in which order the members are read."""
        first: Resource = self.document["entry"][0]["resource"]
        return first

    @property
    def made(self) -> str:
        """When it was put together."""
        return str(self.document["timestamp"])

    def of(self, resource_type: str) -> list[Resource]:
        """The members of a type."""
        return [one for one in self.members if one["resourceType"] == resource_type]

    def first(self, resource_type: str) -> Resource:
        """The first of a type; empty where there is none."""
        return next(iter(self.of(resource_type)), {})

    def local(self, instant: str) -> str:
        """An instant by the offset that the times of the visit have: who reads it has that clock, and not UTC.

        What has an offset of its own keeps it; so does all where no visit is told of, as in an offer.
        """
        period = self.first("Encounter").get("period", {})
        there = next((at for end in ("end", "start") if (at := _offset(period.get(end, "")))), None)
        if there is None or _offset(instant) != timedelta():
            return instant
        return datetime.fromisoformat(instant).astimezone(timezone(there)).isoformat()

    @cached_property
    def task(self) -> Resource:
        """The Task that it is about."""
        return self.first("Task")

    @cached_property
    def request(self) -> Resource:
        """What the Task asks for."""
        return self.first("ServiceRequest")

    @cached_property
    def patient(self) -> Resource:
        """The person, or the few words of an offer about one."""
        return self.first("Patient")

    @cached_property
    def need(self) -> str | None:
        """Kind of the need."""
        found = codes_of(self.request.get("category", ()), local.NEED)
        return next(found, None)

    @cached_property
    def offered(self) -> bool:
        """Whether the reader sees the offer only."""
        return LESS[0] in self.task.get("meta", {}).get("security", ())

    @cached_property
    def test(self) -> bool:
        """Whether the person is made up."""
        return HTEST in self.task.get("meta", {}).get("security", ())

    @cached_property
    def tells_doses(self) -> bool:
        """Whether the reader is one who doses: the packet of such a need holds the doses."""
        content = packet_contents().get(self.need or "")
        return not self.offered and content is not None and "MedicationAdministration" in content.resources

    def observations(self, fact: str) -> list[Resource]:
        """The Observations of a fact (a code of ``local.FACT``)."""
        return [one for one in self.of("Observation") if fact in codes_of([one["code"]], local.FACT)]

    def fact(self, fact: str) -> str:
        """What is said of a fact."""
        found = self.observations(fact)
        return value_of(found[0]) if found else NOT_STATED


def value_of(observation: Resource) -> str:
    """The value of an Observation in words."""
    value = next((value for name, value in observation.items() if name.startswith("value")), None)
    if value is not None:
        return text(value)
    return NOT_KNOWN if "dataAbsentReason" in observation else NOT_STATED


def component(observation: Resource, name: str) -> str | None:
    """The value of a named part of an Observation."""
    parts = observation.get("component", ())
    found = next((one for one in parts if one["code"].get("text") == name), None)
    return None if found is None else value_of(found)


def extension_of(resource: Resource, name: str) -> Resource | None:
    """One of our extensions."""
    url = f"{EXTENSION}/{name}"
    return next((one for one in resource.get("extension", ()) if one["url"] == url), None)


def codes_of(concepts: list[Resource], system: str) -> Iterator[str]:
    """The codes of one system in CodeableConcepts."""
    for one in concepts:
        for coding in one.get("coding", ()):
            if coding.get("system") == system and "code" in coding:
                yield coding["code"]


def _offset(text: str) -> timedelta | None:
    """The offset of an instant; None of what is none."""
    try:
        return datetime.fromisoformat(text).utcoffset()
    except ValueError:
        return None
