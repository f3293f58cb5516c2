"""Is the process alive, and can it do its work."""

from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from app.entrypoints import base

Checks = Mapping[str, Callable[[], bool]]
"""Code of what is wrong -> whether it is well. Set by main for the doors that this process has."""

_NO_STORE = {"cache-control": "no-store"}


async def live(_request: Request) -> Response:
    """The process answers."""
    return base.json_response({"status": "alive"}, headers=_NO_STORE)


async def ready(request: Request) -> Response:
    """The process can take messages in: 200, or 503 with the codes of what is wrong."""
    state = request.app.state
    reasons = await state.schema.faults(base.hub_of(request))
    checks: Checks = state.checks
    reasons += [code for code, well in checks.items() if not well()]
    body = {"status": "not-ready" if reasons else "ready", "reasons": reasons}
    headers = _NO_STORE | ({"retry-after": base.RETRY_SECONDS} if reasons else {})
    return base.json_response(body, 503 if reasons else 200, headers)


routes: list[BaseRoute] = [
    Route("/health/live", live),
    Route("/health/ready", ready),
]
