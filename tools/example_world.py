"""A small hub in one process, for the recorded examples: who takes part, and the instants and ids that they get.

Two runs must give the same text. So ids and secrets are counted instead of drawn, and the clock starts at a fixed
instant; what still differs (microseconds) is evened out by ``even``.
"""

import json
import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from unittest.mock import patch

from app.core import ids
from app.core.clock import Clock
from app.core.crypto import Keys
from app.core.settings import Settings
from app.main import Application, attach, create_app
from app.services.clients import accounts
from app.services.clients.accounts import Registered
from app.services.hub import Hub, Registry
from app.services.partners import registration
from app.store import migrate
from app.store.store import connect

START: Final = datetime(2026, 6, 5, 18, 20, tzinfo=UTC)
"""The hub's clock at the first request. No example holds a time of its own between this and ten minutes later."""
BASE: Final = "https://hub.example.org"
HOSPITAL, PARTNER, READER = "hospital", "partner", "reader"
_SCOPES: Final = {
    HOSPITAL: "ingest system/*.cruds",
    PARTNER: "system/*.cruds",
    READER: "system/Task.rs",
}
"""Client to its scopes. ``reader`` is a second client of the partner that may only look."""
_PROFILE: Final = {
    "name": "HTEST Harbor OTP",
    "covered_entity": True,
    "part2_program": True,
    "medical": True,
    "needs": ["moud-continuation"],
    "products": ["methadone", "buprenorphine"],
    "time_zone": "America/New_York",
    "phone": "555-0100",
    "still_here_on": "fri",
}


@dataclass(frozen=True, slots=True)
class World:
    """What the examples are run against."""

    app: Application
    hub: Hub
    organizations: dict[str, str]
    """FHIR ids of the organisations of ``hospital`` and ``partner``."""
    clients: dict[str, Registered]
    tokens: dict[str, str]
    """Bearer tokens by client."""


@contextmanager
def _counted() -> Iterator[None]:
    """Ids and secrets that are counted: they look like real ones, and are the same in each run."""
    numbers, secrets = count(1), count(1)
    milliseconds = f"{int(START.timestamp() * 1000):012x}"

    def uuid7() -> str:
        return f"{milliseconds[:8]}-{milliseconds[8:]}-7000-8000-{next(numbers):012x}"

    def secret() -> str:
        return f"HTEST-secret-{next(secrets):030d}"

    with ExitStack() as stack:
        for real, ours in ((ids.uuid7, uuid7), (ids.secret, secret)):
            for module in [*sys.modules.values()]:
                if vars(module).get(real.__name__) is real:
                    stack.enter_context(patch.object(module, real.__name__, ours))
        yield


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    """A hub on a fresh SQLite database with a hospital, a partner and their clients."""
    with TemporaryDirectory() as folder, _counted():
        url = f"sqlite:///{Path(folder) / 'examples.db'}"
        await migrate.upgrade(url)
        # Within a minute, so that what is told by the minute is the same however quickly the story is told.
        clock = Clock.starting_at(START + timedelta(seconds=20))
        store = connect(url, clock)
        try:
            settings = Settings(
                _env_file=None, database_url=url, base_url=BASE, mllp_port=0, worker=False, max_body=65536
            )
            yield await _peopled(Hub(settings, store, Keys(b"HTEST" * 8), clock, Registry(store)))
        finally:
            await store.close()


async def _peopled(hub: Hub) -> World:
    await registration.found_hub(hub)
    hospital = await registration.add_sender(
        hub,
        {
            "id": "mercy-adt",
            "organization": "HTEST Mercy Hospital",
            "dialect": "adt_generic",
            "timezone": "America/New_York",
            "match_msh": ["EPIC|MERCY"],
            "part2": "none",
        },
    )
    partner, *_ = await registration.import_partners(hub, json.dumps([_PROFILE]).encode())
    organizations = {HOSPITAL: hospital.organization, PARTNER: partner.organization}
    clients, tokens = {}, {}
    for name, scope in _SCOPES.items():
        owner = organizations[PARTNER if name == READER else name]
        clients[name] = await accounts.add_client(hub, owner, scope)
        tokens[name] = (await accounts.issue(hub, clients[name].client_id)).token
    app = create_app(hub.settings)
    attach(app, hub)
    return World(app, hub, organizations, clients, tokens)


# ---- what differs from run to run

_MICROS: Final = re.compile(r"2026-06-05T18(:|%3A)2\d(?::|%3A)\d\d\.\d{6}")
_SECONDS: Final = (
    (re.compile(r"2026-06-05T18:2\d:\d\d\.\d{3,6}(?=\+00:00)"), "2026-06-05T18:20:01.000"),
    (re.compile(r"2026-06-05T18:2\d:\d\d(?=Z|\+00:00)"), "2026-06-05T18:20:01"),
    (re.compile(r"20260605182\d\d\d\+0000"), "20260605182001+0000"),
)
_OPAQUE: Final = (
    (re.compile(r'W/\\"[0-9a-f]{24}\\"'), 'W/\\"{:024x}\\"'),
    (re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+"), "HTEST-assertion-{}"),
    (re.compile(r"_cursor=[\w%-]{40,}"), "_cursor=HTEST-cursor-{}"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7000-8000-[0-9a-f]{12}"), "019e9903-7080-7000-8000-{:012x}"),
)
"""Validators and cursors of searches, signed assertions, and ids, numbered in the order in which they are seen: how
many nobody saw is no matter."""
_STEP: Final = timedelta(microseconds=37_123)


def even(value: Any) -> Any:
    """The same JSON with the instants of the run by their rank, so that only their order tells."""
    text = json.dumps(value, ensure_ascii=False)
    for pattern, fixed in _SECONDS:
        text = pattern.sub(fixed, text)
    for pattern, form in _OPAQUE:
        text = _numbered(text, pattern, form)
    instants = sorted({found[0].replace("%3A", ":") for found in _MICROS.finditer(text)})
    ranks = {instant: rank for rank, instant in enumerate(instants, 1)}
    return json.loads(_MICROS.sub(lambda found: _instant(found, ranks), text))


def _numbered(text: str, pattern: re.Pattern[str], form: str) -> str:
    known = {found: form.format(number) for number, found in enumerate(dict.fromkeys(pattern.findall(text)), 1)}
    return pattern.sub(lambda found: known[found[0]], text)


def _instant(found: re.Match[str], ranks: dict[str, int]) -> str:
    evened = START + ranks[found[0].replace("%3A", ":")] * _STEP
    return evened.strftime("%Y-%m-%dT%H:%M:%S.%f").replace(":", found[1])
