"""What partners' own FHIR servers are given."""

from typing import Annotated, Any, Literal

import typer

from app.commands import base

commands = base.commands("push", "What partners' own FHIR servers are given (docs/push.md).")
_Task = Annotated[str, typer.Argument(metavar="TASK", help="Id of the partner's Task, as `push list` shows it.")]
_State = Literal["waiting", "parked", "ended"]
_HINT = "throughline push list shows what is pushed"


@commands.command("list", epilog="Example: throughline push list --state parked")
def push_list(
    *,
    state: Annotated[_State | None, typer.Option(help="Only these; without it all that are not over.")] = None,
) -> None:
    """What is pushed and followed, or parked and why, as JSON. Exit 1 when something is parked: a person must look."""
    from dataclasses import asdict

    from app.services.hub import Hub
    from app.services.push import pushes

    async def work(hub: Hub) -> list[pushes.Listed]:
        return await pushes.listed(hub, state)

    found = base.with_hub(work)
    base.show([asdict(one) for one in found])
    raise typer.Exit(1 if any(one.state == "parked" for one in found) else 0)


@commands.command("retry", epilog="Example: throughline push retry 0197a2c4-7d1e-7c3b-9a51-0c2f5a1b7e60")
def push_retry(task: _Task) -> None:
    """Go on with what is parked, after its cause was set right, or look at a partner's server now."""
    from app.core.errors import NotFound
    from app.services.hub import Hub
    from app.services.push import pushes

    async def work(hub: Hub) -> dict[str, Any]:
        return await pushes.retry(hub, task)

    try:
        base.show(base.with_hub(work))
    except NotFound as error:
        raise base.Stop(error.message, _HINT) from None


@commands.command("drop", epilog="Example: throughline push drop 0197a2c4-7d1e-7c3b-9a51-0c2f5a1b7e60")
def push_drop(task: _Task) -> None:
    """Never push a Task any more: somebody has seen to it by hand."""
    from app.core.errors import NotFound
    from app.services.hub import Hub
    from app.services.push import pushes

    async def work(hub: Hub) -> dict[str, Any]:
        return await pushes.drop(hub, task)

    try:
        base.show(base.with_hub(work))
    except NotFound as error:
        raise base.Stop(error.message, _HINT) from None
