"""capabilities: https://hl7.org/fhir/R4/http.html#capabilities; needs no token."""

from starlette.requests import Request
from starlette.responses import Response

from app.entrypoints.base import fhir_type, hub_of
from app.services.reading.capability import statement


async def metadata(request: Request) -> Response:
    """The CapabilityStatement of this server."""
    return Response(statement(hub_of(request).settings.fhir_base), media_type=fhir_type(request))
