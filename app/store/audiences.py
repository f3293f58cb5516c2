"""Change numbers per organisation: how often what it may see has changed, and the channel that tells of it."""

from typing import Final

from app.store.database import Database

CHANNEL: Final = "throughline_audience"
"""Payload: ``organization number``; written by the same transaction as the change."""


async def change_numbers(database: Database) -> dict[str, int]:
    """The change number of every organisation, as it is now."""
    return {row[0]: int(row[1]) for row in await database.fetch("select organization, seq from audience")}


async def tell(database: Database, payload: str) -> None:
    """Send ``payload`` to everybody who listens; PostgreSQL delivers in the order of commits."""
    await database.fetch("select pg_notify($1, $2)", CHANNEL, payload)
