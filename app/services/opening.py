"""The hub of one process, opened and closed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.core.clock import Clock
from app.core.crypto import read_key_file
from app.core.settings import Settings
from app.services.hub import Hub, Registry
from app.store.store import connect


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Hub]:
    """The hub that ``settings`` name; FileNotFoundError when its key file has not been made yet."""
    keys = read_key_file(settings.key_file)
    clock = Clock.starting_at(settings.fake_clock)
    store = connect(settings.database_url, clock)
    try:
        yield Hub(settings, store, keys, clock, Registry(store, agreements_required=settings.agreements == "required"))
    finally:
        await store.close()
