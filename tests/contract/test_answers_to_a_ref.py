"""A clinician asks for a referral by name (REF^I12) and is answered as HL7 has it: RRI^I12."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from hl7apy.consts import VALIDATION_LEVEL  # type: ignore[import-untyped] # it has no types
from hl7apy.parser import parse_message  # type: ignore[import-untyped] # it has no types

from tests.contract.answered import Answered, answered, because, progress, reported, telling
from tests.hub_fixtures import World
from tests.journeys.stay import MERCY, Stay
from tests.mllp_receivers import taking_answers

MAPS = {**MERCY["maps"], "referral_needs": {"MOUD": "moud-continuation"}}


@pytest_asyncio.fixture
async def scene(world: World, web: httpx.AsyncClient) -> AsyncIterator[Answered]:
    async with taking_answers() as receiver:
        yield await answered(world, web, receiver, sender={"maps": MAPS}, message="ORU^R01")


def asked_by_name(number: int) -> bytes:
    stay = Stay(number)
    rf1 = "RF1|P^Pending|A^ASAP^HL70280|SUD^Addiction medicine||O^Outpatient|HTREF1^HTAPP||||MOUD^Continue medication"
    prd = "PRD|RP^Referring Provider^HL70286|HTESTDOC^Anna"
    admitted, *rest = stay.admit().decode().rstrip("\r").split("\r")
    header = admitted.replace("ADT^A01^ADT_A01", "REF^I12^REF_I12").replace("-01|", "-REF|")
    body = [line for line in rest if not line.startswith("EVN")]
    return "".join(f"{line}\r" for line in (header, rf1, prd, *body)).encode()


async def asked(scene: Answered, number: int = 1) -> None:
    await scene.send(asked_by_name(number))
    await scene.send(Stay(number).order())


async def test_whoever_asked_by_name_reads_the_state_of_the_referral_under_its_own_number(scene: Answered) -> None:
    await asked(scene)
    child = await scene.child(1)
    async with telling(scene.hub):
        await scene.move(child, "accepted")
        await scene.move(child, "completed", reported("first-dose-given"))
        accepted, done = await scene.receiver.several(2)
    for one in (accepted, done):
        assert one.field("MSH", 9) == "RRI^I12^RRI_I12"
        assert one.field("RF1", 1) == "A^Accepted^HL70283"
        assert one.field("RF1", 6) == "HTREF1^HTAPP"
        assert one.field("RF1", 11) == f"{scene.source_of(child)}^THROUGHLINE"
        assert [one.field("PRD", 2, nth) for nth in (0, 1)] == ["HTESTDOC^Anna", "HTEST Harbor OTP"]
        assert one.field("OBR", 2) == "HTREF1^HTAPP"
        assert one.field("PID", 3).startswith(Stay(1).mrn)
        read = parse_message(one.text, validation_level=VALIDATION_LEVEL.STRICT, find_groups=True)
        assert read.validate()
    assert [progress(one.text) for one in (accepted, done)] == ["Accepted", "Seen, first dose given"]


@pytest.mark.parametrize(
    ("moves", "status"),
    [
        ((("rejected", because("HTEST no place")),), "P^Pending^HL70283"),
        ((("accepted",), ("failed", because("HTEST did not come"))), "E^Expired^HL70283"),
    ],
    ids=["declined", "not seen"],
)
async def test_what_is_not_given_is_pending_or_expired(
    scene: Answered, moves: tuple[tuple[str, ...]], status: str
) -> None:
    await asked(scene)
    child = await scene.child(1)
    async with telling(scene.hub):
        for to, *more in moves:
            await scene.move(child, to, *more)  # type: ignore[arg-type]
        *_, last = await scene.receiver.several(len(moves))
    assert last.field("RF1", 1) == status


async def test_a_referral_that_a_discharge_opened_is_answered_as_the_sender_wants(scene: Answered) -> None:
    await scene.take_in(2)
    async with telling(scene.hub):
        await scene.move(await scene.child(2), "accepted")
        (told,) = await scene.receiver.several(1)
    assert told.field("MSH", 9) == "ORU^R01^ORU_R01"
