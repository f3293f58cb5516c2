"""Answers to hospitals that have not arrived."""

from typing import Annotated, Literal

import typer

from app.commands import base

commands = base.commands("answers", "What hospitals are told by HL7 v2 of their referrals (docs/answers.md).")
_Task = Annotated[str, typer.Argument(metavar="TASK", help="Id of the source Task, as `answers list` shows it.")]
_State = Literal["waiting", "parked", "delivered", "dropped"]


@commands.command("list", epilog="Example: throughline answers list --state parked")
def answers_list(
    *,
    state: Annotated[_State | None, typer.Option(help="Only these; without it all that have not arrived.")] = None,
) -> None:
    """What waits or is parked, and why, as JSON. Exit 1 when something is parked: a person must look."""
    from dataclasses import asdict

    from app.services.answers import answers
    from app.services.hub import Hub

    async def work(hub: Hub) -> list[answers.Listed]:
        return await answers.listed(hub, state)

    found = base.with_hub(work)
    base.show([asdict(one) for one in found])
    raise typer.Exit(1 if any(one.state == "parked" for one in found) else 0)


@commands.command("retry", epilog="Example: throughline answers retry 0197a2c4-7d1e-7c3b-9a51-0c2f5a1b7e60")
def answers_retry(task: _Task) -> None:
    """Send what is parked again, after its cause was set right; the very same message unless less may be told now."""
    from app.core.errors import NotFound
    from app.services.answers import answers
    from app.services.hub import Hub

    async def work(hub: Hub) -> dict[str, object]:
        return await answers.retry(hub, task)

    try:
        base.show(base.with_hub(work))
    except NotFound as error:
        raise base.Stop(error.message, "throughline answers list shows what waits") from None


@commands.command("drop", epilog="Example: throughline answers drop 0197a2c4-7d1e-7c3b-9a51-0c2f5a1b7e60 --version 4")
def answers_drop(
    task: _Task,
    *,
    version: Annotated[int, typer.Option(metavar="N", help="Which answer, as `answers list` shows it.")],
) -> None:
    """Never send one answer, so that those after it can leave. It stays on the list of those that were dropped."""
    from app.core.errors import NotFound
    from app.services.answers import answers
    from app.services.hub import Hub

    async def work(hub: Hub) -> dict[str, object]:
        return await answers.drop(hub, task, version)

    try:
        base.show(base.with_hub(work))
    except NotFound as error:
        raise base.Stop(error.message, "throughline answers list shows what waits") from None
