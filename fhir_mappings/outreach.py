"""The Task by which the hospital looks for a person who did not come to where a place waits. It alone sees it."""

from collections.abc import Iterator
from datetime import datetime

from fhir_mappings.building.build_elements import organization_reference, reference
from fhir_mappings.labels import Resource
from fhir_mappings.pages.opened import codes_of
from fhir_mappings.pages.readable import moment
from schemas.codes.local import OUTCOME, SPOKEN, TASK_CODE, coding, concept

CODE = "outreach"
_ASKED = (
    "The person did not come. Reach them by the contact plan (Patient.contact); leave a message only where that is "
    "said to be safe, and never what it is about"
)


def is_beside(task: Resource) -> bool:
    """Whether a Task is the hospital's own work beside a referral (checklist, outreach), not a request to a partner."""
    return any(codes_of([task.get("code", {})], TASK_CODE))


def is_outreach(task: Resource) -> bool:
    """Whether a Task is the hospital's search for a person."""
    return CODE in codes_of([task.get("code", {})], TASK_CODE)


def attempts_in(task: Resource) -> Iterator[str]:
    """What came of each attempt to reach the person, oldest first: codes of the local code system ``spoken``."""
    for output in task.get("output", ()):
        if "call" in codes_of([output["type"]], SPOKEN):
            yield next(iter(codes_of([output.get("valueCodeableConcept", {})], SPOKEN)), "")


def outreach_task(
    source: Resource,
    child: Resource,
    *,
    outreach: str,
    hub: tuple[str, str],
    now: datetime,
    due: datetime,
    place_until: datetime | None,
) -> Resource:
    """The Task of the hospital by which it looks for the person.

    Args:
        source: the hospital's Task.
        child: the Task of the partner where the person did not come.
        outreach: id of the new Task.
        hub: Organization id and name of the hub, which asks.
        now: when it is asked.
        due: by when somebody has tried.
        place_until: until when the partner is asked to keep the place, in the zone of who reads it; None where it has
            ended.
    """
    partner = child["owner"].get("display", "the partner")
    kept = f"{partner} is asked to keep the place until {moment(place_until.isoformat())}" if place_until else ""
    return {
        "resourceType": "Task",
        "id": outreach,
        "meta": {"security": source["meta"]["security"]} if "security" in source["meta"] else {},
        "basedOn": [reference(child)],
        "partOf": [reference(source)],
        "status": "requested",
        "intent": "order",
        "priority": source.get("priority", "routine"),
        "code": {"coding": [coding(TASK_CODE, CODE)]},
        "description": ". ".join(part for part in (_ASKED, kept) if part),
        "focus": source["focus"],
        "for": source["for"],
        "authoredOn": now.isoformat(),
        "lastModified": now.isoformat(),
        "requester": organization_reference(*hub),
        "owner": source["requester"],
        "restriction": {"period": {"end": due.isoformat()}},
    }


def found(task: Resource, how: str) -> Resource:
    """The Task when the person is found; ``how`` is a code of the local code system ``outcome``."""
    output = {"type": concept(OUTCOME, "outcome"), "valueCodeableConcept": concept(OUTCOME, how)}
    return {**task, "status": "completed", "output": [*task.get("output", ()), output]}
