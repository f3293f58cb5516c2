"""Machine clients."""

from pathlib import Path
from typing import Annotated

import typer

from app.commands import base

commands = base.commands("client", "Machine clients.")


@commands.command(
    "add", epilog="Example: throughline client add --organization ID --scope 'system/Task.rus system/*.rs' --secret"
)
def client_add(
    organization: Annotated[str, typer.Option(metavar="ID", help="FHIR id of the organization it acts for.")],
    scope: Annotated[str, typer.Option(help="SMART system scopes; 'ingest' allows sending messages.")],
    *,
    secret: Annotated[bool, typer.Option("--secret", help="Identify by a secret, which is shown once.")] = False,
    jwks: Annotated[Path | None, typer.Option(help="Not in this release.")] = None,
    jwks_url: Annotated[str | None, typer.Option(help="Not in this release.")] = None,
    require_if_match: Annotated[
        bool, typer.Option("--require-if-match", help="Its updates must send If-Match.")
    ] = False,
) -> None:
    """Register a machine client."""
    from app.services import accounts
    from app.services.hub import Hub

    if jwks or jwks_url:
        raise base.Stop("Clients with a key set are not supported in this release.", "use --secret")
    if not secret:
        raise base.Stop("How does the client identify itself?", "add --secret")

    async def work(hub: Hub) -> accounts.Registered:
        return await accounts.add_client(hub, organization, scope, require_if_match=require_if_match)

    added = base.with_hub(work)
    base.show({"client_id": added.client_id, "client_secret": added.client_secret})
