"""search: https://hl7.org/fhir/R4/http.html#search, by GET and by POST ``_search``."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from app.core.actor import Actor
from app.entrypoints.base import authenticate, fhir_type, media_type, read_body
from app.entrypoints.fhir.headers import FhirAnswer, none_match, prefers
from app.entrypoints.fhir.parameters import pairs_of
from app.services.reading.searches import Searches

FORM = frozenset({"application/x-www-form-urlencoded"})
MAX_QUERY = 64 * 1024


async def search(request: Request) -> Response:
    """Matches as a searchset; 304 for a client whose view has not changed since."""
    actor = await authenticate(request)
    content_type = fhir_type(request)
    return await _answer(request, actor, request.scope["query_string"], content_type, has=none_match(request))


async def search_by_post(request: Request) -> Response:
    """The same, with the parameters in the body."""
    actor = await authenticate(request)
    content_type = fhir_type(request)
    media_type(request, FORM)
    body = await read_body(request, MAX_QUERY)
    query = b"&".join(part for part in (request.scope["query_string"], body) if part)
    return await _answer(request, actor, query, content_type)


async def _answer(
    request: Request, actor: Actor, query: bytes, content_type: str, *, has: Sequence[str] = ()
) -> Response:
    searches: Searches = request.app.state.searches
    lenient = prefers(request, "handling") == "lenient"
    found = await searches.search(actor, request.path_params["type"], query, pairs_of(query), lenient=lenient, has=has)
    return FhirAnswer(found.body, content_type, tag=found.tag, notices=found.notices)
