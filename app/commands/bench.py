"""How fast the hub is here."""

from typing import Annotated

import typer

from app.commands import base

commands = base.commands()


@commands.command(epilog="Example: throughline bench --base-url http://127.0.0.1:8000 --token $TOKEN")
def bench(
    base_url: Annotated[str | None, typer.Option(metavar="URL", help="A hub that runs; else one of its own.")] = None,
    token: Annotated[str | None, typer.Option(metavar="T", help="Bearer token for --base-url.")] = None,
    seconds: Annotated[float, typer.Option(help="Of each measured part.", min=0.2, max=600)] = 2.0,
) -> None:
    """Measure rates, latencies and CPU against a bare route; a hub that runs gets reads and test messages only."""
    from app.services.bench import bench

    base.show(bench.run(base_url, token, seconds=seconds))
