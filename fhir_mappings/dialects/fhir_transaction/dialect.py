"""FHIR transactions: a hospital writes a stay, and a referral that it asks for by name, in one Bundle.

Nothing is stored as it was sent: the entries are read into the visit, and what a referral needs of them is built anew
under the hub's own ids. A PUT or a RESTful fullUrl names the resource at the hospital; that name is kept as identifier.
Source: http.html#trules; Gravity SDOH Clinical Care for ServiceRequest and Task.
"""

import re
from typing import Any, Final

from fhir_mappings.dialects.base import Note, Problem, Reading, Unmapped, identified
from fhir_mappings.fhir_in import fhir_bundle, fhir_facts
from fhir_mappings.fhir_in.fhir_bundle import Fault, Graph, Node, Refused, refuse
from fhir_mappings.fhir_in.fhir_facts_visit import PLANNED_END, Course, course_of
from fhir_mappings.fhir_in.fhir_targets import ASKED_FOR, TARGETS, UNUSED
from fhir_mappings.labels import Resource
from schemas.facts import Facts
from schemas.sender import Sender

_TAKEN: Final = fhir_facts.CLINICAL | {"ServiceRequest", "Task"}
_CONDITIONAL: Final = re.compile(r"identifier=[^&]+")
_CONDITIONS: Final = ("ifMatch", "ifNoneMatch", "ifModifiedSince")


class FhirTransaction:
    """The dialect ``fhir_transaction``."""

    name: Final = "fhir_transaction"
    source: Final = "fhir"
    targets: Final = {**TARGETS, **ASKED_FOR}
    unused: Final = UNUSED

    def read(self, message: dict[str, Any] | bytes, sender: Sender) -> Reading:
        """The facts of one transaction.

        Raises:
            Refused: It is no transaction that can be taken as a whole.
        """
        document = fhir_bundle.loads(message) if isinstance(message, bytes) else message
        if fhir_bundle.kind_of(document) != "transaction":
            refuse("Bundle.type", "a Bundle of type transaction", "not-a-bundle", "value")
        graph = fhir_bundle.opened(document, _TAKEN, leave_out=False)
        _check_requests(document)
        encounter = _encounter(graph)
        course = Course("update", ended=None)
        if encounter is not None:
            course = course_of(encounter.resource, planned=_is_planned(encounter.resource))
        found = fhir_facts.read(graph, sender, trigger="fhir:transaction", encounter=encounter, course=course)
        notes = tuple(Note(path, rule) for path, rule in found.notes)
        return Reading(found.facts, notes, tuple(Unmapped(*one) for one in found.unknown), found.sent_at)

    def filing(self, message: dict[str, Any] | bytes, facts: Facts) -> Problem | None:  # noqa: ARG002 - the protocol's
        """An identifier of the person or of the visit is needed."""
        if identified(facts):
            return None
        return Problem("101", "neither an identifier of the person nor one of the visit", "Patient.identifier", 0)


DIALECT: Final = FhirTransaction()


def _encounter(graph: Graph) -> Node | None:
    encounters = graph.of_type("Encounter")
    for other in encounters[1:]:
        refuse(other.path, "one Bundle tells of one stay")
    return encounters[0] if encounters else None


def _is_planned(encounter: Resource) -> bool:
    """Whether a time of leaving is known of a stay that goes on."""
    return any(one["url"] == PLANNED_END for one in encounter.get("extension", ()))


def _check_requests(document: Resource) -> None:
    """Every entry creates or updates one resource; all else would not be what its sender meant."""
    entries = enumerate(document.get("entry", ()))
    faults = [fault for index, entry in entries for fault in _request_faults(index, entry)]
    if faults:
        raise Refused("not-supported", faults)


def _request_faults(index: int, entry: Resource) -> list[Fault]:
    path = f"Bundle.entry[{index}]"
    request = entry["request"]
    if request.get("method") not in {"POST", "PUT"}:
        return [Fault(f"{path}.request.method", "POST or PUT", "not-supported")]
    if "resource" not in entry:
        return [Fault(f"{path}.resource", "a POST or PUT carries a resource", "required")]
    if any(name in request for name in _CONDITIONS):
        return [
            Fault(f"{path}.request", "conditions on versions can't be met: nothing is kept as sent", "not-supported")
        ]
    return [] if _fits(entry["resource"], request) else [Fault(f"{path}.request.url", _WANTED, "value")]


_WANTED: Final = (
    "the type of the resource (POST), its type and id (PUT), or the type with one condition identifier=system|value"
)


def _fits(resource: Resource, request: Resource) -> bool:
    """Whether the address is that of the resource; the one condition that can be kept is an identifier."""
    kind = resource["resourceType"]
    condition = request.get("ifNoneExist")
    if condition is not None and not _CONDITIONAL.fullmatch(condition):
        return False
    url = request.get("url", "").lstrip("/")
    if request["method"] == "POST":
        return bool(url == kind)
    name, _, query = url.partition("?")
    if query:
        return bool(name == kind and _CONDITIONAL.fullmatch(query))
    return bool(url == f"{kind}/{resource.get('id')}")
