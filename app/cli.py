"""``throughline``: parse what was typed, call one service, print. Results on stdout, all else on stderr.

Exit codes: 0 done, 1 failed or something was found, 2 usage, 3 some messages were rejected.
Commands import what they need when they run, so that ``--help`` is quick.
"""

import asyncio
import json
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import typer
from typer.exceptions import TyperException

T = TypeVar("T")
State = Literal["referral", "updated", "waiting", "review", "not-ours", "rejected", "duplicate"]
_LOOPBACK: Final = re.compile(r"localhost|::1|127(\.\d{1,3}){3}")
_PLAIN: Final[dict[str, Any]] = {"rich_markup_mode": None, "no_args_is_help": True}

app = typer.Typer(
    help="A hospital discharge on medication for opioid use disorder goes in; a referral reaches the right partner.",
    add_completion=False,
    pretty_exceptions_enable=False,
    **_PLAIN,
)
db = typer.Typer(help="The database and the key file.", **_PLAIN)
sender = typer.Typer(help="Hospital interfaces.", **_PLAIN)
partner = typer.Typer(help="Community partners.", **_PLAIN)
client = typer.Typer(help="Machine clients.", **_PLAIN)
ledger = typer.Typer(help="Where every message went.", rich_markup_mode=None)
for _name, _group in {"db": db, "sender": sender, "partner": partner, "client": client, "ledger": ledger}.items():
    app.add_typer(_group, name=_name)


class Stop(Exception):
    """The command can't do what was asked."""

    def __init__(self, message: str, hint: str, code: int = 2) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code


# ---- running


@app.command(epilog="Example: throughline serve --port 8000 --mllp-port 2575")
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
        raise Stop(
            "THROUGHLINE_AUTH=off is for a loopback address only.",
            "bind to 127.0.0.1, or set THROUGHLINE_AUTH=required",
        )
    if workers > 1 and settings.database_url.startswith("sqlite"):
        raise Stop(
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
        raise Stop(
            f"Port {port} of {host} can't be listened on: {error.strerror}.", "choose another one by --port", 1
        ) from None


@app.command(epilog="Example: throughline worker --concurrency 2")
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
        raise Stop(
            "SQLite is served by one process, which runs the jobs itself.",
            "use throughline serve --with-worker, or set THROUGHLINE_DATABASE_URL to PostgreSQL",
        )
    asyncio.run(faults.ready(settings))

    async def work(hub: Hub) -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await loop.run(hub, stop, concurrency=concurrency)

    _with_hub(work, log_level=settings.log_level)


@app.command(epilog="Example: throughline demo --port 8001 --mllp-port 2576")
def demo(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="HTTP port.", min=1, max=65535)] = 8000,
    mllp_port: Annotated[int, typer.Option(help="MLLP port; 0 = no MLLP.", min=0, max=65535)] = 2575,
    folder: Annotated[Path, typer.Option("--dir", help="Its own folder; made anew.")] = Path("var/demo"),
) -> None:
    """Serve a small synthetic world, made anew, and print four commands that walk the loop; Ctrl-C ends it."""
    from app.services import demo as world
    from app.services import demo_guide

    folder = folder.resolve()
    os.environ.update(world.environment(folder, host, port, mllp_port))
    text = asyncio.run(world.prepare(folder, host, port, mllp_port))
    demo_guide.when_ready(world.shown(host).strip("[]"), port, text)
    serve(host, port, mllp_port)


@app.command(epilog="Example: throughline bench --base-url http://127.0.0.1:8000 --token $TOKEN")
def bench(
    base_url: Annotated[str | None, typer.Option(metavar="URL", help="A hub that runs; else one of its own.")] = None,
    token: Annotated[str | None, typer.Option(metavar="T", help="Bearer token for --base-url.")] = None,
    seconds: Annotated[float, typer.Option(help="Of each measured part.", min=0.2, max=600)] = 2.0,
) -> None:
    """Measure rates, latencies and CPU against a bare route; a hub that runs gets reads and test messages only."""
    from app.services import bench

    _print(bench.run(base_url, token, seconds=seconds))


