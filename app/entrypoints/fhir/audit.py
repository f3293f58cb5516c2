"""read and search of AuditEvent, which is rendered and not stored."""

from starlette.requests import Request
from starlette.responses import Response

from app.entrypoints.base import authenticate, fhir_type, media_type, read_body
from app.entrypoints.fhir.headers import FhirAnswer, prefers
from app.entrypoints.fhir.parameters import pairs_of
from app.entrypoints.fhir.read import shown
from app.entrypoints.fhir.search import FORM, MAX_QUERY
from app.services.privacy.audit_events import AuditEvents


def _events_of(request: Request) -> AuditEvents:
    events: AuditEvents = request.app.state.audit_events
    return events


async def read_event(request: Request) -> Response:
    """One event; it never changes."""
    actor = await authenticate(request)
    content_type = fhir_type(request)
    pairs = pairs_of(request.scope["query_string"])
    found = await _events_of(request).read(actor, request.path_params["id"], pairs)
    return shown(request, found, content_type)


async def search_events(request: Request) -> Response:
    """Events that the caller's organisation may see, as a searchset; by GET, or by POST with parameters in the body."""
    actor = await authenticate(request)
    content_type = fhir_type(request)
    query: bytes = request.scope["query_string"]
    if request.method == "POST":
        media_type(request, FORM)
        query = b"&".join(part for part in (query, await read_body(request, MAX_QUERY)) if part)
    lenient = prefers(request, "handling") == "lenient"
    found = await _events_of(request).search(actor, pairs_of(query), lenient=lenient)
    return FhirAnswer(found.body, content_type, notices=found.notices)
