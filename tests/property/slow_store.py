"""Stores whose transactions dawdle: before the lock, so that who began later commits first, and under it.

On PostgreSQL triggers sleep inside the statement that writes, because most commits are one statement; on SQLite the
writing thread sleeps between two statements. The classes that write are the product's own.
"""

import random
import time
from typing import Final

import asyncpg

from app.core.clock import Clock
from app.store.committer import Committer
from app.store.postgres import PostgresDatabase
from app.store.store import Store
from tests.chaos.taps import tapped

_POOL: Final = 16
_RUNNERS: Final = 8
"""Transactions at once of one store: the product has two, and more of them overlap in more ways."""
_BATCH: Final = 3
_BEFORE_LOCK_SECONDS: Final = 0.12
_UNDER_LOCK_SECONDS: Final = 0.008
_SQLITE_SECONDS: Final = 0.015
# A trigger after the statement fires when all parts of it are done, the lock among them; one before it fires as its
# part begins, and the lock waits for all parts.
_TRIGGERS: Final = f"""
create function htest_dawdle() returns trigger language plpgsql as $$
begin
    perform pg_sleep(power(random(), 3) * tg_argv[0]::double precision);
    return null;
end
$$;
create trigger htest_before_lock before insert on body
    for each statement execute function htest_dawdle('{_BEFORE_LOCK_SECONDS}');
create trigger htest_under_lock after insert on change
    for each statement execute function htest_dawdle('{_UNDER_LOCK_SECONDS}');
"""
_SLOW_STEPS: Final = frozenset({"after insert into body", "after insert into change"})


async def slow_stores(url: str) -> list[Store]:
    """One store on SQLite, which one process serves; two on PostgreSQL, as of two processes."""
    if url.startswith("sqlite:///"):
        return [_small_batches(tapped(url, _dawdle))]
    connection = await asyncpg.connect(url)
    await connection.execute(_TRIGGERS)
    await connection.close()
    return [_small_batches(Store(PostgresDatabase(url, size=_POOL), Clock())) for _ in range(2)]


def _small_batches(store: Store) -> Store:
    store.committer = Committer(store.database, store.clock, size=_BATCH, runners=_RUNNERS)
    return store


def _dawdle(step: str) -> None:
    if step in _SLOW_STEPS:
        time.sleep(random.random() ** 3 * _SQLITE_SECONDS)
