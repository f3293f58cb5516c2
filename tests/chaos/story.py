"""One visit, again and again: a dose, a supply for the way home, the discharge, and the partner who accepts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.core import json
from app.core.actor import Actor
from app.core.clock import Clock
from app.core.crypto import Keys
from app.core.errors import HubError
from app.services.hub import Hub, Registry
from app.services.intake.intake import Intake
from app.services.intake.intake_requests import receive_frame
from app.services.partners import registration
from app.services.writing import Rendition
from app.store.queries import ColumnIn, Query, Row
from app.store.store import Store, connect
from tests.hub_fixtures import FAST, PARTNER, patched

KEYS = b"HTEST" * 8
SYSTEM = Actor.system("test")
_ACCEPT = [{"op": "replace", "path": "/status", "value": "accepted"}]
_DRUG = "991147^methadone hydrochloride 10 MG/ML Oral Solution^RXNORM"
_KINDS = {
    "RAS": ("RAS^O17^RAS_O17", "20260608090000"),
    "RDS": ("RDS^O13^RDS_O13", "20260608123000"),
    "A03": ("ADT^A03^ADT_A03", "20260608131500"),
    "A13": ("ADT^A13^ADT_A01", "20260608133000"),
}
_ORDER = "ORC|RE|P{n}^MERCYPLC|F{n}^MERCYPHARM||||||{at}|||1999990017^HTESTDOC^ANNA"


def message(kind: str, number: int) -> bytes:
    """The ``kind`` (see ``_KINDS``) of visit ``number``; its control id is ``kind-number``."""
    trigger, at = _KINDS[kind]
    ended = "01" + "|" * 8 + "20260605220000|20260608130500" if kind == "A03" else "|" * 8 + "20260605220000"
    segments = [
        rf"MSH|^~\&|EPIC|MERCY|HUB|HUB|{at}-0400||{trigger}|{kind}-{number}|P|2.5.1",
        f"PID|1||HTEST{number:05d}^^^MERCY^MR||HTEST^Ines||19790119|F|||||^PRN^PH^^1^212^5550104",
        f"PV1|1|I|4W^0412^A^MERCY|1||||||MED|||||||||HTEST-V{number:05d}^^^MERCY^VN" + "|" * 17 + ended,
    ]
    order = _ORDER.format(n=number, at=at)
    if kind.startswith("A"):
        segments.insert(1, f"EVN|{kind}|{at}||||20260608130500")
    if kind == "A03":
        segments.append("DG1|1||F11.20^Opioid dependence, uncomplicated^I10|||F|||||||||1")
    elif kind == "RAS":
        segments += [order, f"RXA|0|1|{at}|{at}|{_DRUG}|80|mg||||||||||||||CP|A", "RXR|PO"]
    elif kind == "RDS":
        segments += [
            order + "|" * 17 + "O^Outpatient^HL70482",
            f"RXE||{_DRUG}|1||SOLN|SOLN||||3|SOLN",
            "TQ1|1|1|QDAY|||3^d|20260608122500",
            f"RXD|1|{_DRUG}|20260608122500|3|DOSE||RX{number}",
            "RXR|PO",
        ]
    return "\r".join(segments).encode() + b"\r"


def hub_over(store: Store, url: str = FAST.database_url) -> Hub:
    """A hub as a process has it that was just started."""
    settings = FAST.model_copy(update={"database_url": url})
    return Hub(settings, store, Keys(KEYS), Clock(), Registry(store))


async def settle_in(hub: Hub) -> tuple[str, str]:
    """Register a hospital and a partner; their organisations."""
    await registration.found_hub(hub)
    fields = {"dialect": "adt_generic", "timezone": "America/New_York", "part2": "none"}
    mercy = await registration.add_sender(
        hub, {"id": "mercy-adt", "organization": "HTEST Mercy", "match_msh": ["EPIC|MERCY"], **fields}
    )
    partners = await registration.import_partners(hub, json.dumps([PARTNER]))
    return mercy.organization, partners[0].organization


@asynccontextmanager
async def started(url: str) -> AsyncIterator[Hub]:
    """A hub that starts over what is there, with connections of its own, and ends."""
    store = connect(url, Clock())
    try:
        yield hub_over(store, url)
    finally:
        await store.close()


def code(ack: bytes | None) -> str | None:
    """MSA-1 of an acknowledgement."""
    return None if ack is None else ack.partition(b"\rMSA|")[2][:2].decode()


async def send(hub: Hub, intake: Intake, kind: str, number: int, *, numbered: bool = True) -> str | None:
    """By MLLP; the code of the acknowledgement, None where there is none. ``numbered``: with its visit identifier."""
    data = message(kind, number)
    if not numbered:
        data = data.replace(f"HTEST-V{number:05d}^^^MERCY^VN".encode(), b"")
    told = await receive_frame(hub, intake, data, "192.0.2.1")
    return code(told[0] if told else None)


async def referral(hub: Hub, number: int) -> str | None:
    """The source ServiceRequest that the discharge of visit ``number`` belongs to."""
    rows = await hub.store.database.fetch(
        "select referral from ledger where control_id = $1 and referral is not null", f"A03-{number}"
    )
    return rows[0][0] if rows else None


async def family(hub: Hub, number: int) -> list[Row]:
    """Source Tasks of visit ``number``, then their children."""
    request = await referral(hub, number)
    if request is None:
        return []
    reader = hub.store.reader(SYSTEM)
    sources = await reader.search(Query("Task", (ColumnIn("focus", (f"ServiceRequest/{request}",)),)))
    parents = tuple(f"Task/{row.id}" for row in sources)
    return [*sources, *await reader.search(Query("Task", (ColumnIn("part_of", parents),)))]


async def accept(hub: Hub, partner: str, number: int) -> Rendition:
    """The partner accepts the Task of visit ``number``, as often as it is asked to."""
    child = (await family(hub, number))[-1]
    return await accept_task(hub, partner, child.id)


async def accept_task(hub: Hub, partner: str, task: str) -> Rendition:
    """The partner accepts ``task``."""
    actor = Actor(partner, "HTEST-client", frozenset({"system/Task.rus"}))
    return await patched(hub, actor, task, _ACCEPT)


async def discharged(hub: Hub, number: int = 1) -> str:
    """Visit ``number`` ends; the child Task that the partner is asked by."""
    intake = Intake(hub)
    for kind in ("RDS", "A03"):
        assert await send(hub, intake, kind, number) == "AA"
    return (await family(hub, number))[-1].id


async def try_to_accept(hub: Hub, partner: str, task: str) -> str:
    """The partner accepts ``task``; ``done``, or the name of the error."""
    try:
        await accept_task(hub, partner, task)
    except HubError as error:
        return type(error).__name__
    return "done"
