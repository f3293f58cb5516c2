"""Wiring: settings become a running hub with its doors. Nothing imports this module."""

import asyncio
import gc
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core import log
from app.core.settings import Settings
from app.entrypoints import base
from app.entrypoints.fhir import openapi as fhir_openapi
from app.entrypoints.fhir import routes as fhir
from app.entrypoints.ingest import openapi as ingest_openapi
from app.entrypoints.ingest import routes as ingest
from app.entrypoints.mllp.server import MllpServer
from app.entrypoints.oauth import openapi as oauth_openapi
from app.entrypoints.oauth import routes as oauth
from app.entrypoints.ops import docs, health, metrics
from app.entrypoints.ops import openapi as ops_openapi
from app.entrypoints.worker import loop as worker
from app.services import opening
from app.services.clients.client_keys import ClientKeys
from app.services.clients.rate import Limits
from app.services.disclosures import Disclosures
from app.services.feed import Feed
from app.services.hub import Hub
from app.services.intake.intake import Intake
from app.services.intake.intake_requests import receive_frame
from app.services.intake.sender_counts import SenderCounts
from app.services.people.arrivals import Arrivals
from app.services.people.calls import Calls
from app.services.people.choices import Choices
from app.services.people.retention import Retention
from app.services.people.spoken_answers import SpokenAnswers
from app.services.privacy.audit_events import AuditEvents
from app.services.privacy.break_glass import BreakGlass
from app.services.readiness import SchemaWatch
from app.services.reading.reads import Reads
from app.services.reading.searches import Searches
from app.services.reading.searching import Searching
from app.services.writes.resource_writes import ResourceWrites
from app.store.database import Doubt, Gone
from app.store.sqlite import AlreadyServed, SqliteDatabase

# The well-known path comes before the FHIR types, whose patterns would take it.
ROUTES: list[BaseRoute] = [*oauth.routes, *ingest.routes, *fhir.routes, *health.routes, *metrics.routes, *docs.routes]
PATHS = (oauth_openapi.PATHS, ingest_openapi.PATHS, ops_openapi.PATHS)

_YOUNG_OBJECTS = 20_000
"""Objects made between two looks for cycles; with Python's own 700 a batch of messages is looked through many times."""


class CannotStart(Exception):
    """Why the hub does not start, and what to do, for a person to read."""


class Doors:
    """The plain routes. Most paths that are asked for have no variable part and are found without a search."""

    def __init__(self, routes: Sequence[BaseRoute], *, behind: ASGIApp) -> None:
        self._routes = Router(routes, default=behind, redirect_slashes=False)
        plain = [route for route in routes if isinstance(route, Route)]
        often = Counter(route.path for route in plain)
        self._fixed = {route.path: route for route in plain if "{" not in route.path and often[route.path] == 1}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI, HTTP only."""
        polled = fhir.polled(scope)
        if polled is not None:
            scope["route"] = polled
            await self._answer(polled, scope, receive, send)
            return
        route = self._fixed.get(scope["path"])
        if route is not None and scope["method"] in (route.methods or ()):
            scope.update(route=route, path_params={})
            await self._answer(route, scope, receive, send)
            return
        try:
            await self._routes(scope, receive, send)
        except HTTPException as error:
            if error.status_code != HTTPStatus.METHOD_NOT_ALLOWED:
                raise
            raise HTTPException(405, headers={"Allow": self._allowed(scope)}) from None

    @staticmethod
    async def _answer(route: Route, scope: Scope, receive: Receive, send: Send) -> None:
        """The guard around all of this tells every fault, so Starlette's own layers are not needed."""
        response: Response = await route.endpoint(Request(scope, receive, send))
        await response(scope, receive, send)

    def _allowed(self, scope: Scope) -> str:
        """Every method of the path: one path may have several routes."""
        routes = [r for r in self._routes.routes if isinstance(r, Route) and r.matches(scope)[0] is not Match.NONE]
        return ", ".join(sorted({method for route in routes for method in route.methods or ()}))


