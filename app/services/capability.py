"""The CapabilityStatement: what the ResourceSpecs declare, and nothing else (https://hl7.org/fhir/R4/http.html#capabilities)."""

from functools import cache
from typing import Any, Final

from app.core import json
from schemas.resources import ALL
from schemas.resources.base import SearchParam

SOFTWARE_VERSION: Final = "0.1.0"
_DATE: Final = "2026-11-23"
_COMMON: Final = frozenset({"_id", "_lastUpdated", "_profile"})
_TYPES: Final = {"token": "token", "reference": "reference", "date": "date", "string": "string", "uri": "uri"}
_PROCESS_MESSAGE: Final = "http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message"
_TRANSACTION: Final = (
    "Intake, with the scope ingest: one person and one stay, with or without a referral that is asked for by name. "
    "Entries are POST or PUT; they are read, not kept as sent. No batch."
)
_EVENTS: Final = (
    "Receives notification-admit, notification-discharge and notification-transfer of "
    "http://hl7.org/fhir/us/davinci-alerts/CodeSystem/notification-event, with the scope ingest; answers in the same "
    "exchange."
)
_HTTP_OF: Final = ("read", "vread", "update", "patch", "history-instance", "search-type")


@cache
def statement(fhir_base: str) -> bytes:
    """The statement as bytes."""
    resources = [_resource(name) for name in sorted(ALL) if ALL[name].search]
    return json.dumps(
        {
            "resourceType": "CapabilityStatement",
            "id": "throughline",
            "url": f"{fhir_base}/metadata",
            "name": "Throughline",
            "title": "Throughline referral hub",
            "status": "active",
            "date": _DATE,
            "kind": "instance",
            "software": {"name": "Throughline", "version": SOFTWARE_VERSION},
            "implementation": {"description": "Throughline referral hub", "url": fhir_base},
            "fhirVersion": "4.0.1",
            "format": ["application/fhir+json", "json"],
            "patchFormat": ["application/json-patch+json"],
            "rest": [
                {
                    "mode": "server",
                    "documentation": "JSON only; XML is answered with 406 or 415.",
                    "security": {
                        "service": [
                            {
                                "coding": [
                                    {
                                        "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
                                        "code": "SMART-on-FHIR",
                                    }
                                ]
                            }
                        ],
                        "description": "OAuth 2.0 client credentials; the token is bound to one organisation.",
                    },
                    "resource": resources,
                    "interaction": [{"code": "transaction", "documentation": _TRANSACTION}],
                    "operation": [{"name": "process-message", "definition": _PROCESS_MESSAGE}],
                }
            ],
            "messaging": [_messaging(fhir_base)],
        }
    )


def _messaging(fhir_base: str) -> dict[str, Any]:
    """No MessageDefinition is named: the guide of the events has none."""
    protocol = {"system": "http://terminology.hl7.org/CodeSystem/message-transport", "code": "http"}
    return {
        "endpoint": [{"protocol": protocol, "address": f"{fhir_base}/$process-message"}],
        "documentation": _EVENTS,
    }


def _resource(name: str) -> dict[str, Any]:
    spec = ALL[name]
    out: dict[str, Any] = {
        "type": name,
        **({"supportedProfile": sorted(spec.profiles)} if spec.profiles else {}),
        "interaction": [{"code": code} for code in _HTTP_OF if code in spec.interactions],
        "versioning": "versioned-update" if "update" in spec.interactions else "versioned",
        "readHistory": "vread" in spec.interactions,
        "updateCreate": False,
        "conditionalRead": "full-support",
        "referencePolicy": ["literal", "local"],
        "searchInclude": sorted(spec.references),
        "searchParam": [_param(param) for param in spec.params.values() if _shown(param)],
    }
    if name == "Task":
        definition = "https://throughline.org/fhir/OperationDefinition/packet"
        out["operation"] = [{"name": "packet", "definition": definition}]
    return {key: value for key, value in out.items() if value != []}


def _shown(param: SearchParam) -> bool:
    return not param.name.startswith("_") or param.name in _COMMON


def _param(param: SearchParam) -> dict[str, str]:
    return {"name": param.name, "type": _TYPES[param.kind]}
