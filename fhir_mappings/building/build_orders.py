"""The referral itself: source and child ServiceRequest + Task, organisations, Provenance.

Gravity SDOH Clinical Care 3.0.0, "indirect light": the hospital's source Task is owned by the hub; for
each partner that is asked the hub makes a child (``filler-order``, ``partOf``) owned by that partner. A
child says nothing of its siblings: no group, no other partner, no choice that the patient made.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Literal

from fhir_mappings.building import answer_view, coverage_view
from fhir_mappings.building.answer_view import AnswerView
from fhir_mappings.building.build_elements import (
    SNOMED,
    US_CORE,
    Frame,
    extension,
    identifier,
    organization_reference,
    period,
    phones,
    present,
    reference,
    when,
)
from fhir_mappings.building.build_medications import moment
from fhir_mappings.building.coverage_view import CoverageView
from fhir_mappings.labels import Ids, Labels, Parties, Resource, security
from schemas.codes import local
from schemas.discharge import Identifier, Need

GRAVITY: Final = "http://hl7.org/fhir/us/sdoh-clinicalcare/StructureDefinition/SDOHCC-"
TASK: Final = GRAVITY + "TaskForReferralManagement"
GRAVITY_SERVICE_REQUEST: Final = GRAVITY + "ServiceRequest"
SERVICE_REQUEST: Final = US_CORE + "servicerequest"
ORGANIZATION: Final = US_CORE + "organization"
PROVENANCE: Final = US_CORE + "provenance"
GROUP: Final = f"{local.BASE}/identifier/transition"
CONTROL_ID: Final = f"{local.BASE}/identifier/control-id"
MESSAGE_HASH: Final = f"{local.BASE}/identifier/message-hash"

Status = Literal["draft", "requested"]
_URGENCY: Final = ("routine", "urgent", "asap", "stat")
_SERVICE_REQUEST_STATUS: Final = {"draft": "draft", "requested": "active"}
FULFILL: Final[Resource] = {
    "coding": [
        {
            "system": "http://hl7.org/fhir/CodeSystem/task-code",
            "code": "fulfill",
            "display": "Fulfill the focal request",
        }
    ]
}
_ADDITIONAL_CONTENT: Final[Resource] = {
    "coding": [
        {
            "system": "http://hl7.org/fhir/us/sdoh-clinicalcare/CodeSystem/SDOHCC-CodeSystemTemporaryCodes",
            "code": "additional-content",
        }
    ]
}
# Only procedures that were verified; every other need has our own code, which Gravity's required binding excludes.
_PROCEDURE: Final[dict[str, Resource]] = {
    "moud-continuation": {
        "system": SNOMED,
        "code": "1254709001",
        "display": "Referral to substance use disorder treatment program (procedure)",
    },
    "peer-support": {
        "system": SNOMED,
        "code": "461481000124109",
        "display": "Referral to peer support (procedure)",
    },
}
_SOCIAL_SERVICE: Final[Resource] = {
    "coding": [{"system": SNOMED, "code": "410606002", "display": "Social service procedure"}]
}
_SOCIAL_NEEDS: Final = frozenset({"peer-support", "recovery-housing", "transport", "identification", "phone"})
_REASONS: Final = frozenset({"Condition"})
_INSURANCE: Final = frozenset({"Coverage"})
_SUPPORTING: Final = frozenset(
    {
        "MedicationAdministration",
        "MedicationDispense",
        "MedicationRequest",
        "AllergyIntolerance",
        "Observation",
        "Consent",
    }
)
_INPUT: Final = frozenset({"MedicationDispense", "MedicationRequest", "Consent"})
# What a child takes over; all else (group, order number, the patient's choices, notes) may tell of siblings.
_CHILD_REQUEST: Final = (
    "category",
    "priority",
    "code",
    "orderDetail",
    "subject",
    "encounter",
    "occurrenceDateTime",
    "occurrencePeriod",
    "locationCode",
    "requester",
    "reasonCode",
    "reasonReference",
    "insurance",
    "supportingInfo",
)
_CHILD_TASK: Final = ("intent", "priority", "code", "for", "encounter", "requester", "input")
"""Extension of a partner's Task: until when its answer is asked for."""
_PARTICIPANT: Final = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
_AUTHOR: Final[Resource] = {"coding": [{"system": _PARTICIPANT, "code": "author"}]}
_ASSEMBLER: Final[Resource] = {"coding": [{"system": _PARTICIPANT, "code": "assembler"}]}
_DATA_OPERATION: Final = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"


