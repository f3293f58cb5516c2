"""What a developer reads: JSON Schemas, and the OpenAPI document put together from what each door says of itself.

The scripts of the pages come from this hub, not from a network that a hospital may not reach.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from app.core import json
from app.entrypoints import base
from app.entrypoints.ops import examples
from app.services.reading import definitions
from schemas.discharge import DischargeEvent
from schemas.partner import PartnerProfile
from schemas.sender import SenderFile
from schemas.working_agreement import WorkingAgreement

Document = dict[str, Any]
_MODELS: Final[Mapping[str, type[BaseModel]]] = {
    "discharge-event": DischargeEvent,
    "partner": PartnerProfile,
    "sender": SenderFile,
    "agreement": WorkingAgreement,
}
_SCHEMAS: Final = {name: model.model_json_schema(by_alias=True) for name, model in _MODELS.items()}
_CACHE: Final = {"content-type": "application/schema+json", "cache-control": "public, max-age=300"}


async def schema(request: Request) -> Response:
    """The JSON Schema (2020-12) of one body that is sent to the hub, or what one of our own extensions is in FHIR."""
    name = request.path_params["name"]
    defined = definitions.definition(name)
    if defined is not None:
        return Response(json.dumps(defined), headers=_CACHE | {"content-type": "application/fhir+json"})
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


# ---- OpenAPI


async def openapi(request: Request) -> Response:
    """The OpenAPI document; ``?fhir=named`` gives the one whose FHIR types are names with a link.

    Made when it is first asked for, and kept as bytes: as objects it is ten times as large.
    """
    kept: dict[bool, bytes] = request.app.state.openapi
    named = request.query_params.get("fhir") == "named"
    if named not in kept:
        # In a thread: it takes long enough to keep messages waiting.
        made = await run_in_threadpool(request.app.openapi)
        kept[named] = json.dumps(with_named_types(made) if named else made)
    tag = f'"{sha256(kept[named]).hexdigest()[:16]}"'
    headers = {"etag": tag, "cache-control": "public, max-age=300"}
    if base.header(request.scope, b"if-none-match") == tag.encode():
        return Response(status_code=304, headers=headers)
    return Response(kept[named], headers=headers, media_type=base.JSON)


async def swagger(_request: Request) -> Response:
    """The document to read and to try."""
    return get_swagger_ui_html(
        openapi_url=_OPENAPI,
        title=_PAGE_TITLE,
        swagger_js_url=f"{_ASSETS}/swagger/swagger-ui-bundle.js",
        swagger_css_url=f"{_ASSETS}/swagger/swagger-ui.css",
        swagger_favicon_url=_ICON,
    )


async def redoc(_request: Request) -> Response:
    """The document to read. ReDoc lays out all types at once, and FHIR's contain each other without end."""
    return get_redoc_html(
        openapi_url=f"{_OPENAPI}?fhir=named",
        title=_PAGE_TITLE,
        redoc_js_url=f"{_ASSETS}/redoc/redoc.standalone.js",
        redoc_favicon_url=_ICON,
        with_google_fonts=False,
    )


_OPENAPI: Final = "/openapi.json"
_ASSETS: Final = "/docs/assets"
_ICON: Final = f"{_ASSETS}/fastapi/favicon.png"
_PAGE_TITLE: Final = "Throughline"

routes: list[BaseRoute] = [
    Route("/schemas/{name}.json", schema),
    Route(_OPENAPI, openapi),
    Route("/docs", swagger),
    Route("/redoc", redoc),
    Mount(_ASSETS, StaticFiles(packages=[("fastapi_standalone_docs", "static")])),
    Route("/", home),
]

_TEXT: Final[Document] = {"type": ["string", "null"]}
_LEDGER_ENTRY: Final[Document] = {
    "type": "object",
    "description": "Where one message went, and why.",
    "required": [
        *("id", "sender", "control_id", "message_type", "received_at"),
        *("state", "reasons", "visit", "referral"),
    ],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "sender": {**_TEXT, "description": "Id of the interface."},
        "control_id": {**_TEXT, "description": "MSH-10, or the identity of the event."},
        "message_type": {**_TEXT, "description": "`ADT^A03`, `event:discharge`."},
        "received_at": {"type": "string", "format": "date-time"},
        "state": {"enum": ["referral", "updated", "waiting", "review", "not-ours", "rejected", "duplicate"]},
        "reasons": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["code", "text"],
                "properties": {"code": {"type": "string"}, "text": {"type": "string"}},
            },
        },
        "visit": _TEXT,
        "referral": {**_TEXT, "description": "Id of the source ServiceRequest."},
    },
}
_TITLE: Final = "DischargeEvent"


