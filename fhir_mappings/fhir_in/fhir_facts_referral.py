"""A referral that the hospital asks for by name: a source Task whose focus is a ServiceRequest.

Source: SDOHCC Task For Referral Management 3.0.0: code ``fulfill``, a focus, a person; the requester sets ``draft``,
``requested``, ``cancelled`` and ``entered-in-error``, all else is the hub's and its partners' to say.
"""

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from fhir_mappings.fhir_in.fhir_bundle import Node, refuse
from fhir_mappings.fhir_in.fhir_values import Source, code_of
from fhir_mappings.labels import Resource
from schemas.codes import local
from schemas.discharge import Need, NeedKind

_TASK_CODE: Final = "http://hl7.org/fhir/CodeSystem/task-code"
_SNOMED: Final = "http://snomed.info/sct"
_PROCEDURES: Final[dict[str, NeedKind]] = {"1254709001": "moud-continuation", "461481000124109": "peer-support"}
"""The SNOMED CT procedures that this hub writes for its needs."""
_NEEDS: Final[dict[str, NeedKind]] = {
    "moud-continuation": "moud-continuation",
    "peer-support": "peer-support",
    "recovery-housing": "recovery-housing",
    "mental-health": "mental-health",
    "primary-care": "primary-care",
    "hcv-hiv": "hcv-hiv",
    "harm-reduction": "harm-reduction",
    "naloxone": "naloxone",
    "transport": "transport",
    "identification": "identification",
    "phone": "phone",
    "guest-order": "guest-order",
}
_ASKED: Final = frozenset({"draft", "requested", "received"})
_TAKEN_BACK: Final = frozenset({"cancelled", "entered-in-error"})
_REVOKED: Final = frozenset({"revoked", "entered-in-error"})
_STANDING: Final = frozenset({"draft", "active", "on-hold", "unknown"})
_CHOICE: Final = f"{local.BASE}/StructureDefinition/patient-choice"
_URGENCY: Final = ("routine", "urgent", "asap", "stat")


class Asked(NamedTuple):
    """What the Tasks of a Bundle ask for."""

    kind: Literal["referral", "cancel-referral"]
    needs: list[Need]


def asked(source: Source) -> Asked | None:
    """The needs of all source Tasks; None where there is no Task.

    Raises:
        Refused: A Task without its ServiceRequest, a ServiceRequest without its Task, or a state that is not the
            requester's to set.
    """
    tasks = source.graph.of_type("Task")
    requests = [_request(source, task) for task in tasks]
    for node in source.graph.of_type("ServiceRequest"):
        if node not in requests:
            refuse(
                node.path, "a ServiceRequest is taken with the Task whose focus it is", "not-supported", "not-supported"
            )
    if not tasks:
        return None
    pairs = list(zip(tasks, requests, strict=True))
    standing = [(task, request) for task, request in pairs if not _taken_back(task, request)]
    if not standing:
        return Asked("cancel-referral", [])
    return Asked("referral", [need for task, request in standing for need in _need(source, task, request)])


def _request(source: Source, task: Node) -> Node:
    if (
        code_of(task.resource.get("code"), _TASK_CODE) not in {"fulfill", None}
        or task.resource.get("intent") != "order"
    ):
        refuse(
            task.at("code"), "a source Task has the intent order and the code fulfill", "not-supported", "not-supported"
        )
    link = source.follow(task, task.resource.get("focus"))
    if link.node is None or link.node.type != "ServiceRequest":
        refuse(task.at("focus"), "the focus is a ServiceRequest of this Bundle")
    return link.node


def _taken_back(task: Node, request: Node) -> bool:
    status, asked_status = task.status, request.status
    if status in _TAKEN_BACK or asked_status in _REVOKED:
        return True
    if status not in _ASKED:
        refuse(
            task.at("status"),
            "a source Task comes as draft or requested, or as cancelled",
            "not-supported",
            "not-supported",
        )
    if asked_status not in _STANDING:
        refuse(
            request.at("status"),
            "a ServiceRequest comes as draft or active, or as revoked",
            "not-supported",
            "not-supported",
        )
    return False


def _need(source: Source, task: Node, request: Node) -> Iterator[Need]:
    """One need; none where the code says nothing here: the drugs of the visit then say what is needed."""
    stated = request.resource
    concepts = [stated.get("code"), *stated.get("category", ())]
    codings = [coding for concept in concepts for coding in source.codings(concept, request.at("code"))]
    kinds = (_kind(source, coding.system, coding.code) for coding in codings)
    kind = next((one for one in kinds if one is not None), None)
    if kind is None:
        source.note(request.at("code"), "not a need that is known here: the medication of the visit decides")
        for coding in codings[:1]:
            source.miss("need", request.at("code"), coding.code)
        return
    stated_urgency = {task.resource.get("priority"), stated.get("priority")}
    yield Need(
        kind=kind,
        priority=next((one for one in reversed(_URGENCY) if one in stated_urgency), None),
        patient_choice=_choices(source, request),
        identifier=next(iter(source.identifiers(task, "PLAC", lambda _: True)), None),
    )


def _kind(source: Source, system: str | None, code: str) -> NeedKind | None:
    if system == local.NEED:
        return _NEEDS.get(code)
    if system == _SNOMED and code in _PROCEDURES:
        return _PROCEDURES[code]
    return source.sender.maps.referral_needs.get(code)


def _choices(source: Source, request: Node) -> list[str]:
    """The partners that the person wants, best first; then whom the request names as performer."""
    extensions = (one for one in request.resource.get("extension", ()) if one["url"] == _CHOICE)
    wanted = [source.text(one.get("valueString"), request.at("extension")) for one in extensions]
    performers: list[Resource] = request.resource.get("performer", [])
    named = [source.organization_name(request, one, request.at("performer")) for one in performers]
    return list(dict.fromkeys(text for text in wanted + named if text is not None))
