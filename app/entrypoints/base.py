"""What all HTTP doors share: who is calling, what a body may be, how errors are told, what every answer carries.

Plain ASGI and Starlette; a request costs one wrapper here, nothing more.
"""

import re
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core import json, log
from app.core.actor import Actor
from app.core.clock import monotonic
from app.core.errors import (
    HubError,
    Issue,
    NotAcceptable,
    NotAuthenticated,
    NotFound,
    TooLarge,
    TooManyRequests,
    Unavailable,
    UnsupportedMedia,
)
from app.core.ids import uuid7
from app.core.metrics import REQUESTS, SECONDS
from app.services.clients import accounts
from app.services.clients.client_keys import ClientKeys
from app.services.clients.rate import Limits
from app.services.disclosures import Disclosures
from app.services.feed import Feed
from app.services.hub import Hub
from app.services.intake.intake import Intake

Endpoint = Callable[[Request], Awaitable[Response]]
"""What a Starlette route calls."""
FHIR_JSON: Final = "application/fhir+json; charset=utf-8"
JSON: Final = "application/json; charset=utf-8"
RETRY_SECONDS: Final = "1"
"""Retry-After of 503: an outage shorter than that is the usual one."""

_MAX_ISSUES: Final = 100
_CLOSED: Final = 499
"""Counted, never sent: the client went away before its answer."""
_BEARER: Final = 'Bearer realm="throughline"'
_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_SECURITY: Final = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
]
_PRIVATE: Final = (b"cache-control", b"private, no-cache")
_NOT_FOUND: Final = "Not known, or not visible to the caller."


# ---- what an entrypoint works with


def hub_of(request: Request) -> Hub:
    """The running hub."""
    hub: Hub = request.app.state.hub
    return hub


def intake_of(request: Request) -> Intake:
    """Where messages go in."""
    intake: Intake = request.app.state.intake
    return intake


def disclosures_of(request: Request) -> Disclosures:
    """Where it is recorded what leaves."""
    disclosures: Disclosures = request.app.state.disclosures
    return disclosures


def feed_of(request: Request) -> Feed:
    """What this process knows of changes without asking the database."""
    feed: Feed = request.app.state.feed
    return feed


def keys_of(request: Request) -> ClientKeys:
    """The public keys of clients."""
    keys: ClientKeys = request.app.state.client_keys
    return keys


def limits_of(request: Request) -> Limits:
    """How much may come from whom."""
    limits: Limits = request.app.state.limits
    return limits


def address_of(request: Request) -> str:
    """Where the request comes from: behind a proxy on this machine what that says (uvicorn reads it)."""
    return request.client.host if request.client else ""


def header(scope: Scope, name: bytes) -> bytes | None:
    """One request header by its lower-case name; the first, where it stands twice."""
    for key, value in scope["headers"]:
        if key == name:
            found: bytes = value
            return found
    return None


# ---- who is calling


async def authenticate(request: Request) -> Actor:
    """The client that the bearer token stands for (RFC 6750 section 2.1); the hub itself where AUTH is off.

    Raises NotAuthenticated without a valid token, TooManyRequests, Unavailable when it can't be looked up.
    """
    hub = hub_of(request)
    if hub.settings.auth == "off":
        return Actor.system("auth-off")
    scheme, _, token = (header(request.scope, b"authorization") or b"").partition(b" ")
    if scheme.lower() != b"bearer" or not token:
        raise NotAuthenticated("A bearer token is needed; POST /oauth/token gives one.")
    limits = limits_of(request)
    actor = await accounts.authenticate(hub, token.strip().decode("latin-1"))
    if actor is None:
        limits.unknown_token(address_of(request))
        raise NotAuthenticated("The bearer token is not known or has expired; POST /oauth/token gives a new one.")
    limits.request(actor)
    return actor


