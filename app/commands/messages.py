"""Messages taken in."""

import json
from collections import Counter
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from app.commands import base

commands = base.commands()


@commands.command(epilog="Example: throughline ingest inbox/ --sender mercy-adt --report report.ndjson")
def ingest(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files and folders.")],
    sender_id: Annotated[str | None, typer.Option("--sender", metavar="ID", help="Whose messages they are.")] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Judge each message by itself; keep nothing.")] = False,
    report: Annotated[
        Path | None, typer.Option(help="One JSON line per message: file, index (from 1), ack, state, reasons ...")
    ] = None,
) -> None:
    """Take messages in: HL7 v2 (single, batch), event JSON, NDJSON. Exit 3 when some were rejected."""
    from app.core import terminal
    from app.services.hub import Hub
    from app.services.intake import ingest_files

    files = ingest_files.find(paths)
    states: Counter[str] = Counter()

    async def work(hub: Hub) -> None:
        senders = ingest_files.chosen(await hub.registry.current(), sender_id)
        with report.open("w") if report else nullcontext() as out, terminal.progress(len(files)) as advance:
            async for result in ingest_files.ingest(hub, files, senders, dry_run=dry_run):
                states[result.state or "not-kept"] += 1
                advance(result.file)
                if out is not None:
                    out.write(json.dumps(result.line(), ensure_ascii=False) + "\n")

    if dry_run:
        base.say("dry run: each message is judged by itself, nothing is kept")
    base.with_hub(work)
    base.show(ingest_files.summary(states, files=len(files), dry_run=dry_run))
    if states["not-kept"]:
        raise base.Stop(
            f"{states['not-kept']} messages could not be kept.", "send them again; nothing happens twice", 1
        )
    if states["rejected"]:
        raise typer.Exit(3)