# ---- database


@db.command("upgrade", epilog="Example: throughline db upgrade")
def db_upgrade() -> None:
    """Bring the database to this release's schema; make the key file on first use. Safe to repeat."""
    from app.core.crypto import create_key_file
    from app.core.settings import Settings
    from app.services import registration
    from app.store import migrate

    settings = Settings()
    created = create_key_file(settings.key_file)
    asyncio.run(migrate.upgrade(settings.database_url))
    organization = _with_hub(registration.found_hub)
    _print({"schema": "current", "keys": "created" if created else "kept", "organization": organization})
    if created:
        _say(f"keys written to {settings.key_file}: keep a copy apart from the database; nothing opens without it")


@db.command("check", epilog="Example: throughline db check")
def db_check() -> None:
    """Verify schema, disclosure seals, ledger counts and change order; exit 1 when something is found."""
    from app.services import checks

    findings = _with_hub(checks.check)
    print(checks.report(findings))  # noqa: T201 - this is the output
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


# ---- who takes part


@sender.command(
    "add",
    epilog="Example: throughline sender add mercy-adt --organization 'Mercy Hospital' --dialect adt_generic "
    "--timezone America/New_York --match-msh 'EPIC|MERCY' --part2 listed --part2-unit ACS",
)
def sender_add(
    sender_id: Annotated[str, typer.Argument(metavar="ID", help="Short name of the interface.")],
    *,
    organization: Annotated[str | None, typer.Option(metavar="NAME", help="The hospital's name.")] = None,
    dialect: Annotated[str | None, typer.Option(metavar="NAME", help="adt_generic, event_json.")] = None,
    timezone: Annotated[str | None, typer.Option(metavar="ZONE", help="IANA zone of times without offset.")] = None,
    match_msh: Annotated[list[str] | None, typer.Option(metavar="APP|FACILITY", help="MSH-3|MSH-4.")] = None,
    peer: Annotated[list[str] | None, typer.Option(metavar="CIDR", help="Where MLLP may come from.")] = None,
    part2: Annotated[
        Literal["all", "none", "listed"] | None, typer.Option(help="Which units are Part 2 programs.")
    ] = None,
    part2_unit: Annotated[list[str] | None, typer.Option(metavar="CODE", help="A Part 2 unit (PV1-3.1).")] = None,
    file: Annotated[Path | None, typer.Option(help="Sender file (JSON); the command line wins over it.")] = None,
) -> None:
    """Register a hospital interface, or replace the registration with the same ID."""
    from app.services import registration
    from app.services.hub import Hub

    given = {
        "id": sender_id,
        "organization": organization,
        "dialect": dialect,
        "timezone": timezone,
        "match_msh": match_msh,
        "peers": peer,
        "part2": part2,
        "part2_units": part2_unit,
    }
    fields = registration.merged_fields(_bytes(file) if file else None, given)

    async def work(hub: Hub) -> registration.Hospital:
        return await registration.add_sender(hub, fields)

    added = _with_hub(work)
    _print({"sender": added.sender, "organization": added.organization})


@partner.command("import", epilog="Example: throughline partner import partners.json")
def partner_import(
    file: Annotated[Path, typer.Argument(help="JSON array of partner profiles.")],
) -> None:
    """Register partners, or change those of the same names."""
    from app.services import registration
    from app.services.hub import Hub

    data = _bytes(file)

    async def work(hub: Hub) -> list[registration.Partner]:
        return await registration.import_partners(hub, data)

    _print([{"name": one.name, "organization": one.organization} for one in _with_hub(work)])


