"""What runs until it is told to stop: the hub, its worker, the demo."""

import asyncio
import os
import re
import signal
from pathlib import Path
from typing import Annotated, Final

import typer

from app.commands import base

_LOOPBACK: Final = re.compile(r"localhost|::1|127(\.\d{1,3}){3}")

commands = base.commands()


@commands.command(epilog="Example: throughline serve --port 8000 --mllp-port 2575")
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="HTTP port.", min=0, max=65535)] = 8000,
    mllp_port: Annotated[int, typer.Option(help="MLLP port; 0 = no MLLP.", min=0, max=65535)] = 2575,
    workers: Annotated[int, typer.Option(help="Processes; more than one needs PostgreSQL.", min=1)] = 1,
    with_worker: Annotated[bool, typer.Option("--with-worker/--no-worker", help="Also run due jobs.")] = True,  # noqa: FBT002 - typer's form
) -> None:
    """Serve HTTP and MLLP, and run due jobs, until interrupted."""
    from app.core.settings import Settings
    from app.entrypoints import processes
    from app.services import faults

    settings = Settings()
    if settings.auth == "off" and not _LOOPBACK.fullmatch(host):
        raise base.Stop(
            "THROUGHLINE_AUTH=off is for a loopback address only.",
            "bind to 127.0.0.1, or set THROUGHLINE_AUTH=required",
        )
    if workers > 1 and settings.database_url.startswith("sqlite"):
        raise base.Stop(
            "SQLite is served by one process.",
            "leave --workers out, or set THROUGHLINE_DATABASE_URL=postgresql://user:password@host/database",
        )
    asyncio.run(faults.ready(settings))
    os.environ["THROUGHLINE_MLLP_HOST"] = host
    os.environ["THROUGHLINE_MLLP_PORT"] = str(mllp_port)
    os.environ["THROUGHLINE_WORKER"] = str(with_worker).lower()
    if "base_url" not in settings.model_fields_set:
        shown = "127.0.0.1" if host in {"0.0.0.0", "::"} else f"[{host}]" if ":" in host else host  # noqa: S104 - compared, not bound
        os.environ["THROUGHLINE_BASE_URL"] = f"http://{shown}:{port}"
    try:
        processes.serve("app.main:create_app", host, port, workers=workers, log_level=settings.log_level.lower())
    except OSError as error:
        raise base.Stop(
            f"Port {port} of {host} can't be listened on: {error.strerror}.", "choose another one by --port", 1
        ) from None


@commands.command(epilog="Example: throughline worker --concurrency 2")
def worker(
    concurrency: Annotated[int, typer.Option(help="Jobs at a time.", min=1, max=32)] = 1,
) -> None:
    """Run due jobs only, beside serving processes (PostgreSQL)."""
    from app.core.settings import Settings
    from app.entrypoints.worker import loop
    from app.services import faults
    from app.services.hub import Hub

    settings = Settings()
    if settings.database_url.startswith("sqlite"):
        raise base.Stop(
            "SQLite is served by one process, which runs the jobs itself.",
            "use throughline serve --with-worker, or set THROUGHLINE_DATABASE_URL to PostgreSQL",
        )
    asyncio.run(faults.ready(settings))

    async def work(hub: Hub) -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await loop.run(hub, stop, concurrency=concurrency)

    base.with_hub(work, log_level=settings.log_level)


@commands.command(epilog="Example: throughline demo --port 8001 --mllp-port 2576")
def demo(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="HTTP port.", min=1, max=65535)] = 8000,
    mllp_port: Annotated[int, typer.Option(help="MLLP port; 0 = no MLLP.", min=0, max=65535)] = 2575,
    folder: Annotated[Path, typer.Option("--dir", help="Its own folder; made anew.")] = Path("var/demo"),
) -> None:
    """Serve a small synthetic world, made anew, and print four commands that walk the loop; Ctrl-C ends it."""
    from app.services.demo import demo as world
    from app.services.demo import demo_guide

    folder = folder.resolve()
    os.environ.update(world.environment(folder, host, port, mllp_port))
    text = asyncio.run(world.prepare(folder, host, port, mllp_port))
    demo_guide.when_ready(world.shown(host).strip("[]"), port, text)
    serve(host, port, mllp_port)