def document(described: Document, paths: Sequence[Mapping[str, Document]], components: Document) -> Document:
    """The OpenAPI 3.1 document ``described``, with the path items of every door, and with what was recorded of them.

    Args:
        described: Title, version and what else stands at its head.
        paths: Path items by path, of each door.
        components: Components that path items refer to.
    """
    found = {**described, "paths": {path: item for part in paths for path, item in part.items()}}
    # The event's own Patient and Coverage are not those of FHIR: they carry its name.
    event = DischargeEvent.model_json_schema(by_alias=True, ref_template=f"#/components/schemas/{_TITLE}.{{model}}")
    parts = {f"{_TITLE}.{name}": schema for name, schema in event.pop("$defs", {}).items()}
    own = {"LedgerEntry": _LEDGER_ENTRY, _TITLE: event, **parts}
    found["tags"] = [{"name": name} for name in _tags(found["paths"])]
    schemas = own | components["schemas"]
    found["components"] = {**components, "schemas": schemas, "securitySchemes": _security(found["paths"])}
    # A copy in which nothing is shared: an example belongs to one place.
    copy: Document = json.loads(json.dumps(found))
    _limit(copy["paths"])
    examples.weave(copy, examples.exchanges())
    return copy


def _limit(paths: Document) -> None:
    """Whatever needs a token may be asked too often."""
    for operation in (operation for item in paths.values() for operation in item.values()):
        if operation.get("security") != []:
            operation["responses"].setdefault("429", {"$ref": "#/components/responses/TooManyRequests"})


def with_named_types(document: Document) -> Document:
    """The same document with each FHIR type as a name and the address of its definition."""
    known = document["components"]["schemas"]
    types = [one["$ref"].rpartition("/")[2] for one in known["AnyResource"]["oneOf"]]
    kept = {name: schema for name, schema in known.items() if name.startswith(_PLAIN)}
    schemas = {**kept, **{name: _named(name) for name in types}}
    return {**document, "components": {**document["components"], "schemas": schemas}}


_PLAIN: Final = ("LedgerEntry", _TITLE, "JsonPatch", "CommonSearch", "AnyResource", "p-")
"""How the names of shapes of our own begin, and those of FHIR primitives."""


def _named(name: str) -> Document:
    page = {"url": f"https://hl7.org/fhir/R4/{name.lower()}.html"}
    return {"type": "object", "title": name, "description": f"FHIR R4 {name}", "externalDocs": page}


def _tags(paths: Document) -> list[str]:
    """Groups of operations: first what a newcomer needs, in the order in which it is needed."""
    used = {tag for item in paths.values() for operation in item.values() for tag in operation["tags"]}
    return [*_FIRST, *sorted(used.difference(_FIRST))]


_FIRST: Final = ("Access", "Ways in", "Task", "ServiceRequest")


def _security(paths: Document) -> Document:
    """How a caller shows who it is, with every scope that an operation names."""
    operations = [operation for item in paths.values() for operation in item.values()]
    asked = {scope for one in operations for way in one.get("security", ()) for scope in way.get("oauth", ())}
    return {
        "oauth": {
            "type": "oauth2",
            "description": "Client credentials; the token is bound to the organisation of the client.",
            "flows": {
                "clientCredentials": {
                    "tokenUrl": "/oauth/token",
                    "scopes": {
                        scope: _SCOPES.get(scope.rpartition(".")[2], "send messages") for scope in sorted(asked)
                    },
                }
            },
        },
        "bearer": {"type": "http", "scheme": "bearer", "description": "From POST /oauth/token or `throughline token`."},
        "client": {"type": "http", "scheme": "basic", "description": "client_id and client_secret."},
    }


_SCOPES: Final = {"r": "read", "s": "search", "u": "update"}
