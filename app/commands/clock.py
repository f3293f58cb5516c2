"""The coverage clock of one referral: what it has shown, and the hospital's one answer."""

from typing import Annotated, Any, Literal

import typer

from app.commands import base

commands = base.commands()
_Referral = Annotated[str, typer.Argument(metavar="REFERRAL", help="Id of the source ServiceRequest.")]


@commands.command("clock", epilog="Example: throughline clock 0197a2c4-...")
def clock(
    referral: _Referral,
    *,
    output: Annotated[Literal["table", "json"], typer.Option("--format", help="json: an array of events.")] = "table",
) -> None:
    """What the coverage clock of a referral has shown, oldest first: from which inputs, and why it changed."""
    from app.core.errors import NotFound
    from app.services.hub import Hub
    from app.services.referral import clock_history

    async def work(hub: Hub) -> list[dict[str, Any]]:
        return await clock_history.history(hub, referral)

    try:
        lines = base.with_hub(work)
    except NotFound as error:
        raise base.Stop(error.message, "throughline ledger shows the ids of referrals") from None
    if output == "json":
        base.show(lines)
    else:
        print(clock_history.table(lines))  # noqa: T201 - this is the output


@commands.command("pickup", epilog='Example: throughline pickup 0197a2c4-... yes --by "R. Htest, 4 West"')
def pickup(
    referral: _Referral,
    filled: Annotated[Literal["yes", "no"], typer.Argument(metavar="yes|no", help="Was the prescription filled?")],
    *,
    by: Annotated[
        str | None, typer.Option("--by", metavar="WHO", help="Who says it; else the account of this machine.")
    ] = None,
) -> None:
    """Record whether the prescription to take home was picked up. It is kept who said it, and when."""
    from getpass import getuser

    from app.core.errors import NotFound, Unprocessable
    from app.services.hub import Hub
    from app.services.people import pick_up
    from app.services.referral import clock_history

    async def work(hub: Hub) -> list[dict[str, Any]]:
        await pick_up.pick_up(hub, referral, filled, by=by or f"cli:{getuser()}")
        return await clock_history.history(hub, referral)

    try:
        base.show(base.with_hub(work)[-1])
    except NotFound as error:
        raise base.Stop(error.message, "throughline ledger shows the ids of referrals") from None
    except Unprocessable as error:
        raise base.Stop(error.message, "throughline clock shows what was read") from None