# What a Task or ServiceRequest says of the visit; all else is its own life (status, owner, outputs, notes ...).
_FACTS: Final = {
    "Task": ("extension", "identifier", "priority", "restriction", "input"),
    "ServiceRequest": (
        "extension",
        "category",
        "priority",
        "code",
        "occurrenceDateTime",
        "occurrencePeriod",
        "locationCode",
        "reasonReference",
        "insurance",
        "supportingInfo",
    ),
}


@dataclass(frozen=True, slots=True)
class Tied:
    """What a need runs by that is not the medication: until when it is to be met, and what it is for.

    ``at`` is when and ``place`` where the person must be, of a ride without saying at whose door; ``until`` is the last
    day, where it goes on for some.
    """

    by: datetime
    priority: str | None = None
    at: datetime | date | None = None
    place: str | None = None
    until: date | None = None

    @property
    def restriction(self) -> Resource:
        """Task.restriction."""
        return {"period": {"end": self.by.isoformat()}}


def source(
    frame: Frame,
    *,
    need: Need,
    resources: Sequence[Resource],
    status: Status,
    now: datetime,
    group: str,
    coverage: CoverageView | None = None,
    tied: Tied | None = None,
    placer: Identifier | None = None,
) -> tuple[Resource, Resource]:
    """The source ServiceRequest and Task of one need.

    Args:
        frame: the visit.
        need: what the person needs; its kind decides code and category.
        resources: what ``clinical`` gave: linked from both resources.
        status: ``draft`` while the person is in the bed, ``requested`` afterwards.
        now: the hub's clock, written as authoredOn and lastModified.
        group: identifier of the transition; several needs of one transition share it.
        coverage: the medication coverage clock, where known.
        tied: what another need runs by, where something says it.
        placer: the hospital's own order number, where one exists.
    """
    stamp = now.isoformat()
    priority = more_urgent(need.priority, coverage.priority if coverage else None, tied.priority if tied else None)
    request = _service_request(frame, need, resources, status=status, stamp=stamp, priority=priority)
    request |= _tied(tied) if tied else {}
    task = {
        **frame.new("Task", f"source|{need.kind}", *_task_profiles(need)),
        **present(
            {
                "extension": [coverage_view.extension(coverage)] if coverage else None,
                "identifier": [_placer(placer)] if placer else None,
                "groupIdentifier": {"system": GROUP, "value": group},
                "status": status,
                "intent": "order",
                "priority": priority,
                "code": FULFILL,
                "focus": reference(request),
                "for": frame.patient,
                "encounter": frame.encounter,
                "authoredOn": stamp,
                "lastModified": stamp,
                "requester": frame.hospital,
                "owner": organization_reference(frame.parties.hub, frame.parties.hub_name),
                "restriction": coverage_view.restriction(coverage) or (tied.restriction if tied else None),
                "input": _inputs(frame, resources),
            }
        ),
    }
    return request, task


def _tied(tied: Tied) -> Resource:
    place = [{"text": tied.place}] if tied.place else None
    days = period(tied.at, tied.until) if tied.until else None
    at = when(tied.at) if days is None else None
    return present({"occurrenceDateTime": at, "occurrencePeriod": days, "locationCode": place})


def need_code(kind: str) -> Resource:
    """ServiceRequest.code of a need: the procedure where one was verified, else the need itself."""
    own = local.coding(local.NEED, kind)
    return {"coding": [_PROCEDURE.get(kind, own)], "text": own["display"]}


def _task_profiles(need: Need) -> list[str]:
    # Gravity binds Task.focus to its ServiceRequest, so the Task conforms only where the request does.
    return [TASK] if need.kind in _PROCEDURE else []


