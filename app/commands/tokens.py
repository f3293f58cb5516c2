"""Bearer tokens, on the machine that holds the database."""

from typing import Annotated

import typer

from app.commands import base

commands = base.commands()


@commands.command(epilog="Example: TOKEN=$(throughline token --client ID | tail -n 1)")
def token(
    client_id: Annotated[str, typer.Option("--client", metavar="ID", help="client_id of a registered client.")],
) -> None:
    """Print a bearer token on the last line; only on the machine that holds the database."""
    from app.services.clients import accounts
    from app.services.hub import Hub

    async def work(hub: Hub) -> accounts.Issued:
        return await accounts.issue(hub, client_id)

    issued = base.with_hub(work)
    base.say(f"valid for {issued.expires_in // 3600} hours, scope: {issued.scope}")
    print(issued.token)  # noqa: T201 - this is the output
