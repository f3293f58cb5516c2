"""What a developer reads: JSON Schemas, and the OpenAPI document put together from what each door says of itself."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from app.core import json
from app.entrypoints import base
from schemas.discharge import DischargeEvent
from schemas.partner import PartnerProfile
from schemas.sender import SenderFile

Document = dict[str, Any]
_MODELS: Final[Mapping[str, type[BaseModel]]] = {
    "discharge-event": DischargeEvent,
    "partner": PartnerProfile,
    "sender": SenderFile,
}
_SCHEMAS: Final = {name: model.model_json_schema(by_alias=True) for name, model in _MODELS.items()}
_CACHE: Final = {"content-type": "application/schema+json", "cache-control": "public, max-age=300"}


async def schema(request: Request) -> Response:
    """The JSON Schema (2020-12) of one body that is sent to the hub."""
    name = request.path_params["name"]
    if name not in _SCHEMAS:
        raise HTTPException(404)
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{base.hub_of(request).settings.base_url.rstrip('/')}/schemas/{name}.json",
    }
    return Response(json.dumps(head | _SCHEMAS[name]), headers=_CACHE)


async def home(_request: Request) -> Response:
    """To the documentation."""
    return RedirectResponse("/docs", 307)


routes: list[BaseRoute] = [
    Route("/schemas/{name}.json", schema),
    Route("/", home),
]


# ---- OpenAPI

REF: Final = "#/components/schemas/{model}"
SCHEMAS: Final[Document] = {
    "OperationOutcome": {
        "type": "object",
        "description": "FHIR R4 OperationOutcome. Paths, rules and expectations; never a value from the request.",
        "required": ["resourceType", "issue"],
        "properties": {
            "resourceType": {"const": "OperationOutcome"},
            "issue": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["severity", "code"],
                    "properties": {
                        "severity": {"enum": ["fatal", "error", "warning", "information"]},
                        "code": {"type": "string"},
                        "diagnostics": {"type": "string"},
                        "expression": {"type": "array", "items": {"type": "string"}},
                    },
                },
            },
        },
    },
    "LedgerEntry": {
        "type": "object",
        "description": "Where one message went, and why.",
        "required": ["id", "state", "reasons"],
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "sender": {"type": ["string", "null"]},
            "control_id": {"type": ["string", "null"]},
            "message_type": {"type": ["string", "null"]},
            "received_at": {"type": "string", "format": "date-time"},
            "state": {"enum": ["referral", "updated", "waiting", "review", "not-ours", "rejected", "duplicate"]},
            "reasons": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"code": {"type": "string"}, "text": {"type": "string"}},
                },
            },
            "visit": {"type": ["string", "null"]},
            "referral": {"type": ["string", "null"], "description": "Id of the source ServiceRequest."},
        },
    },
}
_SECURITY: Final = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "From POST /oauth/token or `throughline token`."},
    "client": {"type": "http", "scheme": "basic", "description": "client_id and client_secret."},
}


def document(described: Document, paths: Sequence[Mapping[str, Document]]) -> Document:
    """The OpenAPI document ``described`` with the path items of every door."""
    event = DischargeEvent.model_json_schema(by_alias=True, ref_template=REF)
    models = {**event.pop("$defs", {}), "DischargeEvent": event}
    return {
        **described,
        "paths": {path: item for part in paths for path, item in part.items()},
        "security": [{"bearer": []}],
        "components": {"schemas": {**SCHEMAS, **models}, "securitySchemes": _SECURITY},
    }