def _service_request(
    frame: Frame,
    need: Need,
    resources: Sequence[Resource],
    *,
    status: Status,
    stamp: str,
    priority: str | None,
) -> Resource:
    gravity = [GRAVITY_SERVICE_REQUEST] if need.kind in _PROCEDURE else []
    own = local.coding(local.NEED, need.kind)
    choices = [extension("patient-choice", "valueString", one) for one in need.patient_choice]
    social = [_SOCIAL_SERVICE] if need.kind in _SOCIAL_NEEDS else []
    return {
        **frame.new("ServiceRequest", f"source|{need.kind}", SERVICE_REQUEST, *gravity),
        **present(
            {
                "extension": choices,
                "status": _SERVICE_REQUEST_STATUS[status],
                "intent": "order",
                "category": [{"coding": [own]}, *social],
                "priority": priority,
                "code": need_code(need.kind),
                "subject": frame.patient,
                "encounter": frame.encounter,
                "authoredOn": stamp,
                "requester": frame.hospital,
                "reasonReference": _links(resources, _REASONS),
                "insurance": _links(resources, _INSURANCE),
                "supportingInfo": _links(resources, _SUPPORTING),
            }
        ),
    }


def _links(resources: Sequence[Resource], types: frozenset[str]) -> list[Resource]:
    return [reference(one) for one in resources if one["resourceType"] in types]


def _inputs(frame: Frame, resources: Sequence[Resource]) -> list[Resource]:
    """What the next program reads first: the last dose, what is in hand, prescriptions, consents."""
    last = _last_doses(frame, resources)
    content = [*last, *(one for one in resources if one["resourceType"] in _INPUT)]
    return [{"type": _ADDITIONAL_CONTENT, "valueReference": reference(one)} for one in content]


def _last_doses(frame: Frame, resources: Sequence[Resource]) -> list[Resource]:
    """The last given dose of each product."""
    latest: dict[str, tuple[datetime, Resource]] = {}
    for one in resources:
        if one["resourceType"] == "MedicationAdministration" and one["status"] == "completed":
            product = repr(one["medicationCodeableConcept"])
            at = _instant(one["effectiveDateTime"], frame.event.occurred_at)
            if product not in latest or at > latest[product][0]:
                latest[product] = (at, one)
    return [administration for _, administration in latest.values()]


def _instant(text: str, beside: datetime) -> datetime:
    value = datetime.fromisoformat(text)
    return value if value.tzinfo else moment(value.date(), beside)


def more_urgent(*priorities: str | None) -> str | None:
    """The most urgent of the priorities that are known (routine, urgent, asap, stat)."""
    return max((one for one in priorities if one), key=_URGENCY.index, default=None)


def _placer(number: Identifier) -> Resource:
    return identifier(number.model_copy(update={"type": "PLAC"}))


def child(
    source_request: Resource,
    source_task: Resource,
    *,
    partner: str,
    partner_name: str,
    ids: Ids,
    now: datetime,
    answer: AnswerView | None = None,
) -> tuple[Resource, Resource]:
    """The ServiceRequest and Task by which one partner is asked.

    Args:
        source_request: the source ServiceRequest as it stands.
        source_task: the source Task as it stands.
        partner: FHIR Organization id of the partner, owner of the new Task.
        partner_name: its name, for a reader.
        ids: id of ("ServiceRequest" | "Task", "child|<source id>|<partner>").
        now: the hub's clock.
        answer: what it is told of its answer.
    """
    stamp = now.isoformat()
    asked = organization_reference(partner, partner_name)
    request = {
        "resourceType": "ServiceRequest",
        "id": ids("ServiceRequest", f"child|{source_request['id']}|{partner}"),
        "meta": _same_claims(source_request),
        "basedOn": [reference(source_request)],
        "status": "active",
        "intent": "filler-order",
        **_taken_over(source_request, _CHILD_REQUEST),
        "authoredOn": stamp,
        "performer": [asked],
    }
    told = [one for one in source_task.get("extension", ()) if one["url"] == coverage_view.URL]
    told += [answer_view.extension(answer)] if answer else []
    deadline = source_task.get("restriction", {}).get("period")
    task = {
        "resourceType": "Task",
        "id": ids("Task", f"child|{source_task['id']}|{partner}"),
        "meta": _same_claims(source_task),
        **present({"extension": told}),
        "partOf": [reference(source_task)],
        "status": "requested",
        **_taken_over(source_task, _CHILD_TASK),
        "focus": reference(request),
        "authoredOn": stamp,
        "lastModified": stamp,
        "owner": asked,
        **({"restriction": {"period": deadline}} if deadline else {}),
    }
    return request, task


