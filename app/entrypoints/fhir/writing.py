"""What the writing interactions share: the body, the preference, and the answer with its validators.

https://hl7.org/fhir/R4/http.html#create, #update, #patch, #ops (Prefer).
"""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from app.core import json
from app.core.errors import BadRequest
from app.entrypoints.base import header, hub_of, media_type, read_body
from app.entrypoints.fhir.headers import FhirAnswer, last_modified, prefers
from app.services.interactions import Done
from app.services.writes.criteria import Criteria, criteria_of
from app.services.writes.resource_writes import ResourceWrites

FHIR: Final = frozenset({"application/fhir+json", "application/json"})
JSON_PATCH: Final = frozenset({"application/json-patch+json"})
_SAID: Final = {200: "It is stored as it stands.", 201: "It was created.", 204: "It was deleted."}


def writes_of(request: Request) -> ResourceWrites:
    """Where resources are written."""
    writes: ResourceWrites = request.app.state.writes
    return writes


async def body_of(request: Request, types: frozenset[str]) -> Any:
    """The body as a JSON value. Raises UnsupportedMedia, TooLarge, BadRequest."""
    media_type(request, types)
    return json.loads(await read_body(request, hub_of(request).settings.max_body))


def no_query(request: Request, *known: str) -> None:
    """BadRequest where the address has a query, other than ``known``, that would mean nothing."""
    if any(name not in {"_format", "_pretty", *known} for name in request.query_params):
        raise BadRequest("This interaction takes no query.", path="http.query")


def query_criteria(request: Request) -> Criteria:
    """The criteria of a conditional interaction, from its query."""
    query = request.scope["query_string"].decode("latin-1")
    kept = "&".join(part for part in query.split("&") if not part.startswith(("_format=", "_pretty=")))
    if not kept:
        raise BadRequest("Name the resource by its id, or by criteria in the query.", path="http.query")
    return criteria_of(request.path_params["type"], kept, "http.query")


def if_none_exist(request: Request) -> Criteria | None:
    """The criteria of a conditional create; None where it is none."""
    value = header(request.scope, b"if-none-exist")
    if value is None:
        return None
    # The standard has the criteria alone; HAPI's client sends the whole address of the search.
    criteria = value.decode("latin-1").removeprefix(f"{hub_of(request).settings.fhir_base}/")
    return criteria_of(request.path_params["type"], criteria, "http.If-None-Exist")


def answer(request: Request, done: Done, content_type: str) -> Response:
    """Status, place, validators and, as the client prefers, body of what was done."""
    rendition = done.rendition
    if rendition is None:
        return Response(status_code=204, headers={"etag": f'W/"{done.version}"'})
    now = hub_of(request).clock.now_us()
    body = _body(request, done)
    found = FhirAnswer(
        body,
        content_type,
        tag=str(rendition.version),
        last_modified=last_modified(rendition.last_updated, now),
        notices=rendition.notices if body is rendition.body else (),
    )
    found.status_code = done.status
    if done.status == 201 or "id" not in request.path_params:
        # Who named criteria learns which resource it was, also where no body is wanted (RFC 9110 section 8.7).
        named = b"location" if done.status == 201 else b"content-location"
        place = f"{hub_of(request).settings.fhir_base}/{done.type}/{done.id}/_history/{done.version}"
        found.raw_headers.append((named, place.encode("latin-1")))
    return found


def _body(request: Request, done: Done) -> bytes:
    wanted = prefers(request, "return")
    if wanted == "minimal" or done.rendition is None:
        return b""
    if wanted == "OperationOutcome":
        issue = {"severity": "information", "code": "informational", "diagnostics": _SAID[done.status]}
        return json.dumps({"resourceType": "OperationOutcome", "issue": [issue]})
    return done.rendition.body
