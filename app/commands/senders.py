"""Hospital interfaces."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from app.commands import base

commands = base.commands("sender", "Hospital interfaces.")


@commands.command(
    "add",
    epilog="Example: throughline sender add mercy-adt --organization 'Mercy Hospital' --dialect adt_generic "
    "--timezone America/New_York --match-msh 'EPIC|MERCY' --part2 listed --part2-unit ACS",
)
def sender_add(
    sender_id: Annotated[str, typer.Argument(metavar="ID", help="Short name of the interface.")],
    *,
    organization: Annotated[str | None, typer.Option(metavar="NAME", help="The hospital's name.")] = None,
    dialect: Annotated[str | None, typer.Option(metavar="NAME", help="adt_generic, event_json.")] = None,
    timezone: Annotated[str | None, typer.Option(metavar="ZONE", help="IANA zone of times without offset.")] = None,
    match_msh: Annotated[list[str] | None, typer.Option(metavar="APP|FACILITY", help="MSH-3|MSH-4.")] = None,
    peer: Annotated[list[str] | None, typer.Option(metavar="CIDR", help="Where MLLP may come from.")] = None,
    part2: Annotated[
        Literal["all", "none", "listed"] | None, typer.Option(help="Which units are Part 2 programs.")
    ] = None,
    part2_unit: Annotated[list[str] | None, typer.Option(metavar="CODE", help="A Part 2 unit (PV1-3.1).")] = None,
    file: Annotated[Path | None, typer.Option(help="Sender file (JSON); the command line wins over it.")] = None,
) -> None:
    """Register a hospital interface, or replace the registration with the same ID."""
    from app.services.hub import Hub
    from app.services.partners import registration

    given = {
        "id": sender_id,
        "organization": organization,
        "dialect": dialect,
        "timezone": timezone,
        "match_msh": match_msh,
        "peers": peer,
        "part2": part2,
        "part2_units": part2_unit,
    }
    fields = registration.merged_fields(base.content_of(file) if file else None, given)

    async def work(hub: Hub) -> registration.Hospital:
        return await registration.add_sender(hub, fields)

    added = base.with_hub(work)
    base.show({"sender": added.sender, "organization": added.organization})


@commands.command("check", epilog="Example: throughline sender check --file mercy.json samples/")
def sender_check(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Sample messages: files and folders.")],
    *,
    file: Annotated[Path | None, typer.Option(help="The sender file (JSON) before it goes live.")] = None,
    suggest: Annotated[
        bool, typer.Option("--suggest", help="Print a starting sender file from the samples alone.")
    ] = False,
    output: Annotated[Literal["text", "json"], typer.Option("--format", help="json: one object.")] = "text",
) -> None:
    """Check a sender file against sample messages. Exit 0 ready, 3 with warnings, 2 it can't go live so."""
    from app.core import terminal
    from app.core.clock import Clock
    from app.core.settings import Settings
    from app.services.hub import Hub
    from app.services.intake import ingest_files
    from app.services.senders import sender_checking, sender_files
    from app.store.accounts import Directory

    if suggest == (file is not None):
        raise base.Stop("Is there a sender file already?", "give --file to check it, or --suggest to start one")
    files = ingest_files.find(paths)
    with terminal.progress(len(files)) as advance:
        if file is None:
            sys.stdout.write(sender_checking.suggestion(files, advance, Clock()))
            return

        async def work(hub: Hub) -> Directory:
            return await hub.registry.current()

        known = base.with_hub(work) if Settings().key_file.exists() else None
        fields = sender_files.fields_of(base.content_of(file))
        found = sender_checking.checked(fields, files, known, advance, Clock())
    sys.stdout.write(sender_checking.as_text(found) if output == "text" else sender_checking.as_json(found))
    raise typer.Exit(found.exit_code)