# ---- what comes in


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body. Raises TooLarge past ``limit`` bytes, without reading on."""
    declared = header(request.scope, b"content-length")
    if declared is not None and declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    parts: list[bytes] = []
    size = 0
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts) if len(parts) > 1 else part


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"The body is larger than {limit} bytes.")


def media_type(request: Request, allowed: frozenset[str]) -> str:
    """The media type of the body, lower case, without parameters.

    Raises UnsupportedMedia for any that is not ``allowed``, for a JSON type that says another charset than UTF-8,
    and for a body that is compressed.
    """
    encoding = header(request.scope, b"content-encoding")
    if encoding is not None and encoding.lower() != b"identity":
        raise UnsupportedMedia("Compressed bodies are not read here.")
    name, json_charset = _media(header(request.scope, b"content-type") or b"")
    if name not in allowed:
        raise UnsupportedMedia(f"Content-Type is one of {', '.join(sorted(allowed))}.")
    if not json_charset:
        raise UnsupportedMedia("JSON is UTF-8 here.")
    return name


@lru_cache(maxsize=256)
def _media(value: bytes) -> tuple[str, bool]:
    """The name, and whether its charset is one that its type may have."""
    name, _, parameters = value.decode("latin-1").lower().partition(";")
    charset = re.search(r'charset\s*=\s*"?([^";\s]+)', parameters)
    fits = charset is None or "json" not in name or charset[1] in {"utf-8", "utf8", "us-ascii"}
    return name.strip(), fits


# ---- what goes out


def negotiate(accept: str, offered: tuple[str, ...]) -> str | None:
    """The one of ``offered`` (best first) that an Accept header likes most; None where it takes none.

    RFC 9110 section 12.5.1: the most specific range that matches gives the weight, 0 refuses; no header takes any.
    """
    ranges = [_range(part) for part in accept.split(",") if part.strip()]
    if not ranges:
        return offered[0]
    best, best_weight = None, 0.0
    for media in offered:
        weight = max((found for found in ranges if _matches(found[0], media)), key=_specific, default=("", 0.0))[1]
        if weight > best_weight:
            best, best_weight = media, weight
    return best


def _range(part: str) -> tuple[str, float]:
    name, *parameters = part.lower().split(";")
    weight = next((p.strip()[2:] for p in parameters if p.strip().startswith("q=")), "1")
    return name.strip(), float(weight) if re.fullmatch(r"[01](\.\d{0,3})?", weight) else 0.0


def _matches(wanted: str, media: str) -> bool:
    return wanted in {"*/*", media} or (wanted.endswith("/*") and media.startswith(wanted[:-1]))


def _specific(found: tuple[str, float]) -> int:
    return 0 if found[0] == "*/*" else 1 if found[0].endswith("/*") else 2


_FORMATS: Final = {
    "json": FHIR_JSON,
    "application/fhir+json": FHIR_JSON,
    "application/fhir json": FHIR_JSON,  # a plus sign that was not escaped in the query
    "application/json": JSON,
    "text/json": JSON,
}


def fhir_type(request: Request) -> str:
    """Content type of a FHIR answer: ``_format`` where given, else by Accept. Raises NotAcceptable."""
    if b"_format" in request.scope["query_string"]:
        wanted = request.query_params.get("_format")
        if wanted is not None:
            chosen = _FORMATS.get(wanted.partition(";")[0].strip().lower())
            if chosen is None:
                raise NotAcceptable("_format is json: this server writes application/fhir+json only.")
            return chosen
    chosen = _accepted(header(request.scope, b"accept") or b"")
    if chosen is None:
        raise NotAcceptable("This server writes application/fhir+json only.")
    return chosen


@lru_cache(maxsize=256)
def _accepted(accept: bytes) -> str | None:
    media = negotiate(accept.decode("latin-1"), ("application/fhir+json", "application/json"))
    return None if media is None else _FORMATS[media]


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer that is no FHIR resource."""
    return Response(json.dumps(value), status, headers, JSON)


# ---- what went wrong


