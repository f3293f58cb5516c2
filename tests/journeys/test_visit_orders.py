"""The example visits in many orders of arrival, and with every message sent twice: the same end state each time.

What must come before is kept: a message that takes something back (a cancelled discharge, visit or order, a deleted
dose, a death) comes after all that was sent before it, because what was opened until then is part of the end state.
"""

import asyncio
import json
import os
import random
import re
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.core.actor import Actor
from app.core.clock import Clock, micros
from app.core.crypto import Keys
from app.services.hub import Hub, Registry
from app.services.intake.intake import Intake
from app.services.intake.intake_reading import Inbound
from app.services.partners import registration
from app.services.writing import decoded, without_server_meta
from app.store.store import connect
from schemas.sender import Sender
from tests.hub_fixtures import FAST
from tests.hub_times import without_hub_times

VISITS = Path(__file__).parents[2].parent / "shared" / "visits"
SENDERS = ("northgate", "stclare", "redrock")
ORDERS = int(os.environ.get("THROUGHLINE_VISIT_ORDERS", "200"))
_REFERENCE = re.compile(r"\b([A-Z][A-Za-z]+)/[0-9a-f]{8}-[0-9a-f-]{27}(/_history/\d+)?")
_RANDOM_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21}")

pytestmark = pytest.mark.skipif(not VISITS.is_dir(), reason="the example visits (../shared/visits) are not here")

Told = tuple[bytes, int]
"""One message and the moment at which its visit is looked at."""


def _json(path: Path) -> Any:
    return json.loads(path.read_text())


def _instant(text: str, zone: ZoneInfo) -> datetime:
    form = {12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}.get(len(text), "%Y%m%d%H%M%S%z")
    read = datetime.strptime(text, form)  # noqa: DTZ007 - the zone follows
    return read if read.tzinfo else read.replace(tzinfo=zone)


def _folders() -> Iterator[tuple[str, list[Told]]]:
    """Each visit: its messages in sending order, at the greatest MSH-7 of those that are answered AA."""
    for folder in sorted(VISITS.glob("[0-9]*")):
        expected = _json(folder / "expected.json")
        zone = ZoneInfo(_json(VISITS / "senders" / expected["sender"] / "sender.json")["timezone"])
        taken = [(folder / one["file"]).read_bytes() for one in expected["messages"]]
        headers = [data.decode().split("|", 20) for data in taken]
        real = [fields for fields, one in zip(headers, expected["messages"], strict=True) if one["ack"] == "AA"]
        now = micros(max(_instant(fields[6], zone) for fields in real if fields[10] == "P"))
        yield folder.name[:3], [(data, now) for data in taken]


def _trigger(message: Told) -> str:
    return message[0].decode().split("|", 9)[8].partition("^")[2][:3]


def _takes_back(message: Told) -> bool:
    segments = [line.split("|") for line in re.split("[\r\n]+", message[0].decode())]
    died = any(line[0] == "PV1" and len(line) > 36 and line[36] in {"20", "EXP", "Expired"} for line in segments)
    cancelled = any(line[0] == "ORC" and line[1] in {"CA", "DC", "OC", "OD"} for line in segments)
    deleted = any(line[0] == "RXA" and line[21:22] == ["D"] for line in segments)
    return _trigger(message) in {"A11", "A13"} or died or cancelled or deleted


def _shuffled(messages: Sequence[Told], chance: random.Random, *, twice: bool) -> list[Told]:
    """Another order that keeps what must come before; a second copy comes some time after the first."""
    order: list[int] = []
    free: list[int] = []
    for number, message in enumerate(messages):
        if _takes_back(message):
            chance.shuffle(free)
            order += [*free, number]
            free = []
        else:
            free.append(number)
    chance.shuffle(free)
    order += free
    if twice:
        for number in list(order):
            order.insert(chance.randint(order.index(number) + 1, len(order)), number)
    return [messages[number] for number in order]


@asynccontextmanager
async def _hub(database: Path) -> AsyncIterator[Hub]:
    store = connect(f"sqlite:///{database}", Clock())
    hub = Hub(FAST, store, Keys(b"HTEST" * 8), Clock(), Registry(store))
    await registration.found_hub(hub)
    for name in SENDERS:
        await registration.add_sender(hub, _json(VISITS / "senders" / name / "sender.json"))
    await registration.import_partners(hub, (VISITS / "partners.json").read_bytes())
    try:
        yield hub
    finally:
        await store.close()


async def _end_state(database: Path, told: Mapping[str, Sequence[Told]]) -> dict[str, list[str]]:
    """What each side can read of each visit once all is told; a message of every visit at a time, in order."""
    async with _hub(database) as hub:
        senders: tuple[Sender, ...] = tuple((await hub.registry.current()).senders.values())
        intake = Intake(hub)
        for wave in range(max(map(len, told.values()))):
            sent = [messages[wave] for messages in told.values() if wave < len(messages)]
            await asyncio.gather(*(intake.receive(Inbound(data, senders, now)) for data, now in sent))
        return await _visible(hub)


async def _visible(hub: Hub) -> dict[str, list[str]]:
    """Of each person, by MRN: what hospital and partner see, without ids, versions and provenance."""
    rows = await hub.store.database.fetch(
        "select v.organization, r.id, r.type from visibility v join resource r on r.id = v.id "
        "where r.type not in ('Provenance', 'Organization')"
    )
    stored = await hub.store.reader(Actor.system("test")).by_ids(sorted({row[1] for row in rows}))
    content = {row.id: without_hub_times(without_server_meta(decoded(row))) for row in stored}
    directory = await hub.registry.current()
    persons = {
        resource["id"]: resource["identifier"][0]["value"]
        for resource in content.values()
        if resource["resourceType"] == "Patient"
    }
    seen: dict[str, list[str]] = {}
    for organization, id_, type_ in rows:
        text = json.dumps(content[id_], sort_keys=True)
        of = next((mrn for patient, mrn in persons.items() if patient in text or patient == id_), type_)
        side = "partner" if organization in directory.partners else "hospital"
        bare = _RANDOM_ID.sub("?", _REFERENCE.sub(r"\1/?", text))
        seen.setdefault(of, []).append(f"{side} {type_} {bare}")
    return {of: sorted(lines) for of, lines in seen.items()}


async def test_every_order_of_arrival_ends_alike(migrated_sqlite: Path, tmp_path: Path) -> None:
    visits = dict(_folders())
    chance = random.Random(20261126)

    def database(name: str) -> Path:
        path = tmp_path / f"{name}.db"
        shutil.copy(migrated_sqlite, path)
        return path

    as_sent = await _end_state(database("as-sent"), visits)
    assert len(as_sent) > 20
    different: dict[str, list[str]] = {}
    for number in range(ORDERS):
        told = {name: _shuffled(messages, chance, twice=number % 2 == 1) for name, messages in visits.items()}
        found = await _end_state(path := database(str(number)), told)
        path.unlink()
        for person in as_sent.keys() | found.keys():
            if found.get(person) != as_sent.get(person):
                different.setdefault(person, []).append(
                    f"order {number}: "
                    f"{[line[:3000] for line in found.get(person, []) if line not in as_sent.get(person, [])]} not "
                    f"{[line[:3000] for line in as_sent.get(person, []) if line not in found.get(person, [])]}"
                )
    assert {person: (len(orders), orders[0]) for person, orders in different.items()} == {}