def _taken_over(resource: Resource, names: tuple[str, ...]) -> Resource:
    return {name: resource[name] for name in names if name in resource}


def _same_claims(resource: Resource) -> Resource:
    return {name: resource["meta"][name] for name in ("profile", "security") if name in resource["meta"]}


def renewed(existing: Resource, rebuilt: Resource, *, now: datetime) -> Resource:
    """An existing Task or ServiceRequest (source or child) with what the visit says now.

    Facts arrive late: the clock, the priority and the links follow the rebuilt resource; status,
    owner, reasons, outputs and notes stay. When nothing differs it is the existing resource itself,
    untouched; lastModified moves only with a change.

    Args:
        existing: the resource as it stands.
        rebuilt: what ``source`` or ``child`` gives for it from the visit as it is known now.
        now: the hub's clock.
    """
    names = _FACTS[existing["resourceType"]]
    kept = {name: value for name, value in existing.items() if name not in names}
    result = {**kept, **_taken_over(rebuilt, names)}
    if result == existing:
        return existing
    if "lastModified" in result:
        result["lastModified"] = now.isoformat()
    return result


def provenance(
    targets: Sequence[str],
    *,
    key: str,
    message_hash: str,
    control_id: str,
    sender: str,
    recorded: datetime,
    occurred: datetime,
    parties: Parties,
    ids: Ids,
    labels: Labels,
    activity: Literal["CREATE", "UPDATE"] = "CREATE",
) -> Resource:
    """Where resources come from: the message (control id, hash), its sender, and the hub that translated it.

    Args:
        targets: literal references (``Task/…``), versioned where versions are known.
        key: logical key of this Provenance, e.g. the ledger entry's id.
        message_hash: the keyed hash of the message's content, as hexadecimal text.
        control_id: MSH-10, or ``event_id`` of an event.
        sender: id of the sender (the interface); part of the control id's system.
        recorded: the hub's clock.
        occurred: the message's own time (EVN-2, else MSH-7; ``occurred_at``).
        parties: hospital (author) and hub (assembler).
        ids: gives the id.
        labels: as of the visit.
        activity: whether the message created the targets or changed them.
    """
    return {
        "resourceType": "Provenance",
        "id": ids("Provenance", key),
        "meta": {"profile": [PROVENANCE], "security": security(labels)},
        "target": [{"reference": one} for one in targets],
        "occurredDateTime": occurred.isoformat(),
        "recorded": recorded.isoformat(),
        "activity": {"coding": [{"system": _DATA_OPERATION, "code": activity}]},
        "agent": [
            {"type": _AUTHOR, "who": organization_reference(parties.hospital, parties.hospital_name)},
            {"type": _ASSEMBLER, "who": organization_reference(parties.hub, parties.hub_name)},
        ],
        "entity": [
            _origin(f"{CONTROL_ID}/{sender}", control_id),
            _origin(MESSAGE_HASH, message_hash),
        ],
    }


def fetched(target: str, *, recorded: str, author: str, hub: str, origin: tuple[str, str]) -> Resource:
    """Where a version comes from that the hub read at a partner's own server.

    Args:
        target: the version, ``Task/…/_history/2``.
        recorded: the hub's clock.
        author: FHIR Organization id of the partner, whose word it is.
        hub: FHIR Organization id of the hub, which read it.
        origin: the type's address there, and the id.
    """
    agents = ((_AUTHOR, author), (_ASSEMBLER, hub))
    return {
        "resourceType": "Provenance",
        "target": [{"reference": target}],
        "recorded": recorded,
        "activity": {"coding": [{"system": _DATA_OPERATION, "code": "UPDATE"}]},
        "agent": [{"type": kind, "who": {"reference": f"Organization/{one}"}} for kind, one in agents],
        "entity": [_origin(*origin)],
    }


def _origin(system: str, value: str) -> Resource:
    return {"role": "source", "what": {"identifier": {"system": system, "value": value}}}


def organization(organization_id: str, name: str, *, phone: str | None = None) -> Resource:
    """An organisation of the directory (us-core-organization); it carries no labels, as it tells of no person."""
    result: dict[str, Any] = {
        "resourceType": "Organization",
        "id": organization_id,
        "meta": {"profile": [ORGANIZATION]},
        "active": True,
        "name": name,
    }
    if phone:
        result["telecom"] = phones(phone)
    return result
