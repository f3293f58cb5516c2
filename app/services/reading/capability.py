"""The CapabilityStatement: what the ResourceSpecs declare, and nothing else (https://hl7.org/fhir/R4/http.html#capabilities)."""

from functools import cache
from typing import Any, Final

from app.core import json
from app.services.reading.obligations import COORDINATION_PLATFORM, unmet
from schemas.resources import ALL
from schemas.resources.base import ResourceSpec, SearchParam
from schemas.resources.subscription import TOPICS

SOFTWARE_VERSION: Final = "0.1.0"
_DATE: Final = "2026-11-26"
_COMMON: Final = frozenset({"_id", "_lastUpdated", "_profile", "_security", "_tag", "_source"})
_BACKPORT: Final = "http://hl7.org/fhir/uv/subscriptions-backport"
_TOPIC: Final = f"{_BACKPORT}/StructureDefinition/capabilitystatement-subscriptiontopic-canonical"
_PROCESS_MESSAGE: Final = "http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message"
_VALIDATE: Final = "http://hl7.org/fhir/OperationDefinition/Resource-validate"
_PACKET: Final = "https://throughline.org/fhir/OperationDefinition/packet"
_MATCH: Final = "https://throughline.org/fhir/OperationDefinition/match"
_BREAK_GLASS: Final = "https://throughline.org/fhir/OperationDefinition/break-glass"
_ASK: Final = "https://throughline.org/fhir/OperationDefinition/ask"
_CHOOSE_FALLBACK: Final = "https://throughline.org/fhir/OperationDefinition/choose-fallback"
_STILL_HERE: Final = "https://throughline.org/fhir/OperationDefinition/still-here"
_OF_PEOPLE: Final = ("patient-is-here", "record-answer", "record-call", "confirm-answer", "correct-answer")
_TRANSACTION: Final = (
    "All or nothing, with urn:uuid and conditional references. A transaction that tells of a stay (Patient, Encounter, "
    "medication and so on) is intake, with the scope ingest: its entries are read, not kept as sent; one person and "
    "one stay, with or without a referral that is asked for by name."
)
_BATCH: Final = (
    "Each entry has the answer that it would have alone. A patch is a Binary of application/json-patch+json."
)
_EVENTS: Final = (
    "Receives notification-admit, notification-discharge and notification-transfer of "
    "http://hl7.org/fhir/us/davinci-alerts/CodeSystem/notification-event, with the scope ingest; answers in the same "
    "exchange."
)
_WRITTEN: Final = "Who creates a resource may change it; nobody else sees it until a Task names it as output."
_RULES: Final[dict[str, str]] = {
    "Task": (
        "The owner changes status, statusReason, businessStatus, and appends output and note; the requester takes "
        "back. Transitions are those of the SDOHCC referral state diagram. A hospital creates a source Task for a "
        "person whom it has told of; the answer is the Task that the hub keeps for it."
    ),
    "ServiceRequest": "A hospital creates the one that its source Task will focus on; those of the hub are read only.",
    "Consent": "A hospital's consent also goes to the stays of the person that it is about.",
    "AuditEvent": (
        "Rendered from the accounting of disclosures: what the caller's organisation was shown, what others were "
        "shown of its records, and the decisions about these. Claims a profile of IHE BALP where all of it is known."
    ),
    "Subscription": "Of the organisation that created it; criteria is the canonical URL of a topic.",
}
_HTTP_OF: Final = ("read", "vread", "update", "patch", "delete", "history-instance", "create", "search-type")


@cache
def statement(fhir_base: str) -> bytes:
    """The statement as bytes."""
    return json.dumps(
        {
            "resourceType": "CapabilityStatement",
            "id": "throughline",
            "url": f"{fhir_base}/metadata",
            "name": "Throughline",
            "title": "Throughline referral hub",
            "status": "active",
            "date": _DATE,
            "publisher": "Throughline",
            "description": "A hub that carries referrals from hospitals to community partners and their answers back.",
            "kind": "instance",
            "instantiates": [
                COORDINATION_PLATFORM,
                f"{_BACKPORT}/CapabilityStatement/backport-subscription-server-r4",
            ],
            "software": {"name": "Throughline", "version": SOFTWARE_VERSION},
            "implementation": {"description": "Throughline referral hub", "url": fhir_base},
            "fhirVersion": "4.0.1",
            "format": ["application/fhir+json", "json"],
            "patchFormat": ["application/json-patch+json"],
            "rest": [_rest()],
            "messaging": [_messaging(fhir_base)],
        }
    )


