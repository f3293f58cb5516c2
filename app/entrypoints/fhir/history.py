"""history of one resource: https://hl7.org/fhir/R4/http.html#history."""

from starlette.requests import Request
from starlette.responses import Response

from app.entrypoints.base import authenticate, fhir_type
from app.entrypoints.fhir.headers import FhirAnswer
from app.entrypoints.fhir.parameters import pairs_of
from app.entrypoints.fhir.read import reads_of


async def history(request: Request) -> Response:
    """The versions that the caller may see, newest first, page by page."""
    actor = await authenticate(request)
    content_type = fhir_type(request)
    params, pairs = request.path_params, pairs_of(request.scope["query_string"])
    found = await reads_of(request).history(actor, params["type"], params["id"], pairs)
    return FhirAnswer(found.body, content_type, notices=found.notices)
