"""transaction: https://hl7.org/fhir/R4/http.html#transaction.

What a hospital writes is intake, so the scope is ``ingest``: nothing is created as it was sent.
"""

from starlette.requests import Request
from starlette.responses import Response

from app.entrypoints.base import feed_of, fhir_type, hub_of, intake_of, media_type, read_body
from app.entrypoints.fhir.process_message import FHIR_TYPES, who_sends
from app.services import fhir_intake


async def transaction(request: Request) -> Response:
    """One transaction Bundle, all or nothing."""
    actor, senders = await who_sends(request)
    content_type = fhir_type(request)
    media_type(request, FHIR_TYPES)
    hub = hub_of(request)
    data = await read_body(request, hub.settings.max_body)
    try:
        body = await fhir_intake.transaction(hub, intake_of(request), actor, data, senders)
    finally:
        # Whatever came of it: what failed on its way back may have been written.
        if actor.organization is not None:
            feed_of(request).doubt(actor.organization)
    return Response(body, headers={"content-type": content_type})
