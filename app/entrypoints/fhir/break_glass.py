"""``Task/<id>/$break-glass``: one referral, once, for medical personnel in an emergency (42 CFR 2.51)."""

from starlette.requests import Request
from starlette.responses import Response

from app.entrypoints.base import authenticate, fhir_type
from app.entrypoints.fhir.headers import FhirAnswer
from app.entrypoints.fhir.writing import FHIR, body_of, no_query
from app.services.privacy.break_glass import BreakGlass


async def break_glass(request: Request) -> Response:
    """The packet."""
    actor = await authenticate(request)
    content_type = fhir_type(request)
    no_query(request)
    service: BreakGlass = request.app.state.break_glass
    found = await service.packet(actor, request.path_params["id"], await body_of(request, FHIR))
    return FhirAnswer(found.body, content_type, notices=found.notices)
