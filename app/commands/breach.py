"""What a client or a user was exposed to."""

from typing import Annotated, Any, Literal

import typer

from app.commands import base

commands = base.commands()


@commands.command(
    "breach", epilog="Example: throughline breach --client 0197a2c4-... --since 2026-06-05T14:00:00-04:00"
)
def breach(
    since: Annotated[str, typer.Option(metavar="T", help="From then on: 2026-06-05T14:00:00-04:00, 24h, 7d.")],
    *,
    client: Annotated[
        str | None, typer.Option(metavar="ID", help="A machine client, also one that was revoked.")
    ] = None,
    user: Annotated[str | None, typer.Option(metavar="NAME", help="A user of any client.")] = None,
    output: Annotated[
        Literal["table", "json", "csv", "html"], typer.Option("--format", help="html: one page to print.")
    ] = "table",
) -> None:
    """Whose records a client or a user was shown, which versions, and which elements (42 CFR 2.16(b))."""
    from app.core.errors import NotFound
    from app.services.hub import Hub
    from app.services.intake import ledger_views
    from app.services.privacy import breaches

    if (client is None) == (user is None):
        raise base.Stop("Who?", "give --client ID or --user NAME")

    async def work(hub: Hub) -> Any:
        start = ledger_views.instant(since, hub.clock.now_us())
        return await breaches.exposure(hub, base.privacy_officer("breach"), since=start, client=client, user=user)

    try:
        found = base.with_hub(work)
    except NotFound as error:
        raise base.Stop(error.message, "check the id") from None
    base.hand_over(breaches.as_json(found), breaches.exposure_sheet(found), output)
