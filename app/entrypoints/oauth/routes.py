"""Tokens for machine clients: OAuth 2.0 client credentials, and what SMART clients discover.

RFC 6749 sections 2.3.1, 4.4 and 5; SMART App Launch 2.2, backend services and conformance. Errors
here are OAuth's JSON, not OperationOutcomes: that is what every OAuth client reads.
"""

from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import parse_qsl, unquote_plus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from app.core.errors import TooManyRequests
from app.core.jws import ALGORITHMS
from app.entrypoints import base
from app.services.clients import accounts
from app.services.clients.accounts import Issued, TokenRefused
from app.services.clients.assertions import TYPE as ASSERTION_TYPE

_MAX_BODY: Final = 64 * 1024
_FORM: Final = "application/x-www-form-urlencoded"
_NO_STORE: Final = {"cache-control": "no-store", "pragma": "no-cache"}


async def token(request: Request) -> Response:
    """A bearer token for a client that shows its secret, or an assertion that is signed with its key."""
    try:
        form = await _form(request)
        issued = await _by_key(request, form) if _asserts(request, form) else await _by_secret(request, form)
    except TokenRefused as refused:
        return _refusal(refused.error, refused.description)
    except TooManyRequests as error:
        wait = {"retry-after": str(error.seconds)}
        return base.json_response(
            {"error": "temporarily_unavailable", "error_description": error.message}, 429, _NO_STORE | wait
        )
    answer = {
        "access_token": issued.token,
        "token_type": "bearer",
        "expires_in": issued.expires_in,
        "scope": issued.scope,
    }
    return base.json_response(answer, headers=_NO_STORE)


def _asserts(request: Request, form: dict[str, str]) -> bool:
    """Whether the client proves itself by an assertion; one way at a time (RFC 6749 section 2.3)."""
    asserts = "client_assertion" in form or "client_assertion_type" in form
    if asserts and base.header(request.scope, b"authorization") is not None:
        raise TokenRefused("invalid_request", "One way to authenticate: client_assertion, or Basic credentials.")
    return asserts


async def _by_secret(request: Request, form: dict[str, str]) -> Issued:
    client_id, secret = _credentials(request, form)
    with _counted(request, client_id):
        return await accounts.exchange(base.hub_of(request), client_id, secret, form.get("scope"))


async def _by_key(request: Request, form: dict[str, str]) -> Issued:
    hub = base.hub_of(request)
    if form.get("client_assertion_type") != ASSERTION_TYPE or "client_assertion" not in form:
        raise TokenRefused(
            "invalid_client", f"client_assertion is a signed JWT, client_assertion_type {ASSERTION_TYPE}."
        )
    token, said = accounts.claimed(hub, form["client_assertion"])
    if form.get("client_id", said.client) != said.client:
        raise TokenRefused("invalid_request", "client_id in the body is another than in the assertion.")
    with _counted(request, said.client):
        return await accounts.exchange_assertion(hub, base.keys_of(request), token, said, form.get("scope"))


@contextmanager
def _counted(request: Request, client_id: str) -> Iterator[None]:
    """A login of ``client_id``: not tried where too many failed, and counted where it does."""
    limits, address = base.limits_of(request), base.address_of(request)
    limits.login(client_id, address)
    try:
        yield
    except TokenRefused as refused:
        if refused.error == "invalid_client":
            limits.failed(client_id, address)
        raise
    limits.proved(client_id, address)


async def _form(request: Request) -> dict[str, str]:
    """The fields of a client credentials request. A name that stands twice is an error (RFC 6749 section 3.2)."""
    kind = (base.header(request.scope, b"content-type") or b"").partition(b";")[0].strip().lower()
    if kind != _FORM.encode():
        raise TokenRefused("invalid_request", f"The body is {_FORM}.")
    body = await base.read_body(request, _MAX_BODY)
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=bool(body), max_num_fields=32)
    except ValueError:
        raise TokenRefused("invalid_request", f"The body is not {_FORM} in UTF-8.") from None
    if len(dict(pairs)) != len(pairs):
        raise TokenRefused("invalid_request", "A field stands twice.")
    form = {name: value for name, value in pairs if value}
    if "grant_type" not in form:
        raise TokenRefused("invalid_request", "grant_type is missing.")
    if form["grant_type"] != "client_credentials":
        raise TokenRefused("unsupported_grant_type", "grant_type is client_credentials.")
    return form


def _credentials(request: Request, form: dict[str, str]) -> tuple[str, str]:
    """Client id and secret of ``client_secret_basic``, each form-encoded before base64 (RFC 6749 section 2.3.1)."""
    scheme, _, encoded = (base.header(request.scope, b"authorization") or b"").partition(b" ")
    if scheme.lower() != b"basic":
        raise TokenRefused("invalid_client", "The client authenticates by private_key_jwt or client_secret_basic.")
    try:
        client_id, _, secret = b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError:
        raise TokenRefused("invalid_client", "The Basic credentials can't be read.") from None
    client_id, secret = unquote_plus(client_id), unquote_plus(secret)
    if not client_id or not secret or "\0" in client_id:
        raise TokenRefused("invalid_client", "The Basic credentials are client_id:client_secret.")
    if form.get("client_id", client_id) != client_id:
        raise TokenRefused("invalid_request", "client_id in the body is another than in the credentials.")
    return client_id, secret


def _refusal(error: str, description: str) -> Response:
    status = 401 if error == "invalid_client" else 400
    headers = _NO_STORE | ({"www-authenticate": 'Basic realm="throughline"'} if status == 401 else {})
    return base.json_response({"error": error, "error_description": description}, status, headers)


async def smart_configuration(request: Request) -> Response:
    """What a SMART client needs to get a token here; JSON whatever the Accept header says."""
    found = {
        "token_endpoint": accounts.token_endpoint(base.hub_of(request).settings),
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_basic"],
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "scopes_supported": SCOPES,
        "capabilities": [
            "client-confidential-asymmetric",
            "client-confidential-symmetric",
            "permission-v1",
            "permission-v2",
        ],
        "code_challenge_methods_supported": ["S256"],
    }
    return base.json_response(found, headers={"cache-control": "public, max-age=300"})


SCOPES: Final = ["ingest", "system/*.rs", "system/*.cruds", "system/Task.rus", "system/ServiceRequest.rs"]
"""Samples: every ``system/<Type>.<letters>`` can be registered."""

routes: list[BaseRoute] = [
    Route("/oauth/token", token, methods=["POST"]),
    Route("/.well-known/smart-configuration", smart_configuration),
    Route("/fhir/R4/.well-known/smart-configuration", smart_configuration),
]
