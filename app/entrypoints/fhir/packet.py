"""``Task/<id>/$packet``: all that the caller may see of one referral, as a document Bundle.

An operation of this server in the manner of https://hl7.org/fhir/R4/documents.html.
"""

from starlette.requests import Request
from starlette.responses import Response

from app.entrypoints.base import authenticate, fhir_type
from app.entrypoints.fhir.headers import FhirAnswer
from app.entrypoints.fhir.read import reads_of


async def packet(request: Request) -> Response:
    """The packet."""
    actor = await authenticate(request)
    content_type = fhir_type(request)
    found = await reads_of(request).packet(actor, request.path_params["id"])
    return FhirAnswer(found.body, content_type, notices=found.notices)
