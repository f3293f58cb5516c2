"""What is read of messages, for whoever maps an interface."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from app.commands import base

SenderFileOption = Annotated[
    Path | None, typer.Option("--file", metavar="FILE", help="A sender file that need not be registered.")
]

commands = base.commands()


@commands.command(epilog="Example: throughline explain discharge.hl7 --file mercy.json --against mercy-adt")
def explain(
    file: Annotated[Path, typer.Argument(help="A file with one message; see --message for a batch.")],
    *,
    sender_id: Annotated[str | None, typer.Option("--sender", metavar="ID", help="Whose message it is.")] = None,
    sender_file: SenderFileOption = None,
    against: Annotated[
        str | None,
        typer.Option(metavar="FILE|ID", help="Show only what another sender file or interface reads otherwise."),
    ] = None,
    output: Annotated[
        Literal["text", "json"], typer.Option("--format", help="json also holds the resources, with the person.")
    ] = "text",
    message: Annotated[int, typer.Option(help="Which message of a batch.", min=1)] = 1,
) -> None:
    """Dry run of one message: what became of each field and why, the facts, the verdict, the resources."""
    from app.core.clock import Clock
    from app.services.intake import ingest_files
    from app.services.senders import explaining

    pieces = list(ingest_files.cut(str(file), base.content_of(file)))
    if not 1 <= message <= len(pieces):
        raise base.Stop(f"The file holds {len(pieces)} messages.", f"--message 1 to {len(pieces)}" if pieces else "")
    if len(pieces) > 1:
        base.say(f"message {message} of {len(pieces)}")
    piece = pieces[message - 1]
    of = setting(sender_id, sender_file) or explaining.sender_for(piece, registered())
    now = Clock().now()
    if against is None:
        found = explaining.explained(piece, of, now=now)
        told = explaining.as_text(found) if output == "text" else explaining.as_json(found).decode()
    else:
        path = Path(against)
        other = setting(None, path) if path.is_file() else setting(against, None)
        difference = explaining.compared(piece, of, other, now=now)
        told = (
            explaining.difference_as_text(difference) if output == "text" else explaining.difference_as_json(difference)
        )
    sys.stdout.write(told)


def setting(sender_id: str | None, file: Path | None) -> Any:
    """The ``Sender`` of an id, of a file, or of a file over what is registered; None where neither is named."""
    from app.services.senders import sender_files

    known = registered(sender_id)[0] if sender_id else None
    if file is None:
        return known
    return sender_files.sender_of(sender_files.fields_of(base.content_of(file)), known)


def dry_run(sender_id: str | None, file: Path | None) -> Any:
    """The ``DryRun`` over a file, else over what is registered, else over a neutral sender that takes any message."""
    from app.core.clock import Clock
    from app.core.settings import Settings
    from app.services.hub import Hub
    from app.services.intake import ingest_files
    from app.services.senders import sender_files
    from app.services.senders.dry_runs import DryRun

    async def work(hub: Hub) -> DryRun | None:
        directory = await hub.registry.current()
        if not directory.senders and sender_id is None:
            return None
        return DryRun(ingest_files.chosen(directory, sender_id), directory, hub.keys, hub.clock)

    asked = file is None and (sender_id is not None or Settings().key_file.exists())
    found = base.with_hub(work) if asked else None
    return found or DryRun.of_file(setting(sender_id, file) or sender_files.neutral(), Clock())


def registered(sender_id: str | None = None) -> tuple[Any, ...]:
    """The interface with this id, or all; none where there is no database yet and no id was named."""
    from app.core.settings import Settings
    from app.services.hub import Hub
    from app.services.intake import ingest_files
    from schemas.sender import Sender

    async def work(hub: Hub) -> tuple[Sender, ...]:
        directory = await hub.registry.current()
        return ingest_files.chosen(directory, sender_id) if directory.senders or sender_id else ()

    return base.with_hub(work) if sender_id or Settings().key_file.exists() else ()


@commands.command(epilog="Example: throughline coverage inbox/ --file mercy.json --format markdown")
def coverage(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files and folders.")],
    *,
    sender_id: Annotated[str | None, typer.Option("--sender", metavar="ID", help="Whose messages they are.")] = None,
    sender_file: SenderFileOption = None,
    output: Annotated[
        Literal["text", "json", "markdown"], typer.Option("--format", help="json has every row, the others the first.")
    ] = "text",
) -> None:
    """Count what a heap of messages holds: segments, fields and codes, what became of them, what is left to map."""
    from app.core import terminal
    from app.services.intake import ingest_files
    from app.services.senders import coverage_reports

    files = ingest_files.find(paths)
    run = dry_run(sender_id, sender_file)
    with terminal.progress(len(files)) as advance:
        tally = coverage_reports.covered(run, files, advance)
    sys.stdout.write(coverage_reports.rendered(tally, output))
