"""Messages whose visit is not known: they wait, move on with their visit, or come before a human."""

from dataclasses import replace

import pytest

from app.core.actor import Actor
from app.services.hub import Hub
from app.services.intake.intake import Intake
from app.services.jobs import DueWork
from app.services.partners import registration
from tests.hub_fixtures import World

HUB = Actor.system("test")
DAY = 86_400_000_000
HEADER = r"MSH|^~\&|EPIC|MERCY|THROUGHLINE|HUB|{at}||{kind}|{control}|P|2.5.1"
PID = "PID|1||HTEST7001^^^NGMRN^MR||HTESTWAITING^Sam||19910402|M"
DOSE = (
    "ORC|RE|901^NGPLC\r"
    "RXA|0|1|20260608091500|20260608091500|1010604^buprenorphine 8 MG / naloxone 2 MG Sublingual Film^RXNORM|16|mg"
    "|||||||||||||CP|A"
)


def message(kind: str, control: str, at: str, *segments: str) -> bytes:
    return "\r".join((HEADER.format(at=at, kind=kind, control=control), PID, *segments)).encode()


async def state_of(hub: Hub, ledger: str) -> tuple[str, str | None]:
    entry = await hub.store.intake(HUB).entry(ledger)
    assert entry is not None
    return entry.state, entry.visit


async def send(intake: Intake, hub: Hub, data: bytes) -> str:
    senders = list((await hub.registry.current()).senders.values())
    return (await intake.receive_hl7(data, senders)).reading.ledger


async def test_a_dose_without_a_visit_number_waits_for_the_admission(world: World) -> None:
    hub, intake = world.hub, Intake(world.hub)
    dose = await send(intake, hub, message("RAS^O17", "W1", "20260608092100", DOSE))
    assert await state_of(hub, dose) == ("waiting", None)
    visit = "PV1|1|I|4W" + "|" * 16 + "88009001^^^NGCSN" + "|" * 25 + "20260606100000"
    admission = await send(intake, hub, message("ADT^A01", "W2", "20260608093000", "EVN|A01|20260606100000", visit))
    state, found = await state_of(hub, dose)
    assert (state, found) == ("updated", (await state_of(hub, admission))[1])
    assert (await state_of(hub, admission))[0] == "referral"


async def test_a_message_that_never_finds_its_visit_comes_before_a_human(world: World) -> None:
    hub, intake = world.hub, Intake(world.hub)
    dose = await send(intake, hub, message("RAS^O17", "W3", "20260608092100", DOSE))
    later = replace(hub, clock=replace(hub.clock, offset_us=8 * DAY))
    await DueWork(later).run()
    assert await state_of(hub, dose) == ("review", None)
    assert len(await hub.store.database.fetch("select visit from review where closed_at is null")) == 1


async def test_a_message_that_today_s_settings_no_longer_read_waits_on_and_holds_up_nobody(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    hub, intake = world.hub, Intake(world.hub)
    dose = await send(intake, hub, message("RAS^O17", "W5", "20260608092100", DOSE))
    file = {"id": "mercy-adt", "organization": "HTEST Mercy", "dialect": "adt_generic", "timezone": "America/New_York"}
    await registration.add_sender(hub, file | {"match_msh": ["OTHER|MERCY"]})
    visit = "PV1|1|I|4W" + "|" * 16 + "88009002^^^NGCSN" + "|" * 25 + "20260606100000"
    admitted = message("ADT^A01", "W6", "20260608093000", "EVN|A01|20260606100000", visit)
    admission = await send(intake, hub, admitted.replace(b"|EPIC|", b"|OTHER|"))
    assert (await state_of(hub, admission))[0] == "not-ours"
    assert await state_of(hub, dose) == ("waiting", None)
    assert "waiting-unreadable" in caplog.text
