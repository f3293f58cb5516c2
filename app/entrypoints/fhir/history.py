"""history of one resource: https://hl7.org/fhir/R4/http.html#history."""

from starlette.requests import Request
from starlette.responses import Response

from app.core.errors import BadRequest
from app.entrypoints.base import authenticate, fhir_type
from app.entrypoints.fhir.headers import FhirAnswer
from app.entrypoints.fhir.read import reads_of
from schemas.resources.times import date_range

_KNOWN = frozenset({"_since", "_format"})


async def history(request: Request) -> Response:
    """Every version that the caller may see, newest first; ``_since`` cuts the older ones off."""
    actor = await authenticate(request)
    content_type = fhir_type(request)
    if not _KNOWN.issuperset(request.query_params):
        raise BadRequest("Only _since is supported here.", path="http.query")
    said = request.query_params.get("_since")
    since = None
    if said is not None:
        found = date_range(said.replace(" ", "+"))
        if found is None or "T" not in said:
            raise BadRequest("_since is an instant.", path="http._since")
        since = found[0]
    params = request.path_params
    body = await reads_of(request).history(actor, params["type"], params["id"], since)
    return FhirAnswer(body, content_type)
