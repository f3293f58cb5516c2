"""search: https://hl7.org/fhir/R4/http.html#search, by GET and by POST ``_search``."""

from functools import lru_cache
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from app.core.actor import Actor
from app.core.errors import BadRequest
from app.entrypoints.base import authenticate, disclosures_of, feed_of, fhir_type, hub_of, media_type, read_body
from app.entrypoints.fhir.headers import matches, prefers
from app.entrypoints.fhir.read import reads_of

_FORM = frozenset({"application/x-www-form-urlencoded"})
_MAX_QUERY = 64 * 1024


async def search(request: Request) -> Response:
    """Matches as a searchset; 304 for a client whose view has not changed since."""
    actor = await authenticate(request)
    content_type = fhir_type(request)
    query: bytes = request.scope["query_string"]
    known = await _known_tag(request, actor, query)
    if known is not None:
        disclosures_of(request).access(actor, "search")
        return Response(status_code=304, headers={"cache-control": "private, no-cache", "etag": known})
    return await _answer(request, actor, query, content_type)


async def search_by_post(request: Request) -> Response:
    """The same, with the parameters in the body."""
    actor = await authenticate(request)
    content_type = fhir_type(request)
    media_type(request, _FORM)
    body = await read_body(request, _MAX_QUERY)
    query = b"&".join(part for part in (request.scope["query_string"], body) if part)
    return await _answer(request, actor, query, content_type)


async def _answer(request: Request, actor: Actor, query: bytes, content_type: str) -> Response:
    lenient = prefers(request, "handling") == "lenient"
    found = await reads_of(request).search(actor, request.path_params["type"], _pairs(query), lenient=lenient)
    headers = {"cache-control": "private, no-cache"}
    if found.changed:
        headers["etag"] = _tag(request, actor, query, found.changed)
    return Response(found.body, headers=headers, media_type=content_type)


@lru_cache(maxsize=1024)
def _pairs(query: bytes) -> tuple[tuple[str, str], ...]:
    if b"%00" in query or b"\0" in query:
        raise BadRequest("The query holds a NUL.", path="http.query")
    try:
        return tuple(
            parse_qsl(query.decode("ascii"), keep_blank_values=True, strict_parsing=bool(query), errors="strict")
        )
    except ValueError as error:
        raise BadRequest("The query is not name=value pairs in UTF-8.", path="http.query") from error


def _tag(request: Request, actor: Actor, query: bytes, changed: int) -> str:
    """Bound to who asks, to what is asked, and to the last change of what that organisation may see."""
    resource_type = request.path_params["type"]
    tag = hub_of(request).keys.etag(
        actor.organization or "", actor.client, resource_type, query.decode("latin-1"), str(changed)
    )
    return f'W/"{tag}"'


async def _known_tag(request: Request, actor: Actor, query: bytes) -> str | None:
    """The validator of this search, where the client sent it and it still holds."""
    if not any(name == b"if-none-match" for name, _ in request.scope["headers"]) or actor.organization is None:
        return None
    changed = feed_of(request).changed(actor.organization)
    if changed is None:
        changed = await reads_of(request).last_change(actor)
    tag = _tag(request, actor, query, changed)
    return tag if changed > 0 and matches(request, tag) else None
