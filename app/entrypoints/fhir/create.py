"""create, also conditional: https://hl7.org/fhir/R4/http.html#create, #ccreate."""

from starlette.requests import Request
from starlette.responses import Response

from app.entrypoints.base import authenticate, fhir_type
from app.entrypoints.fhir.writing import FHIR, answer, body_of, if_none_exist, no_query, writes_of


async def create(request: Request) -> Response:
    """POST of a resource; 201 with its place, or 200 with the one that ``If-None-Exist`` found."""
    actor = await authenticate(request)
    content_type = fhir_type(request)
    no_query(request, "sender")
    kind = request.path_params["type"]
    writes_of(request).admit(actor, kind, "create")
    criteria = if_none_exist(request)
    body = await body_of(request, FHIR)
    done = await writes_of(request).create(actor, kind, body, criteria, sender=request.query_params.get("sender"))
    return answer(request, done, content_type)
