"""``Task/$patient-is-here``: a person stands at a partner's door."""

from starlette.requests import Request
from starlette.responses import Response

from app.entrypoints.base import authenticate, fhir_type
from app.entrypoints.fhir.writing import FHIR, answer, body_of, no_query
from app.services.people.arrivals import Arrivals


async def patient_is_here(request: Request) -> Response:
    """The partner's own Task, accepted, with the word that the person came."""
    actor = await authenticate(request)
    content_type = fhir_type(request)
    no_query(request)
    arrivals: Arrivals = request.app.state.arrivals
    return answer(request, await arrivals.here(actor, await body_of(request, FHIR)), content_type)
