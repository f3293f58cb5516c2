"""What waits for a person, and one-word answers."""

from typing import Annotated, Literal

import typer

from app.commands import base

commands = base.commands("review", "What waits for a person, and what is said of it.", alone=True)


@commands.callback(invoke_without_command=True, epilog="Example: throughline review --sender mercy-adt")
def review_show(
    ctx: typer.Context,
    sender_id: Annotated[str | None, typer.Option("--sender", metavar="ID", help="Of one interface.")] = None,
    *,
    daily_list: Annotated[
        bool, typer.Option("--daily-list", help="The lines that nobody need answer (sender setting bare_f11).")
    ] = False,
    output: Annotated[Literal["text", "json"], typer.Option("--format", help="json: an array of items.")] = "text",
) -> None:
    """Visits that a person must decide about, the oldest first: codes and times, never a name."""
    if ctx.invoked_subcommand is not None:
        return
    from app.services.hub import Hub
    from app.services.intake import reviews
    from app.services.senders import review_text

    async def work(hub: Hub) -> list[reviews.ReviewLine]:
        return await reviews.queue(hub, sender=sender_id, daily_list=daily_list)

    lines = base.with_hub(work)
    if output == "json":
        base.show(lines)
        return
    print(review_text.queue_text(lines))  # noqa: T201 - this is the output
    if lines:
        base.say("answer: throughline review answer VISIT refer|not-ours|later")


@commands.command("answer", epilog="Example: throughline review answer 0197a2c4-... refer")
def review_answer(
    visit: Annotated[str, typer.Argument(metavar="VISIT", help="Id of the item.")],
    said: Annotated[
        Literal["refer", "not-ours", "later"],
        typer.Argument(metavar="refer|not-ours|later", help="refer: a referral is made at once."),
    ],
    *,
    days: Annotated[int, typer.Option(help="Of later: until it comes back.", min=1, max=90)] = 1,
    by: Annotated[
        str | None, typer.Option(metavar="WHO", help="Who says it; else the account of this machine.")
    ] = None,
) -> None:
    """Say one word of an item. It is kept who said it, and when."""
    from getpass import getuser

    from app.core.errors import NotFound, Unprocessable
    from app.services.hub import Hub
    from app.services.intake import reviews

    async def work(hub: Hub) -> reviews.ReviewLine:
        return await reviews.answer(hub, visit, said, by=by or f"cli:{getuser()}", days=days)

    try:
        base.show(base.with_hub(work))
    except NotFound as error:
        raise base.Stop(error.message, "throughline review --format json shows ids") from None
    except Unprocessable as error:
        raise base.Stop(error.message, "throughline review shows what is open") from None


@commands.command("counts", epilog="Example: throughline review counts --since 7d")
def review_counts(
    since: Annotated[str, typer.Option(metavar="T", help="From then on: 2026-06-05T14:00:00-04:00, 24h, 7d.")] = "30d",
    output: Annotated[Literal["text", "json"], typer.Option("--format", help="json: an array of days.")] = "text",
) -> None:
    """Items and answers per sender and day."""
    from dataclasses import asdict

    from app.services.hub import Hub
    from app.services.intake import ledger_views, reviews
    from app.services.senders import review_text

    async def work(hub: Hub) -> list[reviews.DayCount]:
        return await reviews.counts(hub, ledger_views.instant(since, hub.clock.now_us()))

    found = base.with_hub(work)
    if output == "json":
        base.show([{**asdict(one), "day": one.day.isoformat()} for one in found])
    else:
        print(review_text.counts_text(found))  # noqa: T201 - this is the output
