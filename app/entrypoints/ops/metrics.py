"""Figures for Prometheus: of this process, and of every sender."""

import os
from collections.abc import Callable, Iterator, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from app.core import metrics
from app.services.sender_health import Gauge, SenderGauges

Gauges = Mapping[str, tuple[str, Callable[[], float]]]
"""Name -> what it is, and how it is asked. Set by main for the doors that this process has."""


async def figures(request: Request) -> Response:
    """Counters of this process, gauges of senders; a label holds route templates, states and sender ids only."""
    gauges: Gauges = request.app.state.gauges
    lines = list(metrics.rendered(os.getpid()))
    for name, (text, value) in gauges.items():
        lines += metrics.gauge(name, text, value())
    for gauge in await _senders(request).current():
        lines += _lines(gauge)
    return Response("\n".join(lines) + "\n", headers={"content-type": metrics.CONTENT_TYPE})


def _senders(request: Request) -> SenderGauges:
    state = request.app.state
    if not hasattr(state, "sender_gauges"):
        state.sender_gauges = SenderGauges(state.hub)
    found: SenderGauges = state.sender_gauges
    return found


def _lines(gauge: Gauge) -> Iterator[str]:
    """A sender id needs no escaping (``schemas.sender.Sender.id``)."""
    yield f"# HELP {gauge.name} {gauge.text}"
    yield f"# TYPE {gauge.name} gauge"
    for sender, value in gauge.values.items():
        yield f'{gauge.name}{{sender="{sender}"}} {value:.15g}'


routes: list[BaseRoute] = [Route("/metrics", figures)]