def outcome(error: Exception) -> Response:
    """Any error as an OperationOutcome: rules, paths and expectations, never a value and never a traceback."""
    if isinstance(error, HubError):
        return _hub_outcome(error)
    if isinstance(error, HTTPException):
        return _http_outcome(error)
    log.error("http.failed", error)
    issue = Issue("exception", "The server failed; nothing can be said about the request. Try again later.")
    return _outcome(500, (issue,))


def _hub_outcome(error: HubError) -> Response:
    if isinstance(error, NotFound):
        # One body for all of them: it must not tell what is not there from what is not shown.
        return _outcome(404, (Issue("not-found", _NOT_FOUND),))
    headers = {}
    if isinstance(error, NotAuthenticated):
        headers["www-authenticate"] = _BEARER
    if isinstance(error, TooManyRequests):
        headers["retry-after"] = str(error.seconds)
    elif isinstance(error, Unavailable):
        headers["retry-after"] = RETRY_SECONDS
    return _outcome(error.status, error.issues, headers)


_HTTP: Final = {
    404: Issue("not-found", _NOT_FOUND),
    405: Issue("not-supported", "This path does not take this method; the header Allow names those that it takes."),
    413: Issue("too-long", "The body is too large."),
}


def _http_outcome(error: HTTPException) -> Response:
    issue = _HTTP.get(error.status_code) or Issue("processing", "The request can't be answered.")
    return _outcome(error.status_code, (issue,), dict(error.headers or {}))


def _outcome(status: int, issues: tuple[Issue, ...], headers: dict[str, str] | None = None) -> Response:
    body = {"resourceType": "OperationOutcome", "issue": [_issue(issue) for issue in issues[:_MAX_ISSUES]]}
    return Response(json.dumps(body), status, headers, FHIR_JSON)


def _issue(issue: Issue) -> dict[str, Any]:
    said: dict[str, Any] = {"severity": "error", "code": issue.code, "diagnostics": issue.text}
    if issue.path:
        said["expression"] = [issue.path]
    return said


# ---- the wrapper around all of it


class Guard:
    """The outermost layer: request ids, headers of every answer, errors as OperationOutcome, figures.

    Args:
        app: What is guarded.
        outages: Exceptions that mean that the database is away: 503, not 500.
    """

    def __init__(self, app: ASGIApp, *, outages: tuple[type[Exception], ...] = ()) -> None:
        self._app = app
        self._outages = outages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = monotonic()
        status = 0

        async def send_dressed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _dress(scope, message)
            await send(message)

        try:
            await self._app(scope, receive, send_dressed)
        except ClientDisconnect:
            status = status or _CLOSED
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets an OperationOutcome
            if status:
                # Half of an answer is on its way. Without its end the server closes the connection.
                log.error("http.broken-off", error)
            else:
                await self._told(error)(scope, receive, send_dressed)
        template = _template(scope)
        REQUESTS.add(template, str(status))
        SECONDS.observe(monotonic() - began, template)

    def _told(self, error: Exception) -> Response:
        if isinstance(error, self._outages):
            log.warning("http.database-away", error=type(error).__name__)
            return outcome(Unavailable("The database can't be reached; try again."))
        return outcome(error)


def _dress(scope: Scope, message: Message) -> None:
    """What every answer carries. The request id is the client's where it is one, else ours (FHIR R4 http, 3.1.0.1)."""
    sent, related = None, None
    for key, value in scope["headers"]:
        if key == b"x-request-id":
            sent = value
        elif key == b"x-correlation-id":
            related = value
    own = sent if sent is not None and _ID.fullmatch(sent) else uuid7().encode()
    headers = [*message.get("headers", ()), *_SECURITY, (b"x-request-id", own)]
    if related is not None and _ID.fullmatch(related):
        headers.append((b"x-correlation-id", related))
    if scope["path"].startswith("/fhir/") and not any(key == b"cache-control" for key, _ in headers):
        headers.append(_PRIVATE)
    message["headers"] = headers


def _template(scope: Scope) -> str:
    """The path template of the route: a path itself could name somebody, and would be a label without end."""
    return getattr(scope.get("route"), "path", None) or "unmatched"
