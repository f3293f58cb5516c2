"""Everything the hub says in FHIR: to each organisation all that it can read, and the answers of the recorded story.

Taken at the hub's HTTP doors, as the text that a client gets. The worlds: the demo, the example visits (each in a hub
whose clock stands at its last message), the corpus of messages, and the story behind the examples of the API.
"""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import httpx

from app.core.crypto import create_key_file
from app.core.settings import Settings
from app.main import attach, create_app
from app.services import opening
from app.services.clients import accounts
from app.services.demo import demo
from app.services.hub import Hub
from app.services.intake import ingest_files
from app.services.partners import registration
from app.store import migrate
from fhir_mappings import hl7v2
from tests.agreement.corpus import pairs
from tests.agreement.ours import made
from tests.conformance.validator import SHARED
from tests.unit.gate_samples import SAMPLES
from tools.build_examples import DOORS

Resource = dict[str, Any]
CORPUS: Final = (SHARED / "corpus" / "hl7v2", SHARED / "corpus" / "fhir")
VISITS: Final = SHARED / "visits"
GOLDEN: Final = Path(__file__).parents[1] / "golden" / "build"
_SCOPE: Final = "system/*.rs system/Task.rus"
_ANYONE: Final = {
    "id": "anyone",
    "organization": "HTEST Anyone",
    "dialect": "adt_generic",
    "timezone": "America/New_York",
    "part2": "none",
    "routes": {"moud-continuation": "Harbor OTP"},
}
_SEARCHED: Final = "demo"
"""The world whose searchsets are judged too: what stands in those of the others is judged as it is read."""
_BASE: Final = "https://hub.example.org"


class Said(NamedTuple):
    """One thing that the hub said."""

    world: str
    place: str
    """Where it was said: a path, or the name of an example."""
    kind: str
    """The type; of a Bundle with its own type behind it (``Bundle:searchset``)."""
    text: str


@dataclass
class Heard:
    """What was said, each text once."""

    texts: dict[str, Said] = field(default_factory=dict)

    def add(self, world: str, place: str, text: str) -> Resource:
        """Keep a text; what it says, as data."""
        resource: Resource = json.loads(text)
        kind = resource["resourceType"]
        if kind == "Bundle":
            kind = f"Bundle:{resource['type']}"
        # Of searches that find nothing one is enough: they differ in their link alone.
        key = text if kind != "Bundle:searchset" or "entry" in resource else f"{world} nothing"
        self.texts.setdefault(key, Said(world, place, kind, text))
        return resource


def unchanging() -> list[str]:
    """Resources that are the same in each run: the expected results of building, and one resource of each profile."""
    resources = [one for file in sorted(GOLDEN.glob("*.expected.json")) for one in json.loads(file.read_text())]
    return list(dict.fromkeys(json.dumps(one) for one in (*resources, *SAMPLES.values())))


async def everything() -> list[Said]:
    """All of it, in the order in which it was said."""
    heard = Heard()
    await _demo(heard)
    await _visits(heard)
    await _corpus(heard)
    _examples(heard)
    _built(heard)
    return list(heard.texts.values())


# ---- the worlds


async def _demo(heard: Heard) -> None:
    with TemporaryDirectory() as folder:
        settings = _settings(Path(folder))
        await demo.build(settings)
        async with opening.opened(settings) as hub:
            await _listen(heard, "demo", hub)


async def _visits(heard: Heard) -> None:
    for folder in sorted(VISITS.glob("[0-9]*")):
        sender = json.loads((folder / "expected.json").read_text())["sender"]
        fields = json.loads((VISITS / "senders" / sender / "sender.json").read_text())
        async with _fresh(fields, _last_told(folder)) as hub:
            await _ingest(hub, [folder], fields["id"])
            await _listen(heard, "visits", hub)


async def _corpus(heard: Heard) -> None:
    async with _fresh(_ANYONE, None) as hub:
        await _ingest(hub, list(CORPUS), "anyone")
        await _listen(heard, "corpus", hub)


