"""Community partners."""

from pathlib import Path
from typing import Annotated

import typer

from app.commands import base

commands = base.commands("partner", "Community partners.")


@commands.command("import", epilog="Example: throughline partner import partners.json")
def partner_import(
    file: Annotated[Path, typer.Argument(help="JSON array of partner profiles.")],
) -> None:
    """Register partners, or change those of the same names."""
    from app.services import registration
    from app.services.hub import Hub

    data = base.content_of(file)

    async def work(hub: Hub) -> list[registration.Partner]:
        return await registration.import_partners(hub, data)

    base.show([{"name": one.name, "organization": one.organization} for one in base.with_hub(work)])
