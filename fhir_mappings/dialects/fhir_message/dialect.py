"""FHIR messages: the notifications of Da Vinci Unsolicited Notifications 1.1.0 (``$process-message``).

Events and codes: http://hl7.org/fhir/us/davinci-alerts/CodeSystem/notification-event, value sets
notification-admit-event, -discharge-event and -transfer-event. The focus of each is the Encounter.
"""

from typing import Any, Final

from fhir_mappings.dialects.base import Note, Problem, Reading, Unmapped, identified
from fhir_mappings.fhir_in import fhir_bundle, fhir_facts
from fhir_mappings.fhir_in.fhir_bundle import Graph, Node, refuse
from fhir_mappings.fhir_in.fhir_facts_visit import Course, course_of
from fhir_mappings.fhir_in.fhir_targets import TARGETS, UNUSED
from fhir_mappings.labels import Resource
from schemas.facts import Facts
from schemas.sender import Sender

EVENTS: Final = "http://hl7.org/fhir/us/davinci-alerts/CodeSystem/notification-event"
ADMIT, DISCHARGE, TRANSFER = "notification-admit", "notification-discharge", "notification-transfer"
_EVENTS: Final = (ADMIT, DISCHARGE, TRANSFER)
_TAKEN: Final = fhir_facts.CLINICAL | {"MessageHeader"}
_OVER: Final = frozenset({"finished", "cancelled", "entered-in-error"})


class FhirMessage:
    """The dialect ``fhir_message``."""

    name: Final = "fhir_message"
    source: Final = "fhir"
    targets: Final = {"MessageHeader.event[x]": "(how the message is read)", **TARGETS}
    unused: Final = UNUSED

    def read(self, message: dict[str, Any] | bytes, sender: Sender) -> Reading:
        """The facts of one message.

        Raises:
            Refused: It is no message that can be taken.
        """
        document = fhir_bundle.loads(message) if isinstance(message, bytes) else message
        if fhir_bundle.kind_of(document) != "message":
            refuse("Bundle.type", "a Bundle of type message", "not-a-bundle", "value")
        graph = fhir_bundle.opened(document, _TAKEN, leave_out=True)
        header = graph.nodes[0]
        event = _event(header)
        encounter = _focus(graph, header)
        found = fhir_facts.read(
            graph, sender, trigger=f"fhir:{event}", encounter=encounter, course=_course(event, encounter.resource)
        )
        notes = tuple(Note(path, rule) for path, rule in found.notes)
        return Reading(found.facts, notes, tuple(Unmapped(*one) for one in found.unknown), found.sent_at)

    def filing(self, message: dict[str, Any] | bytes, facts: Facts) -> Problem | None:  # noqa: ARG002 - the protocol's
        """An identifier of the person or of the visit is needed."""
        if identified(facts):
            return None
        return Problem("101", "neither an identifier of the person nor one of the visit", "Patient.identifier", 0)


DIALECT: Final = FhirMessage()


def _event(header: Node) -> str:
    """The event's code."""
    if "response" in header.resource:
        refuse(header.at("response"), "a request: this is the answer to one", "not-supported", "not-supported")
    event: Resource = header.resource.get("eventCoding", {})
    code: str = event.get("code", "")
    if event.get("system") != EVENTS or code not in _EVENTS:
        known = f"one of {', '.join(_EVENTS)} of {EVENTS}"
        refuse(header.at("event[x]"), known, "unknown-event", "not-supported")
    return code


def _focus(graph: Graph, header: Node) -> Node:
    """The Encounter that the message is about."""
    links = [graph.follow(header, reference) for reference in header.resource.get("focus", ())]
    encounters = [link.node for link in links if link.node is not None and link.node.type == "Encounter"]
    if len(encounters) != 1 or len(links) != 1:
        refuse(header.at("focus"), "one Encounter of this Bundle")
    return encounters[0]


def _course(event: str, encounter: Resource) -> Course:
    """The event says what happened; an Encounter that is over, or was never, says more."""
    course = course_of(encounter, planned=False)
    if encounter.get("status") in _OVER or course.kind in ("cancel-discharge", "pre-admit"):
        return course
    if event == DISCHARGE:
        return Course("discharge", ended=True)
    return Course("transfer" if event == TRANSFER else "admit", ended=None)
