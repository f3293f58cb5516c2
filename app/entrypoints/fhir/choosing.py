"""``Task/<id>/$ask`` and ``Task/<id>/$choose-fallback``: what a person of the hospital decides about a referral."""

from starlette.requests import Request
from starlette.responses import Response

from app.entrypoints.base import authenticate, fhir_type
from app.entrypoints.fhir.writing import FHIR, answer, body_of, no_query
from app.services.people.choices import Choices


async def ask(request: Request) -> Response:
    """The source Task, after the partner that was chosen was asked."""
    actor = await authenticate(request)
    content_type = fhir_type(request)
    no_query(request)
    done = await choices_of(request).ask(actor, request.path_params["id"], await body_of(request, FHIR))
    return answer(request, done, content_type)


async def choose_fallback(request: Request) -> Response:
    """The source Task, with the fallback that was chosen."""
    actor = await authenticate(request)
    content_type = fhir_type(request)
    no_query(request)
    done = await choices_of(request).choose_fallback(actor, request.path_params["id"], await body_of(request, FHIR))
    return answer(request, done, content_type)


def choices_of(request: Request) -> Choices:
    """Where decisions of persons are taken."""
    choices: Choices = request.app.state.choices
    return choices
