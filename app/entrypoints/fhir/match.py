"""``ServiceRequest/<id>/$match``: partners for a request, ranked, for the hospital that made it.

An operation of this server in the manner of https://hl7.org/fhir/R4/patient-operation-match.html, by GET and by POST.
"""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from app.core import json
from app.core.errors import BadRequest
from app.entrypoints.base import authenticate, disclosures_of, fhir_type, hub_of, media_type, read_body
from app.entrypoints.fhir.headers import FhirAnswer
from app.entrypoints.fhir.writing import FHIR
from app.services.referral import match_requests

_MAX_PARAMETERS: Final = 64 * 1024
_GENERAL: Final = frozenset({"_format", "_pretty"})
_MOST: Final = 1000


async def match(request: Request) -> Response:
    """The searchset."""
    actor = await authenticate(request)
    content_type = fhir_type(request)
    count = await _count(request)
    found = await match_requests.match(
        hub_of(request), disclosures_of(request), actor, request.path_params["id"], count
    )
    return FhirAnswer(found.body, content_type, notices=found.notices)


async def _count(request: Request) -> int | None:
    """The one parameter that there is, in the query or in Parameters."""
    given: list[object] = []
    for name, value in request.query_params.multi_items():
        if name not in _GENERAL:
            given.append(int(value) if name == "count" and value.isascii() and value.isdecimal() else None)
    if request.method == "POST":
        body = await read_body(request, _MAX_PARAMETERS)
        if body:
            media_type(request, FHIR)
            given += _parameters(json.loads(body))
    if not given:
        return None
    (count, *more) = given
    if more or not isinstance(count, int) or isinstance(count, bool) or not 0 < count <= _MOST:
        raise BadRequest(f"The one parameter of this operation is count, from 1 to {_MOST}.", path="count")
    return count


def _parameters(body: object) -> list[object]:
    if not isinstance(body, dict) or body.get("resourceType") != "Parameters":
        raise BadRequest("Parameters are expected.", path="Parameters.resourceType")
    given = body.get("parameter", [])
    if not isinstance(given, list):
        raise BadRequest("A list of parameters is expected.", path="Parameters.parameter")
    known = (one if isinstance(one, dict) and one.get("name") == "count" else {} for one in given)
    return [one.get("valueInteger") for one in known]
