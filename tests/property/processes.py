"""The hub as several processes have it, and the ways in that a poller may take."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

import httpx
import orjson
from fastapi import FastAPI

from app.core.actor import Actor
from app.core.errors import Unavailable
from app.main import attach, create_app
from app.services.clients import accounts
from app.services.hub import Hub, Registry
from app.services.writes.resource_writes import ResourceWrites
from app.store.store import Store

Resource = dict[str, Any]
SCOPE: Final = "system/*.cruds"
_TRIES: Final = 20


class Got(NamedTuple):
    """An answer to a search."""

    bundle: Resource | None
    """None: what the client has still holds (304)."""
    tag: str | None


class Refused(Exception):
    """A search was not answered."""


@dataclass(frozen=True, slots=True)
class Process:
    """One hub of several over the same database."""

    hub: Hub
    app: FastAPI

    @property
    def writes(self) -> ResourceWrites:
        found: ResourceWrites = self.app.state.writes
        return found

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """While it hears of changes, and so keeps answers."""
        await self.app.state.feed.start()
        try:
            yield
        finally:
            await self.app.state.feed.stop()
            await self.app.state.disclosures.flush()


def process_of(hub: Hub, store: Store) -> Process:
    """A process with the keys of ``hub``, over ``store``."""
    own = Hub(hub.settings, store, hub.keys, store.clock, Registry(store))
    app = create_app(own.settings)
    attach(app, own)
    return Process(own, app)


@asynccontextmanager
async def running(hub: Hub, stores: Sequence[Store]) -> AsyncIterator[list[Process]]:
    """A process for each store."""
    processes = [process_of(hub, store) for store in stores]
    async with AsyncExitStack() as stack:
        for store in stores:
            stack.push_async_callback(store.close)
        for process in processes:
            await stack.enter_async_context(process.listening())
        yield processes


class ByService:
    """Asks the service that the route asks."""

    name = "service"

    def __init__(self, process: Process, actor: Actor) -> None:
        self._searches = process.app.state.searches
        self._actor = actor

    async def ask(self, kind: str, query: str, tag: str | None) -> Got:
        pairs = tuple(parse_qsl(query, keep_blank_values=True))
        has = () if tag is None else (tag,)
        for _ in range(_TRIES):
            try:
                answer = await self._searches.search(self._actor, kind, query.encode(), pairs, lenient=False, has=has)
            except Unavailable:
                continue  # as a client does
            return Got(None if answer.body is None else orjson.loads(answer.body), answer.tag)
        raise Refused(query)


class ByHttp:
    """Asks as a client does."""

    name = "HTTP"

    def __init__(self, web: httpx.AsyncClient, token: str) -> None:
        self._web = web
        self._headers = {"authorization": f"Bearer {token}"}

    async def ask(self, kind: str, query: str, tag: str | None) -> Got:
        headers = self._headers if tag is None else self._headers | {"if-none-match": tag}
        answer = await self._web.get(f"/fhir/R4/{kind}?{query}", headers=headers)
        for _ in range(_TRIES):
            if answer.status_code != 503:
                break
            answer = await self._web.get(f"/fhir/R4/{kind}?{query}", headers=headers)
        if answer.status_code not in {200, 304}:
            raise Refused(f"{answer.status_code} {answer.text[:200]}")
        return Got(orjson.loads(answer.content) if answer.status_code == 200 else None, answer.headers.get("etag"))


Door = ByService | ByHttp


async def client_of(process: Process, organization: str) -> tuple[Actor, str]:
    """A new client with its token."""
    made = await accounts.add_client(process.hub, organization, SCOPE)
    issued = await accounts.issue(process.hub, made.client_id)
    return Actor(organization, made.client_id, frozenset({SCOPE})), issued.token
