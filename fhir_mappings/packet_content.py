"""What of a visit goes into the packet of one need, and what of the child may then stand.

What goes is data (``schemas/codes/packet_content.json``); what is not named there does not go. An allowed resource may
refer to one that does not go: such a reference is a type and a random id and never a display, so it tells that there
is something and not what. Encounter lists the diagnoses, the unit and where the person goes, so it goes only where the
diagnoses do.
"""

from collections.abc import Collection, Iterable
from typing import Any, Final

from fhir_mappings.labels import Resource
from schemas.codes import local
from schemas.codes.packet_content import packet_contents

_OF_THE_VISIT: Final[dict[str, str]] = {
    "encounter": "encounter",
    "extension": "extension",
    "input": "input",
    "insurance": "insurance",
    "locationCode": "location",
    "occurrenceDateTime": "occurrence",
    "occurrencePeriod": "occurrence",
    "orderDetail": "orderDetail",
    "reasonCode": "reasonCode",
    "reasonReference": "reasonReference",
    "restriction": "restriction",
    "supportingInfo": "supportingInfo",
}
"""Elements by which a child tells of the visit, and how ``PacketContent.elements`` names them; others are its own."""


def within(resources: Iterable[Resource], need: str, *, consent: str | None = None) -> list[Resource]:
    """Those of ``resources`` that the packet of a need holds, in their order.

    Args:
        resources: what a visit was built into.
        need: kind of the need.
        consent: id of the Consent that the disclosure stands on. Of all Consents it alone goes (42 CFR 2.32(b)),
            because each names its recipients.
    """
    named = packet_contents()[need].resources
    return [
        one
        for one in resources
        if (one["resourceType"] in named or not named.isdisjoint(_kinds(one)))
        and (one["resourceType"] != "Consent" or one["id"] == consent)
    ]


def _kinds(resource: Resource) -> list[str]:
    """``MedicationRequest/plan``, ``Observation/mobility``."""
    if resource["resourceType"] == "MedicationRequest":
        return [f"MedicationRequest/{resource['intent']}"]
    if resource["resourceType"] == "Observation":
        codings = resource["code"].get("coding", ())
        return [f"Observation/{one['code']}" for one in codings if one.get("system") == local.FACT]
    return []


def cut(request: Resource, task: Resource, need: str, allowed: Collection[str]) -> tuple[Resource, Resource]:
    """A child's ServiceRequest and Task without what its packet does not hold.

    Args:
        request: the child ServiceRequest.
        task: the child Task.
        need: kind of the need.
        allowed: ids of the resources that go with it, see ``within``.
    """
    elements = packet_contents()[need].elements
    return _cut(request, elements, allowed), _cut(task, elements, allowed)


def _cut(resource: Resource, elements: Collection[str], allowed: Collection[str]) -> Resource:
    of_the_visit = {
        name: _allowed(value, allowed) for name, value in resource.items() if _OF_THE_VISIT.get(name) in elements
    }
    return {
        name: of_the_visit.get(name, value)
        for name, value in resource.items()
        if name not in _OF_THE_VISIT or of_the_visit.get(name)
    }


def _allowed(value: Any, allowed: Collection[str]) -> Any:
    """``value``, or what of a list, points to nothing but what goes."""
    if isinstance(value, list):
        return [one for one in value if _leads_to(one) <= {*allowed}]
    return value if _leads_to(value) <= {*allowed} else None


def _leads_to(element: Any) -> set[str]:
    """Ids of the resources that an element refers to, at any depth."""
    if isinstance(element, list):
        return {found for one in element for found in _leads_to(one)}
    if not isinstance(element, dict):
        return set()
    below = {found for one in element.values() for found in _leads_to(one)}
    own = element.get("reference")
    return below | {own.rpartition("/")[2]} if isinstance(own, str) else below
