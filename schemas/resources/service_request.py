"""ServiceRequest: what the person needs, as an order (FHIR R4 12.14)."""

from schemas.resources.base import (
    AUTHORED,
    Invariant,
    ResourceSpec,
    code,
    date,
    patient,
    reference,
    token,
    uri,
)
from schemas.resources.profiles import PROFILES

PERFORMERS = (
    "Practitioner",
    "PractitionerRole",
    "Organization",
    "CareTeam",
    "HealthcareService",
    "Patient",
    "Device",
    "RelatedPerson",
)
REQUESTERS = ("Practitioner", "PractitionerRole", "Organization", "Patient", "RelatedPerson", "Device")

SPEC = ResourceSpec(
    type="ServiceRequest",
    interactions=AUTHORED - {"delete"},
    search=(
        code("status", "status", "http://hl7.org/fhir/request-status", column="status"),
        code("intent", "intent", "http://hl7.org/fhir/request-intent", column="intent"),
        token("category", "category"),
        token("code", "code", column="code", many=True),
        patient("subject", column="patient"),
        reference("subject", "subject", targets=("Patient", "Group", "Location", "Device")),
        reference("requester", "requester", targets=REQUESTERS, column="requester"),
        reference("performer", "performer", targets=PERFORMERS),
        reference("based-on", "basedOn", targets=("CarePlan", "ServiceRequest", "MedicationRequest")),
        reference("replaces", "replaces", targets=("ServiceRequest",)),
        date("authored", "authoredOn", column="authored_on"),
        date("occurrence", "occurrenceDateTime", "occurrencePeriod", "occurrenceTiming"),
        token("identifier", "identifier"),
        token("requisition", "requisition"),
        code("priority", "priority", "http://hl7.org/fhir/request-priority", column="priority"),
        token("performer-type", "performerType"),
        uri("instantiates-uri", "instantiatesUri"),
        reference("encounter", "encounter", targets=("Encounter",)),
        reference(
            "supporting-info",
            "supportingInfo",
            definition="http://hl7.org/fhir/us/sdoh-clinicalcare/SearchParameter/ServiceRequest-supporting-info",
        ),
    ),
    invariants=(
        Invariant(
            "prr-1",
            "orderDetail only where code is given",
            "ServiceRequest",
            lambda request: "orderDetail" not in request or "code" in request,
            element="orderDetail",
        ),
    ),
    indexed=frozenset({"identifier", "code"}),
    profiles=PROFILES["ServiceRequest"],
)
