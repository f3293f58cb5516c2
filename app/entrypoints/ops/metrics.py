"""Figures for Prometheus."""

import os
from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from app.core import metrics

Gauges = Mapping[str, tuple[str, Callable[[], float]]]
"""Name -> what it is, and how it is asked. Set by main for the doors that this process has."""


async def figures(request: Request) -> Response:
    """Counters of this process; a label holds route templates, states and sender ids only."""
    gauges: Gauges = request.app.state.gauges
    lines = list(metrics.rendered(os.getpid()))
    for name, (text, value) in gauges.items():
        lines += metrics.gauge(name, text, value())
    return Response("\n".join(lines) + "\n", headers={"content-type": metrics.CONTENT_TYPE})


routes: list[BaseRoute] = [Route("/metrics", figures)]
