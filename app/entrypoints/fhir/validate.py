"""``$validate``: https://hl7.org/fhir/R4/resource-operation-validate.html. Any valid token may ask."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.core import json
from app.entrypoints.base import authenticate, fhir_type, media_type, read_body
from app.entrypoints.fhir.headers import FhirAnswer
from app.entrypoints.fhir.read import reads_of
from app.entrypoints.fhir.writing import FHIR
from app.services.reading import validating

_MAX_JUDGED = 1024 * 1024


async def validate(request: Request) -> Response:
    """What is sent, or by GET (and in some modes) the stored resource that the address names."""
    actor = await authenticate(request)
    content_type = fhir_type(request)
    params = request.path_params
    query = request.query_params.multi_items()
    asked = validating.asked_of(params["type"], params.get("id"), query, await _body(request))
    return FhirAnswer(await validating.validate(reads_of(request), actor, asked), content_type)


async def _body(request: Request) -> Any:
    if request.method != "POST":
        return None
    media_type(request, FHIR)
    return json.loads(await read_body(request, _MAX_JUDGED))
