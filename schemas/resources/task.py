"""Task: the referral as work that somebody was asked to do (FHIR R4 10.15)."""

from schemas.resources.base import (
    AUTHORED,
    Invariant,
    Resource,
    ResourceSpec,
    code,
    date,
    patient,
    reference,
    token,
)
from schemas.resources.profiles import PROFILES
from schemas.resources.times import date_range

OWNERS = (
    "Practitioner",
    "PractitionerRole",
    "Organization",
    "CareTeam",
    "HealthcareService",
    "Patient",
    "Device",
    "RelatedPerson",
)
REQUESTERS = ("Device", "Organization", "Patient", "Practitioner", "PractitionerRole", "RelatedPerson")


def _modified_after_authored(task: Resource) -> bool:
    if task.get("authoredOn") == task.get("lastModified"):
        return True
    authored, modified = date_range(task.get("authoredOn", "")), date_range(task.get("lastModified", ""))
    return not authored or not modified or modified[1] > authored[0]


SPEC = ResourceSpec(
    type="Task",
    interactions=AUTHORED - {"delete"},
    search=(
        code("status", "status", "http://hl7.org/fhir/task-status", column="status"),
        reference("owner", "owner", targets=OWNERS, column="owner"),
        reference("requester", "requester", targets=REQUESTERS, column="requester"),
        patient("for", column="patient"),
        reference("subject", "for"),
        reference("focus", "focus", column="focus"),
        token("code", "code", column="code", many=True),
        code("intent", "intent", "http://hl7.org/fhir/task-intent", column="intent"),
        code("priority", "priority", "http://hl7.org/fhir/request-priority", column="priority"),
        token("business-status", "businessStatus"),
        reference("part-of", "partOf", targets=("Task",), column="part_of", many=True),
        reference("based-on", "basedOn"),
        token("group-identifier", "groupIdentifier", column="group_identifier"),
        token("identifier", "identifier"),
        date("authored-on", "authoredOn", column="authored_on"),
        date("modified", "lastModified"),
        date("period", "executionPeriod"),
        reference("encounter", "encounter", targets=("Encounter",)),
        token("performer", "performerType"),
        reference(
            "output",
            "output.valueReference",
            definition="http://hl7.org/fhir/us/sdoh-clinicalcare/SearchParameter/Task-output-reference",
        ),
    ),
    invariants=(
        Invariant(
            "inv-1",
            "lastModified is not before authoredOn",
            "Task",
            _modified_after_authored,
            element="lastModified",
        ),
    ),
    indexed=frozenset({"identifier", "code", "part-of", "output"}),
    profiles=PROFILES["Task"],
)
