"""update and patch of Task: https://hl7.org/fhir/R4/http.html#update, #patch."""

from starlette.requests import Request
from starlette.responses import Response

from app.core import json
from app.core.actor import Actor
from app.core.errors import BadRequest, NotSupported
from app.entrypoints.base import (
    authenticate,
    disclosures_of,
    feed_of,
    fhir_type,
    hub_of,
    intake_of,
    media_type,
    read_body,
)
from app.entrypoints.fhir.headers import FhirAnswer, if_match, last_modified, prefers
from app.services import tasks
from app.services.writing import Rendition

_FHIR = frozenset({"application/fhir+json", "application/json"})
_JSON_PATCH = frozenset({"application/json-patch+json"})
_MAX_TASK = 1024 * 1024


async def update(request: Request) -> Response:
    """PUT of a whole Task."""
    actor = await authenticate(request)
    content_type = fhir_type(request)
    _only_tasks(request)
    media_type(request, _FHIR)
    body = json.loads(await read_body(request, _MAX_TASK))
    return await _written(request, actor, tasks.put(body, request.path_params["id"], if_match(request)), content_type)


async def patch(request: Request) -> Response:
    """JSON Patch of a Task."""
    actor = await authenticate(request)
    content_type = fhir_type(request)
    _only_tasks(request)
    media_type(request, _JSON_PATCH)
    body = json.loads(await read_body(request, _MAX_TASK))
    return await _written(request, actor, tasks.patch(body, request.path_params["id"], if_match(request)), content_type)


def _only_tasks(request: Request) -> None:
    if request.scope["query_string"]:
        raise BadRequest("An update takes no query.", path="http.query")
    if request.path_params["type"] != "Task":
        raise NotSupported("Only Task can be updated on this server; see the CapabilityStatement.")


async def _written(request: Request, actor: Actor, wanted: tasks.Wanted, content_type: str) -> Response:
    hub = hub_of(request)
    try:
        found = await tasks.update(hub, intake_of(request), disclosures_of(request), actor, wanted)
    finally:
        # Whatever came of it: what failed on its way back may have been written.
        if actor.organization is not None:
            feed_of(request).doubt(actor.organization)
    modified = last_modified(found.last_updated, hub.clock.now_us())
    return FhirAnswer(_body(request, found), content_type, tag=str(found.version), last_modified=modified)


def _body(request: Request, found: Rendition) -> bytes:
    wanted = prefers(request, "return")
    if wanted == "minimal":
        return b""
    if wanted == "OperationOutcome":
        issue = {"severity": "information", "code": "informational", "diagnostics": "The Task was changed."}
        return json.dumps({"resourceType": "OperationOutcome", "issue": [issue]})
    return found.body