def _rest() -> dict[str, Any]:
    service = {"system": "http://terminology.hl7.org/CodeSystem/restful-security-service", "code": "SMART-on-FHIR"}
    return {
        "mode": "server",
        "documentation": (
            "JSON only; XML is answered with 406 or 415. Of what the SDOHCC Coordination Platform SHALL offer, this "
            f"server does not: {'; '.join(unmet(ALL))}."
        ),
        "security": {
            "service": [{"coding": [service]}],
            "description": "OAuth 2.0 client credentials; the token is bound to one organisation.",
        },
        "resource": [_resource(ALL[name]) for name in sorted(ALL) if ALL[name].search],
        "interaction": [
            {"code": "transaction", "documentation": _TRANSACTION},
            {"code": "batch", "documentation": _BATCH},
        ],
        "operation": [{"name": "process-message", "definition": _PROCESS_MESSAGE}],
    }


def _messaging(fhir_base: str) -> dict[str, Any]:
    """No MessageDefinition is named: the guide of the events has none."""
    protocol = {"system": "http://terminology.hl7.org/CodeSystem/message-transport", "code": "http"}
    return {
        "endpoint": [{"protocol": protocol, "address": f"{fhir_base}/$process-message"}],
        "documentation": _EVENTS,
    }


def _resource(spec: ResourceSpec) -> dict[str, Any]:
    writes = "update" in spec.interactions
    out: dict[str, Any] = {
        "extension": [{"url": _TOPIC, "valueCanonical": topic} for topic in TOPICS]
        if spec.type == "Subscription"
        else [],
        "type": spec.type,
        "supportedProfile": [url.partition("|")[0] for url in sorted(spec.profiles)],
        "documentation": _documentation(spec),
        "interaction": [{"code": code} for code in _HTTP_OF if code in spec.interactions],
        "versioning": "versioned-update" if writes else "versioned",
        "readHistory": "vread" in spec.interactions,
        "updateCreate": False,
        "conditionalCreate": "create" in spec.interactions,
        "conditionalRead": "full-support",
        "conditionalUpdate": writes,
        "conditionalDelete": "not-supported",
        "referencePolicy": ["literal", "local", "logical"],
        "searchInclude": sorted(spec.references),
        "searchRevInclude": _pointing_to(spec.type),
        "searchParam": [_param(param) for param in spec.params.values() if _shown(param)],
        "operation": _operations(spec.type),
    }
    return {key: value for key, value in out.items() if value not in ([], "")}


def _documentation(spec: ResourceSpec) -> str:
    written = _WRITTEN if "create" in spec.interactions else ""
    sorts = f"Sorts by {', '.join(sorted(spec.sorts))}." if spec.sorts else ""
    return " ".join(filter(None, (_RULES.get(spec.type, written), sorts)))


def _pointing_to(resource_type: str) -> list[str]:
    """Every ``_revinclude`` that may find something that points to this type."""
    found = ((name, targets) for spec in ALL.values() for name, targets in spec.revincludes.items())
    return sorted(name for name, targets in found if not targets or resource_type in targets)


def _operations(resource_type: str) -> list[dict[str, str]]:
    own = {
        "Task": [
            {"name": "packet", "definition": _PACKET},
            {"name": "break-glass", "definition": _BREAK_GLASS},
            {"name": "ask", "definition": _ASK},
            {"name": "choose-fallback", "definition": _CHOOSE_FALLBACK},
            *({"name": n, "definition": f"https://throughline.org/fhir/OperationDefinition/{n}"} for n in _OF_PEOPLE),
        ],
        "ServiceRequest": [{"name": "match", "definition": _MATCH}],
        "Organization": [{"name": "still-here", "definition": _STILL_HERE}],
        "Subscription": [
            {"name": "status", "definition": f"{_BACKPORT}/OperationDefinition/backport-subscription-status"},
            {"name": "events", "definition": f"{_BACKPORT}/OperationDefinition/backport-subscription-events"},
        ],
    }
    return [{"name": "validate", "definition": _VALIDATE}, *own.get(resource_type, [])]


def _shown(param: SearchParam) -> bool:
    return not param.name.startswith("_") or param.name in _COMMON


def _param(param: SearchParam) -> dict[str, str]:
    said = {"name": param.name, "type": param.kind}
    return said | ({"definition": param.definition} if param.definition else {})
