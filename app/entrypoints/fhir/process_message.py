"""``$process-message``: https://hl7.org/fhir/R4/messageheader-operation-process-message.html."""

from starlette.requests import Request
from starlette.responses import Response

from app.core.actor import Actor
from app.core.errors import NotSupported
from app.entrypoints.base import authenticate, fhir_type, hub_of, intake_of, media_type, read_body
from app.services import scopes
from app.services.intake import fhir_intake, intake_requests
from schemas.sender import Sender

FHIR_TYPES = frozenset({"application/fhir+json", "application/json"})


async def process_message(request: Request) -> Response:
    """One message; the answer is the response message, or an HTTP error with an OperationOutcome."""
    _, senders = await who_sends(request)
    content_type = fhir_type(request)
    for name in ("async", "response-url"):
        if request.query_params.get(name, "false") != "false":
            raise NotSupported("A message is answered in the same exchange only.", path=f"http.{name}")
    media_type(request, FHIR_TYPES)
    hub = hub_of(request)
    data = await read_body(request, hub.settings.max_body)
    body = await fhir_intake.process_message(hub, intake_of(request), data, senders)
    return Response(body, headers={"content-type": content_type})


async def who_sends(request: Request) -> tuple[Actor, list[Sender]]:
    """The caller, and the interfaces that it may send as; ``?sender=`` names one. Raises Forbidden."""
    actor = await authenticate(request)
    scopes.require_ingest(actor)
    named = request.query_params.get("sender")
    return actor, await intake_requests.senders_of(hub_of(request), actor, named)
