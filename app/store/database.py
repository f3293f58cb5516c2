"""What the store asks of a database, and the errors that it answers with."""

from collections.abc import Sequence
from typing import Any, Protocol

from app.store.writes import Batch

Record = Sequence[Any]


class VersionMiss(Exception):
    """Somebody else changed the same visit or resource first, or wrote the same receipt."""


class Gone(Exception):
    """The database can't be reached or can't write now; nothing of the batch was written."""


class Unfenced(Gone):
    """The role that actors read as isn't there, or this login may not become it, or it may not read a table."""


class NeedsAdministrator(Exception):
    """An administrator of PostgreSQL has to run ``statements`` once; the login may not. Nothing was changed."""

    def __init__(self, *statements: str) -> None:
        super().__init__("; ".join(statements))
        self.statements = statements


class Doubt(Exception):
    """The connection broke during COMMIT: the batch may be written or not."""


class Database(Protocol):
    """One database. SQL is written with ``$1``; ``any_of`` hides how each tests membership."""

    name: str

    async def fetch(self, sql: str, *args: Any) -> Sequence[Record]:
        """Rows of a query."""

    async def fetch_fenced(self, sql: str, *args: Any) -> Sequence[Record]:
        """Rows of a query that says itself for whom it asks, see ``fence``; of nobody else's rows any is seen."""

    async def write(self, batch: Batch, offset_us: int) -> dict[str, int]:
        """One durable transaction; the stamps (resource id -> lastUpdated) of its resources.

        Raises VersionMiss, Gone or Doubt; in the first two cases nothing was written.
        """

    async def execute(self, sql: str, *args: Any) -> int:
        """One statement in a transaction of its own; the number of rows it touched."""

    def any_of(self, expression: str, parameter: str) -> str:
        """SQL for "expression is one of the values of parameter"."""

    def pairs(self, first: str, second: str) -> str:
        """SQL for the values of two parameters side by side, as a table ``pair`` of ``one`` and ``two``."""

    def array(self, values: Sequence[str]) -> Any:
        """A list of texts as a parameter for ``any_of`` and ``pairs``."""

    async def close(self) -> None:
        """Give everything back."""
