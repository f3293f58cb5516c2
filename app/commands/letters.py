"""Paper of one referral, for whoever prints it."""

from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from app.commands import base

commands = base.commands()


@commands.command("letter", epilog="Example: throughline letter 0197a2c4-... --for patient --out letter.pdf")
def letter(
    referral: Annotated[str, typer.Argument(help="Id of a ServiceRequest or Task; the ledger has it.")],
    *,
    out: Annotated[Path, typer.Option(metavar="FILE", help="Ends in .pdf or .html.")],
    audience: Annotated[
        Literal["patient", "partner"],
        typer.Option("--for", help="patient: letter and card. partner: the packet with its cover."),
    ] = "patient",
) -> None:
    """The last-dose letter to print, with a card for the patient; for a partner all of the packet that it may see."""
    from app.core.errors import BadRequest, NotFound
    from app.services.hub import Hub
    from app.services.packets import letters

    form = out.suffix.lower().removeprefix(".")
    if form not in {"html", "pdf"}:
        raise base.Stop("--out: the file ends in .pdf or .html.", "throughline letter --help")
    user = base.privacy_officer("letter").user

    async def work(hub: Hub) -> bytes:
        return await letters.letter(hub, referral, audience, cast("Literal['html', 'pdf']", form), user=user)

    try:
        made = base.with_hub(work)
    except (BadRequest, NotFound) as error:
        raise base.Stop(error.message, "throughline ledger has the referral of each message") from None
    # It tells of a person: nobody else on this machine reads it.
    out.touch(mode=0o600)
    out.write_bytes(made)
