"""Where every message went."""

from typing import Annotated, Literal

import typer

from app.commands import base

State = Literal["referral", "updated", "waiting", "review", "not-ours", "rejected", "duplicate"]

commands = base.commands("ledger", "Where every message went.", alone=True)


@commands.callback(
    invoke_without_command=True,
    epilog="Example: throughline ledger --state review --since 24h",
)
def ledger_show(
    ctx: typer.Context,
    sender_id: Annotated[str | None, typer.Option("--sender", metavar="ID", help="Of one interface.")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="T", help="Received since: 2026-06-05T14:00:00-04:00, 24h, 7d.")
    ] = None,
    state: Annotated[State | None, typer.Option(help="In one state.")] = None,
    output: Annotated[Literal["table", "json"], typer.Option("--format", help="json: an array of entries.")] = "table",
) -> None:
    """Where every message went, oldest first."""
    if ctx.invoked_subcommand is not None:
        return
    from app.core.clock import Clock
    from app.services.hub import Hub
    from app.services.intake import ledger_views

    instant = ledger_views.instant(since, Clock().now_us()) if since else None

    async def work(hub: Hub) -> list[ledger_views.LedgerLine]:
        return [line async for line in ledger_views.lines(hub, sender=sender_id, state=state, since=instant)]

    entries = base.with_hub(work)
    if output == "json":
        base.show(entries)
    else:
        print(ledger_views.table(entries))  # noqa: T201 - this is the output


@commands.command("replay", epilog="Example: throughline ledger replay 0197a2c4-...")
def ledger_replay(
    entry: Annotated[str, typer.Argument(metavar="ID", help="Id of a ledger entry.")],
) -> None:
    """Decide a kept message again, with the registrations and rules of today."""
    from app.services.hub import Hub
    from app.services.intake import ledger_views
    from app.services.intake.intake import Intake

    async def work(hub: Hub) -> ledger_views.LedgerLine:
        return ledger_views.line_of_outcome(await Intake(hub).replay(entry))

    base.show(base.with_hub(work))
