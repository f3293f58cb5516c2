"""Operations on a Task by which people on the phone are heard: a spoken answer, a call, and what is said of it.

``$record-answer`` and ``$record-call`` are the hospital's, ``$confirm-answer`` and ``$correct-answer`` the partner's.
"""

from starlette.requests import Request
from starlette.responses import Response

from app.core.actor import Actor
from app.entrypoints.base import authenticate, fhir_type
from app.entrypoints.fhir.writing import FHIR, answer, body_of, no_query
from app.services.people.calls import Calls
from app.services.people.spoken_answers import SpokenAnswers


async def record_answer(request: Request) -> Response:
    """The hospital's Task, as it is after the answer."""
    actor, content_type, body = await _asked(request)
    done = await _answers(request).record(actor, request.path_params["id"], body)
    return answer(request, done, content_type)


async def confirm_answer(request: Request) -> Response:
    """The partner's Task, without the mark."""
    actor, content_type, body = await _asked(request)
    done = await _answers(request).confirm(actor, request.path_params["id"], body)
    return answer(request, done, content_type)


async def correct_answer(request: Request) -> Response:
    """The partner's Task, as it is after the correction."""
    actor, content_type, body = await _asked(request)
    done = await _answers(request).correct(actor, request.path_params["id"], body)
    return answer(request, done, content_type)


async def record_call(request: Request) -> Response:
    """The Communication that the call is kept as: 201, or 200 where it was told before."""
    actor, content_type, body = await _asked(request)
    calls: Calls = request.app.state.calls
    return answer(request, await calls.record(actor, request.path_params["id"], body), content_type)


async def _asked(request: Request) -> tuple[Actor, str, object]:
    actor = await authenticate(request)
    content_type = fhir_type(request)
    no_query(request)
    return actor, content_type, await body_of(request, FHIR)


def _answers(request: Request) -> SpokenAnswers:
    service: SpokenAnswers = request.app.state.spoken_answers
    return service
