"""Machine clients: register, list, rotate, revoke."""

from pathlib import Path
from typing import Annotated

import typer

from app.commands import base

commands = base.commands("client", "Machine clients.")

ClientId = Annotated[str, typer.Option("--client", metavar="ID", help="client_id of a registered client.")]
Jwks = Annotated[
    Path | None, typer.Option("--jwks", metavar="FILE", help="Identify by a key of this JWK set (RS384, ES384).")
]
JwksUrl = Annotated[
    str | None,
    typer.Option("--jwks-url", metavar="URL", help="Identify by a key of the JWK set that is published here."),
]
Secret = Annotated[bool, typer.Option("--secret", help="Identify by a secret, which is shown once.")]


@commands.command(
    "add", epilog="Example: throughline client add --organization ID --scope 'system/Task.rus system/*.rs' --secret"
)
def client_add(
    organization: Annotated[str, typer.Option(metavar="ID", help="FHIR id of the organization it acts for.")],
    scope: Annotated[str, typer.Option(help="SMART system scopes; 'ingest' allows sending messages.")],
    *,
    secret: Secret = False,
    jwks: Jwks = None,
    jwks_url: JwksUrl = None,
    sender: Annotated[
        str | None, typer.Option(metavar="ID", help="The only sender of its organization that it may send as.")
    ] = None,
    require_if_match: Annotated[
        bool, typer.Option("--require-if-match", help="Its updates must send If-Match.")
    ] = False,
) -> None:
    """Register a machine client."""
    from app.services.clients import accounts
    from app.services.hub import Hub

    proof = accounts.Proof(*_proof(secret=secret, jwks=jwks, jwks_url=jwks_url))

    async def work(hub: Hub) -> accounts.Registered:
        return await accounts.add_client(
            hub, organization, scope, proof=proof, sender=sender, require_if_match=require_if_match
        )

    registered = base.with_hub(work)
    _show(registered.client_id, registered.client_secret)


@commands.command("list", epilog="Example: throughline client list")
def client_list() -> None:
    """Every client: whom it acts for, its scopes, how it identifies itself, whether it is active. JSON."""
    from app.services.clients import accounts

    base.show(base.with_hub(accounts.listed))


@commands.command("rotate", epilog="Example: throughline client rotate --client ID --secret --keep 24")
def client_rotate(
    client_id: ClientId,
    *,
    secret: Secret = False,
    jwks: Jwks = None,
    jwks_url: JwksUrl = None,
    keep: Annotated[
        float,
        typer.Option(
            metavar="HOURS",
            min=0,
            max=24 * 90,
            help="What it has works for so long beside the new. 0: it ends now, with its tokens.",
        ),
    ] = 0,
) -> None:
    """Give a client a new secret or new keys."""
    from app.services.clients import accounts
    from app.services.hub import Hub

    proof = accounts.Proof(*_proof(secret=secret, jwks=jwks, jwks_url=jwks_url))

    async def work(hub: Hub) -> accounts.Registered:
        return await accounts.rotate(hub, client_id, proof, keep_seconds=round(keep * 3600))

    registered = base.with_hub(work)
    _show(registered.client_id, registered.client_secret)


@commands.command("revoke", epilog="Example: throughline client revoke --client ID")
def client_revoke(client_id: ClientId) -> None:
    """Switch a client off for good; its tokens are refused within a second."""
    from app.services.clients import accounts
    from app.services.hub import Hub

    async def work(hub: Hub) -> None:
        await accounts.revoke(hub, client_id)

    base.with_hub(work)
    base.show({"client_id": client_id, "active": False})


def _proof(*, secret: bool, jwks: Path | None, jwks_url: str | None) -> tuple[bytes | None, str | None]:
    """The key set, and where one is published; neither means a new secret. Exactly one of the three is asked for."""
    if [secret, jwks is not None, jwks_url is not None].count(True) != 1:
        raise base.Stop("How does the client identify itself?", "add one of --secret, --jwks FILE, --jwks-url URL")
    return None if jwks is None else base.content_of(jwks), jwks_url


def _show(client_id: str, client_secret: str) -> None:
    base.show({"client_id": client_id} | ({"client_secret": client_secret} if client_secret else {}))
