"""How every sender is."""

from typing import Annotated, Literal

import typer

from app.commands import base

commands = base.commands()


@commands.command(epilog="Example: throughline health --sender mercy-adt --format json")
def health(
    sender_id: Annotated[str | None, typer.Option("--sender", metavar="ID", help="Of one interface.")] = None,
    output: Annotated[Literal["text", "json"], typer.Option("--format", help="json: an array of senders.")] = "text",
) -> None:
    """Every sender: last message, messages against its own pattern, what is rejected or not known, units to classify.

    Rejected messages, codes and units are of seven days; skew and latency of one. Exit 1 when one is silent.
    """
    from app.services.hub import Hub
    from app.services.senders import review_text, sender_health

    async def work(hub: Hub) -> list[sender_health.Health]:
        if sender_id is not None and sender_id not in (await hub.registry.current()).senders:
            raise base.Stop("No sender has this id.", "throughline health shows all of them")
        return await sender_health.health(hub, sender_id)

    found = base.with_hub(work)
    if output == "json":
        base.show(sender_health.as_json(found))
    else:
        print(review_text.health_text(found))  # noqa: T201 - this is the output
    if any(one.silent_since is not None for one in found):
        raise typer.Exit(1)
