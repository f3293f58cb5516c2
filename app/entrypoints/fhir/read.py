"""read and vread: https://hl7.org/fhir/R4/http.html#read, #vread, #cread."""

from starlette.requests import Request
from starlette.responses import Response

from app.entrypoints.base import authenticate, disclosures_of, fhir_type, hub_of
from app.entrypoints.fhir.headers import last_modified, matches, not_modified_since, version_tag
from app.services.reads import Reads
from app.services.writing import Rendition


def reads_of(request: Request) -> Reads:
    """The reading service."""
    return Reads(hub_of(request), disclosures_of(request))


async def read(request: Request) -> Response:
    """The current version; 304 for a client that has it."""
    actor = await authenticate(request)
    content_type = fhir_type(request)
    found = await reads_of(request).read(actor, request.path_params["type"], request.path_params["id"])
    return shown(request, found, content_type)


async def vread(request: Request) -> Response:
    """One version."""
    actor = await authenticate(request)
    content_type = fhir_type(request)
    params = request.path_params
    found = await reads_of(request).version(actor, params["type"], params["id"], params["version"])
    return shown(request, found, content_type)


def shown(request: Request, found: Rendition, content_type: str) -> Response:
    """A version with its validators, or 304."""
    now = hub_of(request).clock.now_us()
    tag = version_tag(found.version)
    headers = {"etag": tag, "cache-control": "private, no-cache", **last_modified(found.last_updated, now)}
    if matches(request, tag) or not_modified_since(request, found.last_updated, now):
        return Response(status_code=304, headers=headers)
    return Response(found.body, headers=headers, media_type=content_type)
