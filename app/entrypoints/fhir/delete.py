"""delete: https://hl7.org/fhir/R4/http.html#delete. The versions stay in the history; a read is then 410."""

from starlette.requests import Request
from starlette.responses import Response

from app.entrypoints.base import authenticate, fhir_type
from app.entrypoints.fhir.headers import if_match
from app.entrypoints.fhir.writing import answer, no_query, writes_of


async def delete(request: Request) -> Response:
    """Delete one resource of the caller's own."""
    actor = await authenticate(request)
    content_type = fhir_type(request)
    no_query(request)
    params = request.path_params
    done = await writes_of(request).delete(actor, params["type"], params["id"], if_match(request))
    return answer(request, done, content_type)
