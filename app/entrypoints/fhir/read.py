"""read and vread: https://hl7.org/fhir/R4/http.html#read, #vread, #cread."""

from starlette.requests import Request
from starlette.responses import Response

from app.entrypoints.base import authenticate, fhir_type, hub_of
from app.entrypoints.fhir.headers import FhirAnswer, last_modified, none_match, not_modified_since
from app.entrypoints.fhir.parameters import pairs_of
from app.services.reading.reads import Reads
from app.services.writing import Rendition


def reads_of(request: Request) -> Reads:
    """The reading service."""
    reads: Reads = request.app.state.reads
    return reads


async def read(request: Request) -> Response:
    """The current version; 304 for a client that has it."""
    actor = await authenticate(request)
    content_type = fhir_type(request)
    params, pairs = request.path_params, pairs_of(request.scope["query_string"])
    found = await reads_of(request).read(actor, params["type"], params["id"], pairs)
    return shown(request, found, content_type)


async def vread(request: Request) -> Response:
    """One version."""
    actor = await authenticate(request)
    content_type = fhir_type(request)
    params, pairs = request.path_params, pairs_of(request.scope["query_string"])
    found = await reads_of(request).version(actor, params["type"], params["id"], params["version"], pairs)
    return shown(request, found, content_type)


def shown(request: Request, found: Rendition, content_type: str) -> Response:
    """A version with its validators, or 304."""
    now = hub_of(request).clock.now_us()
    tag = str(found.version)
    has = none_match(request)
    held = tag in has or "*" in has or not_modified_since(request, found.last_updated, now)
    body = None if held else found.body
    return FhirAnswer(
        body, content_type, tag=tag, last_modified=last_modified(found.last_updated, now), notices=found.notices
    )
