"""``throughline``: what was typed, one command, one exit code; an error is one line with a hint, never a traceback.

Exit codes: 0 done, 1 failed or something was found, 2 usage, 3 some messages were rejected. The commands are in
``app/commands``.
"""

import asyncio
import os
import sys
from importlib import import_module
from typing import Final

import typer
from typer.exceptions import TyperException

from app.commands.base import Stop, say

GROUPS: Final = (
    "running",
    "bench",
    "messages",
    "mapping",
    "ledger",
    "review",
    "clock",
    "matching",
    "consents",
    "letters",
    "health",
    "database",
    "senders",
    "partners",
    "agreements",
    "clients",
    "tokens",
    "accounting",
    "breach",
    "incidents",
    "phone",
    "retention",
    "answers",
    "pushes",
)
"""Modules of ``app/commands``, in the order in which the help lists them. A new one is one name here."""

app = typer.Typer(
    help="A hospital discharge on medication for opioid use disorder goes in; a referral reaches the right partner.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    no_args_is_help=True,
)
for _name in GROUPS:
    app.add_typer(import_module(f"app.commands.{_name}").commands)


def main() -> None:
    """Run the command line."""
    try:
        code = typer.main.get_command(app)(prog_name="throughline", standalone_mode=False)
    except TyperException as error:
        context = getattr(error, "ctx", None)
        _fail(error.format_message(), f"{context.command_path if context else 'throughline'} --help")
        code = error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        code = 130
    except BrokenPipeError:
        # Whoever read our output has seen enough; without this the interpreter complains at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Stop as stop:
        _fail(stop.message, stop.hint)
        code = stop.code
    except Exception as error:  # noqa: BLE001 - a person at a terminal is told in one line, whatever it is
        from app.services import faults

        told = asyncio.run(faults.told(error))
        _fail(told.message, told.hint)
        code = told.code
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, hint: str) -> None:
    say(f"error: {' '.join(message.split())}")
    if hint:
        say(f"hint: {hint}")


if __name__ == "__main__":
    main()
