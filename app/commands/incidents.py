"""What the privacy officer must look at."""

from typing import Annotated, Literal

import typer

from app.commands import base

commands = base.commands("incidents", "Glass that was broken, and requests that are held, for the privacy officer.")
_Output = Annotated[Literal["table", "json", "csv", "html"], typer.Option("--format", help="html: one page to print.")]


@commands.command("list", epilog="Example: throughline incidents list --all")
def incidents_list(
    *,
    everything: Annotated[bool, typer.Option("--all", help="Those that were reviewed, too.")] = False,
    output: _Output = "table",
) -> None:
    """What nobody has reviewed yet. It is recorded that it was looked at."""
    from dataclasses import asdict

    from app.services.hub import Hub
    from app.services.privacy import incidents

    async def work(hub: Hub) -> list[incidents.Reviewed]:
        return await incidents.listed(hub, base.privacy_officer("incidents"), still_open=not everything)

    found = base.with_hub(work)
    base.hand_over([asdict(one) for one in found], incidents.incidents_sheet(found), output)


@commands.command(
    "review", epilog="Example: throughline incidents review 0197a2c4-... --by 'R. Diaz' --outcome justified"
)
def incidents_review(
    incident: Annotated[str, typer.Argument(metavar="ID", help="Id of the incident.")],
    *,
    by: Annotated[str, typer.Option(metavar="NAME", help="Who reviewed it.")],
    outcome: Annotated[str, typer.Option(metavar="TEXT", help="What was found and done.")],
) -> None:
    """Keep what was found. It is said once."""
    from dataclasses import asdict

    from app.core.errors import NotFound, Unprocessable
    from app.services.hub import Hub
    from app.services.privacy import incidents

    async def work(hub: Hub) -> incidents.Reviewed:
        return await incidents.review(hub, base.privacy_officer("incidents"), incident, by=by, outcome=outcome)

    try:
        base.show(asdict(base.with_hub(work)))
    except (NotFound, Unprocessable) as error:
        raise base.Stop(error.message, "throughline incidents list --all shows ids") from None


@commands.command(
    "hold",
    epilog="Example: throughline incidents hold --kind police --received-from 'County sheriff' --about 'see letter'",
)
def incidents_hold(
    *,
    kind: Annotated[Literal["court", "police", "immigration"], typer.Option(help="Who asks.")],
    received_from: Annotated[str, typer.Option("--received-from", metavar="TEXT", help="Name, office, how to reach.")],
    about: Annotated[str, typer.Option(metavar="TEXT", help="What is asked; kept encrypted.")],
) -> None:
    """Hold a request of an authority. Nothing is looked up, and the answer is the same whoever it is about."""
    from getpass import getuser

    from app.services.hub import Hub
    from app.services.privacy import incidents

    async def work(hub: Hub) -> str:
        return await incidents.hold(hub, kind, received_from, about, f"cli:{getuser()}")

    base.show({"incident": base.with_hub(work), "answer": incidents.HELD_ANSWER})
