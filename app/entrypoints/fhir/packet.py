"""``Task/<id>/$packet``: all that the caller may see of one referral, as a document Bundle or as pages for people.

An operation of this server in the manner of https://hl7.org/fhir/R4/documents.html. Programs are given JSON; a browser
(``Accept: text/html``) a page, and who asks for ``application/pdf`` that page to print.
"""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from app.core.errors import NotAcceptable
from app.entrypoints.base import FHIR_JSON, JSON, authenticate, header, negotiate
from app.entrypoints.fhir.headers import FhirAnswer
from app.entrypoints.fhir.read import reads_of
from app.services.packets.packets import PAGE_POLICY, Form

_OFFERED: Final[dict[str, tuple[Form, str]]] = {
    "application/fhir+json": ("json", FHIR_JSON),
    "application/json": ("json", JSON),
    "text/html": ("html", "text/html; charset=utf-8"),
    "application/pdf": ("pdf", "application/pdf"),
}
_FORMATS: Final = {
    "json": "application/fhir+json",
    "text/json": "application/json",
    # a plus sign that was not escaped in the query
    "application/fhir json": "application/fhir+json",
    "html": "text/html",
    "pdf": "application/pdf",
}
_PAGE: Final = {
    # Who has the page need not ask again: nothing of it may stay in a cache on the way or in a browser.
    "cache-control": "private, no-store",
    "content-security-policy": PAGE_POLICY,
}


async def packet(request: Request) -> Response:
    """The packet."""
    actor = await authenticate(request)
    form, content_type = _wanted(request)
    found = await reads_of(request).packet(actor, request.path_params["id"], form)
    answer = FhirAnswer(found.body, content_type, notices=found.notices)
    answer.headers["vary"] = "Accept"
    if form != "json":
        answer.headers.update(_PAGE | {"content-disposition": f'inline; filename="packet.{form}"'})
    return answer


def _wanted(request: Request) -> tuple[Form, str]:
    """The form and its media type: ``_format`` where given, else by Accept. Raises NotAcceptable."""
    stated = request.query_params.get("_format")
    if stated is not None:
        name = stated.partition(";")[0].strip().lower()
        chosen = _OFFERED.get(_FORMATS.get(name, name))
    else:
        accept = (header(request.scope, b"accept") or b"").decode("latin-1")
        chosen = _OFFERED.get(negotiate(accept, tuple(_OFFERED)) or "")
    if chosen is None:
        raise NotAcceptable(f"A packet is written as {', '.join(_OFFERED)}; _format may be json, html or pdf.")
    return chosen
