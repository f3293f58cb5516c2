"""What every command shares: running over the hub, printing, refusing. Results on stdout, all else on stderr.

Each module of this folder has ``commands``, made by ``base.commands``, and is named in ``app/cli.py``. Its functions
import what they need when they run, so that ``--help`` is quick.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import typer

T = TypeVar("T")


class Stop(Exception):
    """The command can't do what was asked."""

    def __init__(self, message: str, hint: str, code: int = 2) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code


def commands(name: str | None = None, about: str | None = None, *, alone: bool = False) -> typer.Typer:
    """A group of commands; without ``name`` they stand at the top level.

    Args:
        name: word that goes before its commands.
        about: one sentence for the list of commands.
        alone: ``name`` without a command after it does something too.
    """
    return typer.Typer(name=name, help=about, rich_markup_mode=None, no_args_is_help=not alone)


def with_hub(work: Callable[[Any], Awaitable[T]], *, log_level: str = "ERROR") -> T:
    """Run ``work`` over the hub that the environment names."""
    from app.core import log
    from app.core.settings import Settings
    from app.services import opening

    log.configure(log_level)

    async def run() -> T:
        async with opening.opened(Settings()) as hub:
            return await work(hub)

    return asyncio.run(run())


def show(value: Any) -> None:
    """A result, as JSON on stdout."""
    print(json.dumps(value, ensure_ascii=False, indent=2 if isinstance(value, list) else None))  # noqa: T201 - output


def say(text: str) -> None:
    """A word to the person at the terminal."""
    print(text, file=sys.stderr)  # noqa: T201 - for the person at the terminal


def content_of(file: Path) -> bytes:
    """The bytes of a file that was named; Stop when it can't be read."""
    try:
        return file.read_bytes()
    except OSError as error:
        raise Stop(f"{file} can't be read: {error.strerror}.", "check the path") from None


def privacy_officer(purpose: str) -> Any:
    """The hub itself, for the person at this machine, whose account is kept with every look."""
    from dataclasses import replace
    from getpass import getuser

    from app.core.actor import Actor

    return replace(Actor.system(purpose), user=f"cli:{getuser()}")


def hand_over(found: Any, sheet: Any, output: str) -> None:
    """What was found, as JSON, or as a sheet in another format."""
    from app.services import sheets

    if output == "json":
        show(found)
    else:
        print(sheets.written(sheet, output), end="" if output == "csv" else "\n")  # type: ignore[arg-type]  # noqa: T201