@client.command(
    "add", epilog="Example: throughline client add --organization ID --scope 'system/Task.rus system/*.rs' --secret"
)
def client_add(
    organization: Annotated[str, typer.Option(metavar="ID", help="FHIR id of the organization it acts for.")],
    scope: Annotated[str, typer.Option(help="SMART system scopes; 'ingest' allows sending messages.")],
    *,
    secret: Annotated[bool, typer.Option("--secret", help="Identify by a secret, which is shown once.")] = False,
    jwks: Annotated[Path | None, typer.Option(help="Not in this release.")] = None,
    jwks_url: Annotated[str | None, typer.Option(help="Not in this release.")] = None,
    require_if_match: Annotated[
        bool, typer.Option("--require-if-match", help="Its updates must send If-Match.")
    ] = False,
) -> None:
    """Register a machine client."""
    from app.services import accounts
    from app.services.hub import Hub

    if jwks or jwks_url:
        raise Stop("Clients with a key set are not supported in this release.", "use --secret")
    if not secret:
        raise Stop("How does the client identify itself?", "add --secret")

    async def work(hub: Hub) -> accounts.Registered:
        return await accounts.add_client(hub, organization, scope, require_if_match=require_if_match)

    added = _with_hub(work)
    _print({"client_id": added.client_id, "client_secret": added.client_secret})


@app.command(epilog="Example: TOKEN=$(throughline token --client ID | tail -n 1)")
def token(
    client_id: Annotated[str, typer.Option("--client", metavar="ID", help="client_id of a registered client.")],
) -> None:
    """Print a bearer token on the last line; only on the machine that holds the database."""
    from app.services import accounts
    from app.services.hub import Hub

    async def work(hub: Hub) -> accounts.Issued:
        return await accounts.issue(hub, client_id)

    issued = _with_hub(work)
    _say(f"valid for {issued.expires_in // 3600} hours, scope: {issued.scope}")
    print(issued.token)  # noqa: T201 - this is the output


# ---- messages


@app.command(epilog="Example: throughline ingest inbox/ --sender mercy-adt --report report.ndjson")
def ingest(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files and folders.")],
    sender_id: Annotated[str | None, typer.Option("--sender", metavar="ID", help="Whose messages they are.")] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Judge each message by itself; keep nothing.")] = False,
    report: Annotated[
        Path | None, typer.Option(help="One JSON line per message: file, index (from 1), ack, state, reasons ...")
    ] = None,
) -> None:
    """Take messages in: HL7 v2 (single, batch), event JSON, NDJSON. Exit 3 when some were rejected."""
    from app.core import terminal
    from app.services import ingest_files
    from app.services.hub import Hub

    files = ingest_files.find(paths)
    states: Counter[str] = Counter()

    async def work(hub: Hub) -> None:
        senders = ingest_files.chosen(await hub.registry.current(), sender_id)
        with report.open("w") if report else nullcontext() as out, terminal.progress(len(files)) as advance:
            async for result in ingest_files.ingest(hub, files, senders, dry_run=dry_run):
                states[result.state or "not-kept"] += 1
                advance(result.file)
                if out is not None:
                    out.write(json.dumps(result.line(), ensure_ascii=False) + "\n")

    if dry_run:
        _say("dry run: each message is judged by itself, nothing is kept")
    _with_hub(work)
    _print(ingest_files.summary(states, files=len(files), dry_run=dry_run))
    if states["not-kept"]:
        raise Stop(f"{states['not-kept']} messages could not be kept.", "send them again; nothing happens twice", 1)
    if states["rejected"]:
        raise typer.Exit(3)


