"""Prepared databases of either kind, and as many copies of them as are asked for."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest

from tests.postgres import PostgresServer
from tests.store_fixtures import peopled_template

BOTH = pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])


@dataclass
class SqliteCopies:
    """Files."""

    folder: Path
    _numbers: "count[int]" = field(default_factory=count)

    @property
    def original(self) -> Path:
        """The prepared one."""
        return self.folder / "prepared.db"

    def fresh(self) -> str:
        """A further one, as a URL."""
        copy = self.folder / f"copy{next(self._numbers)}.db"
        shutil.copy(self.original, copy)
        return f"sqlite:///{copy}"

    def drop(self, url: str) -> None:
        """Remove the file, which the next copy would only stand beside."""
        for file in self.folder.glob(f"{Path(url).name}*"):
            file.unlink()


@dataclass
class PostgresCopies:
    """Databases of one cluster."""

    server: PostgresServer
    template: str

    def fresh(self) -> str:
        """A further one."""
        return self.server.create(self.template)

    def drop(self, url: str) -> None:
        """Remove one."""
        self.server.drop(url)


def copies_of(
    kind: str, request: pytest.FixtureRequest, folder: Path, prepare: Callable[[str], None]
) -> SqliteCopies | PostgresCopies:
    """Copies of a database in which ``World`` takes part and that ``prepare(url)`` filled."""
    if kind == "sqlite":
        made = SqliteCopies(folder)
        shutil.copy(request.getfixturevalue("peopled_sqlite"), made.original)
        prepare(f"sqlite:///{made.original}")
        return made
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.create(peopled_template(server))
    prepare(url)
    return PostgresCopies(server, url.rpartition("/")[2])
