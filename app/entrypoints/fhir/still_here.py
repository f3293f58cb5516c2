"""``Organization/<id>/$still-here``: the weekly list of whom a partner has taken, by GET, and its answers, by POST."""

from starlette.requests import Request
from starlette.responses import Response

from app.core import json
from app.entrypoints.base import authenticate, fhir_type
from app.entrypoints.fhir.headers import FhirAnswer
from app.entrypoints.fhir.writing import FHIR, body_of, no_query
from app.services.people.retention import Retention
from app.services.people.retention_requests import answers_of, list_of, outcomes_of


async def still_here(request: Request) -> Response:
    """The list, as Parameters."""
    actor = await authenticate(request)
    content_type = fhir_type(request)
    no_query(request)
    found = await _service(request).listed(actor, request.path_params["id"])
    return FhirAnswer(json.dumps(list_of(found)), content_type, notices=found.notices)


async def answer_still_here(request: Request) -> Response:
    """What became of each answer, as Parameters."""
    actor = await authenticate(request)
    content_type = fhir_type(request)
    no_query(request)
    told = answers_of(await body_of(request, FHIR))
    found = await _service(request).answer(actor, request.path_params["id"], told)
    return FhirAnswer(json.dumps(outcomes_of(found)), content_type)


def _service(request: Request) -> Retention:
    service: Retention = request.app.state.retention
    return service
