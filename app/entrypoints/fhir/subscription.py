"""``$status`` and ``$events`` of Subscription, by GET and by POST of Parameters.

http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription-status, -events.
"""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from app.core import json
from app.core.errors import BadRequest
from app.entrypoints.base import authenticate, disclosures_of, fhir_type, hub_of, media_type, read_body
from app.entrypoints.fhir.headers import FhirAnswer
from app.services.subscriptions import subscription_reads as service

_JSON: Final = frozenset({"application/fhir+json", "application/json"})
_MAX_PARAMETERS: Final = 64 * 1024
_STATUS: Final = frozenset({"id", "status"})
_EVENTS: Final = frozenset({"eventsSinceNumber", "eventsUntilNumber", "content"})
_GENERAL: Final = frozenset({"_format", "_pretty"})
Asked = dict[str, list[str]]


async def status(request: Request) -> Response:
    """How the caller's Subscriptions stand."""
    actor = await authenticate(request)
    content_type = fhir_type(request)
    asked = await _asked(request, _STATUS)
    body = await service.status(hub_of(request), actor, asked.get("id", ()), asked.get("status", ()))
    return FhirAnswer(body, content_type)


async def status_of(request: Request) -> Response:
    """How one Subscription stands; the parameters are ignored, as the operation has it."""
    actor = await authenticate(request)
    content_type = fhir_type(request)
    await _asked(request, _STATUS)
    body = await service.status_of(hub_of(request), actor, request.path_params["id"])
    return FhirAnswer(body, content_type)


async def events(request: Request) -> Response:
    """Events of one Subscription by number."""
    actor = await authenticate(request)
    content_type = fhir_type(request)
    asked = {name: _once(name, values) for name, values in (await _asked(request, _EVENTS)).items()}
    wanted = service.AskedEvents(asked.get("eventsSinceNumber"), asked.get("eventsUntilNumber"), asked.get("content"))
    found = await service.events(hub_of(request), disclosures_of(request), actor, request.path_params["id"], wanted)
    return FhirAnswer(found.body, content_type, notices=found.notices)


async def _asked(request: Request, known: frozenset[str]) -> Asked:
    """Parameters of the query, and of the body where there is one; several values may be separated by commas."""
    found: Asked = {}
    pairs = [(name, value) for name, value in request.query_params.multi_items() if name not in _GENERAL]
    if request.method == "POST":
        body = await read_body(request, _MAX_PARAMETERS)
        if body:
            media_type(request, _JSON)
            pairs += _parameters(json.loads(body))
    for name, value in pairs:
        if name not in known:
            raise BadRequest(f"Parameters of this operation are {', '.join(sorted(known))}.", path="http.query")
        found.setdefault(name, []).extend(value.split(","))
    return found


def _parameters(body: Any) -> list[tuple[str, str]]:
    if not isinstance(body, dict) or body.get("resourceType") != "Parameters":
        raise BadRequest("Parameters are expected.", path="Parameters.resourceType")
    given = body.get("parameter", [])
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise BadRequest("A list of parameters is expected.", path="Parameters.parameter")
    return [_parameter(position, one) for position, one in enumerate(given)]


def _parameter(position: int, one: dict[str, Any]) -> tuple[str, str]:
    values = [value for name, value in one.items() if name.startswith("value")]
    if not isinstance(one.get("name"), str) or len(values) != 1 or not isinstance(values[0], str | int):
        raise BadRequest("A parameter has a name and one value.", path=f"Parameters.parameter[{position}]")
    return one["name"], str(values[0])


def _once(name: str, values: list[str]) -> str:
    if len(values) != 1:
        raise BadRequest(f"{name} is given once.", path=f"http.{name}")
    return values[0]