@app.command(epilog="Example: throughline explain discharge.hl7 --sender mercy-adt")
def explain(
    file: Annotated[Path, typer.Argument(help="A file with one message; see --message for a batch.")],
    sender_id: Annotated[str | None, typer.Option("--sender", metavar="ID", help="Whose message it is.")] = None,
    output: Annotated[
        Literal["text", "json"], typer.Option("--format", help="json also holds the resources, with the person.")
    ] = "text",
    message: Annotated[int, typer.Option(help="Which message of a batch.", min=1)] = 1,
) -> None:
    """Dry run of one message: which field became what, what was not used and why, the verdict, the resources."""
    from app.core.clock import Clock
    from app.core.settings import Settings
    from app.services import explaining, ingest_files
    from app.services.hub import Hub
    from schemas.sender import Sender

    pieces = list(ingest_files.cut(str(file), _bytes(file)))
    if not 1 <= message <= len(pieces):
        raise Stop(f"The file holds {len(pieces)} messages.", f"--message 1 to {len(pieces)}" if pieces else "")
    if len(pieces) > 1:
        _say(f"message {message} of {len(pieces)}")

    async def work(hub: Hub) -> tuple[Sender, ...]:
        directory = await hub.registry.current()
        return ingest_files.chosen(directory, sender_id) if directory.senders or sender_id else ()

    known = _with_hub(work) if sender_id or Settings().key_file.exists() else ()
    piece = pieces[message - 1]
    of = known[0] if sender_id else explaining.sender_for(piece, known)
    found = explaining.explained(piece, of, now=Clock().now())
    sys.stdout.write(explaining.as_text(found) if output == "text" else explaining.as_json(found).decode())


@ledger.callback(
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
    from app.services import ledger_views
    from app.services.hub import Hub

    instant = ledger_views.instant(since, Clock().now_us()) if since else None

    async def work(hub: Hub) -> list[ledger_views.LedgerLine]:
        return [line async for line in ledger_views.lines(hub, sender=sender_id, state=state, since=instant)]

    entries = _with_hub(work)
    if output == "json":
        _print(entries)
    else:
        print(ledger_views.table(entries))  # noqa: T201 - this is the output


@ledger.command("replay", epilog="Example: throughline ledger replay 0197a2c4-...")
def ledger_replay(
    entry: Annotated[str, typer.Argument(metavar="ID", help="Id of a ledger entry.")],
) -> None:
    """Decide a kept message again, with the registrations and rules of today."""
    from app.services import ledger_views
    from app.services.hub import Hub
    from app.services.intake import Intake

    async def work(hub: Hub) -> ledger_views.LedgerLine:
        return ledger_views.line_of_outcome(await Intake(hub).replay(entry))

    _print(_with_hub(work))


# ---- shared


def _with_hub(work: Callable[[Any], Awaitable[T]], *, log_level: str = "ERROR") -> T:
    """Run ``work`` over the hub that the environment names."""
    from app.core import log
    from app.core.settings import Settings
    from app.services import opening

    log.configure(log_level)

    async def run() -> T:
        async with opening.opened(Settings()) as hub:
            return await work(hub)

    return asyncio.run(run())


def _print(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2 if isinstance(value, list) else None))  # noqa: T201 - output


def _say(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 - for the person at the terminal


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Stop(f"{file} can't be read: {error.strerror}.", "check the path") from None


# ---- errors: one line, one hint, no traceback


def main() -> None:
    """Run the command line."""
    try:
        code = typer.main.get_command(app)(prog_name="throughline", standalone_mode=False)
    except TyperException as error:
        context = getattr(error, "ctx", None)
        _fail(error.format_message(), f"{context.command_path if context else 'throughline'} --help")
        code = error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        code = 130
    except BrokenPipeError:
        # Whoever read our output has seen enough; without this the interpreter complains at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Stop as stop:
        _fail(stop.message, stop.hint)
        code = stop.code
    except Exception as error:  # noqa: BLE001 - a person at a terminal is told in one line, whatever it is
        from app.services import faults

        told = asyncio.run(faults.told(error))
        _fail(told.message, told.hint)
        code = told.code
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, hint: str) -> None:
    _say(f"error: {' '.join(message.split())}")
    if hint:
        _say(f"hint: {hint}")


if __name__ == "__main__":
    main()
