"""May a process begin to serve; and what a person is told when that, or a command, fails."""

from pathlib import Path
from typing import Final, NamedTuple

from pydantic import ValidationError

from app.core.errors import HubError, Unavailable
from app.core.settings import Settings
from app.services.opening import opened
from app.store import fence, migrate
from app.store.database import Gone, NeedsAdministrator, Unfenced
from app.store.sqlite import AlreadyServed, SqliteDatabase

_UPGRADE: Final = "throughline db upgrade"
_HINTS: Final = {
    "not-found": "check the id, name or path; throughline ledger shows referrals, agreement list who takes part",
    "business-rule": "only what is referral, updated, waiting, review or rejected keeps its content",
    "structure": "--help shows an example",
}


class Told(NamedTuple):
    """One line for a person, what to try, and the exit code: 1 failed, 2 usage."""

    message: str
    hint: str
    code: int


class NotMigrated(Exception):
    """The database does not have the schema of this release."""


async def ready(settings: Settings) -> None:
    """Make sure that a process may begin to serve.

    Raises FileNotFoundError without the key file, NotMigrated, Unfenced when this login can't read as actors do, or
    AlreadyServed when another process serves the same SQLite file.
    """
    if not settings.key_file.exists():
        raise FileNotFoundError(2, "no key file", str(settings.key_file))
    if not await migrate.is_current(settings.database_url):
        raise NotMigrated
    async with opened(settings) as hub:
        if isinstance(hub.store.database, SqliteDatabase):
            hub.store.database.serve_alone()
        await fence.stands(hub.store.database)


async def told(error: Exception) -> Told:
    """What a person is told of ``error``, in words that hold no value of a message."""
    match error:
        case AlreadyServed() | NotMigrated() | NeedsAdministrator() | Unfenced():
            return _unready(error)
        case ValidationError():
            names = ", ".join(f"THROUGHLINE_{str(one['loc'][0]).upper()}: {one['msg']}" for one in error.errors())
            return Told(names, "check the environment and .env", 2)
        case FileNotFoundError() if error.filename == str(Settings().key_file):
            return Told(f"There is no key file {error.filename}.", f"run {_UPGRADE}, or check THROUGHLINE_KEY_FILE", 1)
        case FileNotFoundError():
            return Told(f"There is no {error.filename}.", "check the path", 2)
        case HubError() if not isinstance(error, Unavailable):
            return Told(error.message, _HINTS.get(error.code, "--help shows an example"), 2)
        case ValueError() if "DATABASE_URL" in str(error):
            return Told(str(error), "check THROUGHLINE_DATABASE_URL", 2)
    return await _outage(error)


def _unready(error: AlreadyServed | NotMigrated | NeedsAdministrator | Unfenced) -> Told:
    """The database is there, and something has to be done before it can be used."""
    match error:
        case AlreadyServed():
            return Told("Another process serves this database.", "stop it first; PostgreSQL takes several", 1)
        case NotMigrated():
            return Told("The database does not have the schema of this release.", f"run {_UPGRADE}", 1)
        case NeedsAdministrator():
            run = "; ".join(error.statements)
            return Told("The database was not changed: an administrator has to allow it once.", f"run as one: {run}", 1)
        case Unfenced():
            run = f"as an administrator grant {fence.ROLE} to this login; after restoring a dump its tables' rights too"
            return Told("This login may not read as clients do (the second fence).", run, 1)


async def _outage(error: Exception) -> Told:
    """The database can't be used, because it was not migrated or can't be reached; or it is a fault of ours."""
    if not Settings().key_file.exists():
        return _own(error)  # a command that needs no database: to ask for one would leave an empty file
    try:
        if not await migrate.is_current(Settings().database_url):
            return await told(NotMigrated())
    except Exception:  # noqa: BLE001 - whatever keeps us from asking, the answer is the same
        return Told("The database can't be reached.", "check THROUGHLINE_DATABASE_URL and the server", 1)
    if isinstance(error, Gone | Unavailable):
        return Told("The database can't write now.", "check disk space and rights, then try again", 1)
    return _own(error)


def _own(error: Exception) -> Told:
    """A file that can't be used, or a fault of ours."""
    if isinstance(error, OSError):
        return Told(f"{error.strerror or type(error).__name__}: {error.filename or 'a file'}", "check the path", 1)
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "an unknown place"
    return Told(f"{type(error).__name__} at {place}.", "this is a fault of the program: please report it", 1)
