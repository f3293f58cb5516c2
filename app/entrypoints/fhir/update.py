"""update and patch, also conditional: https://hl7.org/fhir/R4/http.html#update, #patch, #cond-update."""

from starlette.requests import Request
from starlette.responses import Response

from app.entrypoints.base import authenticate, fhir_type
from app.entrypoints.fhir.headers import if_match
from app.entrypoints.fhir.writing import FHIR, JSON_PATCH, answer, body_of, no_query, query_criteria, writes_of
from app.services.interactions import Wanted
from app.services.writes.resource_requests import patching, put


async def update(request: Request) -> Response:
    """PUT of a whole resource."""
    actor = await authenticate(request)
    content_type = fhir_type(request)
    no_query(request)
    kind, name = request.path_params["type"], request.path_params["id"]
    writes_of(request).admit(actor, kind, "update")
    body = await body_of(request, FHIR)
    done = await writes_of(request).update(actor, put(kind, name, body, if_match(request)))
    return answer(request, done, content_type)


async def update_found(request: Request) -> Response:
    """PUT of a resource that a search names."""
    actor = await authenticate(request)
    content_type = fhir_type(request)
    writes_of(request).admit(actor, request.path_params["type"], "update")
    criteria = query_criteria(request)
    body = await body_of(request, FHIR)
    done = await writes_of(request).update_found(actor, criteria, body, if_match(request))
    return answer(request, done, content_type)


async def patch(request: Request) -> Response:
    """JSON Patch of a resource."""
    actor = await authenticate(request)
    content_type = fhir_type(request)
    no_query(request)
    kind, name = request.path_params["type"], request.path_params["id"]
    writes_of(request).admit(actor, kind, "patch")
    edit = patching(await body_of(request, JSON_PATCH))
    done = await writes_of(request).update(actor, Wanted(kind, name, edit, if_match(request), relative=True), "patch")
    return answer(request, done, content_type)


async def patch_found(request: Request) -> Response:
    """JSON Patch of a resource that a search names."""
    actor = await authenticate(request)
    content_type = fhir_type(request)
    writes_of(request).admit(actor, request.path_params["type"], "patch")
    criteria = query_criteria(request)
    edit = patching(await body_of(request, JSON_PATCH))
    done = await writes_of(request).patch_found(actor, criteria, edit, if_match(request))
    return answer(request, done, content_type)
