"""The demo: a fresh hub in its own folder, with a small synthetic world that came in through the real doors.

Messages go through intake, answers of partners through the Task rules, registrations through
registration; nothing is put into the database by hand. All times count back from the hub's clock.
"""

import hashlib
import json
import os
import socket
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Final

from app.core.actor import Actor
from app.core.clock import Clock
from app.core.crypto import create_key_file
from app.core.errors import BadRequest
from app.core.settings import Settings
from app.services import faults, opening
from app.services.clients import accounts
from app.services.demo import demo_guide, demo_world
from app.services.demo.demo_telling import Narrator
from app.services.demo.demo_world import Account, World
from app.services.hub import Hub
from app.services.intake import ledger_views
from app.services.partners import agreements, registration
from app.services.writing import decoded
from app.store import migrate
from app.store.queries import ColumnIn, Query

_SYSTEM: Final = Actor.system("demo")
_HOSPITAL_SCOPE: Final = "ingest system/*.cruds"
_PARTNER_SCOPE: Final = "system/*.cruds"
_NAMES: Final = (
    "hub.db",
    "hub.db-wal",
    "hub.db-shm",
    "keys",
    "keys.seals",
    "task",
    "discharge.hl7",
    "accounts.json",
    "env",
)
"""What the demo writes and, at its next start, removes. Nothing else in the folder is touched."""


def environment(folder: Path, host: str, port: int, mllp_port: int) -> dict[str, str]:
    """The settings of a demo in ``folder``, as environment variables; they win over a ``.env`` file."""
    return {
        "THROUGHLINE_DATABASE_URL": f"sqlite:///{folder / 'hub.db'}",
        "THROUGHLINE_KEY_FILE": str(folder / "keys"),
        "THROUGHLINE_BASE_URL": f"http://{shown(host)}:{port}",
        "THROUGHLINE_MLLP_PORT": str(mllp_port),
        "THROUGHLINE_AUTH": "required",
        "THROUGHLINE_AGREEMENTS": "required",
        "THROUGHLINE_LOG_LEVEL": os.environ.get("THROUGHLINE_LOG_LEVEL", "WARNING"),
    }


def shown(host: str) -> str:
    """The host as it stands in a URL; a wildcard address is reached by loopback."""
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def check_ports(host: str, ports: Iterable[int]) -> None:
    """Raise BadRequest when another process listens on one of ``ports``, before anything is made."""
    for port in filter(None, ports):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as door:
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                door.bind((host, port))
            except OSError:
                raise BadRequest(f"Port {port} of {host} can't be used: choose others (--port, --mllp-port).") from None


async def prepare(folder: Path, host: str, port: int, mllp_port: int) -> str:
    """Make the demo in ``folder``; what to print when it is served.

    ``environment`` must already be this process's. Raises BadRequest when a port is taken, AlreadyServed when another
    demo runs in the same folder.
    """
    check_ports(host, (port, mllp_port))
    settings = Settings()
    world = await build(settings)
    shift = Clock.starting_at(settings.fake_clock).offset_us // 1_000_000
    demo_guide.write_files(folder, world, environment(folder, host, port, mllp_port), shift)
    mllp = f"{shown(host)}:{mllp_port}" if mllp_port else "off"
    return demo_guide.guide(world, settings.base_url, mllp, folder)


async def build(settings: Settings) -> World:
    """A fresh database, and the world in it.

    Raises AlreadyServed when another demo runs in the same folder.
    """
    await _clear(settings)
    create_key_file(settings.key_file)
    await migrate.upgrade(settings.database_url)
    async with opening.opened(settings) as hub:
        await registration.found_hub(hub)
        world = World(hub.clock.now(), (await hub.registry.current()).hub)
        await _register(hub, world)
        await Narrator(hub, world).tell_all()
        await _count(hub, world)
    return world


async def _clear(settings: Settings) -> None:
    if settings.key_file.exists() and (settings.key_file.parent / "hub.db").exists():
        # What an interrupted start left behind is nobody's.
        with suppress(faults.NotMigrated, ValueError, KeyError):
            await faults.ready(settings)
    for name in _NAMES:
        (settings.key_file.parent / name).unlink(missing_ok=True)


async def _register(hub: Hub, world: World) -> None:
    for sender, fields in demo_world.SENDERS.items():
        added = await registration.add_sender(hub, fields)
        world.hospitals[sender] = await _account(hub, fields["organization"], added.organization, _HOSPITAL_SCOPE)
    for partner in await registration.import_partners(hub, json.dumps(demo_world.partners(world.now)).encode()):
        world.partners[partner.name] = await _account(hub, partner.name, partner.organization, _PARTNER_SCOPE)


async def _account(hub: Hub, name: str, organization: str, scope: str) -> Account:
    client = await accounts.add_client(hub, organization, scope)
    issued = await accounts.issue(hub, client.client_id)
    signed = hashlib.sha256(name.encode()).hexdigest()
    await agreements.file(
        hub,
        organization,
        {
            "kind": "participation",
            "reference": f"HTEST-{organization[:8]}",
            "signed_on": (hub.clock.now() - timedelta(days=90)).date().isoformat(),
            "signer": "HTEST Privacy Officer",
            "document_hash": signed,
        },
    )
    return Account(name, organization, client, issued.token)


async def _count(hub: Hub, world: World) -> None:
    sources = Query("Task", (ColumnIn("owner", (f"Organization/{world.hub}",)),), limit=500)
    for row in await hub.store.reader(_SYSTEM).search(sources):
        world.referrals[decoded(row)["status"]] += 1
    async for line in ledger_views.lines(hub):
        world.messages[line["state"]] += 1
