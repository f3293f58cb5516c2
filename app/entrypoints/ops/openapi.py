"""What the operations' paths say of themselves in the OpenAPI document."""

from typing import Any, Final

from app.services.reading import definitions


def _health(text: str, *required: str) -> dict[str, Any]:
    known = {
        "status": {"enum": ["alive", "ready", "not-ready"]},
        "reasons": {"type": "array", "items": {"type": "string"}, "description": "Codes of what is wrong."},
    }
    schema = {"type": "object", "required": [*required], "properties": known}
    return {"description": text, "content": {"application/json": {"schema": schema}}}


PATHS: Final[dict[str, dict[str, Any]]] = {
    "/health/live": {
        "get": {
            "tags": ["Operations"],
            "operationId": "live",
            "summary": "Is the process alive",
            "description": "Needs no token and asks nothing else.",
            "security": [],
            "responses": {"200": _health("It answers.", "status")},
        }
    },
    "/health/ready": {
        "get": {
            "tags": ["Operations"],
            "operationId": "ready",
            "summary": "Can the process take messages in",
            "description": "Needs no token. Asks the database, and the doors that this process has.",
            "security": [],
            "responses": {
                "200": _health("It can.", "status", "reasons"),
                "503": _health("It can't, and why.", "status", "reasons"),
            },
        }
    },
    "/metrics": {
        "get": {
            "tags": ["Operations"],
            "operationId": "metrics",
            "summary": "Figures for Prometheus",
            "description": "Needs no token. Of a body, JSON Schema (https://json-schema.org/draft/2020-12); of an "
            "extension or operation of the hub itself, what FHIR calls its definition.",
            "security": [],
            "responses": {
                "200": {
                    "description": "Counters of one process; no label names a person.",
                    "content": {
                        "text/plain": {
                            "schema": {"type": "string"},
                        }
                    },
                }
            },
        }
    },
    "/schemas/{name}.json": {
        "get": {
            "tags": ["Operations"],
            "operationId": "schema",
            "summary": "JSON Schema of a body that is sent to the hub, or an extension or operation of its own",
            "description": "Needs no token. https://json-schema.org/draft/2020-12 for bodies; for extensions and "
            "operations of the hub itself, what FHIR calls their definition.",
            "security": [],
            "parameters": [
                {
                    "name": "name",
                    "in": "path",
                    "required": True,
                    "schema": {"enum": ["discharge-event", "partner", "sender", *definitions.names()]},
                }
            ],
            "responses": {
                "200": {
                    "description": "JSON Schema 2020-12, or a FHIR StructureDefinition or OperationDefinition.",
                    "content": {
                        "application/schema+json": {
                            "schema": {"type": "object", "required": ["$schema", "$id"]},
                        },
                        "application/fhir+json": {
                            "schema": {"type": "object", "required": ["resourceType", "url"]},
                        },
                    },
                },
                "404": {
                    "description": "There is none of this name.",
                    "content": {"application/fhir+json": {"schema": {"$ref": "#/components/schemas/OperationOutcome"}}},
                },
            },
        }
    },
}
