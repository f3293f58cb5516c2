"""Figures for Prometheus: of this process, and of every sender."""

import hmac
import os
from collections.abc import Callable, Iterator, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from app.core import metrics
from app.core.errors import NotAuthenticated
from app.entrypoints.base import header, hub_of
from app.services.senders.sender_health import Gauge, SenderGauges

Gauges = Mapping[str, tuple[str, Callable[[], float]]]
"""Name -> what it is, and how it is asked. Set by main for the doors that this process has."""


async def figures(request: Request) -> Response:
    """Counters of this process, gauges of senders and pushes; a label holds route templates, states and sender ids."""
    _admit(request)
    gauges: Gauges = request.app.state.gauges
    lines = list(metrics.rendered(os.getpid()))
    for name, (text, value) in gauges.items():
        lines += metrics.gauge(name, text, value())
    for gauge in await _senders(request).current():
        lines += _lines(gauge)
    return Response("\n".join(lines) + "\n", headers={"content-type": metrics.CONTENT_TYPE})


def _admit(request: Request) -> None:
    """Where a token is set, only who shows it: the figures tell how much each sender sends."""
    wanted = hub_of(request).settings.metrics_token
    if wanted is None:
        return
    scheme, _, token = (header(request.scope, b"authorization") or b"").decode("latin-1").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(token.encode(), wanted.get_secret_value().encode()):
        raise NotAuthenticated("The token of the monitoring system is needed (THROUGHLINE_METRICS_TOKEN).")


def _senders(request: Request) -> SenderGauges:
    state = request.app.state
    if not hasattr(state, "sender_gauges"):
        state.sender_gauges = SenderGauges(state.hub)
    found: SenderGauges = state.sender_gauges
    return found


def _lines(gauge: Gauge) -> Iterator[str]:
    """A sender id needs no escaping (``schemas.sender.Sender.id``), nor does a state."""
    yield f"# HELP {gauge.name} {gauge.text}"
    yield f"# TYPE {gauge.name} gauge"
    for named, value in gauge.values.items():
        yield f'{gauge.name}{{{gauge.label}="{named}"}} {value:.15g}'


routes: list[BaseRoute] = [Route("/metrics", figures)]
