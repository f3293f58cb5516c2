"""The hub with one route more, for the benchmark: what Starlette itself costs in this very server.

``python -m tests.bench.app serve ...`` is ``throughline serve ...`` with that application.
"""

from typing import Any
from unittest import mock

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app import cli, main
from app.entrypoints import processes

HELLO = "/bench/hello"


async def hello(_request: Request) -> Response:
    return Response(b"hello", media_type="text/plain")


def create_app() -> main.Application:
    """The hub's application; the bare route stands first, so that nothing is tried before it."""
    if all(getattr(route, "path", None) != HELLO for route in main.ROUTES):
        main.ROUTES.insert(0, Route(HELLO, hello, methods=["GET"]))
    return main.create_app()


def serve() -> None:
    """``throughline serve``, which names the application to the server, and here names ours."""
    started = processes.serve

    def ours(_application: str, host: str, port: int, **options: Any) -> None:
        started("tests.bench.app:create_app", host, port, **options)

    with mock.patch.object(processes, "serve", ours):
        cli.main()


if __name__ == "__main__":
    serve()
