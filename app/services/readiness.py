"""Whether this process can do its work: is the database there, and is its schema the one of this release."""

from app.core import log
from app.services.hub import Hub
from app.store import migrate
from app.store.audiences import change_numbers
from app.store.database import Gone


class SchemaWatch:
    """Asks for the schema until it is current once: it can't become older, and the question is not cheap."""

    def __init__(self) -> None:
        self._current = False

    async def faults(self, hub: Hub) -> list[str]:
        """Codes of what is wrong: ``database-unreachable``, ``schema-not-current``; empty when all is well."""
        if not self._current:
            return await self._first(hub)
        try:
            await change_numbers(hub.store.database)
        except Gone:
            return ["database-unreachable"]
        return []

    async def _first(self, hub: Hub) -> list[str]:
        try:
            self._current = await migrate.is_current(hub.settings.database_url)
        except Exception as error:  # noqa: BLE001 - drivers differ in what they raise; all of it means: not there
            log.warning("database.unreachable", error=type(error).__name__)
            return ["database-unreachable"]
        return [] if self._current else ["schema-not-current"]
