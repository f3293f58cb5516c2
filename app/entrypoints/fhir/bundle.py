"""batch and transaction: https://hl7.org/fhir/R4/http.html#transaction.

An entry of a batch is answered by the same routes as a request of its own, with the caller's token. A transaction that
tells of a stay is intake: it goes the way of every message, with the scope ``ingest``.
"""

import asyncio
import re
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Message, Receive

from app.core import json
from app.core.actor import Actor
from app.core.errors import BadRequest, NotAllowed, NotFound
from app.entrypoints.base import (
    Endpoint,
    authenticate,
    feed_of,
    fhir_type,
    hub_of,
    intake_of,
    media_type,
    outcome,
    read_body,
)
from app.entrypoints.fhir import interactions
from app.entrypoints.fhir.headers import FhirAnswer, prefers
from app.entrypoints.fhir.process_message import who_sends
from app.entrypoints.fhir.writing import FHIR, writes_of
from app.services.intake import fhir_intake
from app.services.writes.bundle_answers import Answered, answer_bundle, answer_of
from app.services.writes.bundle_entries import Entry, entries_of, operations_of
from app.services.writes.bundle_kinds import is_intake
from app.services.writes.transactions import Transaction

_AT_ONCE: Final = 16
"""Entries of one batch that are under way at the same time; those that write share commits."""


_STAMP: Final = re.compile(rb'\{"resourceType":"\w+","id":"[^"]+","meta":\{"versionId":"\d+","lastUpdated":"([^"]+)"')


async def bundle(request: Request) -> Response:
    """A Bundle of requests; the answer has an entry for each, in order."""
    actor = await authenticate(request)
    content_type = fhir_type(request)
    media_type(request, FHIR)
    data = await read_body(request, hub_of(request).settings.max_body)
    found = is_intake(actor, data, hub_of(request).settings.fhir_base)
    if found.intake:
        return await _intake(request, data, content_type)
    entries = entries_of(found.bundle)
    if found.bundle["type"] == "batch":
        done = answer_bundle("batch-response", await _batch(request, entries))
    else:
        done = answer_bundle("transaction-response", await _transaction(request, actor, entries))
    return FhirAnswer(done.body, content_type, notices=done.notices)


async def _intake(request: Request, data: bytes, content_type: str) -> Response:
    actor, senders = await who_sends(request)
    try:
        body = await fhir_intake.transaction(hub_of(request), intake_of(request), actor, data, senders)
    finally:
        # Whatever came of it: what failed on its way back may have been written.
        if actor.organization is not None:
            feed_of(request).doubt(actor.organization)
    return Response(body, headers={"content-type": content_type})


async def _transaction(request: Request, actor: Actor, entries: list[Entry]) -> list[Answered]:
    """What is written, all or nothing; then what is read, as it then is."""
    for entry in entries:
        if entry.interaction == "read" and _route(request, entry) is None:
            raise BadRequest("This is no address of this server.", path=f"{entry.place}.request.url")
    done = await Transaction(hub_of(request), writes_of(request), actor, entries).run()
    whole = prefers(request, "return") == "representation"
    base = hub_of(request).settings.fhir_base
    answers = {index: answer_of(one, base, whole=whole) for index, one in done.items()}
    rest = [entry for entry in entries if entry.index not in answers]
    answers |= dict(zip((entry.index for entry in rest), await _batch(request, rest), strict=True))
    return [answers[index] for index in sorted(answers)]


async def _batch(request: Request, entries: list[Entry]) -> list[Answered]:
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(entry: Entry) -> Answered:
        async with slots:
            return _answered(await _alone(request, entry))

    return list(await asyncio.gather(*(one(entry) for entry in entries)))


async def _alone(request: Request, entry: Entry) -> Response:
    """The answer to one entry, as if it had been sent alone."""
    try:
        found = _route(request, entry)
        return await found[0](found[1]) if found else outcome(NotFound("No such address."))
    except Exception as error:  # noqa: BLE001 - an entry of a batch fails alone, whatever it is
        return outcome(error)


def _route(request: Request, entry: Entry) -> tuple[Endpoint, Request] | None:
    """Who answers an entry, and the request as it is given to them. Raises NotAllowed for a wrong method."""
    body = _body(entry)
    scope = {
        **request.scope,
        "method": entry.method,
        "path": "/".join((interactions.BASE, *entry.path)),
        "query_string": entry.query.encode(),
        "headers": _headers(request, entry),
    }
    if "_format" in entry.query:
        fhir_type(Request(scope))  # an entry is JSON, whatever else its address offers
    wrong_method = False
    for route in interactions.routes:
        match, more = route.matches(scope)
        if match is Match.FULL:
            return route.endpoint, Request({**scope, **more}, _receiving(body))
        wrong_method = wrong_method or match is Match.PARTIAL
    if wrong_method:
        raise NotAllowed("This address does not take this method.", path=f"{entry.place}.request.method")
    return None


def _body(entry: Entry) -> bytes:
    if entry.method == "PATCH":
        return json.dumps(operations_of(entry))
    return json.dumps(entry.resource) if entry.resource is not None else b""


def _headers(request: Request, entry: Entry) -> list[tuple[bytes, bytes]]:
    kept = [(name, value) for name, value in request.scope["headers"] if name in {b"authorization", b"prefer"}]
    media = b"application/json-patch+json" if entry.method == "PATCH" else b"application/fhir+json"
    stated = {
        b"content-type": media if entry.resource is not None else None,
        b"if-match": f'W/"{entry.if_match}"'.encode() if entry.if_match is not None else None,
        b"if-none-exist": entry.if_none_exist.encode() if entry.if_none_exist is not None else None,
        b"if-none-match": entry.if_none_match.encode() if entry.if_none_match is not None else None,
    }
    return [*kept, *((name, value) for name, value in stated.items() if value is not None)]


def _receiving(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _answered(response: Response) -> Answered:
    headers = Headers(raw=response.raw_headers)
    body = bytes(response.body)
    # The header counts whole seconds, and a Bundle wants the instant.
    stamp = _STAMP.match(body)
    return Answered(
        response.status_code,
        body or None,
        location=headers.get("location"),
        etag=headers.get("etag"),
        last_modified=stamp[1].decode() if stamp else None,
        notices=response.notices if isinstance(response, FhirAnswer) else (),
    )
