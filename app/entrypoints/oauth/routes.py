"""Tokens for machine clients: OAuth 2.0 client credentials, and what SMART clients discover.

RFC 6749 sections 2.3.1, 4.4 and 5; SMART App Launch 2.2, backend services and conformance. Errors
here are OAuth's JSON, not OperationOutcomes: that is what every OAuth client reads.
"""

from base64 import b64decode
from typing import Final
from urllib.parse import parse_qsl, unquote_plus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from app.entrypoints import base
from app.services import accounts
from app.services.accounts import TokenRefused

_MAX_BODY: Final = 64 * 1024
_FORM: Final = "application/x-www-form-urlencoded"
_NO_STORE: Final = {"cache-control": "no-store", "pragma": "no-cache"}


async def token(request: Request) -> Response:
    """A bearer token for a client that shows its secret."""
    try:
        form = await _form(request)
        client_id, secret = _credentials(request, form)
        issued = await accounts.exchange(base.hub_of(request), client_id, secret, form.get("scope"))
    except TokenRefused as refused:
        return _refusal(refused.error, refused.description)
    answer = {
        "access_token": issued.token,
        "token_type": "bearer",
        "expires_in": issued.expires_in,
        "scope": issued.scope,
    }
    return base.json_response(answer, headers=_NO_STORE)


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
    if "client_assertion" in form or "client_assertion_type" in form:
        raise TokenRefused("invalid_client", "Client assertions are not taken here; use client_secret_basic.")
    scheme, _, encoded = (base.header(request.scope, b"authorization") or b"").partition(b" ")
    if scheme.lower() != b"basic":
        raise TokenRefused("invalid_client", "The client authenticates by client_secret_basic.")
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
    root = base.hub_of(request).settings.base_url.rstrip("/")
    found = {
        "token_endpoint": f"{root}/oauth/token",
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        "scopes_supported": SCOPES,
        "capabilities": ["client-confidential-symmetric", "permission-v1", "permission-v2"],
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