def _examples(heard: Heard) -> None:
    """The recorded answers of the API, refusals among them; the suite records them anew and compares."""
    for file in sorted(DOORS.glob("*/examples/*.json")):
        for exchange in json.loads(file.read_text()):
            body = exchange["response"].get("body")
            if isinstance(body, dict) and "resourceType" in body:
                heard.add("examples", f"{exchange['operation']} {exchange['name']}", json.dumps(body))


def _built(heard: Heard) -> None:
    """What the hub would build of the messages of the corpus that are no referral: more of the mapping is seen."""
    for pair in pairs():
        for resource in made(hl7v2.parse(pair.message)).resources:
            heard.add("built", pair.name, json.dumps(resource))


def _last_told(folder: Path) -> datetime:
    told = (path.read_text().split("|", 20)[6] for path in folder.glob("*.hl7"))
    days = max(text[:8] for text in told if text[:8].isdigit())
    return datetime.strptime(f"{days}235959", "%Y%m%d%H%M%S").replace(tzinfo=UTC)


def _settings(folder: Path, now: datetime | None = None) -> Settings:
    return Settings(
        _env_file=None,
        database_url=f"sqlite:///{folder / 'hub.db'}",
        key_file=folder / "keys",
        base_url=_BASE,
        mllp_port=0,
        worker=False,
        log_level="ERROR",
        fake_clock=now,
    )


@asynccontextmanager
async def _fresh(sender: Resource, now: datetime | None) -> AsyncIterator[Hub]:
    with TemporaryDirectory() as folder:
        settings = _settings(Path(folder), now)
        create_key_file(settings.key_file)
        await migrate.upgrade(settings.database_url)
        async with opening.opened(settings) as hub:
            await registration.found_hub(hub)
            await registration.add_sender(hub, sender)
            await registration.import_partners(hub, (VISITS / "partners.json").read_bytes())
            yield hub


async def _ingest(hub: Hub, paths: list[Path], sender: str) -> None:
    senders = ingest_files.chosen(await hub.registry.current(), sender)
    async for _ in ingest_files.ingest(hub, ingest_files.find(paths), senders):
        pass


# ---- reading, as a client does


async def _listen(heard: Heard, world: str, hub: Hub) -> None:
    app = create_app(hub.settings)
    attach(app, hub)
    directory = await hub.registry.current()
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=f"{_BASE}/fhir/R4/") as web:
        statement = heard.add(world, "metadata", (await web.get("metadata")).text)
        for organization in directory.names:
            client = await accounts.add_client(hub, organization, _SCOPE)
            token = (await accounts.issue(hub, client.client_id)).token
            reader = _Reader(heard, world, web, {"authorization": f"Bearer {token}"})
            for name in _searched(statement):
                await reader.read_all(name)


def _searched(statement: Resource) -> Iterator[str]:
    for offered in statement["rest"][0]["resource"]:
        if any(one["code"] == "search-type" for one in offered["interaction"]):
            yield offered["type"]


@dataclass
class _Reader:
    """One organisation's client."""

    heard: Heard
    world: str
    web: httpx.AsyncClient
    headers: dict[str, str]

    async def read_all(self, name: str) -> None:
        """Search a type page by page, then read each; of a Task its history and packet too."""
        url = f"{name}?_count=50"
        while url:
            page = await self._get(url, kept=self.world == _SEARCHED)
            found = (one for one in page.get("entry", ()) if one["search"]["mode"] != "outcome")
            for entry in found:
                await self._read(entry["resource"])
            url = next((link["url"] for link in page["link"] if link["relation"] == "next"), "")

    async def _read(self, resource: Resource) -> None:
        path = f"{resource['resourceType']}/{resource['id']}"
        await self._get(path)
        if resource["resourceType"] == "Task":
            await self._get(f"{path}/_history")
            await self._get(f"{path}/$packet")

    async def _get(self, url: str, *, kept: bool = True) -> Resource:
        answer = await self.web.get(url, headers=self.headers)
        if kept:
            return self.heard.add(self.world, url, answer.text)
        resource: Resource = answer.json()
        return resource