class Application(FastAPI):
    """FastAPI frames the OpenAPI document and the life of a process; every route is a plain one in front, for speed."""

    def __init__(self, **described: Any) -> None:
        super().__init__(**described)
        self._doors = base.Guard(Doors(ROUTES, behind=super().__call__), outages=(Gone, Doubt))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, partial(_plainly, self, send))
            return
        scope["app"] = self
        await self._doors(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document: FastAPI's frame, filled with what each door says of itself."""
        return docs.document(super().openapi(), (*PATHS, fhir_openapi.paths()), fhir_openapi.components())


async def _plainly(app: FastAPI, send: Send, message: Message) -> None:
    """A start that fails for a known reason says that reason, not a traceback."""
    fault: CannotStart | None = app.state.fault
    if message["type"] == "lifespan.startup.failed" and fault is not None:
        message = {**message, "message": str(fault)}
    await send(message)


def create_app(settings: Settings | None = None) -> Application:
    """The application over the hub that ``settings`` (default: the environment) describe; it opens at its start."""
    app = Application(
        title="Throughline",
        version=version("throughline"),
        summary="Carries a hospital discharge on medication for opioid use disorder to the partner of the next dose.",
        lifespan=_running,
        redirect_slashes=False,
        openapi_url=None,
        exception_handlers={HTTPException: _told},
    )
    app.state.settings = settings or Settings()
    app.state.fault = None
    app.state.openapi = {}
    return app


async def _told(_request: Request, error: Exception) -> Response:
    return base.outcome(error)


def attach(app: FastAPI, hub: Hub) -> None:
    """Give the routes what they work with."""
    app.state.hub = hub
    app.state.counts = SenderCounts(hub.store.database)
    app.state.intake = Intake(hub, app.state.counts)
    app.state.disclosures = Disclosures(hub.store)
    app.state.feed = Feed(hub.store)
    app.state.client_keys = ClientKeys(hub.settings)
    app.state.limits = Limits(hub.settings)
    app.state.reads = Reads(hub, app.state.disclosures)
    app.state.writes = ResourceWrites(hub, app.state.intake, app.state.disclosures, app.state.feed)
    app.state.audit_events = AuditEvents(hub, app.state.disclosures)
    app.state.break_glass = BreakGlass(hub, app.state.disclosures)
    app.state.choices = Choices(hub, app.state.disclosures)
    app.state.arrivals = Arrivals(hub, app.state.disclosures, app.state.feed, app.state.limits)
    app.state.spoken_answers = SpokenAnswers(hub, app.state.disclosures, app.state.feed)
    app.state.retention = Retention(hub, app.state.disclosures, app.state.feed)
    app.state.calls = Calls(hub, app.state.disclosures, app.state.feed)
    app.state.searches = Searches(hub, Searching(hub, app.state.disclosures), app.state.disclosures, app.state.feed)
    app.state.schema = SchemaWatch()
    app.state.checks = {}
    app.state.gauges = {}


@asynccontextmanager
async def _running(app: FastAPI) -> AsyncIterator[None]:
    """From the first connection to the last flush; what was opened last is closed first."""
    async with AsyncExitStack() as stack:
        try:
            await _open(app, stack)
        except CannotStart as fault:
            app.state.fault = fault
            raise
        _spare_the_collector()
        log.info("hub.started", database=app.state.hub.store.database.name)
        yield
    log.info("hub.stopped")


def _spare_the_collector() -> None:
    """Code, schemas and tables stay for good: a full collection of them stops every request for some 50 ms."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS)


async def _open(app: FastAPI, stack: AsyncExitStack) -> None:
    settings: Settings = app.state.settings
    log.configure(settings.log_level)
    hub = await _hub(settings, stack)
    attach(app, hub)
    if await app.state.schema.faults(hub):
        raise CannotStart("The database can't be reached or its schema is not current: run throughline db upgrade.")
    stack.push_async_callback(app.state.client_keys.close)
    app.state.disclosures.start()
    stack.push_async_callback(app.state.disclosures.stop)
    app.state.counts.start()
    stack.push_async_callback(app.state.counts.stop)
    await app.state.feed.start()
    stack.push_async_callback(app.state.feed.stop)
    if settings.worker:
        _start_worker(app, hub, stack)
    if settings.mllp_port:
        await _open_mllp(app, hub, stack)


async def _hub(settings: Settings, stack: AsyncExitStack) -> Hub:
    try:
        hub = await stack.enter_async_context(opening.opened(settings))
        if isinstance(hub.store.database, SqliteDatabase):
            hub.store.database.serve_alone()
    except AlreadyServed:
        raise CannotStart("Another process serves this SQLite database: stop it, or use PostgreSQL.") from None
    except FileNotFoundError:
        raise CannotStart("There is no key file yet: run throughline db upgrade.") from None
    except (OSError, ValueError, KeyError):
        raise CannotStart(
            "The key file or the database can't be opened: check THROUGHLINE_KEY_FILE, _DATABASE_URL."
        ) from None
    return hub


def _start_worker(app: FastAPI, hub: Hub, stack: AsyncExitStack) -> None:
    stop = asyncio.Event()
    task = asyncio.create_task(worker.run(hub, stop))
    app.state.checks["worker-stopped"] = lambda: not task.done()
    stack.push_async_callback(_stop_worker, stop, task)


async def _stop_worker(stop: asyncio.Event, task: asyncio.Task[None]) -> None:
    stop.set()
    for fault in await asyncio.gather(task, return_exceptions=True):
        if isinstance(fault, Exception):
            log.error("worker.failed", fault)


async def _open_mllp(app: FastAPI, hub: Hub, stack: AsyncExitStack) -> None:
    settings = hub.settings
    server = MllpServer(
        partial(receive_frame, hub, app.state.intake),
        host=settings.mllp_host,
        port=settings.mllp_port,
        max_bytes=settings.max_body,
        idle_seconds=settings.mllp_idle_seconds,
        max_connections=settings.mllp_max_connections,
        ssl=_tls(settings),
        reuse_port=hub.store.database.name != "sqlite",
    )
    try:
        await server.start()
    except OSError:
        raise CannotStart("The MLLP port can't be listened on: another process has it? See --mllp-port.") from None
    stack.push_async_callback(server.stop)
    listening = asyncio.Event()
    listening.set()
    stack.callback(listening.clear)
    app.state.checks["mllp-not-listening"] = listening.is_set
    app.state.gauges |= {
        "throughline_mllp_connections": ("MLLP connections that are open.", lambda: server.open_connections),
        "throughline_mllp_unanswered": ("Messages by MLLP without an answer.", lambda: server.counts.unanswered),
    }


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.mllp_tls_cert is None:
        if settings.mllp_tls_key or settings.mllp_tls_client_ca:
            raise CannotStart(
                "MLLP would be without TLS: THROUGHLINE_MLLP_TLS_CERT is missing beside _KEY, _CLIENT_CA."
            )
        return None
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=settings.mllp_tls_client_ca)
        # Without a password OpenSSL asks for that of an encrypted key at the terminal, and the hub would hang.
        context.load_cert_chain(settings.mllp_tls_cert, settings.mllp_tls_key, password="")
    except OSError:
        raise CannotStart("The TLS certificate or key for MLLP can't be read: see THROUGHLINE_MLLP_TLS_*.") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.mllp_tls_client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context
