"""Which partner suits a referral, and why."""

from typing import Annotated, Literal

import typer

from app.commands import base

commands = base.commands()


@commands.command(epilog="Example: throughline match 0197a2c4-... --format json")
def match(
    referral: Annotated[str, typer.Argument(metavar="REFERRAL", help="Id of the source ServiceRequest.")],
    output: Annotated[Literal["table", "json"], typer.Option("--format", help="json: an array of partners.")] = "table",
) -> None:
    """Every partner for a referral, the first to be asked first: why, since when, next intake, what to call about."""
    from app.core.errors import NotFound, Unprocessable
    from app.services.hub import Hub
    from app.services.referral import match_requests

    async def work(hub: Hub) -> match_requests.Matched:
        return await match_requests.found(hub, referral.removeprefix("ServiceRequest/"))

    try:
        matched = base.with_hub(work)
    except (NotFound, Unprocessable) as error:
        raise base.Stop(error.message, "throughline ledger shows referrals") from None
    base.hand_over(match_requests.lines_of(matched), match_requests.sheet_of(matched), output)
