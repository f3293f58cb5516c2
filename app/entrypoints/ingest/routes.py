"""Where hospitals' messages come in by HTTP: ``/ingest/hl7v2`` and ``/ingest/events``.

Plain Starlette routes: an answer is an acknowledgement or a ledger entry, ready as bytes.
"""

import re
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from app.core import json
from app.core.errors import BadRequest
from app.entrypoints import base
from app.services import scopes
from app.services.intake import intake_requests
from schemas.sender import Sender

HL7_TYPES: Final = frozenset({"application/hl7-v2", "x-application/hl7-v2+er7", "text/plain"})
LINES: Final = frozenset({"application/x-ndjson", "application/ndjson"})
EVENT_TYPES: Final = LINES | {"application/json"}
_KEY: Final = re.compile(r"[\x21-\x7e]{1,256}")


async def hl7v2(request: Request) -> Response:
    """One HL7 v2 message or a batch; answered in the same media type, with nothing where its sender wants nothing."""
    senders = await _senders(request)
    kind = base.media_type(request, HL7_TYPES)
    hub = base.hub_of(request)
    data = await base.read_body(request, hub.settings.max_body)
    acks = await intake_requests.receive_hl7_body(hub, base.intake_of(request), data, senders)
    return Response(b"".join(acks), headers={"content-type": kind})


async def events(request: Request) -> Response:
    """One DischargeEvent as JSON, or one per line as NDJSON."""
    senders = await _senders(request, request.query_params.get("sender"))
    kind = base.media_type(request, EVENT_TYPES)
    key = _idempotency_key(request)
    if key is not None and kind in LINES:
        raise BadRequest("Each line has its event_id as identity; one key can't name many.", path="Idempotency-Key")
    hub = base.hub_of(request)
    data = await base.read_body(request, hub.settings.max_body)
    if kind in LINES:
        entries = await intake_requests.receive_event_lines(hub, base.intake_of(request), data, senders)
        return Response(b"".join(json.dumps(entry) + b"\n" for entry in entries), headers={"content-type": kind})
    answer = await intake_requests.receive_event(hub, base.intake_of(request), data, senders, key)
    headers = {"location": f"/fhir/R4/ServiceRequest/{answer.referral}"} if answer.referral else None
    return base.json_response(answer.entry, answer.status, headers)


async def _senders(request: Request, named: str | None = None) -> list[Sender]:
    actor = await base.authenticate(request)
    scopes.require_ingest(actor)
    return await intake_requests.senders_of(base.hub_of(request), actor, named)


def _idempotency_key(request: Request) -> str | None:
    """The key as sent; the quotes of a structured field string are not part of it."""
    sent = base.header(request.scope, b"idempotency-key")
    if sent is None:
        return None
    key = sent.decode("latin-1")
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not _KEY.fullmatch(key):
        raise BadRequest("1 to 256 visible ASCII characters without spaces.", path="Idempotency-Key")
    return key


routes: list[BaseRoute] = [
    Route("/ingest/hl7v2", hl7v2, methods=["POST"]),
    Route("/ingest/events", events, methods=["POST"]),
]
